/**
 * Checksums over the units of one queue, so that no bit of them can change unnoticed: a wrong tag
 * would hide a message from those who filter. Owns them, and knows which of them the files were
 * compared with since the start.
 *
 *   segment | page of 2,048 units | page | … | a shorter page | segment | …      a CRC-32 of each
 *                   ^ fromOffset                      endOffset ^
 *
 * Of the first page only what lies behind `fromOffset` is covered, of the last what lies before
 * `endOffset`. What a sum covered once changes only when a unit is put right. The queue ends keep
 * the sums from one checkpoint to the next start (`queue-ends.ts`).
 */
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { UNIT_BYTES } from '@rockhopper/protocol'
import { UNITS_PER_SUM } from '../limits.ts'

/** Sums of some pages of a queue, for the file of queue ends. */
export interface StoredSums {
  /** Nothing is known of the units before. */
  readonly fromOffset: number
  /** Number of the first page that has a sum; those before are to be forgotten. */
  readonly oldestPage: number
  /** Number of the page that the first of these sums is of. */
  readonly firstPage: number
  readonly sums: readonly number[]
}

export const NO_SUMS: StoredSums = { fromOffset: 0, oldestPage: 0, firstPage: 0, sums: [] }

/** Units under one sum: all of a page, or the part of it that is covered. */
export interface UnitStretch {
  readonly page: number
  readonly from: number
  readonly to: number
  readonly sum: number
}

export class UnitSums {
  readonly #unitsPerSegment: number
  readonly #pagesPerSegment: number
  #fromOffset: number
  #endOffset: number
  #oldestPage: number
  #sums: number[]
  /** The queue ends lack the sums of this page and those behind it. */
  #newFrom: number
  /** For each page from the oldest on, whether the file was compared with its sum. */
  #seen = new Uint8Array(0)

  /** `stored` must have all sums of a queue that ends at `endOffset`, or nothing is known of it. */
  constructor(segmentBytes: number, endOffset: number, stored: StoredSums = NO_SUMS) {
    this.#unitsPerSegment = segmentBytes / UNIT_BYTES
    this.#pagesPerSegment = Math.ceil(this.#unitsPerSegment / UNITS_PER_SUM)
    this.#endOffset = endOffset
    const { firstPage, fromOffset, sums } = stored
    const pages = this.#pageOf(endOffset - 1) + 1 - firstPage
    const isWhole =
      sums.length > 0 && sums.length === pages && this.#pageOf(fromOffset) <= firstPage
    this.#fromOffset = isWhole ? fromOffset : endOffset
    this.#oldestPage = isWhole ? firstPage : this.#pageOf(endOffset)
    this.#sums = isWhole ? [...sums] : []
    this.#newFrom = this.#oldestPage + this.#sums.length
  }

  /** Takes units that are written behind those that are covered. */
  cover(units: Buffer, queueOffset: number): void {
    assert(queueOffset === this.#endOffset, `unit ${queueOffset} is not behind those with a sum`)
    for (let at = 0; at < units.length; ) {
      const page = this.#pageOf(this.#endOffset)
      const count = Math.min(
        this.#startOf(page + 1) - this.#endOffset,
        (units.length - at) / UNIT_BYTES,
      )
      const index = page - this.#oldestPage
      const piece = units.subarray(at, at + count * UNIT_BYTES)
      this.#sums[index] = crc32(piece, this.#sums[index] ?? 0)
      this.#newFrom = Math.min(this.#newFrom, page)
      this.#endOffset += count
      at += piece.length
    }
  }

  /** The units that have one sum with that of `queueOffset`; undefined when that has none. */
  stretchOf(queueOffset: number): UnitStretch | undefined {
    if (queueOffset < this.#fromOffset || queueOffset >= this.#endOffset) return undefined
    const page = this.#pageOf(queueOffset)
    const sum = this.#sums[page - this.#oldestPage]
    if (sum === undefined) return undefined
    const from = Math.max(this.#startOf(page), this.#fromOffset)
    return { page, from, to: Math.min(this.#startOf(page + 1), this.#endOffset), sum }
  }

  /** The same, unless the file was compared with that sum before. */
  unseen(queueOffset: number): UnitStretch | undefined {
    const stretch = this.stretchOf(queueOffset)
    return stretch === undefined || this.#hasSeen(stretch.page) ? undefined : stretch
  }

  /** Behind the page of a unit, whether or not that has a sum. */
  endOfPage(queueOffset: number): number {
    return this.#startOf(this.#pageOf(queueOffset) + 1)
  }

  /** Whether `units` of a stretch have its sum; if so, it is not asked about again. */
  compare({ page, sum }: UnitStretch, units: Buffer): boolean {
    const isSound = crc32(units) === sum
    if (isSound) this.#see(page)
    return isSound
  }

  /** `units` of a stretch are right, whatever its sum says, if it is still the same stretch. */
  correct({ from, page, to }: UnitStretch, units: Buffer): void {
    const now = this.stretchOf(from)
    if (now?.page !== page || now.to !== to) return
    this.#sums[page - this.#oldestPage] = crc32(units)
    this.#newFrom = Math.min(this.#newFrom, page)
    this.#see(page)
  }

  /** Forgets the sums of pages with nothing but units before `queueOffset`. */
  dropBefore(queueOffset: number): void {
    const count = Math.min(this.#pageOf(queueOffset) - this.#oldestPage, this.#sums.length)
    if (count <= 0) return
    this.#sums = this.#sums.slice(count)
    this.#seen = this.#seen.slice(count)
    this.#oldestPage += count
    this.#newFrom = Math.max(this.#newFrom, this.#oldestPage)
    this.#fromOffset = Math.max(this.#fromOffset, this.#startOf(this.#oldestPage))
  }

  /** What the queue ends lack of a queue that ends at `endOffset`; from then on they have it. */
  takeNew(endOffset: number): StoredSums {
    assert(endOffset === this.#endOffset, `the units up to ${endOffset} are not saved`)
    const firstPage = this.#newFrom
    const sums = this.#sums.slice(firstPage - this.#oldestPage)
    this.#newFrom += sums.length
    return { fromOffset: this.#fromOffset, oldestPage: this.#oldestPage, firstPage, sums }
  }

  #pageOf(queueOffset: number): number {
    const segment = Math.floor(queueOffset / this.#unitsPerSegment)
    const inSegment = queueOffset - segment * this.#unitsPerSegment
    return segment * this.#pagesPerSegment + Math.floor(inSegment / UNITS_PER_SUM)
  }

  #startOf(page: number): number {
    const segment = Math.floor(page / this.#pagesPerSegment)
    const inSegment = (page - segment * this.#pagesPerSegment) * UNITS_PER_SUM
    return segment * this.#unitsPerSegment + inSegment
  }

  #hasSeen(page: number): boolean {
    return this.#seen[page - this.#oldestPage] === 1
  }

  #see(page: number): void {
    const index = page - this.#oldestPage
    if (index >= this.#seen.length) {
      const seen = new Uint8Array(Math.max(index + 1, 2 * this.#seen.length))
      seen.set(this.#seen)
      this.#seen = seen
    }
    this.#seen[index] = 1
  }
}

/** What is known when `news` come to what was known of a queue, which they replace. */
export function mergeSums(known: StoredSums | undefined, news: StoredSums): StoredSums {
  const behind = known === undefined ? 0 : known.firstPage + known.sums.length
  const isNext = known !== undefined && news.firstPage >= known.firstPage
  if (!isNext || news.firstPage > behind || news.oldestPage < known.firstPage) return news
  const kept = known.sums.slice(news.oldestPage - known.firstPage, news.firstPage - known.firstPage)
  return { ...news, firstPage: news.oldestPage, sums: [...kept, ...news.sums] }
}
