/**
 * Bytes of the log from one of its segments, and what the sums of their pages say of them. Never
 * changes: views of it stay good for as long as somebody holds them.
 */
import { SUM_PAGE_BYTES } from './log-sums.ts'

/** What is known of a page; a stretch is as its worst page. */
export const verdict = { sound: 0, unknown: 1, damaged: 2 } as const
type Verdict = (typeof verdict)[keyof typeof verdict]

export class LogStretch {
  /** Log offset of the first byte, where a page begins. */
  readonly startOffset: number
  readonly bytes: Buffer
  readonly #verdicts: Uint8Array
  readonly #worst: number

  /** `verdicts` has one for each page that the bytes touch. */
  constructor(startOffset: number, bytes: Buffer, verdicts: Uint8Array) {
    this.startOffset = startOffset
    this.bytes = bytes
    this.#verdicts = verdicts
    this.#worst = Math.max(...verdicts, verdict.sound)
  }

  get endOffset(): number {
    return this.startOffset + this.bytes.length
  }

  get isDamaged(): boolean {
    return this.#worst === verdict.damaged
  }

  has(from: number, to: number): boolean {
    return from >= this.startOffset && to <= this.endOffset
  }

  /** A view of the bytes at these offsets of the log. */
  slice(from: number, to: number): Buffer {
    return this.bytes.subarray(from - this.startOffset, to - this.startOffset)
  }

  /**
   * A stretch with the bytes from `from`, which are here, to `to`, which are in `next`: that begins
   * where this one ends.
   */
  join(next: LogStretch, from: number, to: number): LogStretch {
    const first = this.#pageOf(from)
    const behind = next.#pageOf(to - 1) + 1
    const parts = [
      this.bytes.subarray(first * SUM_PAGE_BYTES),
      next.bytes.subarray(0, behind * SUM_PAGE_BYTES),
    ]
    const verdicts = [...this.#verdicts.subarray(first), ...next.#verdicts.subarray(0, behind)]
    const start = this.startOffset + first * SUM_PAGE_BYTES
    return new LogStretch(start, Buffer.concat(parts), Uint8Array.from(verdicts))
  }

  /** What is known of the bytes at these offsets of the log. */
  verdictOf(from: number, to: number): Verdict {
    if (this.#worst === verdict.sound) return verdict.sound
    let worst: Verdict = verdict.sound
    for (let page = this.#pageOf(from); page <= this.#pageOf(to - 1); page++) {
      const each = this.#verdicts[page] ?? verdict.unknown
      if (each === verdict.damaged) return verdict.damaged
      if (each === verdict.unknown) worst = verdict.unknown
    }
    return worst
  }

  /** Log offset of the first damaged page at or behind `from`. */
  damageFrom(from: number): number {
    const page = this.#verdicts.indexOf(verdict.damaged, this.#pageOf(from))
    return this.startOffset + Math.max(0, page) * SUM_PAGE_BYTES
  }

  #pageOf(offset: number): number {
    return Math.floor((offset - this.startOffset) / SUM_PAGE_BYTES)
  }
}
