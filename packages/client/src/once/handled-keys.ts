/**
 * Keys of messages that were handled, up to a number and for a time, and those that somebody is at.
 * Owns both tables; what is oldest goes first.
 */
import type { Clock } from '@rockhopper/host'
import { badOption } from '../errors.ts'
import type { Claim } from './once.ts'

export interface KeyLimits {
  /** Keys that are remembered; beyond it the oldest is forgotten: 1 … 10 000 000, default 100 000. */
  readonly maxKeys?: number
  /** How long a key is remembered, in ms, 1 at the least; default a day. */
  readonly ttlMs?: number
}

const MAX_KEYS = 100_000
const MOST_KEYS = 10_000_000
const DAY_MS = 86_400_000

export class HandledKeys {
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #ttlMs: number
  /** Times at which keys were handled, ms since 1970; the oldest first. */
  readonly #handled = new Map<string, number>()
  /** Monotonic times until which keys are taken, in ms. */
  readonly #claims = new Map<string, number>()

  /** Throws `ClientError` BAD_OPTION. */
  constructor(clock: Clock, { maxKeys = MAX_KEYS, ttlMs = DAY_MS }: KeyLimits) {
    if (!Number.isInteger(maxKeys) || maxKeys < 1 || maxKeys > MOST_KEYS) {
      throw badOption(`maxKeys is ${maxKeys}`, `use a whole number from 1 to ${MOST_KEYS}`)
    }
    if (!(ttlMs >= 1)) throw badOption(`ttlMs is ${ttlMs}`, 'use milliseconds from 1')
    this.#clock = clock
    this.#maxKeys = maxKeys
    this.#ttlMs = ttlMs
  }

  /** Keys with the times at which they were handled, the oldest first. */
  get all(): Iterable<readonly [key: string, atMs: number]> {
    this.#forgetOld()
    return this.#handled
  }

  get count(): number {
    return this.#handled.size
  }

  claim(key: string, leaseMs: number): Claim {
    this.#forgetOld()
    if (this.#handled.has(key)) return 'handled'
    const nowMs = this.#clock.monotonicMs()
    if ((this.#claims.get(key) ?? Number.NEGATIVE_INFINITY) > nowMs) return 'busy'
    this.#claims.set(key, nowMs + leaseMs)
    return 'yours'
  }

  release(key: string): void {
    this.#claims.delete(key)
  }

  /** Notes a key that was handled, now or at a time before. */
  add(key: string, atMs = this.#clock.nowMs()): void {
    this.#claims.delete(key)
    this.#handled.delete(key)
    this.#handled.set(key, atMs)
    this.#forgetOld()
  }

  #forgetOld(): void {
    const oldestMs = this.#clock.nowMs() - this.#ttlMs
    for (const [key, atMs] of this.#handled) {
      if (atMs > oldestMs && this.#handled.size <= this.#maxKeys) return
      this.#handled.delete(key)
    }
  }
}
