/**
 * Sends so many numbered messages a second, each again and again until it is acknowledged: what an
 * application does that must lose nothing. Owns what is in flight, and how long nothing came back.
 */
import { ClientError, type DefaultProducer, type SendResult } from '@rockhopper/client'
import { type Clock, every, type Loop, pause } from '@rockhopper/host'
import { numberedMessage } from './numbered-message.ts'

const PACE_MS = 10
const MAX_IN_FLIGHT = 4_000
const AGAIN_MS = 50

export interface PacedLoadOptions {
  readonly clock: Clock
  readonly producer: DefaultProducer
  readonly books: { noteAcknowledged(number: number, result: SendResult): void }
  readonly topic: string
  readonly perSecond: number
}

export class PacedLoad {
  /** Attempts that ended with an error, after the producer's own retries. */
  failures = 0
  lastError: Error | undefined
  /** Longest time without any acknowledgement, in ms. */
  longestGapMs = 0
  readonly #options: PacedLoadOptions
  readonly #stopping = new AbortController()
  readonly #pending = new Set<Promise<void>>()
  readonly #loop: Loop
  readonly #byBroker = new Map<string, number>()
  #next = 0
  #dueMs: number
  #lastMs: number

  constructor(options: PacedLoadOptions) {
    this.#options = options
    this.#dueMs = options.clock.monotonicMs()
    this.#lastMs = this.#dueMs
    const fail = (error: unknown): void => {
      this.lastError = error instanceof Error ? error : new Error(String(error))
    }
    this.#loop = every(options.clock, PACE_MS, () => this.#begin(), fail)
  }

  /** The number of the message that is begun next. */
  get next(): number {
    return this.#next
  }

  /** Acknowledgements of a broker so far. */
  of(brokerName: string): number {
    return this.#byBroker.get(brokerName) ?? 0
  }

  /** Begins no further message, and waits until all under way are acknowledged. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    await Promise.all([...this.#pending])
  }

  /** Gives up what is not acknowledged. */
  abort(): void {
    this.#stopping.abort()
  }

  #begin(): void {
    const { clock, perSecond } = this.#options
    const nowMs = clock.monotonicMs()
    const count = Math.floor(((nowMs - this.#dueMs) * perSecond) / 1_000)
    this.#dueMs += (count * 1_000) / perSecond
    for (let i = 0; i < count && this.#pending.size < MAX_IN_FLIGHT; i++) {
      const sent = this.#deliver(this.#next++).finally(() => this.#pending.delete(sent))
      this.#pending.add(sent)
    }
  }

  async #deliver(number: number): Promise<void> {
    const { books, clock, producer, topic } = this.#options
    while (!this.#stopping.signal.aborted) {
      try {
        const result = await producer.sendAsync(numberedMessage(topic, number))
        books.noteAcknowledged(number, result)
        this.#noteAcknowledged(result.queue.brokerName)
        return
      } catch (error) {
        if (!(error instanceof ClientError && error.retryable)) throw error
        this.failures++
        this.lastError = error
        await pause(clock, AGAIN_MS)
      }
    }
  }

  #noteAcknowledged(brokerName: string): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    this.#byBroker.set(brokerName, this.of(brokerName) + 1)
  }
}
