/**
 * How much a producer has in flight: a count and a sum of bytes, each with a limit, and a line of
 * those who wait for room. Owns all of it. First come, first served.
 */
import type { Clock, Timer } from '@rockhopper/host'
import { ClientError } from '../errors.ts'

/** Sends that may wait for room at a time; a further one fails at once. */
export const MAX_WAITING_SENDS = 100_000

export interface RoomLimits {
  /** Messages on their way; at least 1. */
  readonly maxCount: number
  /** Bytes of their bodies. A single message above it passes when nothing else is on its way. */
  readonly maxBytes: number
}

/** Those let in are dropped from the head of the line in steps of this many. */
const COMPACT_FROM = 1024

interface Waiting {
  readonly bytes: number
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class Room {
  readonly #clock: Clock
  readonly #limits: RoomLimits
  #count = 0
  #bytes = 0
  #waiting: Waiting[] = []
  /** Index of the first who waits; those before were let in. */
  #head = 0
  #expiry: Timer | undefined
  #expiryMs = Number.POSITIVE_INFINITY
  #whenIdle: (() => void)[] = []
  #available: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  constructor(clock: Clock, limits: RoomLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Messages on their way. */
  get count(): number {
    return this.#count
  }

  /** Bytes of the messages on their way. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes room without asking: for those who wait for each message anyway. */
  enter(bytes: number): void {
    this.#count++
    this.#bytes += bytes
  }

  /** Takes room if there is some and nobody waits; whether it did. */
  tryEnter(bytes: number): boolean {
    if (this.#lineLength > 0 || !this.#fits(bytes)) return false
    this.enter(bytes)
    return true
  }

  /** Takes room when there is some. Rejects at the deadline, a time of the monotonic clock. */
  enterLater(bytes: number, deadlineMs: number): Promise<void> {
    if (this.tryEnter(bytes)) return Promise.resolve()
    if (this.#lineLength >= MAX_WAITING_SENDS) return Promise.reject(this.full())
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, deadlineMs, resolve, reject })
      this.#expireAt(deadlineMs)
    })
  }

  /** Gives back the room of one message, or of `count`. */
  leave(bytes: number, count = 1): void {
    this.#count -= count
    this.#bytes -= bytes
    if (this.#lineLength > 0) this.#admit()
    if (this.#available !== undefined && this.#hasRoom()) this.#tellAvailable()
    if (this.#count === 0 && this.#whenIdle.length > 0) this.#tellIdle()
  }

  /** Resolves when there is room for another message. */
  available(): Promise<void> {
    if (this.#hasRoom()) return Promise.resolve()
    if (this.#available === undefined) {
      let resolve = (): void => undefined
      const promise = new Promise<void>((resolvePromise) => {
        resolve = resolvePromise
      })
      this.#available = { promise, resolve }
    }
    return this.#available.promise
  }

  /** Resolves when nothing is on its way and nobody waits. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
    })
  }

  /** The error of a send for which there is no room. */
  full(): ClientError {
    return new ClientError(
      'TOO_MANY_IN_FLIGHT',
      `${this.#count} messages of ${this.#bytes} bytes are in flight and ` +
        `${this.#lineLength} wait`,
      { retryable: true, hint: 'await earlier sends, or raise maxInFlight and maxInFlightBytes' },
    )
  }

  get #lineLength(): number {
    return this.#waiting.length - this.#head
  }

  #hasRoom(): boolean {
    return this.#lineLength === 0 && this.#fits(1)
  }

  #fits(bytes: number): boolean {
    if (this.#count === 0) return true
    return this.#count < this.#limits.maxCount && this.#bytes + bytes <= this.#limits.maxBytes
  }

  /** Lets in as many of those at the head of the line as fit. */
  #admit(): void {
    for (;;) {
      const first = this.#waiting[this.#head]
      if (first === undefined || !this.#fits(first.bytes)) break
      this.#head++
      this.enter(first.bytes)
      first.resolve()
    }
    if (this.#lineLength === 0) {
      this.#waiting = []
      this.#head = 0
      this.#stopWatching()
    } else if (this.#head >= COMPACT_FROM && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }

  /** One timer serves the whole line: it stands at the earliest deadline. */
  #expireAt(deadlineMs: number): void {
    if (deadlineMs >= this.#expiryMs) return
    this.#stopWatching()
    this.#expiryMs = deadlineMs
    const delayMs = Math.max(0, deadlineMs - this.#clock.monotonicMs())
    this.#expiry = this.#clock.after(delayMs, () => this.#expire())
  }

  #stopWatching(): void {
    this.#expiry?.cancel()
    this.#expiry = undefined
    this.#expiryMs = Number.POSITIVE_INFINITY
  }

  #expire(): void {
    this.#stopWatching()
    const nowMs = this.#clock.monotonicMs()
    const error = this.full()
    const line = this.#waiting.slice(this.#head)
    this.#waiting = line.filter(({ deadlineMs }) => deadlineMs > nowMs)
    this.#head = 0
    for (const { deadlineMs, reject } of line) if (deadlineMs <= nowMs) reject(error)
    // The one at the head may have needed more bytes than those behind it.
    this.#admit()
    let earliestMs = Number.POSITIVE_INFINITY
    for (const { deadlineMs } of this.#waiting) earliestMs = Math.min(earliestMs, deadlineMs)
    if (earliestMs !== Number.POSITIVE_INFINITY) this.#expireAt(earliestMs)
  }

  #tellAvailable(): void {
    const told = this.#available
    this.#available = undefined
    told?.resolve()
  }

  #tellIdle(): void {
    const told = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of told) resolve()
  }
}
