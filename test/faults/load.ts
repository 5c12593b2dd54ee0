/**
 * Sends numbered messages as fast as it can, many at a time, single ones and batches, each again and
 * again until it is acknowledged: what an application does that must lose nothing. Owns the lanes it
 * sends on.
 */
import { ClientError, type DefaultProducer, type SendResult } from '@rockhopper/client'
import { type Clock, pause } from '@rockhopper/host'
import { parseOffsetMessageId } from '@rockhopper/protocol'
import { Watermark } from '@rockhopper/store'
import type { Books } from './books.ts'
import { numberedMessage } from './numbered-message.ts'

/** The pause of the one lane that tries whether the broker is back. */
const TRY_AGAIN_MS = 10
/** Messages in flight: those on lanes of their own, and those of the batches. */
const SINGLE_LANES = 128
const BATCH_LANES = 20
const BATCH_MESSAGES = 32

export interface LoadOptions {
  readonly clock: Clock
  readonly producer: DefaultProducer
  readonly books: Books
  /** Of the first message; 0 when absent. */
  readonly firstNumber?: number
}

export class Load {
  /** The error of the last attempt that failed. */
  lastError: ClientError | undefined
  readonly #options: LoadOptions
  readonly #stopping = new AbortController()
  /** Attempts that were successful. */
  readonly #successes: Watermark
  readonly #lanes: Promise<void>[]
  #nextNumber: number

  constructor(options: LoadOptions) {
    this.#options = options
    this.#nextNumber = options.firstNumber ?? 0
    this.#successes = new Watermark(options.clock, 0)
    this.#lanes = Array.from({ length: SINGLE_LANES + BATCH_LANES }, (_, lane) =>
      this.#run(lane, lane < SINGLE_LANES ? 1 : BATCH_MESSAGES),
    )
  }

  /** The number of the next message. */
  get nextNumber(): number {
    return this.#nextNumber
  }

  /** Begins no further message and waits until those under way are acknowledged or given up. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#successes.close()
    await Promise.all(this.#lanes)
  }

  async #run(lane: number, count: number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const number = this.#nextNumber
      this.#nextNumber += count
      while (!(await this.#isAcknowledged(number, count))) {
        await this.#afterFailure(lane)
        if (this.#stopping.signal.aborted) return
      }
    }
  }

  async #isAcknowledged(number: number, count: number): Promise<boolean> {
    const { books, producer } = this.#options
    const numbers = Array.from({ length: count }, (_, i) => number + i)
    try {
      const messages = numbers.map((each) => numberedMessage(books.topic, each))
      for (const each of numbers) books.noteAttempt(each)
      const [first] = messages
      const isSingle = count === 1 && first !== undefined
      const result = await (isSingle ? producer.sendAsync(first) : producer.sendBatch(messages))
      // Stored, but not yet as safely as the broker promises.
      if (result.status !== 'SEND_OK') return false
      this.#note(numbers, result)
      this.#successes.advance(this.#successes.value + 1)
      return true
    } catch (error) {
      if (!(error instanceof ClientError && error.retryable)) throw error
      this.lastError = error
      return false
    }
  }

  #note(numbers: readonly number[], { msgId, offsetMsgId, queue, queueOffset }: SendResult): void {
    const ids = offsetMsgId.split(',')
    const uniqueKeys = msgId.split(',')
    for (const [i, number] of numbers.entries()) {
      this.#options.books.noteAcknowledged(number, {
        queueId: queue.queueId,
        queueOffset: queueOffset + i,
        logOffset: parseOffsetMessageId(ids[i] ?? '')?.logOffset ?? -1,
        uniqueKey: uniqueKeys[i] ?? '',
      })
    }
  }

  /** The first lane goes on trying, the others wait until somebody has been successful. */
  async #afterFailure(lane: number): Promise<void> {
    if (lane === 0) await pause(this.#options.clock, TRY_AGAIN_MS, this.#stopping.signal)
    else await this.#successes.reached(this.#successes.value + 1)
  }
}
