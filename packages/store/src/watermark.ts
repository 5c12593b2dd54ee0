/**
 * A number that only grows, and those who wait for it to pass a point. Owns the number and the
 * waiters, sorted by point; whoever made it is the only one to advance it.
 *
 * Waits mostly come in the order of their points and mostly end in it, so both ends of the list are
 * the fast path. All deadlines share one timer, set for the earliest.
 */
import type { Clock, Timer } from '@rockhopper/host'

export interface WaitOptions {
  /** How long to wait at the most; without it, for ever. */
  readonly timeoutMs?: number | undefined
  /** Calls the wait off. */
  readonly signal?: AbortSignal | undefined
}

interface Waiter {
  readonly point: number
  /** Monotonic time at which the wait ends in vain. */
  readonly deadlineMs: number
  readonly resolve: (reached: boolean) => void
  readonly reject: (error: Error) => void
  /** Ends the listening to a signal. */
  release: (() => void) | undefined
}

type Ending = { readonly kind: 'closed' } | { readonly kind: 'failed'; readonly error: Error }

/** So many finished waiters at the head of the list are cut off together. */
const COMPACT_ABOVE = 1024

export class Watermark {
  readonly #clock: Clock
  #value: number
  #waiters: Waiter[] = []
  #head = 0
  #timer: Timer | undefined
  #timerDueMs = Number.POSITIVE_INFINITY
  #ending: Ending | undefined

  constructor(clock: Clock, value: number) {
    this.#clock = clock
    this.#value = value
  }

  get value(): number {
    return this.#value
  }

  /** How many wait at the moment. */
  get waiting(): number {
    return this.#waiters.length - this.#head
  }

  /** Moves the number up and wakes who waited for it; a lower number changes nothing. */
  advance(to: number): void {
    if (to <= this.#value) return
    this.#value = to
    while (this.#head < this.#waiters.length) {
      const waiter = this.#waiters[this.#head]
      if (waiter === undefined || waiter.point > to) break
      this.#head += 1
      waiter.release?.()
      waiter.resolve(true)
    }
    this.#tidy()
  }

  /**
   * Resolves to true when the number is `point` or more, to false when time is up, the signal
   * aborts or the mark is closed before. Rejects when the mark fails before.
   */
  reached(point: number, options?: WaitOptions): true | Promise<boolean> {
    if (point <= this.#value) return true
    const ending = this.#ending
    if (ending?.kind === 'failed') return Promise.reject(ending.error)
    if (ending !== undefined || options?.signal?.aborted === true) return Promise.resolve(false)
    return new Promise((resolve, reject) => {
      const timeoutMs = options?.timeoutMs
      const deadlineMs =
        timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonicMs() + timeoutMs
      const waiter: Waiter = { point, deadlineMs, resolve, reject, release: undefined }
      if (options?.signal !== undefined) this.#listen(options.signal, waiter)
      this.#insert(waiter)
      if (deadlineMs < this.#timerDueMs) this.#arm(deadlineMs)
    })
  }

  /** Ends all waits, and those to come, with false. The number stays. */
  close(): void {
    this.#end({ kind: 'closed' })
  }

  /** Ends all waits, and those to come, with an error. The number stays. */
  fail(error: Error): void {
    this.#end({ kind: 'failed', error })
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    const waiters = this.#waiters.slice(this.#head)
    this.#waiters = []
    this.#head = 0
    this.#tidy()
    for (const waiter of waiters) {
      waiter.release?.()
      if (ending.kind === 'failed') waiter.reject(ending.error)
      else waiter.resolve(false)
    }
  }

  #insert(waiter: Waiter): void {
    const last = this.#waiters.at(-1)
    if (last === undefined || last.point <= waiter.point || this.waiting === 0) {
      this.#waiters.push(waiter)
      return
    }
    let low = this.#head
    let high = this.#waiters.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#waiters[middle]?.point ?? 0) <= waiter.point) low = middle + 1
      else high = middle
    }
    this.#waiters.splice(low, 0, waiter)
  }

  #listen(signal: AbortSignal, waiter: Waiter): void {
    const abort = (): void => this.#callOff(waiter)
    signal.addEventListener('abort', abort, { once: true })
    waiter.release = () => signal.removeEventListener('abort', abort)
  }

  #callOff(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter, this.#head)
    if (index === -1) return
    this.#waiters.splice(index, 1)
    this.#tidy()
    waiter.resolve(false)
  }

  /** Forgets what is finished; nobody waiting needs no timer. */
  #tidy(): void {
    if (this.#head === this.#waiters.length) {
      if (this.#head > 0) this.#waiters = []
      this.#head = 0
      this.#timer?.cancel()
      this.#timer = undefined
      this.#timerDueMs = Number.POSITIVE_INFINITY
    } else if (this.#head > COMPACT_ABOVE && this.#head * 2 > this.#waiters.length) {
      this.#waiters = this.#waiters.slice(this.#head)
      this.#head = 0
    }
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    const delayMs = Math.max(0, dueMs - this.#clock.monotonicMs())
    this.#timer = this.#clock.after(delayMs, () => this.#expire())
  }

  /** Ends the waits whose time is up and sets the timer for the next. */
  #expire(): void {
    this.#timer = undefined
    this.#timerDueMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.monotonicMs()
    const waiters = this.#waiters.slice(this.#head)
    this.#waiters = waiters.filter(({ deadlineMs }) => deadlineMs > nowMs)
    this.#head = 0
    let nextMs = Number.POSITIVE_INFINITY
    for (const { deadlineMs } of this.#waiters) nextMs = Math.min(nextMs, deadlineMs)
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs)
    for (const waiter of waiters) {
      if (waiter.deadlineMs > nowMs) continue
      waiter.release?.()
      waiter.resolve(false)
    }
  }
}
