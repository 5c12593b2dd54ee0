/**
 * Notices what is not over in time. All things have the same limit, so that they fall due in the
 * order in which they began, and one timer serves them all. Owns that order and the timer.
 */
import type { Clock, Timer } from '@rockhopper/host'

export class Overdue<T extends object> {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #onOverdue: (thing: T) => void
  /** Things that are not over, with the monotonic time at which they fall due. */
  readonly #watched = new Map<T, number>()
  #timer: Timer | undefined

  /** `onOverdue` is told of each thing that is not over after `limitMs`. */
  constructor(clock: Clock, limitMs: number, onOverdue: (thing: T) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#onOverdue = onOverdue
  }

  /** Things that are not over, in the order in which they began. */
  get watched(): readonly T[] {
    return [...this.#watched.keys()]
  }

  /** A thing has begun. */
  watch(thing: T): void {
    this.#watched.set(thing, this.#clock.monotonicMs() + this.#limitMs)
    this.#timer ??= this.#clock.after(this.#limitMs, () => this.#check())
  }

  /** A thing is over; whether it was in time. */
  over(thing: T): boolean {
    return this.#watched.delete(thing)
  }

  /** Notices nothing more. */
  stop(): void {
    this.#timer?.cancel()
    this.#watched.clear()
  }

  #check(): void {
    this.#timer = undefined
    const nowMs = this.#clock.monotonicMs()
    for (const [thing, dueMs] of this.#watched) {
      if (dueMs > nowMs) {
        this.#timer = this.#clock.after(dueMs - nowMs, () => this.#check())
        return
      }
      this.#watched.delete(thing)
      this.#onOverdue(thing)
    }
  }
}
