/**
 * An application that consumes: a member of the one group of a run. Owns its consumer.
 */
import { PushConsumer, type ReceivedMessage } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { DelayRange } from '../delay.ts'
import { keyOf } from '../history.ts'
import type { SimHost } from '../host.ts'
import type { SimRandom } from '../random.ts'
import { queueName, type ReplicaHistory } from './replica-history.ts'
import { startInsistently } from './replica-producer.ts'

/** The group of all consumers. */
export const GROUP = 'replica-readers'

const SLOW_CHANCE = 0.05
const SLOW_MS: DelayRange = [1, 200]

export interface ReplicaConsumerParts {
  readonly host: SimHost
  readonly namesrvAddr: string
  readonly topic: string
  readonly random: SimRandom
  readonly history: ReplicaHistory
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
}

export class ReplicaConsumer {
  readonly host: SimHost
  readonly #parts: ReplicaConsumerParts

  constructor(parts: ReplicaConsumerParts) {
    this.host = parts.host
    this.#parts = parts
  }

  /** Joins the group. Rejects on a bug. */
  async join(): Promise<void> {
    const { host, namesrvAddr, topic } = this.#parts
    const doors = this.#parts.doors(host.doors, host.name)
    const consumer = new PushConsumer({
      ...{ group: GROUP, namesrvAddr, host: doors, consumeFromWhere: 'first' },
    })
    consumer.subscribe(topic, '*', (message) => this.#handle(doors, message))
    await startInsistently(consumer, doors)
  }

  async #handle({ clock }: Host, message: ReceivedMessage): Promise<void> {
    const { history, host, random } = this.#parts
    const delivery = history.deliver({
      consumer: host.name,
      key: keyOf(message.body.toString()),
      queue: queueName(message.queue),
      queueOffset: message.queueOffset,
    })
    if (random.chance(SLOW_CHANCE)) await pause(clock, random.between(...SLOW_MS))
    history.handled(delivery)
  }
}
