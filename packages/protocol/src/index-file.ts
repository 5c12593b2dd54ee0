/**
 * A file of the key index: a hash table on disk, from keys of messages to places in the commit log.
 * Owns nothing but the layout.
 *
 *   0   header: beginTimestamp i64, endTimestamp i64, beginOffset i64, endOffset i64,
 *               usedSlots i32, nextEntry i32
 *   40  slots, i32 each: number of the newest entry of the slot, 0 when there is none
 *   …   entries, 20 bytes each, by number; entry 0 is never used:
 *         0 hash i32 · 4 logOffset i64 · 12 seconds i32 · 16 previous i32
 *
 * Entries of one slot form a chain: `previous` is the number of the next older one, 0 at the end.
 * Source: Apache classes IndexFile, IndexHeader; `store-format.md` section 11.
 */
import { readInt64, writeInt32, writeInt64 } from './int64.ts'

export const INDEX_HEADER_BYTES = 40
export const INDEX_SLOT_BYTES = 4
export const INDEX_ENTRY_BYTES = 20
/** Number of the first entry of a file. */
export const FIRST_INDEX_ENTRY = 1

const INT32_MAX = 2 ** 31 - 1
const TWO_32 = 2 ** 32

/** How a file is laid out; all files of a store are alike. */
export interface IndexShape {
  /** Apache's maxHashSlotNum. */
  readonly slotCount: number
  /** Entries that there is room for, the unused entry 0 among them; Apache's maxIndexNum. */
  readonly entryLimit: number
}

export interface IndexHeader {
  /** Store time of the first and the last message in the file, ms since 1970. */
  readonly beginTimestamp: number
  readonly endTimestamp: number
  /** Log offset of the first and the last message in the file. */
  readonly beginOffset: number
  readonly endOffset: number
  /** Slots with at least one entry. */
  readonly usedSlots: number
  /** Number that the next entry gets. */
  readonly nextEntry: number
}

export interface IndexEntry {
  readonly hash: number
  readonly logOffset: number
  /** Whole seconds from the file's `beginTimestamp` to the store time of the message. */
  readonly seconds: number
  /** Number of the next older entry of the slot, 0 when there is none. */
  readonly previous: number
}

export function indexFileBytes({ slotCount, entryLimit }: IndexShape): number {
  return INDEX_HEADER_BYTES + slotCount * INDEX_SLOT_BYTES + entryLimit * INDEX_ENTRY_BYTES
}

/** Where in the file the slot of a hash is. */
export function indexSlotAt({ slotCount }: IndexShape, hash: number): number {
  return INDEX_HEADER_BYTES + (hash % slotCount) * INDEX_SLOT_BYTES
}

/** Where in the file an entry is. */
export function indexEntryAt({ slotCount }: IndexShape, entry: number): number {
  return INDEX_HEADER_BYTES + slotCount * INDEX_SLOT_BYTES + entry * INDEX_ENTRY_BYTES
}

export function readIndexHeader(source: Buffer, at: number): IndexHeader {
  return {
    beginTimestamp: readInt64(source, at),
    endTimestamp: readInt64(source, at + 8),
    beginOffset: readInt64(source, at + 16),
    endOffset: readInt64(source, at + 24),
    usedSlots: source.readInt32BE(at + 32),
    nextEntry: Math.max(FIRST_INDEX_ENTRY, source.readInt32BE(at + 36)),
  }
}

export function writeIndexHeader(target: Buffer, at: number, header: IndexHeader): void {
  writeInt64(target, header.beginTimestamp, at)
  writeInt64(target, header.endTimestamp, at + 8)
  writeInt64(target, header.beginOffset, at + 16)
  writeInt64(target, header.endOffset, at + 24)
  writeInt32(target, header.usedSlots, at + 32)
  writeInt32(target, header.nextEntry, at + 36)
}

export function readIndexEntry(source: Buffer, at: number): IndexEntry {
  return {
    hash: source.readInt32BE(at),
    logOffset: readInt64(source, at + 4),
    seconds: source.readInt32BE(at + 12),
    previous: source.readInt32BE(at + 16),
  }
}

/** Writes an entry; values side by side spare an object for each. */
export function writeIndexEntry(
  target: DataView,
  at: number,
  hash: number,
  logOffset: number,
  seconds: number,
  previous: number,
): void {
  target.setInt32(at, hash)
  target.setInt32(at + 4, Math.floor(logOffset / TWO_32))
  target.setInt32(at + 8, logOffset | 0)
  target.setInt32(at + 12, seconds)
  target.setInt32(at + 16, previous)
}

/** What an entry keeps of a store time, in a file that begins at `beginTimestamp`. */
export function indexSeconds(storeTimestamp: number, beginTimestamp: number): number {
  if (beginTimestamp <= 0) return 0
  const seconds = Math.floor((storeTimestamp - beginTimestamp) / 1000)
  return Math.max(0, Math.min(seconds, INT32_MAX))
}

/** What the index keeps of a Java hash: it is never negative, and -2^31 becomes 0. */
export function indexHash(javaHash: number): number {
  return javaHash < 0 ? -javaHash & INT32_MAX : javaHash
}
