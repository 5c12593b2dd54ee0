/**
 * Tells of trouble that comes again and again, once a minute each. Owns what was told when.
 */
import type { Clock, Logger } from '@rockhopper/host'
import { MAX_NOTICES, TELL_AGAIN_MS } from './limits.ts'

export class Notices {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #toldMs = new Map<string, number>()

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** A constant sentence, whom it is about, and why. */
  warn(sentence: string, who: Readonly<Record<string, string>>, reason: string): void {
    const nowMs = this.#clock.monotonicMs()
    const key = [sentence, ...Object.values(who), reason].join('\n')
    const toldMs = this.#toldMs.get(key) ?? Number.NEGATIVE_INFINITY
    if (nowMs - toldMs < TELL_AGAIN_MS) return
    if (this.#toldMs.size >= MAX_NOTICES) this.#toldMs.clear()
    this.#toldMs.set(key, nowMs)
    this.#logger.warn(sentence, { ...who, reason })
  }
}
