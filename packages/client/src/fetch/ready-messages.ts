/**
 * Messages that were read and wait for the application to fetch them: of each queue in order, and
 * of the queues in turn. Owns them; how many there are is bounded by a limit for all queues, and by
 * the windows of the queues.
 */
import type { Clock } from '@rockhopper/host'
import type { Entry } from '../balance/owned-queue.ts'
import { Pulse } from '../pulse.ts'
import type { Reading } from './polled-queue.ts'

/** After this many messages it is another queue's turn. */
const TURN = 8

/** Fetched messages are dropped from the head of a stock in steps of this many. */
const COMPACT_FROM = 1024

/** Messages of one queue that were fetched together. */
export interface Fetched {
  readonly reading: Reading
  readonly entries: readonly Entry[]
}

/** What waits of one reading; those before `at` were fetched. */
interface Stock {
  entries: Entry[]
  at: number
  /** How many messages it has given in its turn. */
  given: number
}

export class ReadyMessages {
  readonly #limit: number
  #count = 0
  /** The queue whose turn it is comes first. */
  readonly #stocks = new Map<Reading, Stock>()
  readonly #arrived: Pulse
  readonly #fetched: Pulse

  /** `limit`: messages of all queues at which no more are read. */
  constructor(clock: Clock, limit: number) {
    this.#limit = limit
    this.#arrived = new Pulse(clock)
    this.#fetched = new Pulse(clock)
  }

  get isFull(): boolean {
    return this.#count >= this.#limit
  }

  /** Takes what was read. */
  put(reading: Reading, entries: readonly Entry[]): void {
    if (reading.released.aborted) return
    const stock = this.#stocks.get(reading)
    if (stock === undefined) this.#stocks.set(reading, { entries: [...entries], at: 0, given: 0 })
    else stock.entries.push(...entries)
    this.#count += entries.length
    this.#arrived.beat()
  }

  /** Up to `max` messages of the queue whose turn it is; undefined when there are none. */
  take(max: number): Fetched | undefined {
    for (const [reading, stock] of this.#stocks) {
      if (reading.released.aborted) this.drop(reading)
      else if (!reading.polled.isPaused) return this.#takeFrom(reading, stock, max)
    }
    return undefined
  }

  /** Takes back what was fetched and is not consumed: it is the first to be fetched again. */
  putBack({ reading, entries }: Fetched): void {
    if (reading.released.aborted) return
    const stock = this.#stocks.get(reading)
    const rest = stock === undefined ? [] : stock.entries.slice(stock.at)
    this.#stocks.set(reading, { entries: [...entries, ...rest], at: 0, given: 0 })
    this.#count += entries.length
    this.#arrived.beat()
  }

  /** Forgets what was read of a queue: it is somebody else's, or read anew. */
  drop(reading: Reading): void {
    const stock = this.#stocks.get(reading)
    if (stock === undefined) return
    this.#stocks.delete(reading)
    this.#leave(stock.entries.length - stock.at)
  }

  /** Resolves when there may be something to fetch, when the signal aborts, or in time. */
  arrival(signal: AbortSignal, timeoutMs: number): Promise<void> {
    return this.#arrived.next(signal, timeoutMs)
  }

  /** Lets those who fetch, and those who read, look again. */
  wake(): void {
    this.#arrived.beat()
    this.#fetched.beat()
  }

  /** Resolves when there may be room for more, or when the signal aborts. */
  room(signal: AbortSignal): Promise<void> {
    return this.#fetched.next(signal)
  }

  #takeFrom(reading: Reading, stock: Stock, max: number): Fetched {
    const entries = stock.entries.slice(stock.at, stock.at + max)
    stock.at += entries.length
    stock.given += entries.length
    if (stock.at >= COMPACT_FROM) {
      stock.entries = stock.entries.slice(stock.at)
      stock.at = 0
    }
    const isEmpty = stock.at === stock.entries.length
    if (isEmpty || stock.given >= TURN) {
      stock.given = 0
      this.#stocks.delete(reading)
      if (!isEmpty) this.#stocks.set(reading, stock)
    }
    this.#leave(entries.length)
    return { reading, entries }
  }

  #leave(count: number): void {
    const wasFull = this.isFull
    this.#count -= count
    if (wasFull && !this.isFull) this.#fetched.beat()
  }
}
