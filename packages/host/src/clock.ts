/**
 * The first door: time. Everything that waits or asks the hour does it through a `Clock`, so that a
 * simulation can move time by itself. Owns nothing; `node-clock.ts` is the real one.
 */

/** A task that was scheduled and can still be called off. */
export interface Timer {
  /** Calls the task off. Harmless when it has run or was cancelled before. */
  cancel(): void
}

export interface Clock {
  /** Wall time in whole milliseconds since 1970. May jump; never use it to measure a duration. */
  nowMs(): number
  /** How far the local time of the machine is ahead of UTC at a wall time, in milliseconds. */
  utcOffsetMs(atMs: number): number
  /** Milliseconds since an arbitrary start, fractional, never going back. */
  monotonicMs(): number
  /** Runs `task` once, not before `delayMs` (0 or more) has passed. */
  after(delayMs: number, task: () => void): Timer
  /** Runs `task` once at the end of the present turn, after the input that is at hand was handled. */
  soon(task: () => void): void
}
