/**
 * Frames: how one command stands in the stream of bytes.
 * Source: Apache classes RemotingCommand and NettyDecoder; `remoting.md` section 1.
 *
 *   0        4               5              8            8 + H
 *   | length | serialization | H (24 bits)  | header (H) | body      |
 *            '--------------- length bytes --------------------------'
 *
 * `FrameDecoder` owns the bytes of a frame that has not fully arrived; `FrameEncoder` owns what was
 * encoded and not yet taken.
 */
import { BufferWriter, MAX_UTF8_BYTES } from './buffer-writer.ts'
import type { FieldTable, Header } from './field.ts'
import { MAX_FRAME_BYTES, MAX_HEADER_BYTES } from './frame-limits.ts'
import { FrameError, type Head, type Serialization, serialization } from './head.ts'
import { binaryHeadRoom, decodeBinaryHead, writeBinaryHead } from './head-binary.ts'
import { decodeJsonHead, jsonHead } from './head-json.ts'
import { decodeMsgpackHead, msgpackHeadRoom, writeMsgpackHead } from './head-msgpack.ts'
import { type ExtraFields, extraRoom, type FieldSet, jsonText, writeExtra } from './header.ts'
import { packed, writeArrayHead, writeValue } from './msgpack-writer.ts'

const LENGTH_BYTES = 4
const HEADER_AT = 8
const EMPTY = Buffer.alloc(0)

export interface Frame {
  readonly head: Head
  /** A view into received bytes, empty when there is none: copy what must outlive the turn. */
  readonly body: Buffer
}

export class FrameDecoder {
  #pending: Buffer[] = []
  #pendingBytes = 0

  /**
   * Takes the next bytes of the stream and calls `emit` for each frame they complete. Throws
   * `FrameError` when the peer breaks the protocol; the decoder must not be used after that.
   */
  push(chunk: Buffer, emit: (frame: Frame) => void): void {
    let bytes = chunk
    if (this.#pendingBytes > 0) {
      const whole = this.#complete(chunk, emit)
      if (whole === undefined) return
      bytes = whole
    }
    const rest = decodeAll(bytes, emit)
    if (rest.length > 0) this.#keep(rest)
  }

  /** Finishes the frame under way; gives back what of the chunk is left, or undefined if it needs more. */
  #complete(chunk: Buffer, emit: (frame: Frame) => void): Buffer | undefined {
    this.#keep(chunk)
    if (this.#pendingBytes < LENGTH_BYTES) return undefined
    let first = this.#pending[0] ?? EMPTY
    if (first.length < LENGTH_BYTES) {
      first = Buffer.concat(this.#pending)
      this.#pending = [first]
    }
    const frameBytes = LENGTH_BYTES + frameLength(first, 0)
    if (this.#pendingBytes < frameBytes) return undefined
    const surplus = this.#pendingBytes - frameBytes
    const last = this.#pending.pop() ?? EMPTY
    this.#pending.push(last.subarray(0, last.length - surplus))
    const frame = Buffer.concat(this.#pending, frameBytes)
    this.#pending = []
    this.#pendingBytes = 0
    decodeAll(frame, emit)
    return last.subarray(last.length - surplus)
  }

  #keep(bytes: Buffer): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
  }
}

/** What of a command does not lie in its field table. */
export interface OutgoingHead extends Omit<Head, 'ext' | 'serialization'> {
  readonly serialization: Serialization
}

export class FrameEncoder {
  readonly #writer = new BufferWriter()

  get pendingBytes(): number {
    return this.#writer.pendingBytes
  }

  /**
   * Adds one frame. `header` and `fields` belong together; without them only `extra` is carried.
   * The chunks of `body` must not change until they have been sent.
   */
  add<T extends FieldTable>(
    head: OutgoingHead,
    fields?: FieldSet<T>,
    header?: Header<T>,
    extra?: ExtraFields,
    body: readonly Uint8Array[] = [],
  ): void {
    const startAt = this.#writeHead(head, fields, header, extra)
    this.#seal(startAt, head.serialization, body)
    for (const chunk of body) this.#writer.append(chunk)
  }

  /** Hands out the encoded bytes, in order. */
  take(): Uint8Array[] {
    return this.#writer.take()
  }

  /** Writes a head behind room for the lengths, and returns where that begins. */
  #writeHead<T extends FieldTable>(
    head: OutgoingHead,
    fields: FieldSet<T> | undefined,
    header: Header<T> | undefined,
    extra: ExtraFields | undefined,
  ): number {
    switch (head.serialization) {
      case serialization.json:
        return this.#json(jsonHead(head, jsonExt(fields, header, extra)))
      case serialization.binary:
        return this.#binary(head, fields, header, extra)
      case serialization.msgpack:
        return this.#msgpack(head, fields, header, extra)
    }
  }

  #json(text: string): number {
    const startAt = this.#begin(text.length * MAX_UTF8_BYTES)
    this.#writer.text(text)
    return startAt
  }

  #binary<T extends FieldTable>(
    head: OutgoingHead,
    fields: FieldSet<T> | undefined,
    header: Header<T> | undefined,
    extra: ExtraFields | undefined,
  ): number {
    const writer = this.#writer
    const fieldRoom = fields !== undefined && header !== undefined ? fields.blockRoom(header) : 0
    const startAt = this.#begin(binaryHeadRoom(head) + fieldRoom + extraRoom(extra))
    const extAt = writeBinaryHead(head, writer)
    if (fields !== undefined && header !== undefined) fields.writeBlock(header, writer)
    if (extra !== undefined) writeExtra(extra, writer)
    writer.int32At(extAt - 4, writer.position - extAt)
    return startAt
  }

  #msgpack<T extends FieldTable>(
    head: OutgoingHead,
    fields: FieldSet<T> | undefined,
    header: Header<T> | undefined,
    extra: ExtraFields | undefined,
  ): number {
    const writer = this.#writer
    const further = extra === undefined ? undefined : packed(extra)
    const fieldRoom = fields !== undefined && header !== undefined ? fields.packedRoom(header) : 0
    const startAt = this.#begin(msgpackHeadRoom(head) + fieldRoom + (further?.length ?? 0))
    writeMsgpackHead(head, writer)
    if (fields !== undefined && header !== undefined) fields.writePacked(header, writer)
    else writeArrayHead(0, writer)
    if (further === undefined) writeValue(undefined, writer)
    else writer.bytes(further)
    return startAt
  }

  #begin(headerRoom: number): number {
    const writer = this.#writer
    writer.reserve(HEADER_AT + headerRoom)
    const startAt = writer.position
    writer.position += HEADER_AT
    return startAt
  }

  /** Fills in the lengths in front of the head that was just written. */
  #seal(startAt: number, kind: Serialization, body: readonly Uint8Array[]): void {
    const writer = this.#writer
    const headerBytes = writer.position - startAt - HEADER_AT
    try {
      writer.int32At(startAt, checkedLength(headerBytes, body))
    } catch (error) {
      writer.position = startAt
      throw error
    }
    writer.int32At(startAt + LENGTH_BYTES, (kind << 24) | headerBytes)
  }
}

/** Decodes all whole frames in `bytes`; gives back what is left of them. */
function decodeAll(bytes: Buffer, emit: (frame: Frame) => void): Buffer {
  let at = 0
  while (bytes.length - at >= LENGTH_BYTES) {
    const end = at + LENGTH_BYTES + frameLength(bytes, at)
    if (end > bytes.length) break
    emit(decodeFrame(bytes, at, end))
    at = end
  }
  return at === 0 ? bytes : bytes.subarray(at)
}

/** The length word of the frame at `at`; as soon as more is known, the header's length is checked too. */
function frameLength(bytes: Buffer, at: number): number {
  const length = bytes.readInt32BE(at)
  if (length < LENGTH_BYTES || length > MAX_FRAME_BYTES - LENGTH_BYTES) {
    throw new FrameError(
      `a frame announces ${length} bytes; between ${LENGTH_BYTES} and ` +
        `${MAX_FRAME_BYTES - LENGTH_BYTES} are possible`,
    )
  }
  if (bytes.length - at >= HEADER_AT) headerLength(bytes, at, length)
  return length
}

function headerLength(bytes: Buffer, at: number, length: number): number {
  const headerBytes = bytes.readUIntBE(at + 5, 3)
  if (headerBytes > length - LENGTH_BYTES) {
    throw new FrameError(`a header of ${headerBytes} bytes leaves its frame of ${length} bytes`)
  }
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new FrameError(
      `a header of ${headerBytes} bytes is over the limit of ${MAX_HEADER_BYTES} bytes`,
    )
  }
  return headerBytes
}

function decodeFrame(bytes: Buffer, at: number, end: number): Frame {
  const bodyAt = at + HEADER_AT + headerLength(bytes, at, end - at - LENGTH_BYTES)
  return {
    head: decodeHead(bytes, at, bodyAt),
    body: bodyAt === end ? EMPTY : bytes.subarray(bodyAt, end),
  }
}

function decodeHead(bytes: Buffer, at: number, bodyAt: number): Head {
  const type = bytes[at + LENGTH_BYTES] ?? 0
  if (type === serialization.binary) return decodeBinaryHead(bytes, at + HEADER_AT, bodyAt)
  if (type === serialization.msgpack) return decodeMsgpackHead(bytes, at + HEADER_AT, bodyAt)
  if (type === serialization.json) return decodeJsonHead(bytes.subarray(at + HEADER_AT, bodyAt))
  throw new FrameError(`header serialization ${type} is unknown: 0 is JSON, 1 ROCKETMQ binary`)
}

function jsonExt<T extends FieldTable>(
  fields: FieldSet<T> | undefined,
  header: Header<T> | undefined,
  extra: ExtraFields | undefined,
): string | undefined {
  const own = fields !== undefined && header !== undefined ? fields.jsonPairs(header) : undefined
  if (extra === undefined) return own
  const pairs = Object.entries(extra).map(([key, value]) => `${jsonText(key)}:${jsonText(value)}`)
  return own === undefined || own === '' ? pairs.join(',') : [own, ...pairs].join(',')
}

/** The length word of a frame. Throws `FrameError` when the frame would be over the limits. */
function checkedLength(headerBytes: number, body: readonly Uint8Array[]): number {
  let length = LENGTH_BYTES + headerBytes
  for (const chunk of body) length += chunk.length
  if (length > MAX_FRAME_BYTES - LENGTH_BYTES || headerBytes > MAX_HEADER_BYTES) {
    throw new FrameError(
      `a frame of ${length} bytes with a header of ${headerBytes} bytes is over the limits of ` +
        `${MAX_FRAME_BYTES} and ${MAX_HEADER_BYTES} bytes`,
    )
  }
  return length
}
