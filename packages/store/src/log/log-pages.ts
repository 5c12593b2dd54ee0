/**
 * Reads the log's files by whole pages and compares each with its sum. Owns how many bytes were
 * compared in this turn of the loop: beyond the limit, others have theirs first.
 */
import { type Clock, DiskError } from '@rockhopper/host'
import type { SegmentFolder } from '../files/segment-folder.ts'
import { COLD_CHECK_BYTES } from '../limits.ts'
import type { Watermark } from '../watermark.ts'
import { LogStretch, verdict } from './log-stretch.ts'
import { coveredIn, judgePage, type LogSums, SUM_ENTRY_BYTES, SUM_PAGE_BYTES } from './log-sums.ts'

/** A page of which only the beginning has a sum is as good as one without. */
const verdictBy = { ...verdict, begun: verdict.unknown } as const

export class LogPages {
  readonly #folder: SegmentFolder
  readonly #sums: LogSums
  readonly #written: Watermark
  readonly #clock: Clock
  #comparedBytes = 0

  constructor(folder: SegmentFolder, sums: LogSums, written: Watermark, clock: Clock) {
    this.#folder = folder
    this.#sums = sums
    this.#written = written
    this.#clock = clock
  }

  /** Offset behind the segment that has the byte at `offset`. */
  segmentEnd(offset: number): number {
    return this.#folder.startOf(offset) + this.#folder.segmentBytes
  }

  /** How far an offset of the log is behind the beginning of its segment. */
  atInSegment(offset: number): number {
    return offset - this.#folder.startOf(offset)
  }

  /**
   * The pages that have the bytes from `from` to `to`, all of one segment, as far as they are
   * written. Rejects with `DiskError`, and with `CorruptionError` when the file is too short.
   */
  async read(from: number, to: number): Promise<LogStretch> {
    const start = this.#sums.pageStart(from)
    const pageEnd = Math.min(this.#sums.pageStart(to - 1) + SUM_PAGE_BYTES, this.segmentEnd(from))
    // What an entry covers now is in the file now; what the file has now, only a later entry covers.
    const reading = pageEnd <= this.#written.value ? this.#bytes(start, pageEnd) : undefined
    reading?.catch(() => {})
    const entries = await this.#entries(start, pageEnd)
    const bytes = await (reading ?? this.#bytes(start, this.#endOf(entries, start, pageEnd)))
    return new LogStretch(start, bytes, await this.#judge(bytes, start, entries))
  }

  /**
   * How far the file has these pages. A write that fails is none that counts; what it put on the page
   * before, and has a sum, is in the file all the same.
   */
  #endOf(entries: Buffer, start: number, pageEnd: number): number {
    const end = Math.min(pageEnd, this.#written.value)
    const page = Math.floor((end - start) / SUM_PAGE_BYTES)
    const pageStart = start + page * SUM_PAGE_BYTES
    if (end <= start || pageStart >= pageEnd) return end
    const number = this.atInSegment(pageStart) / SUM_PAGE_BYTES
    return Math.max(end, pageStart + coveredIn(entries, page * SUM_ENTRY_BYTES, number))
  }

  async #bytes(from: number, to: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, to - from))
    await this.#folder.read(bytes, from)
    return bytes
  }

  /** Entries that cannot be read say nothing: then the records are checked by their own sums. */
  async #entries(from: number, to: number): Promise<Buffer> {
    try {
      return await this.#sums.entries(from, to)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return Buffer.alloc(Math.ceil((to - from) / SUM_PAGE_BYTES) * SUM_ENTRY_BYTES)
    }
  }

  async #judge(bytes: Buffer, start: number, entries: Buffer): Promise<Uint8Array> {
    const firstPage = this.atInSegment(start) / SUM_PAGE_BYTES
    const verdicts = new Uint8Array(Math.ceil(bytes.length / SUM_PAGE_BYTES))
    for (let i = 0; i < verdicts.length; i++) {
      if (this.#comparedBytes >= COLD_CHECK_BYTES) await this.#nextTurn()
      if (this.#comparedBytes === 0) this.#clock.soon(this.#beginTurn)
      const page = bytes.subarray(i * SUM_PAGE_BYTES, (i + 1) * SUM_PAGE_BYTES)
      verdicts[i] = verdictBy[judgePage(entries, i * SUM_ENTRY_BYTES, firstPage + i, page)]
      this.#comparedBytes += SUM_PAGE_BYTES
    }
    return verdicts
  }

  readonly #beginTurn = (): void => {
    this.#comparedBytes = 0
  }

  async #nextTurn(): Promise<void> {
    do await new Promise<void>((next) => this.#clock.soon(next))
    while (this.#comparedBytes >= COLD_CHECK_BYTES)
  }
}
