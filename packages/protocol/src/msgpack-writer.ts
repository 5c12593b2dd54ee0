/**
 * Writes the forms of msgpack that heads are made of, in place: a head is most of the bytes of a small
 * request, and lists of its values would be garbage. What is rare is left to msgpackr. Owns nothing.
 */
import { Packr } from 'msgpackr/pack'
import { type BufferWriter, MAX_UTF8_BYTES } from './buffer-writer.ts'
import type { FieldValue } from './field.ts'
import { form, MAX_FIXARRAY, MAX_FIXINT } from './msgpack-form.ts'

const packr = new Packr({ useRecords: false })

/** Room for a head of an array, and for one value beside the bytes of a text or of a piece of bytes. */
export const VALUE_ROOM = 9
/** Texts are written before their length is known: so many characters certainly fit one byte of it. */
const MAX_STR8_CHARS = 85
const MAX_STR16_CHARS = 21_845

/** Room that `writeValue` needs at the most. */
export function valueRoom(value: FieldValue | undefined): number {
  if (typeof value === 'string') return VALUE_ROOM + value.length * MAX_UTF8_BYTES
  return typeof value === 'object' ? VALUE_ROOM + value.length : VALUE_ROOM
}

/** Room for all of them must be reserved: `valueRoom`, and `VALUE_ROOM` for an array's head. */
export function writeValue(value: FieldValue | undefined, to: BufferWriter): void {
  if (value === undefined) to.byte(form.nil)
  else if (typeof value === 'string') writeText(value, to)
  else if (typeof value === 'number') writeNumber(value, to)
  else if (typeof value === 'boolean') to.byte(value ? form.true : form.false)
  else writeBytes(value, to)
}

export function writeArrayHead(count: number, to: BufferWriter): void {
  if (count <= MAX_FIXARRAY) return to.byte(form.fixarray | count)
  to.byte(form.array16)
  to.int16(count)
}

/** Any other value, as msgpackr writes it. */
export function packed(value: unknown): Buffer {
  return packr.pack(value)
}

function writeNumber(value: number, to: BufferWriter): void {
  if (value >= 0 && value <= MAX_FIXINT) {
    if (Number.isInteger(value)) return to.byte(value)
  } else if ((value | 0) === value) {
    to.byte(form.int32)
    return to.int32(value)
  }
  to.byte(form.float64)
  to.buffer.writeDoubleBE(value, to.position)
  to.position += 8
}

function writeText(value: string, to: BufferWriter): void {
  const lengthBytes = value.length <= MAX_STR8_CHARS ? 1 : value.length <= MAX_STR16_CHARS ? 2 : 4
  const at = to.position
  to.position += 1 + lengthBytes
  const length = to.text(value)
  const { buffer } = to
  if (lengthBytes === 1) {
    buffer[at] = form.str8
    buffer[at + 1] = length
  } else if (lengthBytes === 2) {
    buffer[at] = form.str16
    buffer.writeUInt16BE(length, at + 1)
  } else {
    buffer[at] = form.str32
    to.int32At(at + 1, length)
  }
}

function writeBytes(value: Buffer, to: BufferWriter): void {
  to.byte(form.bin32)
  to.int32(value.length)
  to.bytes(value)
}
