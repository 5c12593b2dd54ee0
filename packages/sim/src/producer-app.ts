/**
 * An application that sends numbered messages: some alone, some in batches, some to a queue of its
 * choice, with bodies of all sizes. Owns the numbers; they go on when its process is started anew.
 */
import { ClientError, DefaultProducer, type Message, type SendResult } from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import { responseCode } from '@rockhopper/protocol'
import { bodyOf, type History, type SentMessage } from './history.ts'
import type { SimHost } from './host.ts'
import type { SimRandom } from './random.ts'

/** Pause before another try to find a name server. */
const START_AGAIN_MS = 500
const PAUSE_MS: readonly [number, number] = [20, 300]
/** Pause after a message did not get through. */
const AFTER_FAILURE_MS = 1_000
const SMALL_BYTES = 200
/** Above this the client compresses. */
const LARGE_BYTES = 12_000
const LARGE_CHANCE = 0.02
const BATCH_CHANCE = 0.1
const MAX_BATCH = 5
const OWN_QUEUE_CHANCE = 0.2

export const TAGS = ['red', 'green', 'blue'] as const

export interface ProducerAppParts {
  readonly host: SimHost
  readonly namesrvAddr: string
  readonly topic: string
  readonly random: SimRandom
  readonly history: History
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
  /** Sends that it has under way at a time. */
  readonly lanes: number
  /** Whether it is to send at present. */
  readonly isSending: () => boolean
}

export class ProducerApp {
  readonly host: SimHost
  readonly #parts: ProducerAppParts
  #number = 0
  #gotThroughMs = Number.NEGATIVE_INFINITY

  constructor(parts: ProducerAppParts) {
    this.host = parts.host
    this.#parts = parts
  }

  /** When the newest message began that was acknowledged. */
  get gotThroughMs(): number {
    return this.#gotThroughMs
  }

  /** Runs in the process that is there, or in a new one, until it is killed. Rejects on a bug. */
  async run(): Promise<void> {
    const given = this.host.running ? this.host.doors : this.host.restart()
    const doors = this.#parts.doors(given, this.host.name)
    const { lanes, namesrvAddr } = this.#parts
    const group = 'simulated-producers'
    const producer = new DefaultProducer({ group, namesrvAddr, host: doors })
    for (;;) {
      try {
        await producer.start()
        break
      } catch (error) {
        if (!(error instanceof ClientError) || !error.retryable) throw error
        await pause(doors.clock, START_AGAIN_MS)
      }
    }
    await Promise.all(Array.from({ length: lanes }, () => this.#runLane(producer, doors)))
  }

  async #runLane(producer: DefaultProducer, { clock }: Host): Promise<void> {
    const { random, isSending } = this.#parts
    for (;;) {
      await pause(clock, random.between(...PAUSE_MS))
      if (!isSending()) continue
      const isBatch = random.chance(BATCH_CHANCE)
      const isStored = await (isBatch ? this.#sendBatch(producer) : this.#sendOne(producer))
      if (!isStored) await pause(clock, AFTER_FAILURE_MS)
    }
  }

  async #sendOne(producer: DefaultProducer): Promise<boolean> {
    const { random } = this.#parts
    const sent = this.#next()
    const ownQueue = random.chance(OWN_QUEUE_CHANCE)
    const turn = random.below(1024)
    const options = ownQueue
      ? { selector: <Q>(queues: readonly Q[]): Q => picked(queues, turn) }
      : {}
    return await this.#noteOutcome([sent], producer.send(this.#message(sent), options))
  }

  async #sendBatch(producer: DefaultProducer): Promise<boolean> {
    const length = 2 + this.#parts.random.below(MAX_BATCH - 1)
    const batch = Array.from({ length }, () => this.#next())
    const messages = batch.map((sent) => this.#message(sent))
    return await this.#noteOutcome(batch, producer.sendBatch(messages))
  }

  /** Only SEND_OK promises that the message is as safe as the broker was told to make it. */
  async #noteOutcome(
    batch: readonly SentMessage[],
    sending: Promise<SendResult>,
  ): Promise<boolean> {
    try {
      const { status, queue, queueOffset } = await sending
      if (status !== 'SEND_OK') return true
      for (const [index, sent] of batch.entries()) {
        const spot = { queueId: queue.queueId, queueOffset: queueOffset + index }
        this.#parts.history.acknowledge(sent, spot)
        this.#gotThroughMs = Math.max(this.#gotThroughMs, sent.atMs)
      }
      return true
    } catch (error) {
      if (error instanceof ClientError && isExpected(error)) return false
      throw error
    }
  }

  #next(): SentMessage {
    const { random, history } = this.#parts
    this.#number += 1
    const producer = this.host.name
    const key = `${producer}/${this.#number}`
    const most = random.chance(LARGE_CHANCE) ? LARGE_BYTES : SMALL_BYTES
    const filling = random.bytes(1 + random.below(most)).toString('hex', 0)
    const tag = picked(TAGS, random.below(TAGS.length))
    return history.send({ key, producer, tag, body: bodyOf(key, filling) })
  }

  #message({ body, key, tag }: SentMessage): Message {
    return { topic: this.#parts.topic, body, tag, keys: key }
  }
}

/**
 * A broker that came and went while its route was asked for is sent to as if the topic were new,
 * maybe to a queue that it does not have, until the client looks at the route again.
 */
function isExpected({ retryable, responseCode: code }: ClientError): boolean {
  return retryable || code === responseCode.INVALID_PARAMETER
}

function picked<T>(list: readonly T[], turn: number): T {
  const item = list[turn % list.length]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}
