/**
 * A field table made ready for the wire: `FieldSet` turns a header into ext fields and back, in each
 * of the three forms. It owns look-up tables computed once per command, and a list for the values of
 * the header in work, which holds nothing in between.
 */
import { type BufferWriter, MAX_UTF8_BYTES } from './buffer-writer.ts'
import type { FieldKind, FieldTable, FieldValue, Header } from './field.ts'
import { type Ext, FrameError, HeaderError } from './head.ts'
import { type Shape, shapeOf } from './header-shape.ts'
import { internName } from './intern.ts'
import { MsgpackReader } from './msgpack-reader.ts'
import {
  VALUE_ROOM,
  valueRoom,
  writeArrayHead,
  writeValue as writePacked,
} from './msgpack-writer.ts'

/** Room that a number needs as text, sign included. */
const DECIMAL_BYTES = 20

const KEY_LENGTH_BYTES = 2
const VALUE_LENGTH_BYTES = 4
const ENTRY_LENGTHS_BYTES = KEY_LENGTH_BYTES + VALUE_LENGTH_BYTES

interface ReadyField {
  readonly name: string
  /** Its place in the table. */
  readonly index: number
  readonly wireName: string
  readonly keyBytes: Buffer
  readonly kind: FieldKind
  readonly required: boolean
  readonly meaning: string
}

/** Further ext fields beside the ones of the command. */
export type ExtraFields = Readonly<Record<string, string>>

type Values = (FieldValue | undefined)[]
type PackedExt = Extract<Ext, { form: 'msgpack' }>

const packedValues = new MsgpackReader()

export class FieldSet<T extends FieldTable> {
  readonly fields: readonly ReadyField[]
  readonly #required: readonly ReadyField[]
  /** Fields by the first byte of their key: a few candidates at the most. */
  readonly #byFirstByte: readonly (readonly ReadyField[] | undefined)[]
  /** Of the header in work, in table order. */
  readonly #values: Values
  /** Made when first needed: most commands are never seen by a process. */
  #header: Shape | undefined
  #map: Shape | undefined

  constructor(table: T) {
    this.fields = Object.entries(table).map(([name, field], index) => {
      const { kind, meaning, required, wireName = name } = field
      return { name, index, wireName, keyBytes: Buffer.from(wireName), kind, required, meaning }
    })
    this.#required = this.fields.filter(({ required }) => required)
    this.#byFirstByte = Array.from({ length: 256 }, (_, byte) => {
      const candidates = this.fields.filter(({ keyBytes }) => keyBytes[0] === byte)
      return candidates.length === 0 ? undefined : candidates
    })
    this.#values = this.fields.map(() => undefined)
  }

  /**
   * Reads the header out of ext fields. Throws `HeaderError` when a required field is missing or a
   * number is not one; unknown fields are ignored. `subject` begins the sentence of the error.
   */
  decode(ext: Ext, subject: string): Header<T> {
    const values = this.#values
    try {
      if (ext.form === 'binary') this.#readBlock(ext.block, values)
      else if (ext.form === 'msgpack') this.#readPacked(ext.bytes, ext.at, ext.end, values)
      else this.#readMap(ext.map, values)
      for (const { index, wireName, meaning } of this.#required) {
        if (values[index] !== undefined) continue
        throw new HeaderError(`${subject} lacks the field "${wireName}" (${meaning})`)
      }
      return this.#headerShape().fromList(values) as Header<T>
    } finally {
      forget(values)
    }
  }

  /** The fields of the header as JSON text, without the braces around them. */
  jsonPairs(header: Header<T>): string {
    const values = this.#valuesOf(header)
    let text = ''
    for (const { index, wireName } of this.fields) {
      const value = values[index]
      if (value === undefined) continue
      text += text === '' ? `"${wireName}":` : `,"${wireName}":`
      text += jsonText(value)
    }
    forget(values)
    return text
  }

  /** Room that `writePacked` may need for this header. */
  packedRoom(header: Header<T>): number {
    let room = VALUE_ROOM
    for (const value of this.#valuesOf(header)) room += valueRoom(value)
    return room
  }

  /**
   * Writes the header as an array of values in table order, trailing absent ones left out, as msgpack
   * heads carry it. Room must be reserved.
   */
  writePacked(header: Header<T>, writer: BufferWriter): void {
    const values = this.#valuesOf(header)
    let count = values.length
    while (count > 0 && values[count - 1] === undefined) count--
    writeArrayHead(count, writer)
    for (let i = 0; i < count; i++) writePacked(values[i], writer)
    forget(values)
  }

  /** Room that `writeBlock` may need for this header. */
  blockRoom(header: Header<T>): number {
    const values = this.#valuesOf(header)
    let room = 0
    for (const { index, keyBytes } of this.fields) {
      const value = values[index]
      if (value !== undefined) room += ENTRY_LENGTHS_BYTES + keyBytes.length + roomFor(value)
    }
    return room
  }

  /** Writes the header as the ext block of a binary head. Room must be reserved. */
  writeBlock(header: Header<T>, writer: BufferWriter): void {
    const values = this.#valuesOf(header)
    for (const { index, keyBytes } of this.fields) {
      const value = values[index]
      if (value === undefined) continue
      writer.key(keyBytes)
      writeValue(value, writer)
    }
    forget(values)
  }

  #headerShape(): Shape {
    this.#header ??= shapeOf(this.fields.map(({ name }) => name))
    return this.#header
  }

  #valuesOf(header: Header<T>): Values {
    this.#headerShape().toList(header, this.#values)
    return this.#values
  }

  #readMap(map: Readonly<Record<string, unknown>>, values: Values): void {
    this.#map ??= shapeOf(this.fields.map(({ wireName }) => wireName))
    const found: unknown[] = values
    this.#map.toList(map, found)
    for (const field of this.fields) {
      const text = textOf(found[field.index])
      values[field.index] = text === undefined ? undefined : fromText(field, text)
    }
  }

  #readPacked(bytes: Buffer, at: number, end: number, values: Values): void {
    const reader = packedValues.open(bytes, at, end)
    const count = reader.isAtEnd ? 0 : (reader.arrayHead() ?? 0)
    const known = Math.min(count, this.fields.length)
    for (let i = 0; i < known; i++) {
      const field = this.fields[i]
      if (field !== undefined) values[i] = fromPacked(field, reader)
    }
  }

  #readBlock(block: Buffer, values: Values): void {
    for (let at = 0; at < block.length; ) {
      const keyAt = at + KEY_LENGTH_BYTES
      const keyLength = checkedKeyLength(block, at)
      const valueAt = keyAt + keyLength + VALUE_LENGTH_BYTES
      const valueLength = checkedValueLength(block, keyAt + keyLength)
      at = valueAt + valueLength
      const ready = valueLength === 0 ? undefined : this.#find(block, keyAt, keyLength)
      if (ready === undefined) continue
      values[ready.index] = fromBytes(ready, block, valueAt, valueLength)
    }
  }

  #find(block: Buffer, keyAt: number, keyLength: number): ReadyField | undefined {
    const candidates = this.#byFirstByte[block[keyAt] ?? 0]
    if (candidates === undefined) return undefined
    for (const ready of candidates) {
      if (hasKey(ready.keyBytes, block, keyAt, keyLength)) return ready
    }
    return undefined
  }
}

function forget(values: Values): void {
  for (let i = 0; i < values.length; i++) values[i] = undefined
}

/** The value of one ext field that is not part of the command's own table. */
export function extraField(ext: Ext, key: string): string | undefined {
  if (ext.form === 'map') return textOf(ext.map[key])
  if (ext.form === 'msgpack') return textOf(packedExtra(ext)[key])
  return extMap(ext)[key]
}

/** All ext fields as texts; of a `msgpack` ext only the further ones, which alone carry their names. */
export function extMap(ext: Ext): Record<string, string> {
  const map: Record<string, string> = {}
  if (ext.form === 'binary') return blockMap(ext.block)
  const source = ext.form === 'map' ? ext.map : packedExtra(ext)
  for (const [key, value] of Object.entries(source)) {
    const text = textOf(value)
    if (text !== undefined) map[key] = text
  }
  return map
}

/** Room that `writeExtra` may need. */
export function extraRoom(extra: ExtraFields | undefined): number {
  let room = 0
  for (const key in extra)
    room += ENTRY_LENGTHS_BYTES + (key.length + (extra[key] ?? '').length) * MAX_UTF8_BYTES
  return room
}

/** Writes further ext fields into the ext block of a binary head. Room must be reserved. */
export function writeExtra(extra: ExtraFields, writer: BufferWriter): void {
  for (const [key, value] of Object.entries(extra)) {
    const keyLengthAt = writer.position
    writer.position += 2
    const length = writer.text(key)
    writer.buffer.writeUInt16BE(length, keyLengthAt)
    writeValue(value, writer)
  }
}

/** What JSON writes between quotes as it stands. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not stand there
const PLAIN_JSON = /^[^"\\\u0000-\u001f\ud800-\udfff]*$/

/** A value as it stands in JSON, where all ext fields are texts. */
export function jsonText(value: FieldValue): string {
  const text = value.toString()
  return PLAIN_JSON.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** An object is as good as absent: no peer of ours sends one, and its conversion may throw. */
function textOf(value: unknown): string | undefined {
  return value === undefined || typeof value === 'object' ? undefined : String(value)
}

function hasKey(key: Buffer, block: Buffer, at: number, length: number): boolean {
  if (key.length !== length) return false
  for (let i = 0; i < length; i++) if (key[i] !== block[at + i]) return false
  return true
}

function blockMap(block: Buffer): Record<string, string> {
  const map: Record<string, string> = {}
  for (let at = 0; at < block.length; ) {
    const keyAt = at + KEY_LENGTH_BYTES
    const keyEnd = keyAt + checkedKeyLength(block, at)
    const valueAt = keyEnd + VALUE_LENGTH_BYTES
    at = valueAt + checkedValueLength(block, keyEnd)
    map[block.toString('utf8', keyAt, keyEnd)] = block.toString('utf8', valueAt, at)
  }
  return map
}

/** Length of the key at `at`. Throws `FrameError` when it leaves the block. */
function checkedKeyLength(block: Buffer, at: number): number {
  const length = ((block[at] ?? 0) << 8) | (block[at + 1] ?? 0)
  if (at + KEY_LENGTH_BYTES + length + VALUE_LENGTH_BYTES <= block.length) return length
  throw new FrameError(`an ext key of ${length} bytes leaves its binary head`)
}

/** Length of the value whose length word stands at `at`. Throws `FrameError` likewise. */
function checkedValueLength(block: Buffer, at: number): number {
  const length =
    ((block[at] ?? 0) << 24) |
    ((block[at + 1] ?? 0) << 16) |
    ((block[at + 2] ?? 0) << 8) |
    (block[at + 3] ?? 0)
  if (length >= 0 && at + VALUE_LENGTH_BYTES + length <= block.length) return length
  throw new FrameError(`an ext value of ${length} bytes leaves its binary head`)
}

function roomFor(value: FieldValue): number {
  if (typeof value === 'string') return value.length * MAX_UTF8_BYTES
  if (typeof value === 'object') return value.length
  return DECIMAL_BYTES
}

/** Writes a value with its length in front. */
function writeValue(value: FieldValue, writer: BufferWriter): void {
  const lengthAt = writer.position
  writer.position += 4
  let length: number
  if (typeof value === 'string') length = writer.text(value)
  else if (typeof value === 'number') length = writer.decimal(value)
  else if (typeof value === 'boolean') length = writer.text(value ? 'true' : 'false')
  else {
    writer.buffer.set(value, writer.position)
    length = value.length
    writer.position += length
  }
  writer.int32At(lengthAt, length)
}

function fromBytes(field: ReadyField, block: Buffer, at: number, length: number): FieldValue {
  if (field.kind === 'int32' || field.kind === 'int64') {
    const number = shortDecimal(block, at, length)
    if (number !== undefined && (field.kind === 'int64' || number <= 0x7fff_ffff)) return number
    return fromText(field, block.toString('latin1', at, at + length))
  }
  if (field.kind === 'name') return internName(block, at, length)
  if (field.kind === 'bytes') return block.subarray(at, at + length)
  return fromText(field, block.toString('utf8', at, at + length))
}

/** Digits that certainly fit; undefined sends the rest, signs included, the careful way. */
function shortDecimal(block: Buffer, at: number, length: number): number | undefined {
  if (length > 15) return undefined
  let value = 0
  for (let i = at; i < at + length; i++) {
    const digit = (block[i] ?? 0) - 48
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value
}

function fromText({ kind, wireName }: ReadyField, value: string): FieldValue {
  switch (kind) {
    case 'text':
    case 'name':
      return value
    case 'bytes':
      return Buffer.from(value)
    case 'bool':
      return value.toLowerCase() === 'true'
    case 'int32':
      return wholeNumber(wireName, value, 0x7fff_ffff)
    case 'int64':
      return wholeNumber(wireName, value, Number.MAX_SAFE_INTEGER)
  }
}

/** The further fields, which stand behind the values of the command's own. */
function packedExtra({ bytes, at, end }: PackedExt): Readonly<Record<string, unknown>> {
  const reader = packedValues.open(bytes, at, end)
  if (!reader.isAtEnd) reader.skip()
  const extra = reader.isAtEnd ? undefined : reader.any()
  return typeof extra === 'object' && extra !== null ? { ...extra } : {}
}

/** A value that is of its field's type is taken as it is; every other one by its text. */
function fromPacked(field: ReadyField, reader: MsgpackReader): FieldValue | undefined {
  const { kind } = field
  // Which forms are tried first is a matter of speed alone.
  const isText = kind === 'name' || kind === 'text' || kind === 'bytes'
  const value = isText
    ? (packedText(field, reader) ?? packedNumber(field, reader))
    : (packedNumber(field, reader) ?? packedText(field, reader))
  if (value !== undefined) return value
  const truth = reader.boolean()
  if (truth !== undefined) return kind === 'bool' ? truth : fromText(field, String(truth))
  reader.skip()
  return undefined
}

function packedText(field: ReadyField, reader: MsgpackReader): FieldValue | undefined {
  if (reader.span() === undefined) return undefined
  const { bytes, from, to } = reader
  if (field.kind === 'bytes') return bytes.subarray(from, to)
  if (field.kind === 'name') return internName(bytes, from, to - from)
  return fromText(field, bytes.toString('utf8', from, to))
}

function packedNumber(field: ReadyField, reader: MsgpackReader): FieldValue | undefined {
  const number = reader.number()
  if (number === undefined) return undefined
  if (field.kind === 'int32' && (number | 0) === number) return number
  if (field.kind === 'int64' && Number.isSafeInteger(number)) return number
  return fromText(field, String(number))
}

function wholeNumber(wireName: string, value: string, limit: number): number {
  if (!/^[+-]?\d{1,19}$/.test(value)) {
    throw new HeaderError(`the field "${wireName}" must be a whole number, not "${value}"`)
  }
  const number = Number(value)
  if (Math.abs(number) <= limit) return number
  if (limit === Number.MAX_SAFE_INTEGER) return Math.sign(number) * limit
  if (number === -limit - 1) return number
  throw new HeaderError(`the field "${wireName}" does not fit 32 bits: ${value}`)
}
