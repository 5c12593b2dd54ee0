/**
 * How far the group is, as brokers keep it: where to begin on a queue, and telling them how far we
 * are. Source: Apache classes RemoteBrokerOffsetStore and RebalancePushImpl; `client.md` sections
 * 5.1 and 6.6. Owns nothing; what was stored is noted on the queue.
 */

import type { MessageQueue } from '@rockhopper/protocol'
import {
  type Command,
  type FieldTable,
  GET_MAX_OFFSET,
  type Header,
  isRetryTopic,
  QUERY_CONSUMER_OFFSET,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { type Answer, RemoteError } from '@rockhopper/remoting'
import type { Cluster } from './cluster.ts'
import type { ConsumeFromWhere } from './config.ts'
import type { OwnedQueue } from './owned-queue.ts'
import { MASTER_ID } from './routes.ts'

const OFFSET_TIMEOUT_MS = 5_000

export interface OffsetParts {
  readonly cluster: Cluster
  readonly group: string
  readonly consumeFromWhere: ConsumeFromWhere
}

export class Offsets {
  readonly #parts: OffsetParts

  constructor(parts: OffsetParts) {
    this.#parts = parts
  }

  /** Where to begin: where the group is, or as the options say. Throws remoting errors. */
  async startOffset(owned: OwnedQueue): Promise<number> {
    const { queue } = owned
    const header = { consumerGroup: this.#parts.group, ...placeOf(queue) }
    const answer = await this.#call(queue, QUERY_CONSUMER_OFFSET, header)
    if (answer.code === responseCode.QUERY_NOT_FOUND) return this.#firstOffset(queue)
    const { offset } = this.#success(queue, QUERY_CONSUMER_OFFSET, answer).header()
    owned.storedOffset = offset
    return offset
  }

  /** Tells the broker and waits until it knows. Throws remoting errors. */
  async commit(owned: OwnedQueue, commitOffset: number): Promise<void> {
    const answer = await this.#call(owned.queue, UPDATE_CONSUMER_OFFSET, {
      consumerGroup: this.#parts.group,
      ...placeOf(owned.queue),
      commitOffset,
    })
    this.#success(owned.queue, UPDATE_CONSUMER_OFFSET, answer)
    owned.storedOffset = commitOffset
  }

  /** Tells the broker without waiting for an answer, if the queue went on since the last time. */
  async commitLater(owned: OwnedQueue): Promise<void> {
    const { commitOffset, queue } = owned
    if (commitOffset === undefined || commitOffset === owned.storedOffset) return
    const { address } = this.#parts.cluster.replica(queue.brokerName, MASTER_ID)
    const consumerGroup = this.#parts.group
    const header = { consumerGroup, ...placeOf(queue), commitOffset }
    await this.#parts.cluster.remoting.oneway(address, UPDATE_CONSUMER_OFFSET, header)
    owned.storedOffset = commitOffset
  }

  /** Where a group begins that has consumed nothing of the queue. */
  async #firstOffset(queue: MessageQueue): Promise<number> {
    const { consumeFromWhere } = this.#parts
    const isRetry = isRetryTopic(queue.topic)
    if (consumeFromWhere === 'first') return 0
    if (consumeFromWhere === 'last') return isRetry ? 0 : this.#maxOffset(queue)
    if (isRetry) return this.#maxOffset(queue)
    const header = { ...placeOf(queue), timestamp: consumeFromWhere.timestampMs }
    const answer = await this.#call(queue, SEARCH_OFFSET_BY_TIMESTAMP, header)
    return this.#success(queue, SEARCH_OFFSET_BY_TIMESTAMP, answer).header().offset
  }

  async #maxOffset(queue: MessageQueue): Promise<number> {
    const answer = await this.#call(queue, GET_MAX_OFFSET, placeOf(queue))
    return this.#success(queue, GET_MAX_OFFSET, answer).header().offset
  }

  async #call<Q extends FieldTable, A extends FieldTable>(
    { brokerName }: MessageQueue,
    command: Command<Q, A>,
    header: Header<Q>,
  ): Promise<Answer<A>> {
    const { address } = this.#parts.cluster.replica(brokerName, MASTER_ID)
    const options = { timeoutMs: OFFSET_TIMEOUT_MS }
    return await this.#parts.cluster.remoting.call(address, command, header, options)
  }

  #success<Q extends FieldTable, A extends FieldTable>(
    { brokerName }: MessageQueue,
    command: Command<Q, A>,
    answer: Answer<A>,
  ): Answer<A> {
    if (answer.code === responseCode.SUCCESS) return answer
    throw new RemoteError(brokerName, command.name, answer.code, answer.remark)
  }
}

function placeOf({ topic, queueId }: MessageQueue): { topic: string; queueId: number } {
  return { topic, queueId }
}
