/**
 * The ways by which replies come: a broker pushes a reply only to a client that it knows, so that all
 * brokers that may get one are told of us before the first request. Source: Apache method
 * DefaultMQProducerImpl.prepareSendRequest, which tells those that serve the topic of the request.
 * Owns which topics were prepared.
 */
import { type Host, pause } from '@rockhopper/host'
import { replyTopicOf } from '@rockhopper/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import type { Heartbeats } from '../cluster/heartbeats.ts'

export interface ReplyWayParts {
  readonly host: Host
  readonly cluster: Cluster
  readonly heartbeats: Heartbeats
  /** Finds the route of a topic. Throws `ClientError`. */
  readonly find: (topic: string) => Promise<unknown>
}

export class ReplyWays {
  readonly #parts: ReplyWayParts
  readonly #prepared = new Map<string, Promise<void>>()

  constructor(parts: ReplyWayParts) {
    this.#parts = parts
  }

  /**
   * Resolves when the brokers know of us, and after `limitMs` all the same: one that is slow need not
   * be the one that the reply comes by. Rejects with `ClientError` when the topic has no route.
   */
  async prepare(topic: string, limitMs: number): Promise<void> {
    const known = this.#prepared.get(topic)
    if (known !== undefined) return await known
    const preparing = this.#prepare(topic, limitMs)
    this.#prepared.set(topic, preparing)
    // The next request tries again.
    preparing.catch(() => this.#prepared.delete(topic))
    await preparing
  }

  async #prepare(topic: string, limitMs: number): Promise<void> {
    const { cluster, find, heartbeats, host } = this.#parts
    await find(topic)
    const brokers = cluster.route(topic)?.brokerDatas ?? []
    const clusters = new Set(brokers.map((broker) => broker.cluster))
    await Promise.all([...clusters].map((name) => this.#find(replyTopicOf(name))))
    const told = new AbortController()
    const telling = heartbeats.beat().finally(() => told.abort())
    await Promise.race([telling, pause(host.clock, limitMs, told.signal)])
  }

  /** Brokers that do not serve the topic of the request may get the reply. */
  async #find(replyTopic: string): Promise<void> {
    try {
      await this.#parts.cluster.findRoute(replyTopic)
    } catch (error) {
      const sentence =
        'Nobody said which brokers take replies; those of the request are told of us.'
      this.#parts.host.logger.debug(sentence, { replyTopic, error })
    }
  }
}
