/**
 * Hands what was appended to the operating system, once per turn of the loop, so that all messages
 * of a turn leave in one call. Owns the mark `written`.
 */
import type { Clock } from '@rockhopper/host'
import type { Failure } from '../failure.ts'
import { MAX_PENDING_BYTES } from '../limits.ts'
import type { Watermark } from '../watermark.ts'
import type { CommitLog } from './commit-log.ts'

export class LogWriter {
  readonly #log: CommitLog
  readonly #written: Watermark
  readonly #clock: Clock
  readonly #failure: Failure
  #scheduled = false

  constructor(log: CommitLog, written: Watermark, clock: Clock, failure: Failure) {
    this.#log = log
    this.#written = written
    this.#clock = clock
    this.#failure = failure
  }

  /** Whether something was appended in this turn that is to be written at its end. */
  get isAwake(): boolean {
    return this.#scheduled
  }

  /** Whether something was appended that is not written yet. */
  get isBehind(): boolean {
    return this.#log.endOffset > this.#written.value
  }

  /** Called after each append: sees to it that it is written at the end of the turn. */
  wake(): void {
    if (this.#log.endOffset - this.#written.value > MAX_PENDING_BYTES) this.write()
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.soon(this.#atEndOfTurn)
  }

  /** Writes everything appended so far. */
  write(): void {
    const end = this.#log.endOffset
    if (end === this.#written.value || this.#failure.error !== undefined) return
    try {
      this.#log.writeFrom(this.#written.value)
    } catch (error) {
      this.#failure.report(error)
      return
    }
    this.#written.advance(end)
    this.#log.tail.release(end)
  }

  readonly #atEndOfTurn = (): void => {
    this.#scheduled = false
    this.write()
  }
}
