/**
 * Checksums of the pages of the log, so that no byte of it, headers and properties included, can
 * change unnoticed: Apache's own checksum covers bodies only. Owns the files and the sum of the page
 * that is being filled.
 *
 *   logsums/<name of the segment>     one entry of 8 bytes for each 4 KiB of the segment
 *     0 crc32 u32    of the first `coveredBytes` bytes of the page
 *     4 coveredBytes u16    0: nothing is known of the page
 *     6 check u16    of the entry itself: a damaged entry says nothing, instead of something wrong
 *
 * An entry is written right after the bytes it covers, by the same call that acknowledges them, so
 * after the death of a process all that was acknowledged is covered. Apache ignores the folder.
 */
import { crc32 } from 'node:zlib'
import { type Disk, DiskError, writeBytes } from '@rockhopper/host'
import type { OpenFiles } from '../files/open-files.ts'
import { segmentName } from '../files/segment-folder.ts'

export const SUM_PAGE_BYTES = 4096
export const SUM_ENTRY_BYTES = 8
const COVERED_AT = 4
const CHECK_AT = 6

/** The part of an entry that its check is of: views would be garbage for each page. */
const checked = new Uint8Array(CHECK_AT)

/** What an entry says of the bytes of its page. */
export type PageVerdict =
  | 'sound'
  /** Sound as far as it is covered: that is not all of it. */
  | 'begun'
  | 'damaged'
  | 'unknown'

export class LogSums {
  readonly directory: string
  readonly #disk: Disk
  readonly #files: OpenFiles
  readonly #segmentBytes: number
  /** Entries from `#firstPage` of `#segment` on: what is not written yet, and the page in work. */
  #entries = Buffer.alloc(64 * SUM_ENTRY_BYTES)
  #segment = 0
  #firstPage = 0
  #pages = 0
  #crc = 0
  #known: Set<number> | undefined
  readonly #unsynced = new Set<number>()
  #newNames = false

  constructor(disk: Disk, files: OpenFiles, directory: string, segmentBytes: number) {
    this.#disk = disk
    this.#files = files
    this.directory = directory
    this.#segmentBytes = segmentBytes
  }

  /** Where the page of a byte of the log begins; pages are counted from the segment's start. */
  pageStart(offset: number): number {
    return offset - ((offset % this.#segmentBytes) % SUM_PAGE_BYTES)
  }

  /**
   * Takes bytes of one segment into the sums. They follow those of the last call, or begin a page.
   * Throws `DiskError`.
   */
  cover(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      const at = (offset + done) % this.#segmentBytes
      const inPage = at % SUM_PAGE_BYTES
      const taken = Math.min(SUM_PAGE_BYTES - inPage, bytes.length - done)
      const piece = bytes.subarray(done, done + taken)
      this.#crc = inPage === 0 ? crc32(piece) : crc32(piece, this.#crc)
      this.#put(offset + done - at, (at - inPage) / SUM_PAGE_BYTES, inPage + taken)
      done += taken
    }
  }

  /** Writes the entries of all that was covered. Throws `DiskError`, though not for want of room. */
  write(): void {
    if (this.#pages === 0) return
    try {
      this.#writeEntries()
    } catch (error) {
      // Without its entry a page is only checked less well.
      if (!(error instanceof DiskError && error.code === 'ENOSPC')) throw error
    }
    const last = this.#pages - 1
    this.#entries.copyWithin(0, last * SUM_ENTRY_BYTES, this.#pages * SUM_ENTRY_BYTES)
    this.#firstPage += last
    this.#pages = 1
  }

  /** Makes what was written durable. Rejects with `DiskError`. */
  async sync(): Promise<void> {
    const dirty = [...this.#unsynced]
    const newNames = this.#newNames
    this.#unsynced.clear()
    this.#newNames = false
    for (const start of dirty) {
      if (this.#has(start)) await this.#files.get(this.#path(start)).syncData()
    }
    if (newNames) await this.#disk.syncDirectory(this.directory)
  }

  /**
   * The entries of the pages that have the bytes from `from` to `to`, all of one segment. Taken
   * before those bytes are read: what an entry covered once, no later write changes.
   */
  async entries(from: number, to: number): Promise<Buffer> {
    const start = from - (from % this.#segmentBytes)
    const first = Math.floor((from - start) / SUM_PAGE_BYTES)
    const entries = Buffer.alloc(
      (Math.ceil((to - start) / SUM_PAGE_BYTES) - first) * SUM_ENTRY_BYTES,
    )
    if (!this.#has(start)) return entries
    const file = this.#files.get(this.#path(start))
    for (let done = 0; done < entries.length; ) {
      const count = await file.read(entries.subarray(done), first * SUM_ENTRY_BYTES + done)
      if (count === 0) break
      done += count
    }
    return entries
  }

  /** Whether anything is known of the page of `offset`, or of a later one. */
  reaches(offset: number): boolean {
    const start = offset - (offset % this.#segmentBytes)
    for (const each of this.#starts()) if (each > start) return true
    if (!this.#has(start)) return false
    const page = Math.floor((offset - start) / SUM_PAGE_BYTES)
    return this.#files.get(this.#path(start)).sizeBytes() > page * SUM_ENTRY_BYTES
  }

  /** Forgets what is known of the page of `offset` and of everything behind it. */
  dropFrom(offset: number): void {
    const segment = offset - (offset % this.#segmentBytes)
    for (const start of [...this.#starts()]) {
      if (start > segment || (start === segment && offset === segment)) this.#remove(start)
    }
    this.#pages = 0
    if (!this.#has(segment)) return
    const page = Math.floor((offset - segment) / SUM_PAGE_BYTES)
    const file = this.#files.get(this.#path(segment))
    if (file.sizeBytes() > page * SUM_ENTRY_BYTES) file.setLength(page * SUM_ENTRY_BYTES)
    this.#unsynced.add(segment)
  }

  /** Forgets the segments that begin before `offset`. */
  removeBefore(offset: number): void {
    for (const start of [...this.#starts()]) if (start < offset) this.#remove(start)
  }

  #put(segment: number, page: number, coveredBytes: number): void {
    if (segment !== this.#segment || page > this.#firstPage + this.#pages)
      this.#begin(segment, page)
    else if (this.#pages === 0) this.#firstPage = page
    const at = (page - this.#firstPage) * SUM_ENTRY_BYTES
    if (at === this.#entries.length) this.#grow()
    this.#entries.writeUInt32BE(this.#crc, at)
    this.#entries.writeUInt16BE(coveredBytes, at + COVERED_AT)
    this.#entries.writeUInt16BE(checkOf(this.#entries, at, page), at + CHECK_AT)
    this.#pages = page - this.#firstPage + 1
  }

  #begin(segment: number, page: number): void {
    this.write()
    this.#segment = segment
    this.#firstPage = page
    this.#pages = 0
  }

  #grow(): void {
    const entries = Buffer.alloc(this.#entries.length * 2)
    this.#entries.copy(entries)
    this.#entries = entries
  }

  #writeEntries(): void {
    const file = this.#openFor(this.#segment)
    const bytes = this.#entries.subarray(0, this.#pages * SUM_ENTRY_BYTES)
    const at = this.#firstPage * SUM_ENTRY_BYTES
    writeBytes(file, bytes, at)
    this.#unsynced.add(this.#segment)
  }

  #openFor(start: number): ReturnType<OpenFiles['get']> {
    if (this.#has(start)) return this.#files.get(this.#path(start))
    this.#disk.makeDirectory(this.directory)
    const file = this.#files.create(this.#path(start))
    this.#starts().add(start)
    this.#newNames = true
    return file
  }

  #remove(start: number): void {
    this.#files.close(this.#path(start))
    this.#disk.remove(this.#path(start))
    this.#starts().delete(start)
    this.#unsynced.delete(start)
    this.#newNames = true
  }

  #has(start: number): boolean {
    return this.#starts().has(start)
  }

  #starts(): Set<number> {
    this.#known ??= new Set(this.#disk.list(this.directory).map(Number))
    return this.#known
  }

  #path(start: number): string {
    return `${this.directory}/${segmentName(start)}`
  }
}

/**
 * What `entry`, at `at` of some entries, says of the bytes of the page with this number in its
 * segment. `page` must have all bytes that the entry covers.
 */
export function judgePage(
  entries: Buffer,
  at: number,
  pageNumber: number,
  page: Buffer,
): PageVerdict {
  const coveredBytes = coveredIn(entries, at, pageNumber)
  if (coveredBytes === 0) return 'unknown'
  if (coveredBytes > page.length) return 'damaged'
  const isWhole = coveredBytes === page.length
  const sum = crc32(isWhole ? page : page.subarray(0, coveredBytes))
  if (sum !== entries.readUInt32BE(at)) return 'damaged'
  return isWhole ? 'sound' : 'begun'
}

/** How many bytes of its page an entry covers; 0 when it is not there or damaged itself. */
export function coveredIn(entries: Buffer, at: number, pageNumber: number): number {
  const coveredBytes = entries.readUInt16BE(at + COVERED_AT)
  const isSound = checkOf(entries, at, pageNumber) === entries.readUInt16BE(at + CHECK_AT)
  return isSound && coveredBytes <= SUM_PAGE_BYTES ? coveredBytes : 0
}

/** Not 0 for an entry of zeros, so that a hole in the file is no entry. */
function checkOf(entries: Buffer, at: number, pageNumber: number): number {
  for (let i = 0; i < CHECK_AT; i++) checked[i] = entries[at + i] ?? 0
  return crc32(checked, pageNumber + 1) & 0xffff
}
