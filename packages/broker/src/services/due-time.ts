/**
 * How long a delayed message has still to wait. Owns since when the first message of its queue is
 * waited for, and how far the wall clock was set back meanwhile.
 *
 * A message is due by the wall clock, which was also read when it was stored. Where that clock is
 * set back, a message from before would wait for the whole step, be it a year: no message waits longer
 * than its delay after it was first looked at, and where the step is longer than the delay those
 * behind it keep their distance.
 */
import type { Clock } from '@rockhopper/host'

interface Head {
  readonly queueOffset: number
  /** Monotonic time at which it is due whatever the wall clock says. */
  readonly deadlineMs: number
}

export class DueTime {
  readonly #clock: Clock
  readonly #delayMs: number
  #head: Head = { queueOffset: -1, deadlineMs: 0 }
  /** How far the clock was set back since the messages were stored that seem to be of the future. */
  #backMs = 0

  /** `delayMs` is how long a message of the queue waits. */
  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock
    this.#delayMs = delayMs
  }

  /** How long the first message of the queue has to wait: 0 or less when it is due. */
  waitOfFirst(queueOffset: number, dueMs: number): number {
    const nowMs = this.#clock.monotonicMs()
    const byWallMs = this.#waitByWall(dueMs)
    if (this.#head.queueOffset !== queueOffset) {
      this.#head = { queueOffset, deadlineMs: nowMs + byWallMs }
    }
    // A rest that is less than the clock can tell would never be over.
    const waitMs = Math.ceil(Math.min(byWallMs, this.#head.deadlineMs - nowMs))
    const apartMs = dueMs - this.#clock.nowMs()
    this.#backMs = apartMs > this.#delayMs ? apartMs - waitMs : 0
    return waitMs
  }

  /** Whether a message behind the first one is due as well. */
  isDue(dueMs: number): boolean {
    return this.#waitByWall(dueMs) <= 0
  }

  #waitByWall(dueMs: number): number {
    const apartMs = dueMs - this.#clock.nowMs()
    return apartMs <= this.#delayMs ? apartMs : Math.min(apartMs - this.#backMs, this.#delayMs)
  }
}
