/**
 * The operator of a simulated cluster: creates the topic, looks how far the group is, and reads the
 * queues from beginning to end. Owns its connections; works only through the admin library.
 */
import { AdminClient, consumerProgress, readMessages, updateTopic } from '@rockhopper/admin'
import { type Host, pause } from '@rockhopper/host'
import { topicConfig } from '@rockhopper/protocol'
import { GROUP } from './consumer-app.ts'
import { keyOf, type StoredMessage } from './history.ts'

const TRY_AGAIN_MS = 500
const AUDIT_GROUP = 'simulated-audit'

/** How far the group is with one queue. */
export interface QueueProgress {
  readonly queueId: number
  /** Offset that the next message will get. */
  readonly endOffset: number
  /** Next offset that the group will consume. */
  readonly committedOffset: number
}

export class Operator {
  readonly #host: Host
  readonly #client: AdminClient
  readonly #topic: string
  readonly #brokerAddress: string

  constructor(host: Host, nameServer: string, brokerAddress: string, topic: string) {
    this.#host = host
    this.#client = new AdminClient(host, { nameServers: [nameServer] })
    this.#topic = topic
    this.#brokerAddress = brokerAddress
  }

  /** Creates the topic, as soon as the broker takes it. */
  async createTopic(queues: number): Promise<void> {
    const { attributes: _, ...config } = topicConfig(this.#topic, {
      readQueueNums: queues,
      writeQueueNums: queues,
    })
    await this.#insist(() => updateTopic(this.#client, { brokerAddr: this.#brokerAddress }, config))
  }

  /** How far the group is at present; undefined when nobody could say. */
  async progress(): Promise<readonly QueueProgress[] | undefined> {
    try {
      const { queues } = await consumerProgress(this.#client, GROUP, { topic: this.#topic })
      return queues.map(({ queue, brokerOffset, consumerOffset }) => ({
        queueId: queue.queueId,
        endOffset: brokerOffset,
        committedOffset: consumerOffset,
      }))
    } catch {
      return undefined
    }
  }

  /** All messages of the topic by queue, in the order of each queue. */
  async readQueues(): Promise<ReadonlyMap<number, readonly StoredMessage[]>> {
    const scope = {
      topic: this.#topic,
      count: Number.MAX_SAFE_INTEGER,
      group: AUDIT_GROUP,
      offset: 0,
    }
    const queues = await this.#insist(() => readMessages(this.#client, scope))
    return new Map(
      queues.map(({ queue, messages }) => [
        queue.queueId,
        messages.map(({ body, properties, queueId, queueOffset }) => ({
          ...{ body, queueId, queueOffset, key: keyOf(body) },
          tag: properties.get('TAGS') ?? '',
        })),
      ]),
    )
  }

  /** What was refused is tried again, for as long as the simulation has patience. */
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
