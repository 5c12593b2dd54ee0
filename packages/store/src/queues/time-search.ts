/**
 * Finds the place of a time in a queue, by the store times in the log. Owns nothing.
 * Source: Apache class ConsumeQueue.getOffsetInQueueByTime; `store-runtime.md` section 10.
 */

import type { TimeBoundary } from '../outcome.ts'
import { firstWhereAsync } from './binary-search.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { QueueReader } from './queue-reader.ts'

/**
 * `lower`: the first message at that time or later, behind the newest if there is none.
 * `upper`: the last message at that time or earlier, the oldest if there is none. What the log has
 * no more does not count, even before the queue knows.
 */
export async function searchByTime(
  queue: ConsumeQueue,
  timestampMs: number,
  boundary: TimeBoundary,
  reader: QueueReader,
): Promise<number> {
  const end = queue.end.value
  const timeOf = (at: number): Promise<number> => reader.storeTimeOf(queue, at)
  const oldest = await firstWhereAsync(queue.minOffset, end, async (at) => (await timeOf(at)) >= 0)
  const first = await firstWhereAsync(oldest, end, async (at) => {
    const time = await timeOf(at)
    return boundary === 'lower' ? time >= timestampMs : time > timestampMs
  })
  return boundary === 'lower' ? first : Math.max(oldest, first - 1)
}
