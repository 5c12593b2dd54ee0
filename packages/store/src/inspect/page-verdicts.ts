/**
 * Which pages of a log have a wrong checksum, and which bits to turn where that is all. Owns both
 * lists.
 */
import type { ReadOnlyDisk } from '@rockhopper/host'
import { SUM_PAGE_BYTES } from '../log/log-sums.ts'
import { Findings } from './findings.ts'
import { flippedBit } from './flipped-bit.ts'
import type { StoreFolder } from './store-folder.ts'
import { verifySums } from './verify-sums.ts'

/** Pages in which a single bit is looked for: where more are damaged, it was no bit. */
const MOST_TRIED = 10_000

export class PageVerdicts {
  /** Offsets of the log at which damaged pages begin. */
  readonly #damaged = new Set<number>()
  readonly #flips = new Map<number, number>()
  readonly #segmentBytes: number

  /** Looks at the pages before `limit`; none are known when Apache wrote last. Throws `DiskError`. */
  constructor(disk: ReadOnlyDisk, folder: StoreFolder, limit: number) {
    this.#segmentBytes = folder.logSegmentBytes
    const findings = new Findings({ finding() {}, progress() {} })
    let tried = 0
    verifySums(disk, folder, limit, findings, (pageOffset, covered, expected) => {
      tried += 1
      const bit = tried > MOST_TRIED ? undefined : flippedBit(covered, expected)
      if (bit === undefined) this.#damaged.add(pageOffset)
      else this.#flips.set(pageOffset + bit.at, bit.mask)
    })
  }

  /** By offset of the log, which bits have changed in pages where nothing else has. */
  get flips(): ReadonlyMap<number, number> {
    return this.#flips
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
