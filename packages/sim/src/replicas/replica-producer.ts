/**
 * An application that sends numbered messages in bursts, with bodies of all sizes. Owns the numbers.
 */
import { ClientError, DefaultProducer } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { DelayRange } from '../delay.ts'
import { bodyOf } from '../history.ts'
import type { SimHost } from '../host.ts'
import type { SimRandom } from '../random.ts'
import { queueName, type ReplicaHistory, type ReplicaSend } from './replica-history.ts'

const START_AGAIN_MS = 500
const PAUSE_MS: DelayRange = [50, 700]
const AFTER_FAILURE_MS = 300
const MAX_BURST = 8
const LARGE_BODY_CHARS = 6_000
const SMALL_BODY_CHARS = 300
const LARGE_CHANCE = 0.2

export interface ReplicaProducerParts {
  readonly host: SimHost
  readonly namesrvAddr: string
  readonly topic: string
  readonly random: SimRandom
  readonly history: ReplicaHistory
  readonly isSending: () => boolean
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
}

export class ReplicaProducer {
  readonly host: SimHost
  readonly #parts: ReplicaProducerParts
  #number = 0
  #gotThroughMs = Number.NEGATIVE_INFINITY

  constructor(parts: ReplicaProducerParts) {
    this.host = parts.host
    this.#parts = parts
  }

  /** When the newest message began that was acknowledged. */
  get gotThroughMs(): number {
    return this.#gotThroughMs
  }

  /** Sends for as long as it is to. Rejects on a bug. */
  async run(): Promise<void> {
    const { host, isSending, namesrvAddr, random } = this.#parts
    const doors = this.#parts.doors(host.doors, host.name)
    const producer = new DefaultProducer({ group: 'replica-senders', namesrvAddr, host: doors })
    await startInsistently(producer, doors)
    while (isSending()) {
      const count = 1 + random.below(MAX_BURST)
      const outcomes = await Promise.all(Array.from({ length: count }, () => this.#send(producer)))
      if (outcomes.includes(false)) await pause(doors.clock, AFTER_FAILURE_MS)
      await pause(doors.clock, random.between(...PAUSE_MS))
    }
    await producer.close()
  }

  /** Whether it was stored; only SEND_OK promises that it is as safe as the brokers are to make it. */
  async #send(producer: DefaultProducer): Promise<boolean> {
    const { history, topic } = this.#parts
    const sent = this.#next()
    try {
      const body = bodyOf(sent.key, this.#filling())
      const { queue, queueOffset, status } = await producer.send({ topic, body, keys: sent.key })
      if (status !== 'SEND_OK') return true
      history.acknowledge(sent, { queue: queueName(queue), queueOffset })
      this.#gotThroughMs = Math.max(this.#gotThroughMs, sent.beganMs)
      return true
    } catch (error) {
      if (error instanceof ClientError) return false
      throw error
    }
  }

  #next(): ReplicaSend {
    const { history, host } = this.#parts
    this.#number += 1
    return history.send(`${host.name}/${this.#number}`)
  }

  #filling(): string {
    const { random } = this.#parts
    const most = random.chance(LARGE_CHANCE) ? LARGE_BODY_CHARS : SMALL_BODY_CHARS
    return 'x'.repeat(1 + random.below(most))
  }
}

/** Starts a client, however often that takes a name server which is not there. */
export async function startInsistently(
  client: { start(): Promise<void> },
  { clock }: Host,
): Promise<void> {
  for (;;) {
    try {
      return await client.start()
    } catch (error) {
      if (!(error instanceof ClientError) || !error.retryable) throw error
      await pause(clock, START_AGAIN_MS)
    }
  }
}
