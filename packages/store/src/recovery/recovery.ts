/**
 * Finds out, at the start, where the log really ends, and makes anew what the queues lack of it.
 * Owns nothing.
 *
 *   … | log and queues are durable | records are checked one by one, and go into queues | zeros
 *                       checkpoint ^                                                end ^
 *
 * What is behind the checkpoint in the files of the queues is not believed. A start that is killed
 * leaves nothing that the next one cannot do over. Source: `store-runtime.md` section 6.
 */
import {
  type DelayLevels,
  hasSoundCrcProperty,
  isQueued,
  type RecordView,
  STORE_TIMESTAMP_WITHIN_BYTES,
  scanRecord,
  scanView,
  storeTimestampOf,
  sysFlag,
  unitTagsCodeOf,
} from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import type { SegmentFolder } from '../files/segment-folder.ts'
import { MAX_RECORD_BYTES, SCAN_WINDOW_BYTES } from '../limits.ts'
import type { ConsumeQueue } from '../queues/consume-queue.ts'
import { isFolderName, type QueueTable } from '../queues/queue-table.ts'
import type { Checkpoint } from './checkpoint-file.ts'

/** Apache's checkpoint can be this much newer than what is durable. Source: StoreCheckpoint. */
const TIME_MARGIN_MS = 3_000

/** What a device writes whole. */
const SECTOR_BYTES = 512

/** The log offset from which on the log is scanned. Throws `CorruptionError`. */
export function scanStart(folder: SegmentFolder, checkpoint: Checkpoint): number {
  const { logOffset } = checkpoint
  if (logOffset !== undefined && logOffset > folder.endOffset) {
    throw new CorruptionError(
      folder.directory,
      logOffset,
      `The commit log in "${folder.directory}" ends at ${folder.endOffset}, but was durable up to ` +
        `${logOffset}: files are missing. Bring them back, or remove the file "checkpoint" to go ` +
        'on with what is there.',
    )
  }
  if (logOffset !== undefined && logOffset >= (folder.firstOffset ?? 0)) return logOffset
  return startByTime(folder, checkpoint.storeTimestamp - TIME_MARGIN_MS)
}

/** The newest segment that begins with a record which is durable for certain, or the oldest one. */
function startByTime(folder: SegmentFolder, timestampMs: number): number {
  const head = Buffer.alloc(STORE_TIMESTAMP_WITHIN_BYTES)
  for (const start of folder.starts.toReversed()) {
    folder.readSync(head, start)
    if (scanRecord(head, 0, false).kind !== 'cut-off') continue
    const storeTimestamp = storeTimestampOf(head)
    if (storeTimestamp > 0 && storeTimestamp <= timestampMs) return start
  }
  return folder.firstOffset ?? 0
}

/** What ends a scan besides a record that contradicts itself. */
export interface ScanChecks {
  /** Sectors of a record that ends behind this offset seem to be missing. */
  readonly tornBehind: number
  /** It has no right checksum of the whole record (forceVerifyPropCRC). */
  readonly wholeCrc: boolean
}

/** Where a scan of the log ended. */
export interface ScanEnd {
  /** Behind the last sound record. */
  readonly offset: number
  /** What is wrong with what stands there; undefined when nothing can stand there. */
  readonly problem: string | undefined
}

/**
 * Calls `visit` for each sound record from `from` on, and says where and why that ended. Rejects
 * with `DiskError`.
 */
export async function scanLog(
  folder: SegmentFolder,
  from: number,
  checks: ScanChecks,
  visit: (record: RecordView) => void,
): Promise<ScanEnd> {
  let window = Buffer.allocUnsafeSlow(Math.min(SCAN_WINDOW_BYTES, folder.segmentBytes))
  let offset = from
  while (folder.has(offset)) {
    const segmentEnd = folder.startOf(offset) + folder.segmentBytes
    const bytes = window.subarray(0, Math.min(window.length, segmentEnd - offset))
    await folder.read(bytes, offset)
    const { at, stop, neededBytes, problem } = scanWindow(bytes, offset, checks, visit)
    offset += at
    if (stop === 'invalid') return { offset, problem }
    // The bytes behind the last record of a segment are too few for a blank one, or one says so.
    if (stop === 'blank' || segmentEnd - offset < LEAST_BYTES) offset = segmentEnd
    else if (neededBytes > Math.min(segmentEnd - offset, MAX_RECORD_BYTES)) {
      return { offset, problem: `a record there claims to have ${neededBytes} bytes` }
    } else if (neededBytes > window.length) window = Buffer.allocUnsafeSlow(neededBytes)
  }
  return { offset, problem: undefined }
}

/** Size and magic number. */
const LEAST_BYTES = 8

interface WindowEnd {
  /** Position behind the last sound record. */
  readonly at: number
  readonly stop: 'blank' | 'invalid' | 'cut-off'
  /** Bytes that the next record takes, as far as it says. */
  readonly neededBytes: number
  readonly problem: string | undefined
}

function scanWindow(
  bytes: Buffer,
  offset: number,
  checks: ScanChecks,
  visit: (record: RecordView) => void,
): WindowEnd {
  const invalid = (at: number, problem: string): WindowEnd => {
    return { at, stop: 'invalid', neededBytes: 0, problem }
  }
  let at = 0
  for (;;) {
    const scanned = scanView(bytes, at, true)
    if (scanned.kind === 'invalid') return invalid(at, scanned.reason)
    if (scanned.kind !== 'record') {
      const neededBytes = scanned.kind === 'cut-off' ? scanned.sizeBytes : 0
      return { at, stop: scanned.kind, neededBytes, problem: undefined }
    }
    const { record } = scanned
    // A record that was copied from elsewhere, or lay here before a longer log was cut off.
    if (record.logOffset !== offset + at) {
      return invalid(at, `the record there says that its offset is ${record.logOffset}`)
    }
    const isTorn = offset + at + record.sizeBytes > checks.tornBehind && isTornBehindBody(record)
    if (isTorn) {
      return invalid(at, 'a part of topic or properties is missing')
    }
    if (checks.wholeCrc && !hasSoundCrcProperty(bytes, at, record.sizeBytes)) {
      return invalid(at, 'the record has no checksum of all of it (__CRC32#), or a wrong one')
    }
    visit(record)
    at += record.sizeBytes
  }
}

/**
 * Whether a part of a record behind its body did not reach the disk. No checksum covers topic and
 * properties, but neither has a zero at its end or a sector of zeros within, while the log is
 * filled with zeros ahead of its records.
 */
function isTornBehindBody({ logOffset, properties, sizeBytes, topic }: RecordView): boolean {
  if (properties.at(-1) === 0 || topic.includes('\0')) return true
  const start = logOffset + sizeBytes - properties.length
  const firstSector = (SECTOR_BYTES - (start % SECTOR_BYTES)) % SECTOR_BYTES
  for (let at = firstSector; at < properties.length; at += SECTOR_BYTES) {
    if (properties.subarray(at, at + SECTOR_BYTES).every((byte) => byte === 0)) return true
  }
  return false
}

/** Thrown when the log has a message of a queue, and the queue not those before it. */
export class QueueGap extends Error {
  override readonly name = 'QueueGap'
}

/**
 * Puts a record that the scan found, and that is in a queue, there. `isAnew`: all of the log is
 * scanned, and a queue may begin anywhere. Throws `QueueGap`.
 */
export function restoreUnit(
  queues: QueueTable,
  record: RecordView,
  isAnew: boolean,
  delays: DelayLevels | undefined,
): void {
  const { queueId, queueOffset, topic } = record
  const queue = queueFor(queues, record, isAnew)
  if (queueOffset > queue.nextOffset) {
    throw new QueueGap(
      `Queue ${queueId} of topic "${topic}" ends at ${queue.nextOffset}, but the next message in ` +
        `the commit log has queue offset ${queueOffset}.`,
    )
  }
  queue.push({
    logOffset: record.logOffset,
    sizeBytes: record.sizeBytes,
    tagsCode: unitTagsCodeOf(record, delays),
  })
  queues.live.add(queue)
}

/** Whether a record belongs into a queue. */
export function isInQueue({ sysFlag: flags, topic }: RecordView): boolean {
  return isQueued(flags) && (flags & sysFlag.innerBatch) === 0 && isFolderName(topic)
}

/** An offset that went back means that the topic was deleted and made anew: the later counts. */
export function queueFor(
  queues: QueueTable,
  { topic, queueId, queueOffset }: RecordView,
  isAnew: boolean,
): ConsumeQueue {
  const known = queues.open(topic, queueId)
  // What its files have is older than the log, and there is more of that than they have.
  const isOutdated = isAnew && known.isExpired && queueOffset > known.nextOffset
  const goesBack = queueOffset < known.nextOffset
  const queue = goesBack || isOutdated ? queues.replace(known) : known
  if (queue.nextOffset === 0 && queueOffset > 0) queue.beginAt(queueOffset)
  return queue
}

/** Makes visible what was restored, and leaves it to the files. Throws `DiskError`. */
export function saveRestored(queues: QueueTable): void {
  for (const queue of queues.live) {
    queue.end.advance(queue.nextOffset)
    queue.save(Number.POSITIVE_INFINITY, queue.nextOffset)
  }
}

/** Makes visible what was restored. */
export function showRestored(queues: QueueTable): void {
  for (const queue of queues.all()) queue.end.advance(queue.nextOffset)
}
