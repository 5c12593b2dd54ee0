/**
 * Adds the keys of messages to the index as soon as the messages are confirmed: it follows the log,
 * from its tail in memory, or from its files while it is behind. Owns the mark `indexed`.
 *
 * Nobody waits for it but queries: an index without room only falls behind, and comes up again when
 * there is some. Source: Apache classes ReputMessageService, IndexService; `store-runtime.md` 5.
 */
import { type Clock, DiskError, type Logger, pause, type Timer } from '@rockhopper/host'
import {
  BLANK_RECORD_BYTES,
  MessageKeys,
  RecordCursor,
  type RecordView,
  type Scanned,
  scanView,
} from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import type { OpenFiles } from '../files/open-files.ts'
import {
  INDEX_FINISH_MS,
  INDEX_READ_BYTES,
  INDEX_RETRY_MS,
  INDEX_TURN_RECORDS,
  INDEX_WAIT_MS,
  MAX_RECORD_BYTES,
} from '../limits.ts'
import type { CommitLog } from '../log/commit-log.ts'
import type { Marks } from '../log/marks.ts'
import { despiteRemovals } from '../retention/removed-files.ts'
import { Watermark } from '../watermark.ts'
import type { KeyIndex } from './key-index.ts'
import type { KeyIndexFile } from './key-index-file.ts'

interface KeyIndexWriterParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly files: OpenFiles
  readonly log: CommitLog
  readonly marks: Marks
  readonly index: KeyIndex
}

/** A part of the log: `bytes` begins at `offset`. */
interface LogSpan {
  readonly bytes: Buffer
  readonly offset: number
}

export class KeyIndexWriter {
  #indexed: Watermark
  /** Found damaged by a query, and not forgotten yet. */
  #damaged: { readonly file: KeyIndexFile; readonly reason: string } | undefined
  /** Ends the wait for new messages. */
  #waiting = new AbortController()
  readonly #parts: KeyIndexWriterParts
  readonly #cursor = new RecordCursor()
  readonly #keys = new MessageKeys()
  /** How many keys of the record at the index's offset are added already. */
  #addedKeys = 0
  /** How much is read from a file at a time; more for a record that is larger. */
  #readBytes = INDEX_READ_BYTES
  /** How many records were looked at in this turn of the loop. */
  #turnRecords = 0
  readonly #stopping = new AbortController()
  #finishing: Timer | undefined
  #hasEnded = false
  #warned = false

  constructor(parts: KeyIndexWriterParts) {
    this.#parts = parts
    this.#indexed = new Watermark(parts.clock, parts.index.offset)
  }

  /** Waits until the keys of all that is confirmed by now can be found, or for a while. */
  async caughtUp(): Promise<void> {
    const to = this.#parts.marks.confirmed.value
    let awaited: Watermark
    do {
      awaited = this.#indexed
      await awaited.reached(to, { timeoutMs: INDEX_WAIT_MS })
    } while (awaited !== this.#indexed)
  }

  /**
   * A file turned out damaged while it was read: its keys, and those of the newer files, are added
   * anew. Returns whether they are.
   */
  renew(file: KeyIndexFile, reason: string): boolean {
    if (this.#hasEnded) return false
    if (this.#damaged !== undefined || !this.#parts.index.files.includes(file)) return true
    this.#damaged = { file, reason }
    this.#beginAgain()
    this.#waiting.abort()
    return true
  }

  /** Who waits for keys waits for those that are to be added anew, too. */
  #beginAgain(): void {
    const before = this.#indexed
    this.#indexed = new Watermark(this.#parts.clock, 0)
    before.close()
  }

  /** Ends after `confirmed` was closed, with all keys added whose records are in memory. */
  async run(): Promise<void> {
    const { index, marks } = this.#parts
    try {
      await this.#prepare()
      while (await this.#hasWork()) {
        // Those who wait for the same turn to answer go first.
        await this.#nextTurn()
        if (!(await this.#follow(marks.confirmed.value))) break
      }
      await this.#withRoom(async () => index.newest?.save(this.#parts.clock))
    } finally {
      this.#finishing?.cancel()
      this.end()
    }
  }

  /** No key is added any more. */
  end(): void {
    this.#hasEnded = true
    this.#indexed.close()
  }

  /** Whether every key of what is confirmed is in the index. */
  get hasAll(): boolean {
    return this.#parts.index.offset >= this.#parts.marks.confirmed.value
  }

  /** Lets `run` end when it has all, or after a while: the next start finds what is missing then. */
  finish(): void {
    this.#finishing = this.#parts.clock.after(INDEX_FINISH_MS, () => this.#stopping.abort())
  }

  /** What a crash left without slots gets them, whether or not keys are added. */
  async #prepare(): Promise<void> {
    const { index, log, marks } = this.#parts
    if (index.offset > marks.confirmed.value) {
      this.#warnAnew('it is ahead of the commit log')
      index.forgetAll(log.minOffset)
      this.#beginAgain()
    }
    const { newest } = index
    if (newest?.isWhole === false) await this.#withRoom(() => this.#ready(newest))
  }

  /** Waits until there are keys to add, anew or for the first time. */
  async #hasWork(): Promise<boolean> {
    const { index, marks } = this.#parts
    for (;;) {
      this.#forgetDamaged()
      this.#indexed.advance(index.offset)
      if (this.#waiting.signal.aborted) this.#waiting = new AbortController()
      const { signal } = this.#waiting
      if (await marks.confirmed.reached(index.offset + 1, { signal })) return true
      if (this.#damaged === undefined) return false
    }
  }

  #forgetDamaged(): void {
    const { index, log } = this.#parts
    if (this.#damaged === undefined) return
    const { file, reason } = this.#damaged
    this.#damaged = undefined
    if (!index.files.includes(file)) return
    this.#warnAnew(reason)
    this.#addedKeys = 0
    index.forgetFrom(file, log.minOffset)
  }

  /** Adds the keys up to `to`. False when it was stopped before. */
  async #follow(to: number): Promise<boolean> {
    const { index, log } = this.#parts
    for (;;) {
      this.#forgetDamaged()
      if (index.offset >= to) return true
      if (this.#stopping.signal.aborted && index.offset < log.tail.startOffset) return false
      const span = this.#hotSpan(to) ?? (await this.#readableSpan(to))
      const hadRoom = span === undefined || this.#take(span, to)
      if (this.#damaged === undefined) this.#indexed.advance(index.offset)
      if (!hadRoom && !(await this.#withRoom(() => this.#makeRoom()))) return false
      if (index.offset < to && this.#turnRecords >= INDEX_TURN_RECORDS) await this.#nextTurn()
    }
  }

  #hotSpan(to: number): LogSpan | undefined {
    const { index, log } = this.#parts
    const chunk = log.tail.peek(index.offset)
    if (chunk === undefined) return undefined
    const { bytes, startOffset, usedBytes } = chunk
    const end = Math.min(usedBytes, to - startOffset)
    return { bytes: bytes.subarray(index.offset - startOffset, end), offset: index.offset }
  }

  /** The next part of the log's files; undefined, and left out, when it cannot be read twice. */
  async #readableSpan(to: number): Promise<LogSpan | undefined> {
    const { clock } = this.#parts
    for (let isAgain = false; ; isAgain = true) {
      try {
        return await this.#coldSpan(to)
      } catch (error) {
        if (!(error instanceof DiskError || error instanceof CorruptionError)) throw error
        if (isAgain) this.#leaveOut(to, error.message)
        if (isAgain || this.#stopping.signal.aborted) return undefined
      }
      await pause(clock, INDEX_RETRY_MS, this.#stopping.signal)
    }
  }

  async #coldSpan(to: number): Promise<LogSpan> {
    const { files, index, log } = this.#parts
    let span: LogSpan = { bytes: Buffer.alloc(0), offset: index.offset }
    await despiteRemovals(files, async () => {
      if (index.offset < log.minOffset) {
        this.#addedKeys = 0
        index.advance(log.minOffset)
      }
      const { offset } = index
      const end = Math.min(offset + this.#readBytes, log.segmentEnd(offset), to)
      span = { bytes: Buffer.allocUnsafe(Math.max(0, end - offset)), offset }
      await log.read(span.bytes, offset)
    })
    return span
  }

  /** Adds keys from a span, for a turn at the most. False when there is no room for the next. */
  #take({ bytes, offset }: LogSpan, to: number): boolean {
    const { index } = this.#parts
    let at = 0
    this.#cursor.open(bytes)
    for (; at < bytes.length && this.#turnRecords < INDEX_TURN_RECORDS; this.#turnRecords++) {
      const cursor = this.#cursor
      if (!cursor.moveTo(at) || cursor.logOffset !== offset + at) {
        if (at === 0) this.#passOver(offset, to, scanView(bytes, 0, false))
        break
      }
      if (this.#addedKeys === 0) this.#keys.read(bytes, cursor)
      if (this.#keys.count > 0 && !this.#add(offset + at, cursor.storeTimestamp)) return false
      at += cursor.sizeBytes
      index.advance(offset + at)
    }
    return true
  }

  /** Adds the keys of a record. False when there is no room for one: then the others are added. */
  #add(logOffset: number, storeTimestamp: number): boolean {
    const { count, hashes } = this.#keys
    const file = this.#parts.index.newest
    for (; this.#addedKeys < count; this.#addedKeys++) {
      if (file?.hasRoom !== true) return false
      file.add(hashes[this.#addedKeys] ?? 0, logOffset, storeTimestamp)
    }
    this.#addedKeys = 0
    return true
  }

  /** What stands at `offset` is no whole record: it is a longer one, or the end of the segment. */
  #passOver(offset: number, to: number, scanned: Scanned<RecordView>): void {
    const { index, log } = this.#parts
    const segmentEnd = log.segmentEnd(offset)
    const restBytes = segmentEnd - offset
    this.#readBytes = INDEX_READ_BYTES
    if (scanned.kind === 'blank' || restBytes < BLANK_RECORD_BYTES) {
      index.advance(segmentEnd)
    } else if (isLonger(scanned, Math.min(restBytes, MAX_RECORD_BYTES))) {
      this.#readBytes = Math.max(scanned.sizeBytes, INDEX_READ_BYTES)
    } else {
      this.#leaveOut(to, scanned.kind === 'invalid' ? scanned.reason : 'there is no whole record')
    }
  }

  /** Goes on in the next segment. */
  #leaveOut(to: number, reason: string): void {
    const { index, log, logger } = this.#parts
    const { offset } = index
    const end = Math.min(log.segmentEnd(offset), to)
    const sentence = 'A part of the log cannot be read: its keys are not indexed.'
    logger.warn(sentence, { offset, end, reason })
    this.#addedKeys = 0
    index.advance(end)
  }

  /** Makes the newest file ready for the next key, or the next file. Rejects with `DiskError`. */
  async #makeRoom(): Promise<void> {
    const { clock, index } = this.#parts
    const { newest } = index
    if (newest !== undefined) await this.#ready(newest)
    if (newest !== undefined && !newest.isFull) return
    await newest?.save(clock)
    newest?.release()
    await (await index.grow()).load()
  }

  /** Brings the slots of a file into memory and what it lacks into it, as far as that is due. */
  async #ready(file: KeyIndexFile): Promise<void> {
    await file.load()
    file.flush()
    if (file.isSaveDue) await file.save(this.#parts.clock)
  }

  /**
   * Does something with the newest file, again and again while the volume is full. False when the
   * writer was stopped before. A damaged file is forgotten: its keys are added anew.
   */
  async #withRoom(action: () => Promise<void>): Promise<boolean> {
    const { clock, index, log } = this.#parts
    for (;;) {
      try {
        await action()
        this.#warned = false
        return true
      } catch (error) {
        if (error instanceof CorruptionError) {
          this.#warnAnew(error.message)
          this.#addedKeys = 0
          if (index.newest !== undefined) index.forgetFrom(index.newest, log.minOffset)
          this.#beginAgain()
          return true
        }
        if (!(error instanceof DiskError && error.code === 'ENOSPC')) throw error
        this.#warnFull(error)
      }
      if (this.#stopping.signal.aborted) return false
      await pause(clock, INDEX_RETRY_MS, this.#stopping.signal)
    }
  }

  #nextTurn(): Promise<void> {
    this.#turnRecords = 0
    return new Promise((next) => this.#parts.clock.soon(next))
  }

  #warnFull(error: DiskError): void {
    if (this.#warned) return
    this.#warned = true
    const sentence = 'The key index falls behind, as its volume is full: make room.'
    this.#parts.logger.warn(sentence, { error })
  }

  #warnAnew(reason: string): void {
    this.#parts.logger.warn('The key index is made anew from the log.', { reason })
  }
}

/** Whether what was scanned is the beginning of a record that has no more than `limitBytes`. */
function isLonger(
  scanned: Scanned<RecordView>,
  limitBytes: number,
): scanned is Extract<Scanned<RecordView>, { kind: 'cut-off' }> {
  return scanned.kind === 'cut-off' && scanned.sizeBytes <= limitBytes
}
