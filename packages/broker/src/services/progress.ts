/**
 * How far a group is with the queues of a topic, from offsets and the store. Owns nothing.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 10.2.
 */
import type { ConsumeQueueStats } from '@rockhopper/protocol'
import type { Store } from '@rockhopper/store'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface ProgressParts {
  readonly brokerName: string
  readonly offsets: OffsetTable
  readonly store: Store
  readonly topics: TopicTable
}

/** A row for each queue that is read; none for a topic that does not exist. */
export function groupRows(
  group: string,
  topic: string,
  { brokerName, offsets, store, topics }: ProgressParts,
): Promise<ConsumeQueueStats>[] {
  const queues = topics.get(topic)?.readQueueNums ?? 0
  return Array.from({ length: queues }, async (_, queueId) => {
    const consumerOffset = offsets.get(group, topic, queueId) ?? 0
    return {
      queue: { topic, brokerName, queueId },
      brokerOffset: store.queueBounds(topic, queueId).maxOffset,
      consumerOffset,
      pullOffset: Math.max(consumerOffset, offsets.pulled(group, topic, queueId) ?? 0),
      lastTimestamp: await storeTime(store, topic, queueId, consumerOffset - 1),
    }
  })
}

/** Store time of a message, 0 when there is none: as the tables of operators show it. */
export async function storeTime(
  store: Store,
  topic: string,
  queueId: number,
  queueOffset: number,
): Promise<number> {
  if (queueOffset < 0) return 0
  return Math.max(0, await store.storeTimeOf(topic, queueId, queueOffset))
}
