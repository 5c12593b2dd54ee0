/**
 * An application that consumes: a member of the one group of a run. Its handlers take their time, and
 * fail now and then. Owns the consumer that runs at present.
 */
import { PushConsumer, type ReceivedMessage } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { DelayRange } from '../delay.ts'
import type { SimHost } from '../host.ts'
import { keyOf } from '../message-key.ts'
import { doorsOf, type ReplicaClientParts, startInsistently } from './replica-client.ts'
import { queueName } from './replica-history.ts'

/** The group of all consumers. */
export const GROUP = 'replica-readers'

const SLOW_CHANCE = 0.05
const SLOW_MS: DelayRange = [1, 200]

export interface ReplicaConsumerParts extends ReplicaClientParts {
  /** Tags joined by `||`, or `*`. */
  readonly expression: string
  /** How often (0 to 1) a handler fails. */
  readonly failureChance: number
}

export class ReplicaConsumer {
  readonly host: SimHost
  readonly #parts: ReplicaConsumerParts
  #consumer: PushConsumer | undefined

  constructor(parts: ReplicaConsumerParts) {
    this.host = parts.host
    this.#parts = parts
  }

  /** Joins the group from the process that is there, or from a new one. Rejects on a bug. */
  async join(): Promise<void> {
    const { expression, namesrvAddr, topic } = this.#parts
    const doors = doorsOf(this.#parts)
    const consumer = new PushConsumer({
      ...{ group: GROUP, namesrvAddr, host: doors, consumeFromWhere: 'first' },
    })
    consumer.subscribe(topic, expression, (message) => this.#handle(doors, message))
    this.#consumer = consumer
    await startInsistently(consumer, doors, () => this.#consumer === consumer)
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
    this.host.kill()
  }

  /** Its machine loses power: nobody hears that it is gone. */
  crash(): void {
    this.#consumer = undefined
    this.host.crash()
  }

  async #handle({ clock }: Host, message: ReceivedMessage): Promise<void> {
    const { failureChance, history, host, random } = this.#parts
    const body = message.body.toString()
    const delivery = history.deliver(
      {
        ...{ consumer: host.name, key: keyOf(body), tag: message.tag ?? '', body },
        ...{ queue: queueName(message.queue), queueOffset: message.queueOffset },
      },
      message.reconsumeTimes > 0,
    )
    if (random.chance(SLOW_CHANCE)) await pause(clock, random.between(...SLOW_MS))
    if (random.chance(failureChance)) {
      history.failed(delivery)
      throw new Error('the application failed, as applications do')
    }
    history.handled(delivery)
  }
}
