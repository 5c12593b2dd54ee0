/**
 * Holds the key index against the log while that is read. Entries are in the order of the log, so
 * both are gone over side by side. Owns the place in the index.
 *
 *   log      record with keys a, b | record with key c | …
 *   entries  a | b                 | c                 | …
 *
 * Entries that are out of step, as those that were added twice after a crash, are looked at singly at
 * the end.
 */
import type { ReadOnlyDisk, ReadOnlyFile } from '@rockhopper/host'
import {
  FIRST_INDEX_ENTRY,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_SLOT_BYTES,
  type IndexHeader,
  indexEntryAt,
  indexFileBytes,
  MessageKeys,
  type RecordView,
  readIndexHeader,
  readInt64,
  scanView,
} from '@rockhopper/protocol'
import { MAX_RECORD_BYTES } from '../limits.ts'
import { ADVICE, type Findings } from './findings.ts'
import type { SegmentFiles } from './segment-files.ts'
import { indexNames, type StoreFolder } from './store-folder.ts'

const WINDOW_ENTRIES = 50_000
const MOST_SUSPECTS = 200_000
/** The head of a record, which says how long it is. */
const HEAD_BYTES = 8

interface IndexFile {
  readonly path: string
  readonly file: ReadOnlyFile
  readonly header: IndexHeader
}

interface Suspect {
  readonly path: string
  readonly entry: number
  readonly hash: number
  readonly logOffset: number
}

export class IndexVerifier {
  entries = 0
  readonly #disk: ReadOnlyDisk
  readonly #folder: StoreFolder
  readonly #log: SegmentFiles
  readonly #findings: Findings
  readonly #slotsAreSaved: boolean
  readonly #keys = new MessageKeys()
  readonly #waiting: string[]
  #current: IndexFile | undefined
  readonly #window = Buffer.allocUnsafeSlow(WINDOW_ENTRIES * INDEX_ENTRY_BYTES)
  #windowFrom = 0
  #windowEnd = 0
  #entry = FIRST_INDEX_ENTRY
  /** The entry at hand. */
  #hash = 0
  #logOffset = -1
  /** Newest entry of each slot of the present file, by its entries. */
  readonly #slots: Int32Array
  readonly #suspects: Suspect[] = []
  readonly #damaged: { readonly from: number; readonly to: number }[] = []
  #tooMany = false
  /** A run of records whose keys are not in the index. */
  #missingFrom = 0
  #missing = 0

  /** `slotsAreSaved`: the store was closed, so the slots in the files know all entries. */
  constructor(
    disk: ReadOnlyDisk,
    folder: StoreFolder,
    log: SegmentFiles,
    findings: Findings,
    slotsAreSaved: boolean,
  ) {
    this.#disk = disk
    this.#folder = folder
    this.#log = log
    this.#findings = findings
    this.#slotsAreSaved = slotsAreSaved
    this.#waiting = indexNames(disk, folder)
    this.#slots = new Int32Array(this.#waiting.length === 0 ? 0 : folder.indexShape.slotCount)
    this.#advance()
  }

  /** A record of the log, in the order of its offsets. */
  record(record: RecordView, source: Buffer, logOffset: number): void {
    if (this.#logOffset === -1) return
    const keys = this.#keys
    keys.read(source, record)
    if (keys.count === 0) return
    while (this.#logOffset !== -1 && this.#logOffset < logOffset) this.#suspect()
    if (this.#logOffset !== logOffset) {
      if (this.#missing === 0) this.#missingFrom = logOffset
      this.#missing += 1
      return
    }
    this.#tellMissing()
    for (let i = 0; this.#logOffset === logOffset; i++) {
      if (i < keys.count && keys.hashes[i] === this.#hash) this.#advance()
      else this.#suspect()
    }
  }

  /** Entries of a stretch of the log without a sound record need not be told as well. */
  damage(from: number, to: number): void {
    this.#damaged.push({ from, to })
  }

  /** What can be said when the whole log was read. */
  finish(): void {
    while (this.#logOffset !== -1) this.#suspect()
    for (const suspect of this.#suspects) this.#checkSuspect(suspect)
    if (this.#tooMany) {
      const problem = `more than ${MOST_SUSPECTS} entries are out of order, so not all were looked at`
      this.#findings.add(this.#folder.keyIndex, 0, problem, ADVICE.remakeIndex)
    }
    if (this.#missing === 0) return
    this.#findings.notes.push(
      `${this.#missing} messages with keys, from offset ${this.#missingFrom} of the log on, are not ` +
        'in the key index yet',
    )
  }

  /** Records in between that are not in the index, though later ones are. */
  #tellMissing(): void {
    if (this.#missing === 0) return
    const from = this.#missingFrom
    const problem = `the keys of ${this.#missing} messages from offset ${from} of the log on are not in the key index`
    this.#findings.add(
      this.#log.pathOf(from),
      from % this.#log.segmentBytes,
      problem,
      ADVICE.remakeIndex,
    )
    this.#missing = 0
  }

  #suspect(): void {
    const { firstOffset } = this.#log
    if (this.#logOffset >= firstOffset) {
      if (this.#suspects.length < MOST_SUSPECTS) {
        const path = this.#current?.path ?? ''
        this.#suspects.push({
          path,
          entry: this.#entry - 1,
          hash: this.#hash,
          logOffset: this.#logOffset,
        })
      } else this.#tooMany = true
    }
    this.#advance()
  }

  #checkSuspect({ entry, hash, logOffset, path }: Suspect): void {
    if (this.#damaged.some(({ from, to }) => logOffset >= from && logOffset < to)) return
    if (this.#hasKey(logOffset, hash)) return
    const at = indexEntryAt(this.#folder.indexShape, entry)
    const problem = `entry ${entry} says offset ${logOffset} of the log, where no message with that key begins`
    this.#findings.add(path, at, problem, ADVICE.remakeIndex)
  }

  #hasKey(logOffset: number, hash: number): boolean {
    const head = Buffer.alloc(HEAD_BYTES)
    if (logOffset >= this.#log.endOffset || this.#log.read(head, logOffset) < HEAD_BYTES)
      return false
    const claimed = scanView(head, 0, false)
    if (claimed.kind !== 'cut-off' || claimed.sizeBytes > MAX_RECORD_BYTES) return false
    const bytes = Buffer.alloc(claimed.sizeBytes)
    const scanned = scanView(bytes.subarray(0, this.#log.read(bytes, logOffset)), 0, false)
    if (scanned.kind !== 'record') return false
    this.#keys.read(bytes, scanned.record)
    return this.#keys.hashes.subarray(0, this.#keys.count).includes(hash)
  }

  /** Goes to the next entry, of the next file if need be; there is none when its offset is -1. */
  #advance(): void {
    for (;;) {
      if (this.#current === undefined && !this.#openNext()) {
        this.#logOffset = -1
        return
      }
      if (this.#entry < (this.#current?.header.nextEntry ?? 0) && this.#readEntry()) return
      this.#closeCurrent()
    }
  }

  #openNext(): boolean {
    for (let name = this.#waiting.shift(); name !== undefined; name = this.#waiting.shift()) {
      const path = `${this.#folder.keyIndex}/${name}`
      const header = this.#headerOf(path)
      if (header === undefined) continue
      this.#current = { path, header, file: this.#disk.open(path, 'read') }
      this.#entry = FIRST_INDEX_ENTRY
      this.#windowEnd = 0
      this.#slots.fill(0)
      return true
    }
    return false
  }

  /** The header of a file that can be right. */
  #headerOf(path: string): IndexHeader | undefined {
    const { indexShape } = this.#folder
    const sizeBytes = this.#disk.stat(path)?.sizeBytes ?? 0
    if (sizeBytes !== indexFileBytes(indexShape)) {
      const problem = `the file has ${sizeBytes} bytes instead of ${indexFileBytes(indexShape)}`
      this.#findings.add(path, 0, problem, ADVICE.remakeIndex)
      return undefined
    }
    const head = Buffer.alloc(INDEX_HEADER_BYTES)
    const file = this.#disk.open(path, 'read')
    file.readSync(head, 0)
    file.close()
    const header = readIndexHeader(head, 0)
    if (header.nextEntry <= indexShape.entryLimit && header.beginOffset <= header.endOffset) {
      return header
    }
    const problem = `the header says ${header.nextEntry} entries and offsets from ${header.beginOffset} to ${header.endOffset}, which cannot be`
    this.#findings.add(path, 0, problem, ADVICE.remakeIndex)
    return undefined
  }

  #readEntry(): boolean {
    if (this.#entry >= this.#windowEnd && !this.#fillWindow()) return false
    const at = (this.#entry - this.#windowFrom) * INDEX_ENTRY_BYTES
    this.#hash = this.#window.readInt32BE(at)
    this.#logOffset = Math.max(0, readInt64(this.#window, at + 4))
    this.#followChain(this.#window.readInt32BE(at + 16))
    this.#entry += 1
    this.entries += 1
    return true
  }

  #fillWindow(): boolean {
    const { file, header } = this.#current ?? {}
    if (file === undefined || header === undefined) return false
    const count = Math.min(WINDOW_ENTRIES, header.nextEntry - this.#entry)
    const bytes = this.#window.subarray(0, count * INDEX_ENTRY_BYTES)
    readAll(file, bytes, indexEntryAt(this.#folder.indexShape, this.#entry))
    this.#windowFrom = this.#entry
    this.#windowEnd = this.#entry + count
    return count > 0
  }

  /** Each entry names the one that was the newest of its slot before. */
  #followChain(previous: number): void {
    const slot = this.#hash % this.#slots.length
    const expected = this.#slots[slot]
    if (this.#hash < 0 || expected !== previous) {
      const at = indexEntryAt(this.#folder.indexShape, this.#entry)
      const problem = `entry ${this.#entry} names ${previous} as the one before it, instead of ${expected ?? 'none'}`
      this.#findings.add(this.#current?.path ?? '', at, problem, ADVICE.remakeIndex)
    }
    if (this.#hash >= 0) this.#slots[slot] = this.#entry
  }

  #closeCurrent(): void {
    if (this.#current === undefined) return
    if (this.#slotsAreSaved) this.#checkSlots(this.#current)
    this.#current.file.close()
    this.#current = undefined
  }

  #checkSlots({ file, path }: IndexFile): void {
    const bytes = Buffer.allocUnsafe(WINDOW_ENTRIES * INDEX_SLOT_BYTES)
    for (let slot = 0; slot < this.#slots.length; ) {
      const count = Math.min(WINDOW_ENTRIES, this.#slots.length - slot)
      const at = INDEX_HEADER_BYTES + slot * INDEX_SLOT_BYTES
      readAll(file, bytes.subarray(0, count * INDEX_SLOT_BYTES), at)
      for (let i = 0; i < count; i++, slot++) {
        const stored = bytes.readInt32BE(i * INDEX_SLOT_BYTES)
        if (stored === this.#slots[slot]) continue
        const problem = `slot ${slot} says ${stored}, but its newest entry is ${this.#slots[slot]}`
        this.#findings.add(
          path,
          INDEX_HEADER_BYTES + slot * INDEX_SLOT_BYTES,
          problem,
          ADVICE.remakeIndex,
        )
      }
    }
  }
}

function readAll(file: ReadOnlyFile, target: Buffer, position: number): void {
  for (let done = 0; done < target.length; ) {
    const count = file.readSync(target.subarray(done), position + done)
    if (count === 0) {
      target.fill(0, done)
      return
    }
    done += count
  }
}
