/**
 * Reads records by their offsets: from the tail in memory at once, from files off the loop. Owns
 * nothing. What a file gives is compared with the sums of its pages, or where they have none with
 * the sum of its body, and it must be the very record that is meant.
 */
import assert from 'node:assert/strict'
import {
  type RecordView,
  readInt64,
  scanView,
  storeTimestampOf,
  topicAtOf,
} from '@rockhopper/protocol'
import { COLD_GAP_BYTES, COLD_HEAD_BYTES } from '../limits.ts'
import type { CommitLog } from './commit-log.ts'
import type { DamageNotices } from './damage-notices.ts'
import { LogStretch, verdict } from './log-stretch.ts'
import type { LogWindows } from './log-windows.ts'

/** Where a queue says that a record is. */
export interface RecordSpot {
  readonly queueOffset: number
  readonly logOffset: number
  readonly sizeBytes: number
}

/** The queue whose records are read. */
interface QueueName {
  readonly topicBytes: Buffer
  readonly queueId: number
}

/** What a queue says of the place of a record is not what the log has there. */
interface Misplaced {
  readonly kind: 'misplaced'
  readonly queueOffset: number
}

export type ColdSlices = { readonly kind: 'read'; readonly slices: Buffer[] } | Misplaced
type ColdTime = { readonly kind: 'read'; readonly timestampMs: number } | Misplaced

/** The shortest record: what must be behind an offset for a record to be there. */
const HEAD_BYTES = 91
const QUEUE_ID_AT = 12
const QUEUE_OFFSET_AT = 20
const LOG_OFFSET_AT = 28

export class LogReader {
  readonly #log: CommitLog
  readonly #windows: LogWindows
  readonly #notices: DamageNotices

  constructor(log: CommitLog, windows: LogWindows, notices: DamageNotices) {
    this.#log = log
    this.#windows = windows
    this.#notices = notices
  }

  /** Whether a record can be at a place: it is no place that only a damaged queue names. */
  canHave({ logOffset, sizeBytes }: { logOffset: number; sizeBytes: number }): boolean {
    const end = logOffset + sizeBytes
    return (
      sizeBytes >= HEAD_BYTES &&
      logOffset >= this.#log.minOffset &&
      end <= Math.min(this.#log.endOffset, this.#log.segmentEnd(logOffset))
    )
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

  /**
   * The same from files, or the first of them of which the queue is wrong; at once where the files
   * are in memory. Each spot must lie within one segment. Rejects with `CorruptionError` when what
   * is there has changed, and with `DiskError`.
   */
  coldSlices(queue: QueueName, spots: readonly RecordSpot[]): ColdSlices | Promise<ColdSlices> {
    const groups = groupsOf(spots, (offset) => this.#windows.windowEnd(offset))
    const ranges = groups.map((group) => {
      return { from: group[0]?.logOffset ?? 0, to: endOf(group.at(-1)) }
    })
    const stretches = this.#windows.read(ranges)
    if (!stretches.every((each) => each instanceof LogStretch)) {
      return Promise.all(stretches).then((all) => this.#slicesOf(queue, groups, all))
    }
    try {
      return this.#slicesOf(queue, groups, stretches)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #slicesOf(
    queue: QueueName,
    groups: readonly (readonly RecordSpot[])[],
    stretches: readonly LogStretch[],
  ): ColdSlices {
    const slices: Buffer[] = []
    for (const [i, group] of groups.entries()) {
      const stretch = stretches[i]
      if (stretch === undefined) continue
      for (const spot of group) {
        if (!this.#isRecord(stretch, queue, spot)) {
          this.#windows.drop(spot.logOffset, endOf(spot))
          return { kind: 'misplaced', queueOffset: spot.queueOffset }
        }
      }
      slices.push(...slicesOf(stretch, group))
    }
    return { kind: 'read', slices }
  }

  /** When the record at a spot in files was stored, in ms since 1970. */
  async coldTime(queue: QueueName, spot: RecordSpot): Promise<ColdTime> {
    const { logOffset, queueOffset } = spot
    const to = logOffset + HEAD_BYTES
    const stretch = await this.#read(logOffset, to)
    this.#demandUndamaged(stretch, logOffset, to)
    const head = stretch.slice(logOffset, to)
    if (!isHeadOf(head, 0, queue, spot)) return { kind: 'misplaced', queueOffset }
    return { kind: 'read', timestampMs: storeTimestampOf(head) }
  }

  /** When the record at an offset in memory was stored; undefined when it is not in memory. */
  hotTime(logOffset: number): number | undefined {
    const chunk = this.#log.tail.find(logOffset)
    if (chunk === undefined) return undefined
    return storeTimestampOf(chunk.bytes.subarray(logOffset - chunk.startOffset, chunk.usedBytes))
  }

  /** The record that begins at an offset; undefined when none does. */
  recordAt(logOffset: number, endOffset: number): Buffer | undefined | Promise<Buffer | undefined> {
    if (logOffset < this.#log.minOffset || logOffset + HEAD_BYTES > endOffset) return undefined
    const chunk = this.#log.tail.find(logOffset)
    if (chunk === undefined) return this.#coldRecord(logOffset, endOffset)
    const at = logOffset - chunk.startOffset
    return bytesOf(viewAt(chunk.bytes.subarray(0, chunk.usedBytes), at, logOffset), chunk.bytes, at)
  }

  async #coldRecord(logOffset: number, endOffset: number): Promise<Buffer | undefined> {
    const readableEnd = Math.min(endOffset, this.#log.segmentEnd(logOffset))
    if (logOffset + HEAD_BYTES > readableEnd) return undefined
    const headEnd = Math.min(logOffset + COLD_HEAD_BYTES, readableEnd)
    let stretch = await this.#read(logOffset, headEnd)
    this.#demandUndamaged(stretch, logOffset, logOffset + HEAD_BYTES)
    const sizeBytes = stretch.slice(logOffset, headEnd).readInt32BE(0)
    const end = logOffset + sizeBytes
    if (sizeBytes < HEAD_BYTES || end > readableEnd) return undefined
    if (!stretch.has(logOffset, end)) {
      if (readInt64(stretch.slice(logOffset, headEnd), LOG_OFFSET_AT) !== logOffset)
        return undefined
      stretch = await this.#read(logOffset, end)
    }
    const at = logOffset - stretch.startOffset
    const view = viewAt(stretch.bytes, at, logOffset)
    if (view === undefined) this.#demandUndamaged(stretch, logOffset, end)
    else this.#demandSound(stretch, logOffset, end)
    return bytesOf(view, stretch.bytes, at)
  }

  async #read(from: number, to: number): Promise<LogStretch> {
    const [stretch] = this.#windows.read([{ from, to }])
    assert(stretch !== undefined, 'there is a stretch for each range')
    return stretch
  }

  /** Whether the record at the spot is the one that the queue means. Throws when it is damaged. */
  #isRecord(stretch: LogStretch, queue: QueueName, spot: RecordSpot): boolean {
    const end = endOf(spot)
    this.#demandUndamaged(stretch, spot.logOffset, end)
    const at = spot.logOffset - stretch.startOffset
    const { bytes } = stretch
    if (!isHeadOf(bytes, at, queue, spot)) return false
    this.#demandSound(stretch, spot.logOffset, end)
    return isTopicOf(bytes, at, queue)
  }

  #demandUndamaged(stretch: LogStretch, from: number, to: number): void {
    if (stretch.verdictOf(from, to) !== verdict.damaged) return
    const problem = 'the checksum of the 4 KiB there is wrong'
    throw this.#notices.damageAt(stretch.damageFrom(from), problem)
  }

  /** Without sums of its pages, a record has that of its body. */
  #demandSound(stretch: LogStretch, logOffset: number, end: number): void {
    this.#demandUndamaged(stretch, logOffset, end)
    if (stretch.verdictOf(logOffset, end) === verdict.sound) return
    const scanned = scanView(stretch.bytes, logOffset - stretch.startOffset, true)
    if (scanned.kind === 'record') return
    this.#windows.drop(logOffset, end)
    const problem = scanned.kind === 'invalid' ? scanned.reason : 'the record there has no end'
    throw this.#notices.damageAt(logOffset, problem)
  }
}

/** Groups records that are close together in one window, so that each group is one read. */
function groupsOf(
  spots: readonly RecordSpot[],
  windowEnd: (logOffset: number) => number,
): RecordSpot[][] {
  const groups: RecordSpot[][] = []
  let group: RecordSpot[] = []
  let end = Number.POSITIVE_INFINITY
  let limit = 0
  for (const spot of spots) {
    const gap = spot.logOffset - end
    if (gap >= 0 && gap <= COLD_GAP_BYTES && endOf(spot) <= limit) {
      group.push(spot)
    } else {
      group = [spot]
      groups.push(group)
      limit = windowEnd(spot.logOffset)
    }
    end = endOf(spot)
  }
  return groups
}

/** Records that follow one another directly are one slice. */
function slicesOf(stretch: LogStretch, group: readonly RecordSpot[]): Buffer[] {
  const slices: Buffer[] = []
  for (let i = 0; i < group.length; ) {
    const start = group[i]?.logOffset ?? 0
    let end = start
    for (; i < group.length && group[i]?.logOffset === end; i++) end += group[i]?.sizeBytes ?? 0
    slices.push(stretch.slice(start, end))
  }
  return slices
}

function endOf(spot: RecordSpot | undefined): number {
  return spot === undefined ? 0 : spot.logOffset + spot.sizeBytes
}

/** The record at a position of some bytes, if one with this offset begins there. */
function viewAt(bytes: Buffer, at: number, logOffset: number): RecordView | undefined {
  const scanned = scanView(bytes, at, false)
  if (scanned.kind !== 'record' || scanned.record.logOffset !== logOffset) return undefined
  return scanned.record
}

function bytesOf(view: RecordView | undefined, bytes: Buffer, at: number): Buffer | undefined {
  return view === undefined ? undefined : bytes.subarray(at, at + view.sizeBytes)
}

/** Whether a record begins like the one that a queue means. */
function isHeadOf(bytes: Buffer, at: number, queue: QueueName, spot: RecordSpot): boolean {
  return (
    bytes.readInt32BE(at) === spot.sizeBytes &&
    bytes.readInt32BE(at + QUEUE_ID_AT) === queue.queueId &&
    readInt64(bytes, at + QUEUE_OFFSET_AT) === spot.queueOffset &&
    readInt64(bytes, at + LOG_OFFSET_AT) === spot.logOffset
  )
}

function isTopicOf(bytes: Buffer, at: number, { topicBytes }: QueueName): boolean {
  const topicAt = topicAtOf(bytes, at)
  if (bytes[topicAt - 1] !== topicBytes.length) return false
  for (let i = 0; i < topicBytes.length; i++) {
    if (bytes[topicAt + i] !== topicBytes[i]) return false
  }
  return true
}
