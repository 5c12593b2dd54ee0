/**
 * What applications may ask of queues: which a topic has, where they begin and end, and how far the
 * group is. Source: Apache class MQAdminImpl; `client.md` section 11. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import { compareQueues } from '../message-queue.ts'
import type { BrokerOffsets } from './broker-offsets.ts'
import type { Cluster } from './cluster.ts'
import { missingRoute, nobodyToAsk, unusableRoute } from './no-route.ts'
import { clientErrorOf } from './retry-policy.ts'
import { subscribeQueues } from './routes.ts'

/** All methods reject with `ClientError`. */
export class QueueFacts {
  readonly #cluster: Cluster
  readonly #offsets: BrokerOffsets

  constructor(cluster: Cluster, offsets: BrokerOffsets) {
    this.#cluster = cluster
    this.#offsets = offsets
  }

  /** The queues of a topic that may be read, in the order that all clients share. */
  async queuesOf(topic: string): Promise<readonly MessageQueue[]> {
    const route = await this.#cluster.findRoute(topic).catch((error: unknown) => {
      throw nobodyToAsk(topic, error)
    })
    if (route === undefined) throw await missingRoute(this.#cluster, topic, 'consumer')
    const queues = [...subscribeQueues(topic, route)].sort(compareQueues)
    if (queues.length === 0) throw unusableRoute(topic, 'consumer', route)
    return queues
  }

  /** First offset that the queue still has. */
  minOffset(queue: MessageQueue): Promise<number> {
    return this.#ask(queue, () => this.#offsets.min(queue))
  }

  /** Offset that the next message of the queue will get. */
  maxOffset(queue: MessageQueue): Promise<number> {
    return this.#ask(queue, () => this.#offsets.max(queue))
  }

  /** Offset of the first message stored at or after a time, in ms since 1970. */
  offsetAtTime(queue: MessageQueue, timestampMs: number): Promise<number> {
    return this.#ask(queue, () => this.#offsets.atTime(queue, timestampMs))
  }

  /** Next offset that the group will consume; undefined when the broker knows of none. */
  committed(queue: MessageQueue): Promise<number | undefined> {
    return this.#ask(queue, () => this.#offsets.committed(queue))
  }

  /** Where a broker is follows from the routes of its topics. */
  async #ask<T>({ topic }: MessageQueue, question: () => Promise<T>): Promise<T> {
    if (this.#cluster.route(topic) === undefined) await this.queuesOf(topic)
    try {
      return await question()
    } catch (error) {
      throw clientErrorOf(error)
    }
  }
}
