/**
 * An application that sends numbered messages in bursts: some alone, some in batches, some to a queue
 * of its choice, with bodies of all sizes. Owns the numbers; they go on when its process is started
 * anew.
 */
import { ClientError, DefaultProducer, type Message, type SendResult } from '@rockhopper/client'
import { pause } from '@rockhopper/host'
import { responseCode } from '@rockhopper/protocol'
import type { DelayRange } from '../delay.ts'
import type { SimHost } from '../host.ts'
import { bodyOf } from '../message-key.ts'
import { doorsOf, type ReplicaClientParts, startInsistently } from './replica-client.ts'
import { queueName, type ReplicaSend } from './replica-history.ts'

const PAUSE_MS: DelayRange = [50, 700]
const AFTER_FAILURE_MS = 300
const MAX_BURST = 6
const BATCH_CHANCE = 0.1
const MAX_BATCH = 4
const OWN_QUEUE_CHANCE = 0.2
const SMALL_BODY_CHARS = 300
const LARGE_BODY_CHARS = 6_000
const LARGE_CHANCE = 0.15
/** Bytes that do not get fewer by compression, in a body that the client compresses nevertheless. */
const NOISE_BYTES = 6_000
const NOISE_CHANCE = 0.02

export const TAGS = ['red', 'green', 'blue'] as const

export interface ReplicaProducerParts extends ReplicaClientParts {
  readonly isSending: () => boolean
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

  /** Sends for as long as it is to, from the process that is there or a new one. Rejects on a bug. */
  async run(): Promise<void> {
    const { isSending, namesrvAddr, random } = this.#parts
    const doors = doorsOf(this.#parts)
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

  #send(producer: DefaultProducer): Promise<boolean> {
    const { random } = this.#parts
    if (random.chance(BATCH_CHANCE)) {
      const batch = Array.from({ length: 2 + random.below(MAX_BATCH - 1) }, () => this.#next())
      const messages = batch.map((sent) => this.#message(sent))
      return this.#noteOutcome(batch, producer.sendBatch(messages))
    }
    const sent = this.#next()
    const turn = random.below(1024)
    const options = random.chance(OWN_QUEUE_CHANCE)
      ? { selector: <Q>(queues: readonly Q[]): Q => picked(queues, turn) }
      : {}
    return this.#noteOutcome([sent], producer.send(this.#message(sent), options))
  }

  /** Whether it was stored; only SEND_OK promises that it is as safe as the brokers are to make it. */
  async #noteOutcome(
    batch: readonly ReplicaSend[],
    sending: Promise<SendResult>,
  ): Promise<boolean> {
    try {
      const { queue, queueOffset, status } = await sending
      if (status !== 'SEND_OK') return true
      for (const [index, sent] of batch.entries()) {
        const spot = { queue: queueName(queue), queueOffset: queueOffset + index }
        this.#parts.history.acknowledge(sent, spot)
        this.#gotThroughMs = Math.max(this.#gotThroughMs, sent.beganMs)
      }
      return true
    } catch (error) {
      if (error instanceof ClientError && isExpected(error)) return false
      throw error
    }
  }

  #next(): ReplicaSend {
    const { history, host, random } = this.#parts
    this.#number += 1
    const key = `${host.name}/${this.#number}`
    const tag = picked(TAGS, random.below(TAGS.length))
    return history.send({ key, producer: host.name, tag, body: bodyOf(key, this.#filling()) })
  }

  #message({ body, key, tag }: ReplicaSend): Message {
    return { topic: this.#parts.topic, body, tag, keys: key }
  }

  #filling(): string {
    const { random } = this.#parts
    if (random.chance(NOISE_CHANCE))
      return random.bytes(1 + random.below(NOISE_BYTES)).toString('hex')
    const most = random.chance(LARGE_CHANCE) ? LARGE_BODY_CHARS : SMALL_BODY_CHARS
    return 'x'.repeat(1 + random.below(most))
  }
}

/**
 * A broker that came and went while its route was asked for is sent to as if the topic were new,
 * maybe to a queue that it does not have, until the client looks at the route again.
 */
function isExpected({ responseCode: code, retryable }: ClientError): boolean {
  return retryable || code === responseCode.INVALID_PARAMETER
}

function picked<T>(list: readonly T[], turn: number): T {
  const item = list[turn % list.length]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}
