/**
 * The operator of a storm: creates the topics at the brokers, reads all queues, and looks how far
 * the groups are. Owns its connections; works only through the admin library.
 */
import { AdminClient, consumerProgress, readMessages, updateTopic } from '@rockhopper/admin'
import { type Host, pause } from '@rockhopper/host'
import { topicConfig } from '@rockhopper/protocol'
import { keyOf } from './message-key.ts'
import type { StormSpot } from './storm-history.ts'
import { queueName } from './storm-member.ts'

const TRY_AGAIN_MS = 500
const AUDIT_GROUP = 'storm-audit'

/** A message as it lies in a queue at the end. */
export interface StoredInStorm extends StormSpot {
  readonly key: string
  readonly tag: string
  readonly body: string
}

/** How far a group is with a queue. */
export interface GroupProgress {
  readonly queue: string
  readonly endOffset: number
  readonly committedOffset: number
}

export class StormOperator {
  readonly #host: Host
  readonly #client: AdminClient

  constructor(host: Host, nameServer: string) {
    this.#host = host
    this.#client = new AdminClient(host, { nameServers: [nameServer] })
  }

  /** Creates a topic at a broker, as soon as that takes it. */
  async createTopic(topic: string, brokerAddr: string, queueCount: number): Promise<void> {
    const { attributes: _, ...config } = topicConfig(topic, {
      readQueueNums: queueCount,
      writeQueueNums: queueCount,
    })
    await this.#insist(() => updateTopic(this.#client, { brokerAddr }, config))
  }

  /** All messages of some topics. */
  async readAll(topics: readonly string[]): Promise<readonly StoredInStorm[]> {
    const stored: StoredInStorm[] = []
    for (const topic of topics) {
      const scope = { topic, count: Number.MAX_SAFE_INTEGER, group: AUDIT_GROUP, offset: 0 }
      for (const { queue, messages } of await this.#insist(() =>
        readMessages(this.#client, scope),
      )) {
        for (const { body, properties, queueOffset } of messages) {
          const place = { queue: queueName(queue), queueOffset }
          stored.push({ ...place, key: keyOf(body), tag: properties.get('TAGS') ?? '', body })
        }
      }
    }
    return stored
  }

  /** How far a group is with the queues of some topics; undefined when nobody could say. */
  async progress(
    group: string,
    topics: readonly string[],
  ): Promise<readonly GroupProgress[] | undefined> {
    try {
      const all = await Promise.all(
        topics.map((topic) => consumerProgress(this.#client, group, { topic })),
      )
      return all
        .flatMap(({ queues }) => queues)
        .map(({ queue, brokerOffset, consumerOffset }) => ({
          queue: queueName(queue),
          endOffset: brokerOffset,
          committedOffset: consumerOffset,
        }))
    } catch {
      return undefined
    }
  }

  async #insist<T>(task: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await task()
      } catch {
        await pause(this.#host.clock, TRY_AGAIN_MS)
      }
    }
  }
}
