/**
 * Takes in what another log has: bytes that have the same offsets here as there. A record becomes
 * part of this log when all of it has come and is sound, so this log always ends behind a record.
 * Owns the bytes of a record that has come in part.
 *
 *   … record | record |  a part of a record   |
 *          log.endOffset ^          nextOffset ^
 *
 * Source: Apache classes DefaultHAClient, CommitLog (appendData); `replication.md` section 4.
 */
import assert from 'node:assert/strict'
import {
  BLANK_RECORD_BYTES,
  type DelayLevels,
  type RecordView,
  scanView,
  unitTagsCodeOf,
} from '@rockhopper/protocol'
import { MAX_COPIED_RECORD_BYTES } from '../limits.ts'
import type { CopyOutcome } from '../outcome.ts'
import type { ConsumeQueue } from '../queues/consume-queue.ts'
import type { Dispatcher } from '../queues/dispatcher.ts'
import type { QueueTable } from '../queues/queue-table.ts'
import { isInQueue, queueFor } from '../recovery/recovery.ts'
import type { CommitLog } from './commit-log.ts'
import type { LogWriter } from './log-writer.ts'

interface LogCopyParts {
  readonly log: CommitLog
  readonly queues: QueueTable
  readonly dispatcher: Dispatcher
  readonly writer: LogWriter
  readonly delays: DelayLevels | undefined
}

/** A record, or what a segment ends with. */
interface WholePiece {
  readonly kind: 'whole'
  readonly sizeBytes: number
  readonly record: RecordView | undefined
}

/** What begins at a position of the bytes at hand. */
type Piece =
  | WholePiece
  | { readonly kind: 'part'; readonly neededBytes: number }
  | { readonly kind: 'unsound'; readonly reason: string }

const NOTHING = Buffer.alloc(0)

export class LogCopy {
  readonly #parts: LogCopyParts
  /** Bytes behind the end of the log, in the order they came. */
  #held: Buffer[] = []
  #heldBytes = 0
  /** The record that they begin with is not whole before there are so many. */
  #neededBytes = 0

  constructor(parts: LogCopyParts) {
    this.#parts = parts
  }

  /** The offset of the byte that has to come next; 0 when any segment may begin the log. */
  get nextOffset(): number {
    return this.#parts.log.endOffset + this.#heldBytes
  }

  /**
   * Takes bytes that have this offset in the other log, where the next ones belong: an empty log may
   * begin with any segment. They are copied. After any other outcome than `appended` only what had become part of the
   * log is kept.
   */
  append(offset: number, bytes: Buffer): CopyOutcome {
    const { log, writer } = this.#parts
    const isBegun = !log.isEmpty || this.#heldBytes > 0
    const problem = isBegun ? undefined : this.#begin(offset)
    if (problem !== undefined) return problem
    assert(offset === this.nextOffset, `${offset} does not follow ${this.nextOffset}`)
    const outcome = this.#takeAll(bytes)
    if (outcome.kind !== 'appended') this.dropPart()
    if (writer.isBehind) writer.wake()
    return outcome
  }

  /** Of what was held, only the one record is put together that ends in these bytes. */
  #takeAll(bytes: Buffer): CopyOutcome {
    let rest = bytes
    while (this.#heldBytes > 0) {
      const missing = rest.subarray(0, this.#neededBytes - this.#heldBytes)
      rest = rest.subarray(missing.length)
      if (this.#heldBytes + missing.length < this.#neededBytes) {
        this.#held.push(Buffer.from(missing))
        this.#heldBytes += missing.length
        return APPENDED
      }
      const outcome = this.#takeRecords(Buffer.concat([...this.#held, missing]))
      if (outcome.kind !== 'appended') return outcome
    }
    return this.#takeRecords(rest)
  }

  /** Forgets the record of which only a part has come. */
  dropPart(): void {
    this.#keep(NOTHING, 0)
  }

  #begin(offset: number): CopyOutcome | undefined {
    const { log } = this.#parts
    if (offset >= log.endOffset && offset % log.segmentBytes === 0) return log.beginAt(offset)
    const reason =
      `a log without records must begin with a segment and not before ${log.endOffset}, but the ` +
      `first bytes have offset ${offset}, and segments ${log.segmentBytes} bytes ` +
      '(mappedFileSizeCommitLog)'
    return { kind: 'unsound', reason }
  }

  #takeRecords(source: Buffer): CopyOutcome {
    let at = 0
    for (;;) {
      const piece = this.#pieceAt(source, at)
      if (piece.kind === 'unsound') return piece
      if (piece.kind === 'part') {
        this.#keep(source.subarray(at), piece.neededBytes)
        return APPENDED
      }
      const problem = this.#take(source, at, piece)
      if (problem !== undefined) return problem
      at += piece.sizeBytes
    }
  }

  #keep(rest: Buffer, neededBytes: number): void {
    this.#held = rest.length === 0 ? [] : [Buffer.from(rest)]
    this.#heldBytes = rest.length
    this.#neededBytes = neededBytes
  }

  #pieceAt(source: Buffer, at: number): Piece {
    const { log } = this.#parts
    const offset = log.endOffset
    const restBytes = log.restOfSegment
    const comeBytes = source.length - at
    // Too few for a blank record: nothing is there.
    if (restBytes < BLANK_RECORD_BYTES) return wholeOrPart(restBytes, comeBytes)
    const scanned = scanView(source, at, true)
    switch (scanned.kind) {
      case 'blank':
        return wholeOrPart(restBytes, comeBytes)
      case 'invalid':
        return { kind: 'unsound', reason: `${scanned.reason} (offset ${offset})` }
      case 'cut-off':
        return partOf(scanned.sizeBytes, restBytes, offset)
      case 'record':
        return this.#judge(scanned.record, offset, restBytes)
    }
  }

  #judge(record: RecordView, offset: number, restBytes: number): Piece {
    const { logOffset, sizeBytes } = record
    if (logOffset !== offset) {
      return { kind: 'unsound', reason: `the record at ${offset} says that it is at ${logOffset}` }
    }
    if (sizeBytes > restBytes) return tooLong(sizeBytes, restBytes, offset)
    return { kind: 'whole', sizeBytes, record }
  }

  #take(source: Buffer, at: number, { record, sizeBytes }: WholePiece): CopyOutcome | undefined {
    const { log, queues } = this.#parts
    const isQueued = record !== undefined && isInQueue(record)
    const known = isQueued ? queues.open(record.topic, record.queueId) : undefined
    const problem = known && gapBefore(record, known.nextOffset)
    if (problem !== undefined) return problem
    const chunk = log.placeOfCopy(sizeBytes)
    if ('reason' in chunk) return chunk
    source.copy(chunk.bytes, chunk.usedBytes, at, at + sizeBytes)
    log.tail.take(sizeBytes)
    if (known !== undefined && record !== undefined) this.#put(record, known)
    return undefined
  }

  #put(record: RecordView, known: ConsumeQueue): void {
    const { delays, dispatcher, queues } = this.#parts
    const { logOffset, queueOffset, sizeBytes, storeTimestamp } = record
    const isNext = queueOffset === known.nextOffset
    const queue = isNext ? known : queueFor(queues, record, false)
    if (queue.isIdle) queues.live.add(queue)
    dispatcher.add(queue, logOffset, storeTimestamp)
    queue.push({ logOffset, sizeBytes, tagsCode: unitTagsCodeOf(record, delays) })
  }
}

/** A queue may begin anywhere, and anew when its topic was; nothing may be missing within. */
function gapBefore(record: RecordView | undefined, nextOffset: number): CopyOutcome | undefined {
  if (record === undefined || nextOffset === 0 || record.queueOffset <= nextOffset) return undefined
  const { logOffset, queueId, queueOffset, topic } = record
  const reason =
    `the record at ${logOffset} is number ${queueOffset} of queue ${queueId} of topic "${topic}", ` +
    `which ends at ${nextOffset} here`
  return { kind: 'unsound', reason }
}

const APPENDED = { kind: 'appended' } as const

function wholeOrPart(sizeBytes: number, comeBytes: number): Piece {
  if (comeBytes < sizeBytes) return { kind: 'part', neededBytes: sizeBytes }
  return { kind: 'whole', sizeBytes, record: undefined }
}

/** `sizeBytes` is 0 when not even that has come. */
function partOf(sizeBytes: number, restBytes: number, offset: number): Piece {
  if (sizeBytes > restBytes) return tooLong(sizeBytes, restBytes, offset)
  if (sizeBytes <= MAX_COPIED_RECORD_BYTES) {
    return { kind: 'part', neededBytes: Math.max(sizeBytes, BLANK_RECORD_BYTES) }
  }
  const limit = `more than ${MAX_COPIED_RECORD_BYTES}`
  return { kind: 'unsound', reason: `the record at ${offset} has ${sizeBytes} bytes, ${limit}` }
}

function tooLong(sizeBytes: number, restBytes: number, offset: number): Piece {
  const reason =
    `the record at ${offset} has ${sizeBytes} bytes, but its segment ends after ${restBytes} ` +
    '(mappedFileSizeCommitLog must be the same on both sides)'
  return { kind: 'unsound', reason }
}
