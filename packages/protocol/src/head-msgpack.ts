/**
 * Heads in msgpack (serialization 77), spoken between processes of this suite only: an array of
 * code, opaque, flag, version, language, remark, the values of the command's fields in table order,
 * and a map of further ext fields. Nil stands for what is absent; readers ignore further elements,
 * so the array, like every field table, may only grow at its end.
 */
import type { BufferWriter } from './buffer-writer.ts'
import { FrameError, type Head, serialization } from './head.ts'
import { MsgpackReader } from './msgpack-reader.ts'
import { VALUE_ROOM, valueRoom, writeArrayHead, writeValue } from './msgpack-writer.ts'

const ELEMENTS = 8
/** Those that a head must have: its five numbers. */
const LEAST_ELEMENTS = 5

const reader = new MsgpackReader()

/**
 * Reads the msgpack head from `start` to `end`; its values stay as they are. Throws `FrameError` when
 * it is not the array described above.
 */
export function decodeMsgpackHead(bytes: Buffer, start: number, end: number): Head {
  reader.open(bytes, start, end)
  const elements = reader.arrayHead()
  if (elements === undefined) throw new FrameError('the msgpack head is not an array')
  if (elements < LEAST_ELEMENTS) throw new FrameError('a number of the msgpack head is missing')
  return {
    code: int(),
    opaque: int(),
    flag: int(),
    version: int(),
    language: int(),
    remark: elements > LEAST_ELEMENTS ? remark() : undefined,
    serialization: serialization.msgpack,
    ext: { form: 'msgpack', bytes, at: reader.at, end },
  }
}

/** Room that `writeMsgpackHead` may need. */
export function msgpackHeadRoom(head: { readonly remark: string | undefined }): number {
  return VALUE_ROOM * ELEMENTS + valueRoom(head.remark)
}

/** Writes all but the last two elements, which are the caller's to write. Room must be reserved. */
export function writeMsgpackHead(
  head: Omit<Head, 'ext' | 'serialization'>,
  writer: BufferWriter,
): void {
  writeArrayHead(ELEMENTS, writer)
  writeValue(head.code, writer)
  writeValue(head.opaque, writer)
  writeValue(head.flag, writer)
  writeValue(head.version, writer)
  writeValue(head.language, writer)
  writeValue(head.remark, writer)
}

function int(): number {
  const value = reader.number()
  if (value !== undefined && Number.isInteger(value)) return value
  throw new FrameError('a number of the msgpack head is missing')
}

function remark(): string | undefined {
  const kind = reader.span()
  if (kind === 'text') return reader.bytes.toString('utf8', reader.from, reader.to)
  if (kind === undefined) reader.skip()
  return undefined
}
