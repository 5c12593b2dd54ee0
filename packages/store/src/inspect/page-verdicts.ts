/**
 * Which pages of a log have a wrong checksum. Owns the list of them.
 */
import type { ReadOnlyDisk } from '@rockhopper/host'
import { SUM_PAGE_BYTES } from '../log-sums.ts'
import { Findings } from './findings.ts'
import type { StoreFolder } from './store-folder.ts'
import { verifySums } from './verify-sums.ts'

export class PageVerdicts {
  /** Offsets of the log at which damaged pages begin. */
  readonly #damaged = new Set<number>()
  readonly #segmentBytes: number

  /** Looks at the pages before `limit`; none are known when Apache wrote last. Throws `DiskError`. */
  constructor(disk: ReadOnlyDisk, folder: StoreFolder, limit: number) {
    this.#segmentBytes = folder.logSegmentBytes
    const findings = new Findings({ finding() {}, progress() {} })
    verifySums(disk, folder, limit, findings, (pageOffset) => this.#damaged.add(pageOffset))
  }

  /** Whether one of the pages that have these bytes of the log is damaged. */
  isDamaged(from: number, to: number): boolean {
    if (this.#damaged.size === 0) return false
    const first = from - ((from % this.#segmentBytes) % SUM_PAGE_BYTES)
    for (let at = first; at < to; at += SUM_PAGE_BYTES) {
      if (this.#damaged.has(at)) return true
    }
    return false
  }
}
