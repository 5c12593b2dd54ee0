/**
 * Sends numbered messages as fast as it can, many at a time, each again and again until it is
 * acknowledged: what an application does that must lose nothing. Owns the lanes it sends on.
 */
import { ClientError, type DefaultProducer } from '@rockhopper/client'
import { type Clock, pause } from '@rockhopper/host'
import { Watermark } from '@rockhopper/store'
import type { Ledger } from './ledger.ts'
import { numberedBody } from './numbered.ts'

/** The pause of the one lane that tries whether the broker is back. */
const TRY_AGAIN_MS = 5

export interface BurstOptions {
  readonly clock: Clock
  readonly producer: DefaultProducer
  readonly topic: string
  readonly ledger: Ledger
  /** Messages on their way at a time. */
  readonly lanes: number
  readonly firstNumber: number
}

export class Burst {
  /** Attempts that failed. */
  readonly failures: Watermark
  /** The error of the last attempt that failed. */
  lastError: ClientError | undefined
  readonly #options: BurstOptions
  readonly #stopping = new AbortController()
  /** Attempts that were successful. */
  readonly #successes: Watermark
  readonly #lanes: Promise<void>[]
  #nextNumber: number

  constructor(options: BurstOptions) {
    this.#options = options
    this.#nextNumber = options.firstNumber
    this.failures = new Watermark(options.clock, 0)
    this.#successes = new Watermark(options.clock, 0)
    this.#lanes = Array.from({ length: options.lanes }, (_, lane) => this.#run(lane))
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

  async #run(lane: number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const number = this.#nextNumber++
      while (!(await this.#isAcknowledged(number))) {
        await this.#afterFailure(lane)
        if (this.#stopping.signal.aborted) return
      }
    }
  }

  async #isAcknowledged(number: number): Promise<boolean> {
    const { ledger, producer, topic } = this.#options
    try {
      const message = { topic, body: numberedBody(number), keys: String(number) }
      ledger.noteAcknowledged(number, await producer.sendAsync(message))
      this.#successes.advance(this.#successes.value + 1)
      return true
    } catch (error) {
      if (!(error instanceof ClientError && error.retryable)) throw error
      this.lastError = error
      this.failures.advance(this.failures.value + 1)
      return false
    }
  }

  /** The first lane goes on trying, the others wait until somebody has been successful. */
  async #afterFailure(lane: number): Promise<void> {
    if (lane === 0) await pause(this.#options.clock, TRY_AGAIN_MS, this.#stopping.signal)
    else await this.#successes.reached(this.#successes.value + 1)
  }
}
