/**
 * An application that consumes: a member of the one group of a simulation. Its handlers take their
 * time, and fail now and then. Owns the consumer that runs at present.
 */
import { ClientError, PushConsumer, type ReceivedMessage } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { History } from './history.ts'
import type { SimHost } from './host.ts'
import type { SimRandom } from './random.ts'

/** The group of all consumers. */
export const GROUP = 'simulated-consumers'

const START_AGAIN_MS = 500
const SLOW_CHANCE = 0.1
const SLOW_MS: readonly [number, number] = [1, 300]

export interface ConsumerAppParts {
  readonly host: SimHost
  readonly namesrvAddr: string
  readonly topic: string
  /** Tags joined by `||`, or `*`. */
  readonly expression: string
  readonly random: SimRandom
  /** How often (0 to 1) a handler fails. */
  readonly failureChance: number
  readonly history: History
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
}

export class ConsumerApp {
  readonly host: SimHost
  readonly #parts: ConsumerAppParts
  #consumer: PushConsumer | undefined

  constructor(parts: ConsumerAppParts) {
    this.host = parts.host
    this.#parts = parts
  }

  /** Whether it is, or tries to become, a member of the group. */
  get isJoined(): boolean {
    return this.#consumer !== undefined
  }

  /** Joins the group from the process that is there, or from a new one. Rejects on a bug. */
  async join(): Promise<void> {
    const given = this.host.running ? this.host.doors : this.host.restart()
    const doors = this.#parts.doors(given, this.host.name)
    const consumer = this.#newConsumer(doors)
    this.#consumer = consumer
    for (;;) {
      try {
        return await consumer.start()
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        if (this.#consumer !== consumer) return
        if (!error.retryable) throw error
        await pause(doors.clock, START_AGAIN_MS)
      }
    }
  }

  /** Leaves the group in order. */
  async leave(): Promise<void> {
    const consumer = this.#consumer
    this.#consumer = undefined
    await consumer?.close()
  }

  /** Ends the process (kill -9). */
  kill(): void {
    this.#consumer = undefined
    if (this.host.running) this.host.kill()
  }

  /** Its machine loses power: nobody hears that it is gone. */
  crash(): void {
    this.#consumer = undefined
    this.host.crash()
  }

  #newConsumer(doors: Host): PushConsumer {
    const { namesrvAddr, topic, expression } = this.#parts
    const consumer = new PushConsumer({
      group: GROUP,
      namesrvAddr,
      host: doors,
      consumeFromWhere: 'first',
    })
    return consumer.subscribe(topic, expression, (message) => this.#handle(doors, message))
  }

  async #handle(doors: Host, message: ReceivedMessage): Promise<void> {
    const { failureChance, history, random } = this.#parts
    const delivery = history.deliver(
      {
        consumer: this.host.name,
        tag: message.tag ?? '',
        body: message.body.toString(),
        queueId: message.queue.queueId,
        queueOffset: message.queueOffset,
      },
      message.reconsumeTimes > 0,
    )
    if (random.chance(SLOW_CHANCE)) await pause(doors.clock, random.between(...SLOW_MS))
    if (random.chance(failureChance)) {
      history.failed(delivery)
      throw new Error('the application failed, as applications do')
    }
    history.handled(delivery)
  }
}
