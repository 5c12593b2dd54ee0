/**
 * Something that happens now and then, and those who wait for the next time. Owns the waiting.
 */
import type { Clock } from '@rockhopper/host'

export class Pulse {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** It happens: all who wait go on. */
  beat(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }

  /**
   * Resolves at the next beat, and no later than when the signal aborts, or after `timeoutMs`, which
   * may be infinite.
   */
  next(signal: AbortSignal, timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const go = (): void => {
        timer?.cancel()
        signal.removeEventListener('abort', go)
        this.#waiting.delete(go)
        resolve()
      }
      const timer = Number.isFinite(timeoutMs) ? this.#clock.after(timeoutMs, go) : undefined
      signal.addEventListener('abort', go, { once: true })
      this.#waiting.add(go)
    })
  }
}
