/**
 * Gives the log as it is, in pieces that need not begin or end with a record: from the tail in
 * memory without a copy, from files off the loop. Owns nothing.
 */
import type { CommitLog } from './commit-log.ts'
import type { DamageNotices } from './damage-notices.ts'
import type { LogPages } from './log-pages.ts'

export class LogPieces {
  readonly #log: CommitLog
  readonly #pages: LogPages
  readonly #notices: DamageNotices

  constructor(log: CommitLog, pages: LogPages, notices: DamageNotices) {
    this.#log = log
    this.#pages = pages
    this.#notices = notices
  }

  /**
   * Bytes from `from` on, one at the least and those before `to` at the most; both are written, and
   * in one segment. Rejects with `CorruptionError` when what is there has changed, and with
   * `DiskError`.
   */
  read(from: number, to: number): Buffer | Promise<Buffer> {
    const chunk = this.#log.tail.find(from)
    if (chunk === undefined) return this.#cold(from, to)
    const { bytes, startOffset, usedBytes } = chunk
    return bytes.subarray(from - startOffset, Math.min(to - startOffset, usedBytes))
  }

  async #cold(from: number, to: number): Promise<Buffer> {
    const stretch = await this.#pages.read(from, to)
    if (!stretch.isDamaged) return stretch.slice(from, to)
    const problem = 'the checksum of the 4 KiB there is wrong'
    throw this.#notices.damageAt(stretch.damageFrom(from), problem)
  }
}
