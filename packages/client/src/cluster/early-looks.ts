/**
 * Looks at the routes often in the first minutes of a consumer. Who starts while a broker is away finds
 * routes without it, and does not know that it is missing: only the others of its group do, who share
 * queues with it that it has never heard of. Owns the timer.
 *
 * It looks every 3 s, and later whenever a quarter of its age has passed: some 15 times in two minutes,
 * whatever the number of brokers. So it hears of a broker at once, by the measure of how long that was
 * away, and name servers are not asked more than they can bear when all clients start together.
 */
import type { Clock, Timer } from '@rockhopper/host'

const FIRST_MS = 3_000
const SHARE_OF_AGE = 0.25
const UNTIL_AGE_MS = 120_000

export class EarlyLooks {
  readonly #clock: Clock
  readonly #look: () => void
  readonly #startMs: number
  #timer: Timer | undefined

  /** `look` is to look in a moment. */
  constructor(clock: Clock, look: () => void) {
    this.#clock = clock
    this.#look = look
    this.#startMs = clock.monotonicMs()
    this.#again()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #again(): void {
    this.#look()
    const ageMs = this.#clock.monotonicMs() - this.#startMs
    if (ageMs > UNTIL_AGE_MS) return
    const pauseMs = Math.max(FIRST_MS, ageMs * SHARE_OF_AGE)
    this.#timer = this.#clock.after(pauseMs, () => this.#again())
  }
}
