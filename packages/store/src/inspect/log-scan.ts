/**
 * Goes over a whole log, whatever state it is in: sound records one by one, and stretches that are
 * none, behind which it finds the next sound record. Owns nothing.
 *
 *   record | record | damage … | record | blank ⏎ record | … | end: no sound record behind it
 */
import { BLANK_RECORD_BYTES, type RecordView, scanView } from '@rockhopper/protocol'
import { MAX_RECORD_BYTES, SCAN_WINDOW_BYTES } from '../limits.ts'
import type { SegmentFiles } from './segment-files.ts'

/** What is told of a log, in the order of its offsets. */
export interface LogVisitor {
  /** A record at `at` of `source`; both are valid during the call only. */
  record(record: RecordView, source: Buffer, at: number, logOffset: number): void
  /** There is no sound record between two offsets, but behind them; `problem` is a half sentence. */
  damage(from: number, to: number, problem: string): void
}

/** Where a scan ended. */
export interface LogEnd {
  readonly offset: number
  /** What stands there instead of a record; undefined when it is only zeros, or no file. */
  readonly problem: string | undefined
}

const ZEROS = Buffer.alloc(BLANK_RECORD_BYTES)
/** What all magic numbers of records have in common, and where it is in a record. */
const MAGIC_BEGINNING = Buffer.from([0xda, 0xa3, 0x20])
const MAGIC_AT = 4

/** Scans from an offset at which a record begins, or the first of the log. Throws `DiskError`. */
export function scanWholeLog(log: SegmentFiles, from: number, visitor: LogVisitor): LogEnd {
  const scan = new LogScan(log, visitor)
  try {
    return scan.run(Math.max(from, log.firstOffset))
  } finally {
    log.close()
  }
}

/** What stands at a position of the window. */
type Step =
  | { readonly kind: 'next'; readonly offset: number }
  | { readonly kind: 'segment-end' }
  | { readonly kind: 'bad'; readonly offset: number; readonly problem: string | undefined }

class LogScan {
  readonly #log: SegmentFiles
  readonly #visitor: LogVisitor
  #window: Buffer

  constructor(log: SegmentFiles, visitor: LogVisitor) {
    this.#log = log
    this.#visitor = visitor
    this.#window = Buffer.allocUnsafeSlow(Math.min(SCAN_WINDOW_BYTES, log.segmentBytes))
  }

  run(from: number): LogEnd {
    const { endOffset } = this.#log
    for (let offset = from; offset < endOffset; ) {
      const step = this.#segment(offset)
      if (step.kind !== 'bad') {
        offset = this.#segmentEnd(offset)
        continue
      }
      const next = this.#nextSound(step.offset)
      if (next === undefined) return step
      const problem = step.problem ?? 'there are zeros'
      this.#visitor.damage(step.offset, next, problem)
      offset = next
    }
    return { offset: endOffset, problem: undefined }
  }

  /** Visits records up to the end of a segment, or to the first that is bad. */
  #segment(from: number): Step {
    const segmentEnd = this.#segmentEnd(from)
    let offset = from
    let windowBytes = this.#window.length
    while (segmentEnd - offset >= BLANK_RECORD_BYTES) {
      if (windowBytes > this.#window.length) this.#window = Buffer.allocUnsafeSlow(windowBytes)
      const count = this.#log.read(this.#window, offset)
      const bytes = this.#window.subarray(0, count)
      const step = this.#records(bytes, offset, segmentEnd)
      if (step.kind !== 'next') return step
      const isStuck = step.offset === offset
      windowBytes = isStuck ? Math.min(2 * windowBytes, MAX_RECORD_BYTES) : windowBytes
      if (isStuck && count < this.#window.length && offset + count < segmentEnd) {
        const isThere = this.#log.fileOf(offset) !== undefined
        const problem = isThere ? 'the file ends within a record' : 'the file is missing'
        return { kind: 'bad', offset, problem }
      }
      offset = step.offset
    }
    return { kind: 'segment-end' }
  }

  /** Visits the records of a window; the next window begins at the offset that is returned. */
  #records(bytes: Buffer, start: number, segmentEnd: number): Step {
    for (let at = 0; ; ) {
      const offset = start + at
      const scanned = scanView(bytes, at, true)
      if (scanned.kind === 'record' && scanned.record.logOffset === offset) {
        this.#visitor.record(scanned.record, bytes, at, offset)
        at += scanned.record.sizeBytes
        continue
      }
      if (scanned.kind === 'blank') return blankStep(bytes, at, offset, segmentEnd)
      if (scanned.kind === 'cut-off') return cutOffStep(offset, scanned.sizeBytes, segmentEnd)
      if (scanned.kind === 'record') {
        const problem = `a record there says that its offset is ${scanned.record.logOffset}`
        return { kind: 'bad', offset, problem }
      }
      const isEmpty = bytes.subarray(at, at + ZEROS.length).equals(ZEROS)
      return { kind: 'bad', offset, problem: isEmpty ? undefined : scanned.reason }
    }
  }

  /** Offset of the first sound record behind a bad one; undefined when there is none. */
  #nextSound(offset: number): number | undefined {
    const inSegment = this.#soundIn(offset + 1, this.#segmentEnd(offset))
    if (inSegment !== undefined) return inSegment
    for (const { start } of this.#log.files) {
      if (start <= offset) continue
      const found = this.#soundAt(start)
        ? start
        : this.#soundIn(start, start + this.#log.segmentBytes)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Looks through windows that overlap, so that no magic number lies in two. */
  #soundIn(from: number, segmentEnd: number): number | undefined {
    const window = Buffer.allocUnsafeSlow(Math.min(SCAN_WINDOW_BYTES, this.#log.segmentBytes))
    const overlap = MAGIC_AT + MAGIC_BEGINNING.length
    for (let start = from; start < segmentEnd; start += window.length - overlap) {
      const bytes = window.subarray(0, this.#log.read(window, start))
      let magicAt = bytes.indexOf(MAGIC_BEGINNING, MAGIC_AT)
      for (; magicAt !== -1; magicAt = bytes.indexOf(MAGIC_BEGINNING, magicAt + 1)) {
        if (this.#soundAt(start + magicAt - MAGIC_AT)) return start + magicAt - MAGIC_AT
      }
      if (bytes.length < window.length) break
    }
    return undefined
  }

  #soundAt(offset: number): boolean {
    const head = Buffer.alloc(BLANK_RECORD_BYTES)
    if (this.#log.read(head, offset) < head.length) return false
    const claimed = scanView(head, 0, false)
    if (claimed.kind !== 'cut-off') return false
    const rest = this.#segmentEnd(offset) - offset
    if (claimed.sizeBytes > Math.min(rest, MAX_RECORD_BYTES)) return false
    const bytes = Buffer.allocUnsafe(claimed.sizeBytes)
    if (this.#log.read(bytes, offset) < bytes.length) return false
    const scanned = scanView(bytes, 0, true)
    return scanned.kind === 'record' && scanned.record.logOffset === offset
  }

  #segmentEnd(offset: number): number {
    return offset - (offset % this.#log.segmentBytes) + this.#log.segmentBytes
  }
}

function blankStep(bytes: Buffer, at: number, offset: number, segmentEnd: number): Step {
  const restBytes = bytes.readInt32BE(at)
  if (restBytes === segmentEnd - offset) return { kind: 'segment-end' }
  const problem = `a blank record there says that ${restBytes} bytes of the file are left`
  return { kind: 'bad', offset, problem }
}

function cutOffStep(offset: number, sizeBytes: number, segmentEnd: number): Step {
  if (sizeBytes <= Math.min(segmentEnd - offset, MAX_RECORD_BYTES)) return { kind: 'next', offset }
  return { kind: 'bad', offset, problem: `a record there claims to have ${sizeBytes} bytes` }
}
