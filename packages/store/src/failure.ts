/**
 * The end of a store whose disk failed. Owns the first error: it stops every wait, nothing is
 * accepted any more, and nothing is tried again: a failed sync may have lost what it was to save.
 */
import type { Logger } from '@rockhopper/host'
import type { Marks } from './log/marks.ts'

export class Failure {
  /** Resolves with the first error; never when none happens. */
  readonly happened: Promise<Error>
  readonly #marks: Marks
  readonly #logger: Logger
  #error: Error | undefined
  #resolve: (error: Error) => void = () => {}

  constructor(marks: Marks, logger: Logger) {
    this.#marks = marks
    this.#logger = logger
    this.happened = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  get error(): Error | undefined {
    return this.#error
  }

  /** Takes what a part of the store died of; only the first counts, the others follow from it. */
  readonly report = (cause: unknown): void => {
    if (this.#error !== undefined) return
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#error = error
    const { written, flushed, confirmed, dispatched } = this.#marks
    for (const mark of [written, flushed, confirmed, dispatched]) mark.fail(error)
    this.#logger.error(
      'The store has failed and takes nothing more: see to the disk and restart.',
      {
        error,
      },
    )
    this.#resolve(error)
  }
}
