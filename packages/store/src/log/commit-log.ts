/**
 * The one log of all messages: gives out places for records, ahead of which the files are ready,
 * and reads old ones. Owns how far the files are ready; the tail owns where the log ends.
 *
 * A record never crosses the end of a segment: when it and a blank record behind it do not fit, the
 * blank one is put and the record goes to the next segment. A full disk is found while a message can
 * still be refused: its place is filled with zeros in the file before it is accepted, unless there is
 * ample room. For synchronous flush it always is: syncing what overwrites zeros is quicker. Source: Apache class CommitLog; `store-format.md` sections 3 and 6.
 */
import assert from 'node:assert/strict'
import { type Clock, type Disk, DiskError } from '@rockhopper/host'
import { BLANK_RECORD_BYTES, writeBlankRecord } from '@rockhopper/protocol'
import type { SegmentFolder } from '../files/segment-folder.ts'
import { AMPLE_ROOM_BYTES, AMPLE_ROOM_MS, PREPARE_BYTES, RETRY_FULL_DISK_MS } from '../limits.ts'
import type { Rejected } from '../outcome.ts'
import type { LogSums } from './log-sums.ts'
import type { LogTail, TailChunk } from './log-tail.ts'

const ZEROS = Buffer.alloc(PREPARE_BYTES)

export type ZerosAhead = 'always' | 'where room is scarce'

export class CommitLog {
  readonly tail: LogTail
  readonly sums: LogSums
  readonly #folder: SegmentFolder
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #zerosAhead: ZerosAhead
  /** There is room in the files up to here. */
  #preparedOffset: number
  /** Whether that was only seen, not taken; until when it is believed. */
  #isRoomSeen = false
  #roomSeenUntilMs = 0
  /** Whether it was believed in this turn already. */
  #isTurnBegun = false
  #refusal: Rejected | undefined
  #retryAtMs = 0
  /** Segments made since their names were last synced. */
  #newNames: boolean
  /** The sync of names that was begun last. */
  #namesSynced: Promise<void> = Promise.resolve()

  constructor(
    folder: SegmentFolder,
    sums: LogSums,
    tail: LogTail,
    disk: Disk,
    clock: Clock,
    zerosAhead: ZerosAhead,
  ) {
    this.#folder = folder
    this.sums = sums
    this.tail = tail
    this.#disk = disk
    this.#clock = clock
    this.#zerosAhead = zerosAhead
    this.#preparedOffset = tail.endOffset
    this.#newNames = true
  }

  get minOffset(): number {
    return this.#folder.firstOffset ?? 0
  }

  /** Behind the last record: the offset of the next one, unless that begins a new segment. */
  get endOffset(): number {
    return this.tail.endOffset
  }

  get directory(): string {
    return this.#folder.directory
  }

  /**
   * A chunk with room for `sizeBytes` in a row at its end, ready to be written and taken. Refuses
   * when the disk has no room for it.
   */
  place(sizeBytes: number): TailChunk | Rejected {
    const end = this.tail.endOffset
    const neededBytes = sizeBytes + BLANK_RECORD_BYTES
    if (!this.#isTurnBegun) this.#beginTurn()
    if (end + neededBytes <= this.#preparedOffset) return this.tail.room(sizeBytes)
    return this.#prepare(end, neededBytes) ?? this.tail.room(sizeBytes)
  }

  /**
   * The same for a record of another log, which has this very offset there: where a segment ends is
   * for that log to say, by blank records of its own.
   */
  placeOfCopy(sizeBytes: number): TailChunk | Rejected {
    const end = this.tail.endOffset
    if (!this.#isTurnBegun) this.#beginTurn()
    if (end + sizeBytes <= this.#preparedOffset) return this.tail.room(sizeBytes)
    return this.#prepare(end, sizeBytes) ?? this.tail.room(sizeBytes)
  }

  /**
   * Lets a log without a record begin with the segment at `start`, which is not before its end.
   * Refuses when the disk has no room for it.
   */
  beginAt(start: number): Rejected | undefined {
    assert(this.isEmpty && start >= this.endOffset, 'only a log without records begins later')
    assert(start % this.#folder.segmentBytes === 0, `no segment begins at ${start}`)
    if (this.#folder.firstOffset === start) return undefined
    try {
      this.#folder.remove()
      this.#folder.create(start)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return { kind: 'not-writable', reason: this.#whyNot(error) }
    }
    this.#newNames = true
    this.tail.skipTo(start)
    this.#preparedOffset = start
    this.#isRoomSeen = false
    return undefined
  }

  /** Whether it has no record. */
  get isEmpty(): boolean {
    return this.endOffset === this.minOffset
  }

  get segmentBytes(): number {
    return this.#folder.segmentBytes
  }

  /** Bytes between the end of the log and that of its segment; of a whole one if that is to come. */
  get restOfSegment(): number {
    return this.segmentEnd(this.endOffset) - this.endOffset
  }

  /** Whether a record or a batch of this size can ever be stored. */
  fitsSegment(sizeBytes: number): boolean {
    return sizeBytes + BLANK_RECORD_BYTES <= this.#folder.segmentBytes
  }

  /** Hands everything behind `offset` to the system. Throws `DiskError`. */
  writeFrom(offset: number): void {
    this.#isTurnBegun = false
    for (const pending of this.tail.pending(offset)) {
      this.#folder.write(pending.bytes, pending.offset)
      this.sums.cover(pending.bytes, pending.offset)
    }
    this.sums.write()
  }

  /** Makes what was written from `from` to `to` durable. Rejects with `DiskError`. */
  async sync(from: number, to: number): Promise<void> {
    const { segmentBytes } = this.#folder
    const first = Math.max(this.#folder.startOf(from), this.minOffset)
    for (let start = first; start < to; start += segmentBytes) {
      await this.#folder.file(start).syncData()
    }
    await this.syncNew(to)
  }

  /**
   * Makes new segments durable, of the newest also its length if nothing of it before `synced` is.
   * Rejects with `DiskError`, also when that of another who asked for it failed, or fails.
   */
  syncNew(synced = 0): Promise<void> {
    if (this.#newNames) {
      this.#newNames = false
      this.#namesSynced = this.#namesSynced.then(() => this.#syncNames(synced))
    }
    return this.#namesSynced
  }

  async #syncNames(synced: number): Promise<void> {
    const { lastStart } = this.#folder
    if (lastStart !== undefined && lastStart >= synced) {
      await this.#folder.file(lastStart).syncData()
    }
    await this.#folder.syncNames()
  }

  /** Fills `target` from the file; all of it must have been written and lie in one segment. */
  read(target: Buffer, offset: number): Promise<void> {
    return this.#folder.read(target, offset)
  }

  /** Offset behind the segment that has the byte at `offset`. */
  segmentEnd(offset: number): number {
    return this.#folder.startOf(offset) + this.#folder.segmentBytes
  }

  /** Gets the place ready, in the next segment if this one has no room; says why if it cannot. */
  #prepare(end: number, neededBytes: number): Rejected | undefined {
    if (this.#refusal !== undefined && this.#clock.monotonicMs() < this.#retryAtMs) {
      return this.#refusal
    }
    try {
      if (end + neededBytes > this.#folder.endOffset) this.#roll(end)
      this.#fill(this.tail.endOffset + neededBytes)
      this.#refusal = undefined
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#refusal = { kind: 'not-writable', reason: this.#whyNot(error) }
      this.#retryAtMs = this.#clock.monotonicMs() + RETRY_FULL_DISK_MS
    }
    return this.#refusal
  }

  /** Ends the segment with a blank record and begins the next. */
  #roll(end: number): void {
    const next = this.#folder.endOffset
    const restBytes = next - end
    if (restBytes > 0) this.#fill(end + BLANK_RECORD_BYTES)
    this.#folder.create(next)
    this.#newNames = true
    if (restBytes > 0) {
      const chunk = this.tail.room(BLANK_RECORD_BYTES)
      writeBlankRecord(chunk.bytes, chunk.usedBytes, restBytes)
      this.tail.take(BLANK_RECORD_BYTES)
    }
    this.tail.skipTo(next)
    this.#preparedOffset = next
    this.#isRoomSeen = false
  }

  /** Room that was seen long ago may be gone. */
  #beginTurn(): void {
    this.#isTurnBegun = true
    if (!this.#isRoomSeen || this.#clock.monotonicMs() < this.#roomSeenUntilMs) return
    this.#isRoomSeen = false
    this.#preparedOffset = this.tail.endOffset
  }

  /** Takes the room up to `offset` by writing zeros, or sees that there is much more. */
  #fill(offset: number): void {
    while (this.#preparedOffset < offset) {
      const rest = this.#folder.endOffset - this.#preparedOffset
      const zeros = ZEROS.subarray(0, Math.min(PREPARE_BYTES, rest))
      if (this.#zerosAhead === 'where room is scarce' && this.#hasAmpleRoom()) {
        this.#isRoomSeen = true
      } else {
        this.#folder.write(zeros, this.#preparedOffset)
      }
      this.#preparedOffset += zeros.length
    }
  }

  #hasAmpleRoom(): boolean {
    this.#roomSeenUntilMs = this.#clock.monotonicMs() + AMPLE_ROOM_MS
    return this.#disk.volumeSpace(this.directory).freeBytes >= AMPLE_ROOM_BYTES
  }

  #whyNot(error: DiskError): string {
    if (error.code !== 'ENOSPC') return `The commit log cannot grow: ${error.message}.`
    return (
      `The volume of "${this.directory}" is full: ${this.#freeBytes()} bytes are free, and the ` +
      `commit log grows by ${PREPARE_BYTES} at a time. Delete files or enlarge the volume; ` +
      'messages are accepted again as soon as there is room.'
    )
  }

  #freeBytes(): number | string {
    try {
      return this.#disk.volumeSpace(this.directory).freeBytes
    } catch {
      return 'an unknown number of'
    }
  }
}
