/**
 * How far a group is with the queues of a topic, from offsets and the store. Owns nothing of them.
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

export class Progress {
  readonly #parts: ProgressParts

  constructor(parts: ProgressParts) {
    this.#parts = parts
  }

  /** A row for each queue that is read; none for a topic that does not exist. */
  rowsOf(group: string, topic: string): Promise<ConsumeQueueStats[]> {
    const { brokerName, offsets, store, topics } = this.#parts
    const queues = topics.get(topic)?.readQueueNums ?? 0
    const rows = Array.from({ length: queues }, async (_, queueId) => {
      const consumerOffset = offsets.get(group, topic, queueId) ?? 0
      return {
        queue: { topic, brokerName, queueId },
        brokerOffset: store.queueBounds(topic, queueId).maxOffset,
        consumerOffset,
        pullOffset: Math.max(consumerOffset, offsets.pulled(group, topic, queueId) ?? 0),
        lastTimestamp: await this.storeTimeOf(topic, queueId, consumerOffset - 1),
      }
    })
    return Promise.all(rows)
  }

  /** Store time of a message, 0 when there is none: as the tables of operators show it. */
  async storeTimeOf(topic: string, queueId: number, queueOffset: number): Promise<number> {
    if (queueOffset < 0) return 0
    return Math.max(0, await this.#parts.store.storeTimeOf(topic, queueId, queueOffset))
  }
}
