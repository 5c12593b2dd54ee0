/**
 * How far the group is on the queues of this consumer: where to begin, and telling the broker how
 * far it is. Source: Apache classes RemoteBrokerOffsetStore, RebalancePushImpl and
 * RebalanceLitePullImpl; `client.md` sections 5.1 and 6.6. Owns nothing; what was stored is noted
 * on the queue.
 */
import { isRetryTopic, type MessageQueue } from '@rockhopper/protocol'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { BrokerOffsets } from '../cluster/broker-offsets.ts'
import type { ConsumeFromWhere } from '../config.ts'
import type { OffsetStore } from './offset-store.ts'

export class Offsets implements OffsetStore {
  readonly #broker: BrokerOffsets
  readonly #consumeFromWhere: ConsumeFromWhere

  constructor(broker: BrokerOffsets, consumeFromWhere: ConsumeFromWhere) {
    this.#broker = broker
    this.#consumeFromWhere = consumeFromWhere
  }

  /**
   * Where to begin: where the group is, or as the options say. Throws remoting errors: where the
   * group is unknown, nothing is consumed, lest something be skipped.
   */
  async startOffset(owned: OwnedQueue): Promise<number> {
    const offset = await this.#broker.committed(owned.queue)
    if (offset === undefined) return this.firstOffset(owned.queue)
    owned.storedOffset = offset
    return offset
  }

  /** Throws remoting errors. */
  async isOvertaken({ commitOffset, queue, storedOffset }: OwnedQueue): Promise<boolean> {
    if (commitOffset === undefined) return false
    const committed = await this.#broker.committedSoFar(queue)
    return committed !== undefined && committed !== storedOffset && committed > commitOffset
  }

  /** Tells the broker and waits until it knows. Throws remoting errors. */
  async commit(owned: OwnedQueue, commitOffset: number): Promise<void> {
    await this.#broker.commit(owned.queue, commitOffset)
    owned.storedOffset = commitOffset
  }

  /** Tells the broker without waiting for an answer, if the queue went on since the last time. */
  async commitLater(owned: OwnedQueue): Promise<void> {
    const { commitOffset, queue } = owned
    if (commitOffset === undefined || commitOffset === owned.storedOffset) return
    const isStored = await this.#broker.commitUnheard(queue, commitOffset)
    if (isStored) owned.storedOffset = commitOffset
  }

  /** Where a group begins that has consumed nothing of the queue: with failed messages, early. */
  async firstOffset(queue: MessageQueue): Promise<number> {
    const from = this.#consumeFromWhere
    const isRetry = isRetryTopic(queue.topic)
    if (from === 'first') return 0
    if (from === 'last') return isRetry ? 0 : this.#broker.max(queue)
    return isRetry ? this.#broker.max(queue) : this.#broker.atTime(queue, from.timestampMs)
  }
}
