/**
 * Heads in the ROCKETMQ binary form (serialization 1): 21 fixed bytes, remark, ext block.
 * Source: Apache class RocketMQSerializable; `remoting.md` section 3.
 *
 *   code i16 · language i8 · version i16 · opaque i32 · flag i32 · remark (i32 length) · ext (i32 length)
 */
import { type BufferWriter, MAX_UTF8_BYTES } from './buffer-writer.ts'
import { FrameError, type Head, serialization } from './head.ts'

const FIXED_BYTES = 21
const REMARK_LENGTH_AT = 13
const REMARK_AT = 17

/**
 * POP codes do not fit the 16 bits of this form; Java writes what is left of them. They collide with
 * nothing, so they are turned back.
 */
const CUT_CODES: ReadonlyMap<number, number> = new Map(
  [200050, 200051, 200052, 200053, 200054, 200055, 200056, 200151].map((code) => [
    (code << 16) >> 16,
    code,
  ]),
)

/** Reads the binary head from `at` to `end`; its ext block stays a view. Throws `FrameError` when a length is wrong. */
export function decodeBinaryHead(bytes: Buffer, at: number, end: number): Head {
  if (end - at < FIXED_BYTES) {
    throw new FrameError(`a binary head has at least ${FIXED_BYTES} bytes, not ${end - at}`)
  }
  const remarkAt = at + REMARK_AT
  const remarkLength = bytes.readInt32BE(at + REMARK_LENGTH_AT)
  const extLengthAt = remarkAt + remarkLength
  if (remarkLength < 0 || extLengthAt + 4 > end) {
    throw new FrameError(`a remark of ${remarkLength} bytes leaves its binary head`)
  }
  const extLength = bytes.readInt32BE(extLengthAt)
  const extAt = extLengthAt + 4
  if (extLength < 0 || extAt + extLength > end) {
    throw new FrameError(`ext fields of ${extLength} bytes leave their binary head`)
  }
  const code = bytes.readInt16BE(at)
  return {
    code: CUT_CODES.get(code) ?? code,
    language: bytes[at + 2] ?? 0,
    version: bytes.readInt16BE(at + 3),
    opaque: bytes.readInt32BE(at + 5),
    flag: bytes.readInt32BE(at + 9),
    remark: remarkLength === 0 ? undefined : bytes.toString('utf8', remarkAt, extLengthAt),
    serialization: serialization.binary,
    ext: { form: 'binary', block: bytes.subarray(extAt, extAt + extLength) },
  }
}

/** Room that `writeBinaryHead` may need. */
export function binaryHeadRoom(head: { readonly remark: string | undefined }): number {
  return FIXED_BYTES + (head.remark?.length ?? 0) * MAX_UTF8_BYTES
}

/**
 * Writes everything in front of the ext block and returns where that begins; the length of the
 * block, in the 4 bytes before, is the caller's to fill in. Room must be reserved.
 */
export function writeBinaryHead(
  head: Omit<Head, 'ext' | 'serialization'>,
  writer: BufferWriter,
): number {
  const remark = head.remark ?? ''
  writer.int16(head.code)
  writer.buffer[writer.position++] = head.language
  writer.int16(head.version)
  writer.int32(head.opaque)
  writer.int32(head.flag)
  const remarkLengthAt = writer.position
  writer.position += 4
  writer.int32At(remarkLengthAt, remark === '' ? 0 : writer.text(remark))
  writer.position += 4
  return writer.position
}
