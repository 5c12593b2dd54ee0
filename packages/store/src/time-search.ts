/**
 * Finds the place of a time in a queue, by the store times in the log. Owns nothing.
 * Source: Apache class ConsumeQueue.getOffsetInQueueByTime; `store-runtime.md` section 10.
 */
import { isPreBlank } from '@rockhopper/protocol'
import { firstWhereAsync } from './binary-search.ts'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { LogReader } from './log-reader.ts'
import type { TimeBoundary } from './outcome.ts'

/** When the message at a queue offset was stored, in ms since 1970; -1 when there is none. */
export async function storeTimeIn(
  queue: ConsumeQueue,
  queueOffset: number,
  log: CommitLog,
  reader: LogReader,
): Promise<number> {
  if (queueOffset < queue.minOffset || queueOffset >= queue.end.value) return -1
  const unit = await queue.unitAt(queueOffset)
  if (isPreBlank(unit) || unit.logOffset < log.minOffset) return -1
  return reader.storeTimeAt(unit.logOffset)
}

/**
 * `lower`: the first message at that time or later, behind the newest if there is none.
 * `upper`: the last message at that time or earlier, the oldest if there is none.
 */
export async function searchByTime(
  queue: ConsumeQueue,
  timestampMs: number,
  boundary: TimeBoundary,
  log: CommitLog,
  reader: LogReader,
): Promise<number> {
  const { minOffset } = queue
  const isBehind = async (at: number): Promise<boolean> => {
    const time = await storeTimeIn(queue, at, log, reader)
    return boundary === 'lower' ? time >= timestampMs : time > timestampMs
  }
  const first = await firstWhereAsync(minOffset, queue.end.value, isBehind)
  return boundary === 'lower' ? first : Math.max(minOffset, first - 1)
}
