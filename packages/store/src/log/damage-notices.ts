/**
 * Tells an operator once of each damaged place of the log, however often it is read. Owns the places
 * that were told of.
 */
import type { Logger } from '@rockhopper/host'
import { CorruptionError } from '../errors.ts'
import type { SegmentFolder } from '../files/segment-folder.ts'
import { MAX_DAMAGE_NOTICES } from '../limits.ts'

export class DamageNotices {
  readonly #folder: SegmentFolder
  readonly #logger: Logger
  readonly #told = new Set<number>()

  constructor(folder: SegmentFolder, logger: Logger) {
    this.#folder = folder
    this.#logger = logger
  }

  /** The error for damage at an offset of the log; `problem` goes on behind a colon. */
  damageAt(logOffset: number, problem: string): CorruptionError {
    const path = this.#folder.pathOf(logOffset)
    const at = logOffset - this.#folder.startOf(logOffset)
    const error = new CorruptionError(
      path,
      at,
      `"${path}" is damaged at byte ${at} (offset ${logOffset} of the log): ${problem}. What ` +
        'stands there is not handed out. Bring the file back from a copy, or save what is sound ' +
        'with "rockhopper store rebuild".',
    )
    this.#tellOnce(logOffset, error)
    return error
  }

  #tellOnce(logOffset: number, error: CorruptionError): void {
    if (this.#told.has(logOffset) || this.#told.size >= MAX_DAMAGE_NOTICES) return
    this.#told.add(logOffset)
    this.#logger.error('The commit log is damaged: messages cannot be read.', { error })
  }
}
