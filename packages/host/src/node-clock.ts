/**
 * The real clock. Owns nothing but the timers it was asked for.
 *
 * Node's own timers may fire up to a millisecond early, since they count in whole ones, and know no
 * delay beyond 2^31 - 1 ms; both are mended here by arming again for the rest.
 */
import { performance } from 'node:perf_hooks'
import type { Clock, Timer } from './clock.ts'

/** A longer delay would make `setTimeout` fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1
const MINUTE_MS = 60_000

class NodeTimer implements Timer {
  readonly #dueMs: number
  readonly #task: () => void
  #handle: NodeJS.Timeout

  constructor(delayMs: number, task: () => void) {
    this.#dueMs = performance.now() + delayMs
    this.#task = task
    this.#handle = this.#arm(delayMs)
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#fire(), Math.min(Math.ceil(delayMs), LONGEST_TIMEOUT_MS))
  }

  #fire(): void {
    const restMs = this.#dueMs - performance.now()
    if (restMs > 0) this.#handle = this.#arm(restMs)
    else this.#task()
  }
}

export class NodeClock implements Clock {
  nowMs(): number {
    return Date.now()
  }

  utcOffsetMs(atMs: number): number {
    return 0 - new Date(atMs).getTimezoneOffset() * MINUTE_MS
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, task: () => void): Timer {
    return new NodeTimer(delayMs, task)
  }

  soon(task: () => void): void {
    setImmediate(task)
  }
}
