/**
 * What brokers know of offsets: how far a group is, and where a queue begins and ends. The master is
 * asked, and a slave of it while the master cannot be reached. Source:
 * Apache classes RemoteBrokerOffsetStore and MQAdminImpl; `client.md` sections 6.6 and 11,
 * `broker-api.md` sections 4.6 and 4.7. Owns nothing.
 */
import {
  type Command,
  type FieldTable,
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  type Header,
  type MessageQueue,
  QUERY_CONSUMER_OFFSET,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { type Answer, ConnectionError, RemoteError } from '@rockhopper/remoting'
import type { Cluster } from './cluster.ts'
import { MASTER_ID, type Replica } from './routes.ts'

const OFFSET_TIMEOUT_MS = 5_000

/** How brokers write that a group has no offset, where they do not answer QUERY_NOT_FOUND. */
const NONE = -1

/** All methods throw remoting errors: whatever else a broker answers is a `RemoteError`. */
export class BrokerOffsets {
  readonly #cluster: Cluster
  readonly #group: string

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster
    this.#group = group
  }

  /**
   * Next offset that the group will consume; undefined when it has none. For a group without one
   * on a queue that still has all of its messages in memory, brokers answer 0. A slave that does not
   * know the group is no answer: its master may, and a group that began anew would skip messages.
   */
  async committed(queue: MessageQueue): Promise<number | undefined> {
    const [offset, replica] = await this.#committed(queue)
    if (offset === undefined && replica.brokerId !== MASTER_ID) {
      throw onlyMasterKnows(queue, this.#group)
    }
    return offset
  }

  /** The same as whoever is there knows it: undefined also at a slave that does not know the group. */
  async committedSoFar(queue: MessageQueue): Promise<number | undefined> {
    const [offset] = await this.#committed(queue)
    return offset
  }

  async #committed(queue: MessageQueue): Promise<[number | undefined, Replica]> {
    const header = { consumerGroup: this.#group, ...placeOf(queue) }
    const [answer, replica] = await this.#ask(queue, QUERY_CONSUMER_OFFSET, header)
    if (answer.code === responseCode.QUERY_NOT_FOUND) return [undefined, replica]
    this.#check(queue, QUERY_CONSUMER_OFFSET, answer)
    const { offset } = answer.header()
    if (offset === NONE) return [undefined, replica]
    return [this.#sound(queue, QUERY_CONSUMER_OFFSET, answer, offset), replica]
  }

  /** Tells the broker how far the group is, and waits until it knows. */
  async commit(queue: MessageQueue, commitOffset: number): Promise<void> {
    const header = { consumerGroup: this.#group, ...placeOf(queue), commitOffset }
    const answer = await this.#call(queue, UPDATE_CONSUMER_OFFSET, header)
    this.#check(queue, UPDATE_CONSUMER_OFFSET, answer)
  }

  /**
   * Tells the broker how far the group is; nobody learns whether it heard. Returns whether it is the
   * master: what a slave was told, its master is to be told when it is back.
   */
  async commitUnheard(queue: MessageQueue, commitOffset: number): Promise<boolean> {
    const { address, brokerId } = this.#cluster.replica(queue.brokerName, MASTER_ID)
    const header = { consumerGroup: this.#group, ...placeOf(queue), commitOffset }
    await this.#cluster.remoting.oneway(address, UPDATE_CONSUMER_OFFSET, header)
    return brokerId === MASTER_ID
  }

  /** First offset that the queue still has. */
  async min(queue: MessageQueue): Promise<number> {
    const answer = await this.#call(queue, GET_MIN_OFFSET, placeOf(queue))
    this.#check(queue, GET_MIN_OFFSET, answer)
    return this.#sound(queue, GET_MIN_OFFSET, answer, answer.header().offset)
  }

  /** Offset that the next message of the queue will get. */
  async max(queue: MessageQueue): Promise<number> {
    const answer = await this.#call(queue, GET_MAX_OFFSET, placeOf(queue))
    this.#check(queue, GET_MAX_OFFSET, answer)
    return this.#sound(queue, GET_MAX_OFFSET, answer, answer.header().offset)
  }

  /** Offset of the first message stored at or after a time, in ms since 1970. */
  async atTime(queue: MessageQueue, timestamp: number): Promise<number> {
    const header = { ...placeOf(queue), timestamp }
    const answer = await this.#call(queue, SEARCH_OFFSET_BY_TIMESTAMP, header)
    this.#check(queue, SEARCH_OFFSET_BY_TIMESTAMP, answer)
    return this.#sound(queue, SEARCH_OFFSET_BY_TIMESTAMP, answer, answer.header().offset)
  }

  async #call<Q extends FieldTable, A extends FieldTable>(
    queue: MessageQueue,
    command: Command<Q, A>,
    header: Header<Q>,
  ): Promise<Answer<A>> {
    const [answer] = await this.#ask(queue, command, header)
    return answer
  }

  /** The answer of the master, or of the first slave that is there, and whose it is. */
  async #ask<Q extends FieldTable, A extends FieldTable>(
    { brokerName }: MessageQueue,
    command: Command<Q, A>,
    header: Header<Q>,
  ): Promise<[Answer<A>, Replica]> {
    const { remoting } = this.#cluster
    const options = { timeoutMs: OFFSET_TIMEOUT_MS }
    let failure: unknown
    for (const replica of this.#cluster.replicas(brokerName)) {
      try {
        return [await remoting.call(replica.address, command, header, options), replica]
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error
        failure ??= error
      }
    }
    throw failure ?? new ConnectionError(brokerName, `no route names the broker "${brokerName}"`)
  }

  #check<Q extends FieldTable, A extends FieldTable>(
    { brokerName }: MessageQueue,
    command: Command<Q, A>,
    answer: Answer<A>,
  ): void {
    if (answer.code === responseCode.SUCCESS) return
    throw new RemoteError(brokerName, command.name, answer.code, answer.remark)
  }

  /** An offset as it was answered; a negative one is none (Apache clients begin nowhere then). */
  #sound<Q extends FieldTable, A extends FieldTable>(
    { brokerName }: MessageQueue,
    command: Command<Q, A>,
    answer: Answer<A>,
    offset: number,
  ): number {
    if (offset >= 0) return offset
    throw new RemoteError(brokerName, command.name, answer.code, `the offset ${offset}`)
  }
}

function onlyMasterKnows({ brokerName, queueId, topic }: MessageQueue, group: string) {
  return new ConnectionError(
    brokerName,
    `how far the group "${group}" is on queue ${queueId} of "${topic}" cannot be known until the ` +
      `master of "${brokerName}" is back: its slave has no offset of it`,
  )
}

function placeOf({ topic, queueId }: MessageQueue): { topic: string; queueId: number } {
  return { topic, queueId }
}
