/**
 * The bytes between a master and its slaves. Pure: takes chunks as they come from a stream.
 *
 *   slave → master   offset i64                        how far the slave's log goes
 *   master → slave   offset i64, sizeBytes i32, bytes  of the log; sizeBytes 0: a heartbeat
 *
 * Nothing tells the beginning of a stream. A master sends nothing before the first report.
 * Source: Apache classes DefaultHAService, DefaultHAConnection, DefaultHAClient; `replication.md` 2.
 *
 * Two of ours agree on more before the first report. A slave greets with -1, which a master of Apache
 * takes for a slave that has not said yet where it is; ours answers with a letter, a frame whose
 * offset is negative, and then understands:
 *
 *   slave → master   -2, from i64, to i64              which sum do these bytes have?
 *   slave → master   -3, offset i64                    an empty log is to begin here
 *   master → slave   -1, 24, minOffset i64, endOffset i64, segmentBytes i64    the welcome
 *   master → slave   -2, 24, from i64, to i64, sum i64     -1: the master does not have them all
 */
import { readInt64, writeInt64 } from '@rockhopper/protocol'

const UNIT_BYTES = 8
const FRAME_HEAD_BYTES = 12
const LETTER_BYTES = 24

const GREETING = -1
const QUESTION = -2
const BEGIN = -3
const WELCOME_LETTER = -1
const SUM_LETTER = -2
const UNKNOWN_SUM = -1

/** Apache's slave reads into a buffer of this size, and waits for ever for a longer frame. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024

/** The peer sends what no peer of its kind would. */
export class HaWireError extends Error {
  override readonly name = 'HaWireError'
}

/** What a slave says. */
export type FollowerWord =
  | { readonly kind: 'report'; readonly offset: number }
  | { readonly kind: 'greeting' }
  | { readonly kind: 'question'; readonly from: number; readonly to: number }
  | { readonly kind: 'begin'; readonly offset: number }

/** What a master says beside the log. */
export type LeaderLetter =
  | {
      readonly kind: 'welcome'
      readonly minOffset: number
      readonly endOffset: number
      readonly segmentBytes: number
    }
  /** `sum` is undefined when the master does not have all of these bytes. */
  | {
      readonly kind: 'sum'
      readonly from: number
      readonly to: number
      readonly sum: number | undefined
    }

export function encodeWord(word: FollowerWord): Buffer {
  switch (word.kind) {
    case 'report':
      return encodeUnits([word.offset])
    case 'greeting':
      return encodeUnits([GREETING])
    case 'question':
      return encodeUnits([QUESTION, word.from, word.to])
    case 'begin':
      return encodeUnits([BEGIN, word.offset])
  }
}

export function encodeFrameHead(offset: number, sizeBytes: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES)
  writeInt64(head, offset, 0)
  head.writeInt32BE(sizeBytes, UNIT_BYTES)
  return head
}

export function encodeLetter(letter: LeaderLetter): Buffer {
  switch (letter.kind) {
    case 'welcome': {
      const { endOffset, minOffset, segmentBytes } = letter
      return letterOf(WELCOME_LETTER, [minOffset, endOffset, segmentBytes])
    }
    case 'sum':
      return letterOf(SUM_LETTER, [letter.from, letter.to, letter.sum ?? UNKNOWN_SUM])
  }
}

function letterOf(kind: number, values: readonly number[]): Buffer {
  return Buffer.concat([encodeFrameHead(kind, LETTER_BYTES), encodeUnits(values)])
}

function encodeUnits(values: readonly number[]): Buffer {
  const units = Buffer.allocUnsafe(values.length * UNIT_BYTES)
  for (const [i, value] of values.entries()) writeInt64(units, value, i * UNIT_BYTES)
  return units
}

/** Reads what a slave says, however it is cut. */
export class WordReader {
  #rest: Buffer = Buffer.alloc(0)

  /** Calls `emit` for each word. Throws `HaWireError` for what is none. */
  push(chunk: Buffer, emit: (word: FollowerWord) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (;;) {
      const sizeBytes = wordBytes(bytes, at)
      if (bytes.length - at < sizeBytes) break
      emit(wordAt(bytes, at))
      at += sizeBytes
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }
}

function wordBytes(bytes: Buffer, at: number): number {
  if (bytes.length - at < UNIT_BYTES) return UNIT_BYTES
  const kind = readInt64(bytes, at)
  if (kind === QUESTION) return 3 * UNIT_BYTES
  return kind === BEGIN ? 2 * UNIT_BYTES : UNIT_BYTES
}

function wordAt(bytes: Buffer, at: number): FollowerWord {
  const kind = readInt64(bytes, at)
  if (kind === GREETING) return { kind: 'greeting' }
  if (kind === QUESTION) {
    const from = offsetAt(bytes, at + UNIT_BYTES, 'the slave')
    return { kind: 'question', from, to: offsetAt(bytes, at + 2 * UNIT_BYTES, 'the slave') }
  }
  if (kind === BEGIN) {
    return { kind: 'begin', offset: offsetAt(bytes, at + UNIT_BYTES, 'the slave') }
  }
  return { kind: 'report', offset: offsetAt(bytes, at, 'the slave') }
}

function offsetAt(bytes: Buffer, at: number, sender: string): number {
  const offset = readInt64(bytes, at)
  if (Number.isSafeInteger(offset) && offset >= 0) return offset
  throw new HaWireError(`${sender} speaks of offset ${offset}, which no log has`)
}

/** Takes what a master sends. */
export interface FrameReceiver {
  /** A frame begins; `sizeBytes` 0 is a heartbeat. Returns false when nothing more is wanted. */
  begin(offset: number, sizeBytes: number): boolean
  /** The next bytes of the frame. Returns false when nothing more is wanted. */
  bytes(offset: number, bytes: Buffer): boolean
  /** Returns false when nothing more is wanted. */
  letter(letter: LeaderLetter): boolean
}

/** Reads what a master sends; bytes of the log are given on as soon as they come. */
export class FrameReader {
  /** The head of a frame, and what a letter says. */
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES + LETTER_BYTES)
  #headBytes = 0
  #wantedBytes = FRAME_HEAD_BYTES
  /** Offset of the next byte of the frame under way, and how many are still to come. */
  #offset = 0
  #restBytes = 0

  /** Throws `HaWireError` for what no master sends. */
  push(chunk: Buffer, receiver: FrameReceiver): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#restBytes > 0) {
        const bytes = chunk.subarray(at, at + this.#restBytes)
        at += bytes.length
        if (!this.#give(bytes, receiver)) return
        continue
      }
      const end = at + this.#wantedBytes - this.#headBytes
      const taken = chunk.copy(this.#head, this.#headBytes, at, end)
      at += taken
      this.#headBytes += taken
      if (this.#headBytes === this.#wantedBytes && !this.#takeHead(receiver)) return
    }
  }

  #give(bytes: Buffer, receiver: FrameReceiver): boolean {
    const offset = this.#offset
    this.#offset += bytes.length
    this.#restBytes -= bytes.length
    return receiver.bytes(offset, bytes)
  }

  #takeHead(receiver: FrameReceiver): boolean {
    const first = readInt64(this.#head, 0)
    const sizeBytes = this.#head.readInt32BE(UNIT_BYTES)
    const isLetter = first < 0 && sizeBytes === LETTER_BYTES
    if (isLetter && this.#wantedBytes === FRAME_HEAD_BYTES) {
      this.#wantedBytes += LETTER_BYTES
      return true
    }
    this.#headBytes = 0
    this.#wantedBytes = FRAME_HEAD_BYTES
    if (isLetter) return receiver.letter(letterIn(this.#head, first))
    const offset = offsetAt(this.#head, 0, 'the master')
    if (sizeBytes < 0 || sizeBytes > MAX_FRAME_BYTES) {
      throw new HaWireError(
        `the master sends ${sizeBytes} bytes at a time, but at most ${MAX_FRAME_BYTES} are possible ` +
          '(haTransferBatchSize)',
      )
    }
    this.#offset = offset
    this.#restBytes = sizeBytes
    return receiver.begin(offset, sizeBytes)
  }
}

function letterIn(frame: Buffer, kind: number): LeaderLetter {
  const at = FRAME_HEAD_BYTES
  const first = offsetAt(frame, at, 'the master')
  const second = offsetAt(frame, at + UNIT_BYTES, 'the master')
  const third = readInt64(frame, at + 2 * UNIT_BYTES)
  if (kind === WELCOME_LETTER) {
    return { kind: 'welcome', minOffset: first, endOffset: second, segmentBytes: third }
  }
  if (kind !== SUM_LETTER) throw new HaWireError(`the master sends a letter of kind ${kind}`)
  return { kind: 'sum', from: first, to: second, sum: third === UNKNOWN_SUM ? undefined : third }
}
