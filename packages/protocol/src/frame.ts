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
import { BufferWriter } from './buffer-writer.ts'
import type { FieldTable, Header } from './field.ts'
import { MAX_FRAME_BYTES, MAX_HEADER_BYTES } from './frame-limits.ts'
import { FrameError, type Head, type Serialization, serialization } from './head.ts'
import { binaryHeadRoom, decodeBinaryHead, writeBinaryHead } from './head-binary.ts'
import { decodeJsonHead, encodeJsonHead } from './head-json.ts'
import { decodeMsgpackHead, encodeMsgpackHead } from './head-msgpack.ts'
import { type ExtraFields, extraRoom, type FieldSet, writeExtra } from './header.ts'

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
    if (head.serialization === serialization.binary) this.#binary(head, fields, header, extra, body)
    else this.#opaque(head, fields, header, extra, body)
    for (const chunk of body) this.#writer.append(chunk)
  }

  /** Hands out the encoded bytes, in order. */
  take(): Uint8Array[] {
    return this.#writer.take()
  }

  /** Heads that another library encodes: they are known in full before the first byte is written. */
  #opaque<T extends FieldTable>(
    head: OutgoingHead,
    fields: FieldSet<T> | undefined,
    header: Header<T> | undefined,
    extra: ExtraFields | undefined,
    body: readonly Uint8Array[],
  ): void {
    const encoded =
      head.serialization === serialization.json
        ? encodeJsonHead(head, jsonExt(fields, header, extra))
        : encodeMsgpackHead(head, fields && header ? fields.toValues(header) : [], extra)
    const writer = this.#writer
    const length = checkedLength(encoded.length, body)
    writer.reserve(HEADER_AT)
    writer.int32(length)
    writer.int32((head.serialization << 24) | encoded.length)
    writer.append(encoded)
  }

  /** Binary heads are written in place; the lengths in front of them are filled in afterwards. */
  #binary<T extends FieldTable>(
    head: OutgoingHead,
    fields: FieldSet<T> | undefined,
    header: Header<T> | undefined,
    extra: ExtraFields | undefined,
    body: readonly Uint8Array[],
  ): void {
    const writer = this.#writer
    const fieldRoom = fields !== undefined && header !== undefined ? fields.blockRoom(header) : 0
    writer.reserve(HEADER_AT + binaryHeadRoom(head) + fieldRoom + extraRoom(extra))
    const startAt = writer.position
    writer.position += HEADER_AT
    const extAt = writeBinaryHead(head, writer)
    if (fields !== undefined && header !== undefined) fields.writeBlock(header, writer)
    if (extra !== undefined) writeExtra(extra, writer)
    writer.int32At(extAt - 4, writer.position - extAt)
    const headerBytes = writer.position - startAt - HEADER_AT
    try {
      writer.int32At(startAt, checkedLength(headerBytes, body))
    } catch (error) {
      writer.position = startAt
      throw error
    }
    writer.int32At(startAt + LENGTH_BYTES, (serialization.binary << 24) | headerBytes)
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
): Record<string, string> | undefined {
  if (fields !== undefined && header !== undefined) return fields.toMap(header, extra)
  return extra === undefined ? undefined : { ...extra }
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
