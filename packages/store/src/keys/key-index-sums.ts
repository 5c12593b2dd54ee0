/**
 * Checksums of one file of the key index, so that no bit of it can change unnoticed: a wrong slot or
 * entry would hide messages from a query. Owns them, and the file that keeps them.
 *
 *   indexsums/<name of the index file>     a CRC-32 of each page, u32; 0: nothing is known of it
 *     | pages of 4 KiB of the slots | pages of 512 entries | page in work | 0 …
 *
 * Entries never change, so the sum of a page of them is written once, when the page is full; until
 * then the checkpoint keeps it. Slots are written together with their sums, and with a header that
 * says so last (`key-index-file.ts`). Apache ignores the folder.
 */
import { crc32 } from 'node:zlib'
import { type Disk, readWholeFile, writeBytes } from '@rockhopper/host'
import {
  FIRST_INDEX_ENTRY,
  INDEX_ENTRY_BYTES,
  INDEX_SLOT_BYTES,
  type IndexShape,
} from '@rockhopper/protocol'
import { parentOf } from '../files/durable-folder.ts'
import type { OpenFiles } from '../files/open-files.ts'
import { INDEX_PAGE_ENTRIES } from '../limits.ts'

export const SLOT_PAGE_BYTES = 4096
const SUM_BYTES = 4

/** Up to where entries were covered, and the sum of the last of them that do not fill a page. */
interface EntriesCovered {
  readonly nextEntry: number
  readonly pageSum: number
}

export class KeyIndexSums {
  readonly #disk: Disk
  readonly #files: OpenFiles
  readonly #path: string
  readonly #slotPages: number
  readonly #sizeBytes: number
  readonly #covered: EntriesCovered | undefined
  #sums: Buffer | undefined
  /** Entries before it have their sums. */
  #nextEntry: number
  /** The file lacks the sums of full pages of entries from this page on. */
  #unwrittenPage: number
  #isUnsynced = false

  /** `covered` says how far the entries of a file go that is not full; undefined when it is. */
  constructor(
    {
      disk,
      files,
      path,
    }: { readonly disk: Disk; readonly files: OpenFiles; readonly path: string },
    { entryLimit, slotCount }: IndexShape,
    covered?: EntriesCovered,
  ) {
    this.#disk = disk
    this.#files = files
    this.#path = path
    this.#slotPages = Math.ceil((slotCount * INDEX_SLOT_BYTES) / SLOT_PAGE_BYTES)
    this.#sizeBytes = (this.#slotPages + Math.ceil(entryLimit / INDEX_PAGE_ENTRIES)) * SUM_BYTES
    this.#covered = covered
    this.#nextEntry = covered?.nextEntry ?? entryLimit
    this.#unwrittenPage = pageOfEntry(this.#nextEntry)
  }

  /** For the checkpoint: the sum of the entries that do not fill a page yet. */
  get pageSum(): number {
    if (this.#sums === undefined) return this.#covered?.pageSum ?? 0
    const isInFile = this.#at(pageOfEntry(this.#nextEntry)) < this.#sizeBytes
    return isInFile ? this.ofEntries(this.#nextEntry) : 0
  }

  /** The sum of the entries of a page, as far as they are covered; 0 when nothing is known. */
  ofEntries(entry: number): number {
    return this.#get(pageOfEntry(entry))
  }

  /** Takes the next entries into the sums. */
  coverEntries(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const first = pageStart(this.#nextEntry)
      const left = (bytes.length - at) / INDEX_ENTRY_BYTES
      const count = Math.min(left, pageEnd(this.#nextEntry) - this.#nextEntry)
      const page = pageOfEntry(this.#nextEntry)
      const piece = bytes.subarray(at, at + count * INDEX_ENTRY_BYTES)
      const before = this.#nextEntry === first ? 0 : this.#get(page)
      // Of a page that another program began nothing is known.
      if (this.#nextEntry === first || before !== 0) this.#put(page, crc32(piece, before))
      this.#nextEntry += count
      at += piece.length
    }
  }

  /** Takes slots into the sums; `at` is that of the first byte from the first slot on. */
  coverSlots(bytes: Buffer, at: number): void {
    for (let done = 0; done < bytes.length; done += SLOT_PAGE_BYTES) {
      const sum = crc32(bytes.subarray(done, done + SLOT_PAGE_BYTES))
      this.#put((at + done) / SLOT_PAGE_BYTES - this.#slotPages, sum)
    }
  }

  /** The sum of the page with the slot byte `at`; 0 when nothing is known. */
  ofSlots(at: number): number {
    return this.#get(Math.floor(at / SLOT_PAGE_BYTES) - this.#slotPages)
  }

  /** Writes the sums of the pages of entries that are full by now. Throws `DiskError`. */
  writeEntries(): void {
    const page = pageOfEntry(this.#nextEntry)
    if (page > this.#unwrittenPage) this.#write(this.#unwrittenPage, page)
    this.#unwrittenPage = page
  }

  /** Writes all sums: no entry comes any more. Throws `DiskError`. */
  writeAll(): void {
    this.#write(-this.#slotPages, pageOfEntry(this.#nextEntry) + 1)
  }

  /** Writes the sums of the slots. Throws `DiskError`. */
  writeSlots(): void {
    this.#write(-this.#slotPages, 0)
  }

  /** Makes durable what was written. Rejects with `DiskError`. */
  async sync(): Promise<void> {
    if (!this.#isUnsynced) return
    this.#isUnsynced = false
    await this.#files.get(this.#path).syncData()
  }

  /** Removes the file of sums. Throws `DiskError`. */
  remove(): void {
    this.#files.close(this.#path)
    this.#disk.remove(this.#path)
  }

  /** Pages of slots have negative numbers. */
  #write(fromPage: number, toPage: number): void {
    const from = this.#at(fromPage)
    const bytes = this.#loaded.subarray(from, this.#at(toPage))
    writeBytes(this.#openFile(), bytes, from)
    this.#isUnsynced = true
  }

  #openFile(): ReturnType<OpenFiles['get']> {
    if (this.#disk.stat(this.#path) !== undefined) return this.#files.get(this.#path)
    this.#disk.makeDirectory(parentOf(this.#path))
    return this.#files.create(this.#path)
  }

  #get(page: number): number {
    return this.#loaded.readUInt32BE(this.#at(page))
  }

  #put(page: number, sum: number): void {
    this.#loaded.writeUInt32BE(sum, this.#at(page))
  }

  #at(page: number): number {
    return (page + this.#slotPages) * SUM_BYTES
  }

  get #loaded(): Buffer {
    this.#sums ??= this.#load()
    return this.#sums
  }

  #load(): Buffer {
    const sums = Buffer.alloc(this.#sizeBytes)
    readWholeFile(this.#disk, this.#path)?.copy(sums)
    if (this.#covered === undefined) return sums
    // What is behind was of entries that a crash took back.
    const { nextEntry, pageSum } = this.#covered
    sums.fill(0, this.#at(pageOfEntry(nextEntry)))
    if (pageSum !== 0) sums.writeUInt32BE(pageSum, this.#at(pageOfEntry(nextEntry)))
    return sums
  }
}

/** Whether bytes have a sum, or nothing is known of them. */
export function hasSum(bytes: Buffer, sum: number): boolean {
  return sum === 0 || crc32(bytes) === sum
}

/** The first entry of the page that has an entry. */
export function pageStart(entry: number): number {
  return Math.max(FIRST_INDEX_ENTRY, pageOfEntry(entry) * INDEX_PAGE_ENTRIES)
}

/** Behind the last entry of the page that has an entry. */
export function pageEnd(entry: number): number {
  return (pageOfEntry(entry) + 1) * INDEX_PAGE_ENTRIES
}

function pageOfEntry(entry: number): number {
  return Math.floor(entry / INDEX_PAGE_ENTRIES)
}
