/**
 * The checkpoint: up to where everything is on the device, so that a start need not look at what
 * lies before. Owns nothing but the layout.
 *
 *     0  physicMsgTimestamp i64   store time of the last message that is durable in the log
 *     8  logicsMsgTimestamp i64   the same for the queues
 *    16  indexMsgTimestamp i64    the same for the key index, as far as its files say so themselves
 *    24  masterFlushedOffset i64, confirmPhyOffset i64
 *   256  magic i32, CRC-32 of the rest i32, logOffset i64, bytes 0 to 16 again
 *   288  magic i32, CRC-32 of the rest i32, bytes 0 to 24 again, offset i64,
 *        names of the oldest and the newest file (17 characters and 3 zeros each),
 *        sealedSum u32, two headers of the newest file (40 bytes each), pageSum u32
 *   456  magic i32, CRC-32 of the rest i32, bytes 0 to 16 again, endsBytes i64,
 *        minOffset i64
 *
 * The first part is Apache's (class StoreCheckpoint; `store-format.md` section 12). The others are
 * ours, in the same sector, so that a torn write cannot part them: up to `logOffset` log and queues
 * are durable, and up to `offset` the key index is; the queue ends are the
 * first `endsBytes` of their file.
 * They count only beside the times they were
 * written with, since Apache, which ignores them, changes those.
 */
import { crc32 } from 'node:zlib'
import { type Disk, readWholeFile, writeBytes } from '@rockhopper/host'
import {
  type IndexHeader,
  readIndexHeader,
  readInt64,
  writeIndexHeader,
  writeInt64,
} from '@rockhopper/protocol'

const FILE_BYTES = 4096
const HEAD_BYTES = 8

/** A part of our own: what it says is covered by a checksum and by the times beside it. */
interface OwnPart {
  readonly at: number
  readonly end: number
  readonly magic: number
  /** Where it repeats the first bytes of the file, and how many. */
  readonly timesAt: number
  readonly timesBytes: number
}

const LOG_PART: OwnPart = { at: 256, end: 288, magic: 0x524b4850, timesAt: 272, timesBytes: 16 }
const LOG_OFFSET_AT = 264

const INDEX_PART: OwnPart = { at: 288, end: 456, magic: 0x524b484a, timesAt: 296, timesBytes: 24 }
const INDEX_OFFSET_AT = 320
const NAMES_AT = 328
const NAME_BYTES = 20
const SEALED_SUM_AT = 368
const HEADER_AT = 372
const SAVED_AT = 412
const PAGE_SUM_AT = 452

const ENDS_PART: OwnPart = { at: 456, end: 496, magic: 0x524b4852, timesAt: 464, timesBytes: 16 }
const ENDS_BYTES_AT = 480
const MIN_OFFSET_AT = 488

/** How far the key index is durable, and which of its files are to be believed. */
export interface KeyIndexState {
  /** The index has every key of the log up to here. */
  readonly offset: number
  /** Names of the oldest and the newest file; empty when there is none. */
  readonly oldest: string
  readonly newest: string
  /** Checksum over names and headers of all files but the newest. */
  readonly sealedSum: number
  /** What the entries of the newest file stand for. */
  readonly header: IndexHeader
  /** What its slots stand for, and the header in it says. */
  readonly saved: IndexHeader
  /** Checksum of its last entries, which do not fill a page; 0 when it is not known. */
  readonly pageSum: number
}

export interface Checkpoint {
  /** Store time of the last durable message, ms since 1970; 0 when nothing is known. */
  readonly storeTimestamp: number
  /** Up to here log and queues are durable; undefined when another program wrote last. */
  readonly logOffset: number | undefined
  /** So many bytes of the file of queue ends belong to it; undefined when that is not known. */
  readonly endsBytes: number | undefined
  /** Where the log began; undefined when that is not known. */
  readonly minOffset: number | undefined
  /** Apache believes files of the key index that end no later, ms since 1970; 0 when none do. */
  readonly indexTimestamp: number
  /** Undefined when another program wrote last, or a version without a key index. */
  readonly keyIndex: KeyIndexState | undefined
}

/** Reads the checkpoint; one that says nothing when there is no file. */
export function readCheckpoint(disk: Disk, path: string): Checkpoint {
  const page = readPage(disk, path)
  const physicTimestamp = readInt64(page, 0)
  const logicsTimestamp = readInt64(page, 8)
  return {
    storeTimestamp: Math.max(0, Math.min(physicTimestamp, logicsTimestamp)),
    logOffset: counts(page, LOG_PART) ? readInt64(page, LOG_OFFSET_AT) : undefined,
    endsBytes: counts(page, ENDS_PART) ? readInt64(page, ENDS_BYTES_AT) : undefined,
    minOffset: counts(page, ENDS_PART) ? readInt64(page, MIN_OFFSET_AT) : undefined,
    indexTimestamp: Math.max(0, readInt64(page, 16)),
    keyIndex: counts(page, INDEX_PART) ? readState(page) : undefined,
  }
}

/** Replaces what this broker knows, keeps the rest, and makes it durable. */
export async function writeCheckpoint(
  disk: Disk,
  path: string,
  checkpoint: Checkpoint & { readonly logOffset: number },
): Promise<void> {
  const { endsBytes, indexTimestamp, keyIndex, logOffset, storeTimestamp } = checkpoint
  const page = readPage(disk, path)
  writeInt64(page, storeTimestamp, 0)
  writeInt64(page, storeTimestamp, 8)
  writeInt64(page, indexTimestamp, 16)
  writeInt64(page, logOffset, LOG_OFFSET_AT)
  seal(page, LOG_PART)
  if (endsBytes === undefined) {
    page.fill(0, ENDS_PART.at, ENDS_PART.end)
  } else {
    writeInt64(page, endsBytes, ENDS_BYTES_AT)
    writeInt64(page, checkpoint.minOffset ?? 0, MIN_OFFSET_AT)
    seal(page, ENDS_PART)
  }
  if (keyIndex === undefined) {
    page.fill(0, INDEX_PART.at, INDEX_PART.end)
  } else {
    writeState(page, keyIndex)
    seal(page, INDEX_PART)
  }
  const file = disk.open(path, 'create')
  try {
    writeBytes(file, page, 0)
    await file.syncData()
  } finally {
    file.close()
  }
}

function readPage(disk: Disk, path: string): Buffer {
  const page = Buffer.alloc(FILE_BYTES)
  readWholeFile(disk, path)?.copy(page)
  return page
}

function readState(page: Buffer): KeyIndexState {
  return {
    offset: readInt64(page, INDEX_OFFSET_AT),
    oldest: readName(page, NAMES_AT),
    newest: readName(page, NAMES_AT + NAME_BYTES),
    sealedSum: page.readUInt32BE(SEALED_SUM_AT),
    header: readIndexHeader(page, HEADER_AT),
    saved: readIndexHeader(page, SAVED_AT),
    pageSum: page.readUInt32BE(PAGE_SUM_AT),
  }
}

function writeState(page: Buffer, state: KeyIndexState): void {
  writeInt64(page, state.offset, INDEX_OFFSET_AT)
  page.fill(0, NAMES_AT, NAMES_AT + 2 * NAME_BYTES)
  page.write(state.oldest, NAMES_AT, 'latin1')
  page.write(state.newest, NAMES_AT + NAME_BYTES, 'latin1')
  page.writeUInt32BE(state.sealedSum, SEALED_SUM_AT)
  writeIndexHeader(page, HEADER_AT, state.header)
  writeIndexHeader(page, SAVED_AT, state.saved)
  page.writeUInt32BE(state.pageSum, PAGE_SUM_AT)
}

function readName(page: Buffer, at: number): string {
  return page.toString('latin1', at, at + NAME_BYTES).replaceAll('\0', '')
}

function seal(page: Buffer, part: OwnPart): void {
  page.writeInt32BE(part.magic, part.at)
  page.copy(page, part.timesAt, 0, part.timesBytes)
  page.writeUInt32BE(sumOf(page, part), part.at + 4)
}

function counts(page: Buffer, part: OwnPart): boolean {
  if (page.readInt32BE(part.at) !== part.magic) return false
  if (page.readUInt32BE(part.at + 4) !== sumOf(page, part)) return false
  const times = page.subarray(part.timesAt, part.timesAt + part.timesBytes)
  return times.equals(page.subarray(0, part.timesBytes))
}

function sumOf(page: Buffer, { at, end }: OwnPart): number {
  return crc32(page.subarray(at + HEAD_BYTES, end))
}
