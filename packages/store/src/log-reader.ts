/**
 * Reads records by their offsets: from the tail in memory at once, from files off the loop. Owns
 * nothing. What a file gives is checked to be the record that was asked for.
 */
import assert from 'node:assert/strict'
import {
  readInt64,
  STORE_TIMESTAMP_WITHIN_BYTES,
  scanRecord,
  storeTimestampOf,
} from '@rockhopper/protocol'
import type { CommitLog } from './commit-log.ts'
import { CorruptionError } from './errors.ts'
import { COLD_GAP_BYTES, COLD_WINDOW_BYTES } from './limits.ts'

/** Where a record is. */
export interface RecordSpot {
  readonly logOffset: number
  readonly sizeBytes: number
}

/** The shortest record: what must be behind an offset for a record to be there. */
const HEAD_BYTES = STORE_TIMESTAMP_WITHIN_BYTES
const LOG_OFFSET_AT = 28

export class LogReader {
  readonly #log: CommitLog

  constructor(log: CommitLog) {
    this.#log = log
  }

  /** Slices with these records, which follow each other in the log; all must be in memory. */
  hotSlices(spots: readonly RecordSpot[]): Buffer[] {
    const slices: Buffer[] = []
    for (let i = 0; i < spots.length; ) {
      const start = spots[i]?.logOffset ?? 0
      const chunk = this.#log.tail.find(start)
      assert(chunk !== undefined, `offset ${start} of the log is not in memory`)
      const chunkEnd = chunk.startOffset + chunk.usedBytes
      let end = start
      for (; i < spots.length && spots[i]?.logOffset === end && end < chunkEnd; i++) {
        end += spots[i]?.sizeBytes ?? 0
      }
      slices.push(chunk.bytes.subarray(start - chunk.startOffset, end - chunk.startOffset))
    }
    return slices
  }

  /** The same from files. Throws `CorruptionError` when a record is not there. */
  async coldSlices(spots: readonly RecordSpot[]): Promise<Buffer[]> {
    const slices = await Promise.all(windowsOf(spots, this.#log).map((each) => this.#window(each)))
    return slices.flat()
  }

  /** The record that begins at an offset; undefined when none does. */
  recordAt(logOffset: number, endOffset: number): Buffer | undefined | Promise<Buffer | undefined> {
    if (logOffset < this.#log.minOffset || logOffset + HEAD_BYTES > endOffset) return undefined
    const chunk = this.#log.tail.find(logOffset)
    if (chunk === undefined) return this.#coldRecord(logOffset, endOffset)
    const at = logOffset - chunk.startOffset
    return recordIn(chunk.bytes.subarray(0, chunk.usedBytes), at, logOffset)
  }

  /** When the record at an offset was stored, in ms since 1970. */
  storeTimeAt(logOffset: number): number | Promise<number> {
    const chunk = this.#log.tail.find(logOffset)
    if (chunk === undefined) return this.#coldStoreTime(logOffset)
    return storeTimestampOf(chunk.bytes.subarray(logOffset - chunk.startOffset, chunk.usedBytes))
  }

  async #coldRecord(logOffset: number, endOffset: number): Promise<Buffer | undefined> {
    const head = Buffer.alloc(HEAD_BYTES)
    const readableEnd = Math.min(endOffset, this.#log.segmentEnd(logOffset))
    if (logOffset + HEAD_BYTES > readableEnd) return undefined
    await this.#log.read(head, logOffset)
    const sizeBytes = head.readInt32BE(0)
    if (
      readInt64(head, LOG_OFFSET_AT) !== logOffset ||
      scanRecord(head, 0, false).kind !== 'cut-off'
    )
      return undefined
    if (logOffset + sizeBytes > readableEnd) return undefined
    const record = Buffer.alloc(sizeBytes)
    await this.#log.read(record, logOffset)
    return recordIn(record, 0, logOffset)
  }

  async #coldStoreTime(logOffset: number): Promise<number> {
    const head = Buffer.alloc(HEAD_BYTES)
    await this.#log.read(head, logOffset)
    return storeTimestampOf(head)
  }

  async #window(spots: readonly RecordSpot[]): Promise<Buffer[]> {
    const start = spots[0]?.logOffset ?? 0
    const bytes = Buffer.allocUnsafeSlow(endOf(spots.at(-1)) - start)
    await this.#log.read(bytes, start)
    return spots.map((spot) => {
      const at = spot.logOffset - start
      if (
        bytes.readInt32BE(at) !== spot.sizeBytes ||
        readInt64(bytes, at + LOG_OFFSET_AT) !== spot.logOffset
      ) {
        throw notThere(this.#log.directory, spot)
      }
      return bytes.subarray(at, at + spot.sizeBytes)
    })
  }
}

/** Groups records that are close together in one segment, so that each group is one read. */
function windowsOf(spots: readonly RecordSpot[], log: CommitLog): RecordSpot[][] {
  const windows: RecordSpot[][] = []
  for (const spot of spots) {
    const window = windows.at(-1)
    const end = endOf(window?.at(-1))
    const joins =
      window !== undefined &&
      spot.logOffset - end <= COLD_GAP_BYTES &&
      endOf(spot) - (window[0]?.logOffset ?? 0) <= COLD_WINDOW_BYTES &&
      spot.logOffset < log.segmentEnd(end - 1)
    if (joins) window.push(spot)
    else windows.push([spot])
  }
  return windows
}

function endOf(spot: RecordSpot | undefined): number {
  return spot === undefined ? 0 : spot.logOffset + spot.sizeBytes
}

function recordIn(bytes: Buffer, at: number, logOffset: number): Buffer | undefined {
  const scanned = scanRecord(bytes, at, false)
  if (scanned.kind !== 'record' || scanned.record.logOffset !== logOffset) return undefined
  return bytes.subarray(at, at + scanned.record.sizeBytes)
}

function notThere(directory: string, spot: RecordSpot): CorruptionError {
  return new CorruptionError(
    directory,
    spot.logOffset,
    `The commit log in "${directory}" has no record of ${spot.sizeBytes} bytes at offset ` +
      `${spot.logOffset}, where a queue says it is: the disk has lost or changed it. Bring the ` +
      'files back from a copy.',
  )
}
