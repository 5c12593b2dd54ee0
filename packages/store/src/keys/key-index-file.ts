/**
 * One file of the key index. Owns its header, its slots while entries are added, and the entries
 * that are not in the file yet.
 *
 *   header | slots: in memory while entries are added | entries 1 … in the file | buffer … next
 *
 * Entries go into the file one behind the other. Slots are all over the place, so they are written
 * now and then only, and the header in the file stays that of the last time: Apache finds a whole
 * file, only older. After a crash the slots are made anew from the entries, which hold the hashes.
 * What is read is compared with its checksum (`key-index-sums.ts`).
 * Source: Apache class IndexFile; `store-format.md` section 11.
 */
import assert from 'node:assert/strict'
import { type Clock, DiskError, type DiskFile, writeBytes } from '@rockhopper/host'
import {
  FIRST_INDEX_ENTRY,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_SLOT_BYTES,
  type IndexEntry,
  type IndexHeader,
  type IndexShape,
  indexEntryAt,
  indexFileBytes,
  indexSeconds,
  indexSlotAt,
  readIndexEntry,
  writeIndexEntry,
  writeIndexHeader,
} from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import { readBytes } from '../files/file-bytes.ts'
import type { OpenFiles } from '../files/open-files.ts'
import {
  INDEX_BUFFER_ENTRIES,
  INDEX_CHAIN_READS,
  INDEX_PAGE_ENTRIES,
  INDEX_SAVE_ENTRIES,
  INDEX_WRITE_BYTES,
} from '../limits.ts'
import { KeyIndexSlots } from './key-index-slots.ts'
import { hasSum, type KeyIndexSums, pageEnd, pageStart, SLOT_PAGE_BYTES } from './key-index-sums.ts'

const SECOND_MS = 1000
const NO_VIEW = new DataView<ArrayBufferLike>(new ArrayBuffer(0))

/** Which messages of a file are wanted. */
export interface KeyWanted {
  readonly hash: number
  /** Store times in ms since 1970, both inclusive. */
  readonly beginTimestamp: number
  readonly endTimestamp: number
}

/** Where a file is, and how it is laid out. */
export interface KeyIndexPlace {
  readonly files: OpenFiles
  readonly path: string
  readonly shape: IndexShape
  readonly sums: KeyIndexSums
}

type Growing<T> = { -readonly [Name in keyof T]: T[Name] }

export class KeyIndexFile {
  readonly path: string
  readonly #files: OpenFiles
  readonly #shape: IndexShape
  readonly #sums: KeyIndexSums
  readonly #header: Growing<IndexHeader>
  #saved: IndexHeader
  #slots: KeyIndexSlots | undefined
  #areSlotsTrusted: boolean
  #loading: Promise<void> | undefined
  #buffer: Buffer | undefined
  #view = NO_VIEW
  /** Entries before it are in the file. */
  #writtenEntry: number

  /**
   * `header` says which entries are in the file, `saved` which of them its slots know. Slots that
   * are not trusted may know entries that are not there any more.
   */
  constructor(
    { files, path, shape, sums }: KeyIndexPlace,
    header: IndexHeader,
    saved: IndexHeader,
    areSlotsTrusted = true,
  ) {
    this.path = path
    this.#files = files
    this.#shape = shape
    this.#sums = sums
    this.#header = { ...header }
    this.#saved = saved
    this.#areSlotsTrusted = areSlotsTrusted
    this.#writtenEntry = header.nextEntry
  }

  /** Makes an empty file of its full size, sparse. Throws `DiskError`. */
  static create(place: KeyIndexPlace, before: IndexHeader | undefined): KeyIndexFile {
    const header = emptyIndexHeader(before)
    const fresh = new KeyIndexFile(place, header, header)
    place.files.create(place.path).setLength(indexFileBytes(place.shape))
    fresh.#writeHeader(header)
    return fresh
  }

  /** What all entries stand for, those in memory included. */
  get header(): Readonly<IndexHeader> {
    return this.#header
  }

  /** What the file stands for in Apache's eyes. */
  get saved(): IndexHeader {
    return this.#saved
  }

  /** For the checkpoint: the checksum of the last entries in the file. */
  get pageSum(): number {
    return this.#sums.pageSum
  }

  /** Whether `add` may be called. */
  get hasRoom(): boolean {
    return this.#slots !== undefined && !this.isFull && !this.#isBufferFull
  }

  /** Whether the slots in the file know all entries. */
  get isWhole(): boolean {
    return this.#areSlotsTrusted && this.#saved.nextEntry === this.#header.nextEntry
  }

  /** Whether it is time for `save`. */
  get isSaveDue(): boolean {
    const unsaved = this.#header.nextEntry - this.#saved.nextEntry
    return !this.#areSlotsTrusted || unsaved >= INDEX_SAVE_ENTRIES
  }

  get isFull(): boolean {
    return this.#header.nextEntry >= this.#shape.entryLimit
  }

  get #isBufferFull(): boolean {
    return this.#header.nextEntry - this.#writtenEntry >= INDEX_BUFFER_ENTRIES
  }

  /** Adds an entry. There must be room. */
  add(hash: number, logOffset: number, storeTimestamp: number): void {
    const header = this.#header
    const entry = header.nextEntry
    assert(this.#slots !== undefined && !this.isFull, 'there is no room for a key')
    if (entry === FIRST_INDEX_ENTRY) {
      header.beginTimestamp = storeTimestamp
      header.beginOffset = logOffset
    }
    const seconds = indexSeconds(storeTimestamp, header.beginTimestamp)
    const previous = this.#slots.put(hash, entry)
    if (previous === 0) header.usedSlots += 1
    const at = (entry - this.#writtenEntry) * INDEX_ENTRY_BYTES
    writeIndexEntry(this.#view, at, hash, logOffset, seconds, previous)
    header.nextEntry = entry + 1
    header.endOffset = logOffset
    header.endTimestamp = storeTimestamp
  }

  /** Hands the entries in memory to the system. Throws `DiskError`; then they stay in memory. */
  flush(): void {
    const { nextEntry } = this.#header
    if (this.#buffer === undefined) return
    const bytes = this.#buffer.subarray(0, (nextEntry - this.#writtenEntry) * INDEX_ENTRY_BYTES)
    if (bytes.length > 0) {
      writeBytes(this.#file, bytes, indexEntryAt(this.#shape, this.#writtenEntry))
      this.#sums.coverEntries(bytes)
      this.#writtenEntry = nextEntry
    }
    this.#sums.writeEntries()
  }

  /** Makes what was handed over durable. */
  async sync(): Promise<void> {
    await this.#file.syncData()
    await this.#sums.sync()
  }

  /**
   * Brings the slots into memory, so that entries can be added. Rejects with `CorruptionError` when
   * the file cannot be read, or the entries cannot be what was written.
   */
  async load(): Promise<void> {
    if (this.#slots !== undefined) return
    this.#loading ??= this.#load()
      .catch((error: unknown) => {
        throw error instanceof DiskError ? unreadable(this.path, error) : error
      })
      .finally(() => {
        this.#loading = undefined
      })
    await this.#loading
  }

  /**
   * Makes the file whole: all entries, their slots, and the header that says so. Nothing may be
   * added meanwhile. At any moment of it Apache would find at least what it found before.
   */
  async save(clock: Clock): Promise<void> {
    const slots = this.#slots
    const header = { ...this.#header }
    if (slots === undefined || this.isWhole) return
    this.flush()
    // Slots that name entries behind `nextEntry` would end their chains; an older end offset only
    // lets Apache add once more what it has.
    this.#writeHeader({ ...this.#saved, nextEntry: header.nextEntry })
    await this.sync()
    for (const { at, bytes } of slots.changedRuns(INDEX_WRITE_BYTES)) {
      writeBytes(this.#file, bytes, INDEX_HEADER_BYTES + at)
      this.#sums.coverSlots(bytes, at)
      await new Promise<void>((next) => clock.soon(next))
    }
    if (this.isFull) this.#sums.writeAll()
    else this.#sums.writeSlots()
    await this.sync()
    this.#writeHeader(header)
    await this.sync()
    this.#saved = header
    this.#areSlotsTrusted = true
  }

  /** Gives back the memory of a file that is saved and full. */
  release(): void {
    this.#slots = undefined
    this.#buffer = undefined
    this.#view = NO_VIEW
  }

  /**
   * Log offsets of the entries that may be wanted, newest first; others may be among them. Throws
   * `CorruptionError` when what it has to read is not what was written, and `DiskError`.
   */
  async *find({ hash, beginTimestamp, endTimestamp }: KeyWanted): AsyncGenerator<number> {
    const { beginTimestamp: fileBegin, endTimestamp: fileEnd } = this.#header
    if (endTimestamp < fileBegin || beginTimestamp > fileEnd) return
    const window = new EntryWindow((each) => this.#readPage(each))
    let entry = await this.#newest(hash)
    let limit = this.#header.nextEntry
    while (entry > 0 && entry < limit) {
      const found = this.#inMemory(entry) ?? (await window.get(entry))
      if (window.reads > INDEX_CHAIN_READS) return
      // An entry keeps whole seconds: its message may be up to one younger.
      const earliest = fileBegin + found.seconds * SECOND_MS
      if (earliest + SECOND_MS <= beginTimestamp) return
      if (found.hash === hash && earliest <= endTimestamp) yield found.logOffset
      limit = entry
      entry = found.previous
    }
  }

  get #file(): DiskFile {
    return this.#files.get(this.path)
  }

  async #newest(hash: number): Promise<number> {
    if (this.#slots === undefined && !this.isWhole) await this.load()
    if (this.#slots !== undefined) return this.#slots.get(hash)
    const slotAt = indexSlotAt(this.#shape, hash) - INDEX_HEADER_BYTES
    const at = slotAt - (slotAt % SLOT_PAGE_BYTES)
    const slotBytes = this.#shape.slotCount * INDEX_SLOT_BYTES
    const page = Buffer.allocUnsafe(Math.min(SLOT_PAGE_BYTES, slotBytes - at))
    await readBytes(this.#file, page, INDEX_HEADER_BYTES + at)
    this.#demandSum(page, this.#sums.ofSlots(at), INDEX_HEADER_BYTES + at)
    return page.readInt32BE(slotAt - at)
  }

  /** The entries that have one checksum with `entry`, as far as they are in the file. */
  async #readPage(entry: number): Promise<EntryPage> {
    const from = pageStart(entry)
    const end = Math.min(pageEnd(entry), this.#writtenEntry)
    const sum = this.#sums.ofEntries(entry)
    const bytes = Buffer.allocUnsafe((end - from) * INDEX_ENTRY_BYTES)
    await readBytes(this.#file, bytes, indexEntryAt(this.#shape, from))
    this.#demandSum(bytes, sum, indexEntryAt(this.#shape, from))
    return { from, end, bytes }
  }

  #demandSum(bytes: Buffer, sum: number, at: number): void {
    if (hasSum(bytes, sum)) return
    const sentence = `The index file "${this.path}" is damaged at byte ${at}: a checksum is wrong.`
    throw new CorruptionError(this.path, at, sentence)
  }

  #inMemory(entry: number): IndexEntry | undefined {
    if (entry < this.#writtenEntry || this.#buffer === undefined) return undefined
    return readIndexEntry(this.#buffer, (entry - this.#writtenEntry) * INDEX_ENTRY_BYTES)
  }

  async #load(): Promise<void> {
    const slots = new KeyIndexSlots(this.#shape.slotCount)
    const { nextEntry } = this.#saved
    let usedSlots: number | undefined = 0
    if (this.#areSlotsTrusted && nextEntry > FIRST_INDEX_ENTRY) {
      await readBytes(this.#file, slots.bytes, INDEX_HEADER_BYTES)
      usedSlots = this.#areSound(slots.bytes) ? slots.countUsed(nextEntry) : undefined
    }
    if (usedSlots === undefined) this.#areSlotsTrusted = false
    if (!this.#areSlotsTrusted) slots.clear()
    const from = this.#areSlotsTrusted ? nextEntry : FIRST_INDEX_ENTRY
    this.#header.usedSlots = (usedSlots ?? 0) + (await this.#replay(slots, from))
    this.#slots = slots
    this.#buffer = Buffer.allocUnsafeSlow(INDEX_BUFFER_ENTRIES * INDEX_ENTRY_BYTES)
    this.#view = new DataView(this.#buffer.buffer)
  }

  #areSound(slots: Buffer): boolean {
    for (let at = 0; at < slots.length; at += SLOT_PAGE_BYTES) {
      if (!hasSum(slots.subarray(at, at + SLOT_PAGE_BYTES), this.#sums.ofSlots(at))) return false
    }
    return true
  }

  /** Puts the entries from `from` on into the slots; returns how many slots had none before. */
  async #replay(slots: KeyIndexSlots, from: number): Promise<number> {
    let usedSlots = 0
    const window = Buffer.allocUnsafeSlow(INDEX_BUFFER_ENTRIES * INDEX_ENTRY_BYTES)
    for (let first = pageStart(from); first < this.#writtenEntry; ) {
      const end = Math.min(windowEnd(first), this.#writtenEntry)
      const bytes = window.subarray(0, (end - first) * INDEX_ENTRY_BYTES)
      await readBytes(this.#file, bytes, indexEntryAt(this.#shape, first))
      this.#checkPages(bytes, first)
      for (let entry = Math.max(first, from); entry < end; entry++) {
        const at = (entry - first) * INDEX_ENTRY_BYTES
        this.#check(bytes, at, entry)
        if (slots.put(bytes.readInt32BE(at), entry) === 0) usedSlots += 1
      }
      first = end
    }
    return usedSlots
  }

  /** Compares entries, of which the first begins a page, with their checksums. */
  #checkPages(bytes: Buffer, first: number): void {
    for (let at = 0, entry = first; at < bytes.length; ) {
      const end = at + (pageEnd(entry) - entry) * INDEX_ENTRY_BYTES
      const place = indexEntryAt(this.#shape, entry)
      this.#demandSum(bytes.subarray(at, end), this.#sums.ofEntries(entry), place)
      entry = pageEnd(entry)
      at = end
    }
  }

  #check(bytes: Buffer, at: number, entry: number): void {
    const { hash, logOffset, previous } = readIndexEntry(bytes, at)
    const { beginOffset, endOffset } = this.#header
    const isInRange = logOffset >= beginOffset && logOffset <= endOffset
    if (hash >= 0 && previous >= 0 && previous < entry && isInRange) return
    throw new CorruptionError(
      this.path,
      indexEntryAt(this.#shape, entry),
      `Entry ${entry} of the index file "${this.path}" cannot be what was written.`,
    )
  }

  #writeHeader(header: IndexHeader): void {
    const bytes = Buffer.alloc(INDEX_HEADER_BYTES)
    writeIndexHeader(bytes, 0, header)
    writeBytes(this.#file, bytes, 0)
  }
}

/** Behind what is read at a time by who goes over all entries: whole pages. */
function windowEnd(first: number): number {
  return first - (first % INDEX_PAGE_ENTRIES) + INDEX_BUFFER_ENTRIES
}

/** Entries from `from` to `end`. */
interface EntryPage {
  readonly from: number
  readonly end: number
  readonly bytes: Buffer
}

/** Keeps the page that was read last, for chains often lead to neighbours. */
class EntryWindow {
  /** How often the file was read. */
  reads = 0
  readonly #read: (entry: number) => Promise<EntryPage>
  #page: EntryPage | undefined

  constructor(read: (entry: number) => Promise<EntryPage>) {
    this.#read = read
  }

  async get(entry: number): Promise<IndexEntry> {
    let page = this.#page
    if (page === undefined || entry < page.from || entry >= page.end) {
      page = await this.#read(entry)
      this.#page = page
      this.reads += 1
    }
    return readIndexEntry(page.bytes, (entry - page.from) * INDEX_ENTRY_BYTES)
  }
}

function unreadable(path: string, error: DiskError): CorruptionError {
  return new CorruptionError(path, 0, `The index file "${path}" cannot be read: ${error.message}.`)
}

/** The header of a file without entries: as Apache does, it goes on where the one before ended. */
export function emptyIndexHeader(before: IndexHeader | undefined): IndexHeader {
  const timestamp = before?.endTimestamp ?? 0
  const offset = before?.endOffset ?? 0
  return {
    beginTimestamp: timestamp,
    endTimestamp: timestamp,
    beginOffset: offset,
    endOffset: offset,
    usedSlots: 0,
    nextEntry: FIRST_INDEX_ENTRY,
  }
}
