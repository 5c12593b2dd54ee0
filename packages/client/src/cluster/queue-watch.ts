/**
 * Tells listeners when the queues of a topic have become others. Source: Apache interface
 * TopicMessageQueueChangeListener. Owns the listeners and what they were told last.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import { compareQueues, queueKey } from '../message-queue.ts'
import type { Cluster } from './cluster.ts'
import { subscribeQueues } from './routes.ts'

/** Gets all queues of the topic, in the order that all clients share. */
export type QueuesListener = (topic: string, queues: readonly MessageQueue[]) => void

interface Watch {
  readonly topic: string
  readonly listener: QueuesListener
  /** Keys of the queues that were known last; undefined before any were. */
  known: string | undefined
}

export class QueueWatch {
  readonly #cluster: Cluster
  readonly #watches = new Set<Watch>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Gives back how to hear no more. */
  add(topic: string, listener: QueuesListener): () => void {
    const watch: Watch = { topic, listener, known: undefined }
    this.#watches.add(watch)
    this.look(topic)
    return () => this.#watches.delete(watch)
  }

  /** Asks for the routes of watched topics, so that they are renewed from now on. Never rejects. */
  async findRoutes(): Promise<void> {
    const topics = new Set([...this.#watches].map(({ topic }) => topic))
    await Promise.all([...topics].map((topic) => this.#cluster.findRoute(topic).catch(() => {})))
  }

  /** The route of a topic may be another one. */
  look(topic: string): void {
    const route = this.#cluster.route(topic)
    if (route === undefined) return
    const queues = [...subscribeQueues(topic, route)].sort(compareQueues)
    const keys = queues.map(queueKey).join(' ')
    for (const watch of this.#watches) {
      if (watch.topic !== topic || watch.known === keys) continue
      const isFirst = watch.known === undefined
      watch.known = keys
      if (!isFirst) watch.listener(topic, queues)
    }
  }
}
