/**
 * Makes the written log durable. Owns the mark `flushed`.
 *
 * Synchronous flush is group commit: a sync takes everything written before it began, and those who
 * come during it wait for the next. Asynchronous flush pauses before each sync.
 */
import { type Clock, pause } from '@rockhopper/host'
import type { CommitLog } from './commit-log.ts'
import type { Marks } from './marks.ts'

export class LogFlusher {
  readonly #log: CommitLog
  readonly #marks: Marks
  readonly #clock: Clock
  readonly #pauseMs: number
  /** Ends the pause that is under way. */
  #pause = new AbortController()
  #stopping = false

  /** `pauseMs` is 0 for group commit. */
  constructor(log: CommitLog, marks: Marks, clock: Clock, pauseMs: number) {
    this.#log = log
    this.#marks = marks
    this.#clock = clock
    this.#pauseMs = pauseMs
  }

  /** Ends, with everything flushed, after `written` was closed. Rejects when a sync fails. */
  async run(): Promise<void> {
    const { written, flushed } = this.#marks
    while (await written.reached(flushed.value + 1)) {
      if (this.#pauseMs > 0 && !this.#stopping) await this.#rest()
      const end = written.value
      await this.#log.sync(flushed.value, end)
      flushed.advance(end)
    }
  }

  /** Lets `run` go on at once if it pauses. */
  hurry(): void {
    this.#pause.abort()
  }

  /** Lets `run` go on without pauses from now on. */
  stopPausing(): void {
    this.#stopping = true
    this.hurry()
  }

  #rest(): Promise<void> {
    this.#pause = new AbortController()
    return pause(this.#clock, this.#pauseMs, this.#pause.signal)
  }
}
