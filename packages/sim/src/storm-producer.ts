/**
 * An application of a storm that sends numbered messages at a modest rate, to one topic after the
 * other as chance will have it. Owns the numbers.
 */
import { ClientError, DefaultProducer } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { SimHost } from './host.ts'
import { bodyOf } from './message-key.ts'
import type { SimRandom } from './random.ts'
import type { StormHistory } from './storm-history.ts'
import { queueName } from './storm-member.ts'

const START_AGAIN_MS = 500
const PAUSE_MS: readonly [number, number] = [20, 80]
const AFTER_FAILURE_MS = 200

export interface StormProducerParts {
  readonly host: SimHost
  readonly namesrvAddr: string
  readonly topics: readonly string[]
  readonly random: SimRandom
  readonly history: StormHistory
  readonly isSending: () => boolean
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
}

export class StormProducer {
  readonly #parts: StormProducerParts
  #number = 0

  constructor(parts: StormProducerParts) {
    this.#parts = parts
  }

  /** Sends for as long as it is to. Rejects on a bug. */
  async run(): Promise<void> {
    const { host, isSending, namesrvAddr, random } = this.#parts
    const doors = this.#parts.doors(host.doors, host.name)
    const producer = new DefaultProducer({ group: 'storm-producers', namesrvAddr, host: doors })
    await this.#insist(doors, () => producer.start())
    while (isSending()) {
      await pause(doors.clock, random.between(...PAUSE_MS))
      if (!(await this.#send(producer))) await pause(doors.clock, AFTER_FAILURE_MS)
    }
    await producer.close()
  }

  /** Whether it was acknowledged. */
  async #send(producer: DefaultProducer): Promise<boolean> {
    const { history, host, random, topics } = this.#parts
    this.#number += 1
    const key = `${host.name}/${this.#number}`
    const topic = topics[random.below(topics.length)] ?? ''
    const sent = history.send(key)
    try {
      const { queue, queueOffset, status } = await producer.send({ topic, body: bodyOf(key, 'x') })
      if (status === 'SEND_OK') history.acknowledge(sent, { queue: queueName(queue), queueOffset })
      return true
    } catch (error) {
      if (error instanceof ClientError) return false
      throw error
    }
  }

  async #insist(doors: Host, task: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await task()
      } catch (error) {
        if (!(error instanceof ClientError) || !error.retryable) throw error
        await pause(doors.clock, START_AGAIN_MS)
      }
    }
  }
}
