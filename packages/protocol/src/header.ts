/**
 * A field table made ready for the wire: `FieldSet` turns a header into ext fields and back, in each
 * of the three forms. It owns nothing but look-up tables computed once per command.
 */
import type { BufferWriter } from './buffer-writer.ts'
import type { Field, FieldTable, FieldValue, Header } from './field.ts'
import { type Ext, FrameError, HeaderError } from './head.ts'
import { internName } from './intern.ts'

/** Room that a number needs as text, sign included. */
const DECIMAL_BYTES = 20

const KEY_LENGTH_BYTES = 2
const VALUE_LENGTH_BYTES = 4
const ENTRY_LENGTHS_BYTES = KEY_LENGTH_BYTES + VALUE_LENGTH_BYTES

interface ReadyField {
  readonly name: string
  readonly wireName: string
  readonly keyBytes: Buffer
  readonly field: Field
}

/** Further ext fields beside the ones of the command. */
export type ExtraFields = Readonly<Record<string, string>>

type AnyHeader = Record<string, FieldValue | undefined>

export class FieldSet<T extends FieldTable> {
  readonly fields: readonly ReadyField[]
  /** Fields by the first byte of their key: a few candidates at the most. */
  readonly #byFirstByte: readonly (readonly ReadyField[] | undefined)[]
  /** A header with all fields absent: its copies share one shape. */
  readonly #template: AnyHeader

  constructor(table: T) {
    this.fields = Object.entries(table).map(([name, field]) => {
      const wireName = field.wireName ?? name
      return { name, wireName, keyBytes: Buffer.from(wireName), field }
    })
    this.#byFirstByte = Array.from({ length: 256 }, (_, byte) => {
      const candidates = this.fields.filter(({ keyBytes }) => keyBytes[0] === byte)
      return candidates.length === 0 ? undefined : candidates
    })
    this.#template = Object.fromEntries(this.fields.map(({ name }) => [name, undefined]))
  }

  /**
   * Reads the header out of ext fields. Throws `HeaderError` when a required field is missing or a
   * number is not one; unknown fields are ignored. `subject` begins the sentence of the error.
   */
  decode(ext: Ext, subject: string): Header<T> {
    const header: AnyHeader = { ...this.#template }
    if (ext.form === 'binary') this.#decodeBlock(ext.block, header)
    else if (ext.form === 'values') this.#decodeValues(ext.values, header)
    else this.#decodeMap(ext.map, header)
    for (const { name, wireName, field } of this.fields) {
      if (!field.required || header[name] !== undefined) continue
      throw new HeaderError(`${subject} lacks the field "${wireName}" (${field.meaning})`)
    }
    return header as Header<T>
  }

  /** The header as a map of texts, as JSON heads carry it. */
  toMap(header: Header<T>, extra: ExtraFields | undefined): Record<string, string> {
    const map: Record<string, string> = {}
    const values: AnyHeader = header
    for (const { name, wireName } of this.fields) {
      const value = values[name]
      if (value !== undefined) map[wireName] = value.toString()
    }
    return extra === undefined ? map : Object.assign(map, extra)
  }

  /** The header as values in table order, trailing absent ones left out, as msgpack heads carry it. */
  toValues(header: Header<T>): (FieldValue | null)[] {
    const values: AnyHeader = header
    const list = this.fields.map(({ name }) => values[name] ?? null)
    while (list.length > 0 && list.at(-1) === null) list.pop()
    return list
  }

  /** Room that `writeBlock` may need for this header. */
  blockRoom(header: Header<T>): number {
    const values: AnyHeader = header
    let room = 0
    for (const { name, keyBytes } of this.fields) {
      const value = values[name]
      if (value !== undefined) room += ENTRY_LENGTHS_BYTES + keyBytes.length + roomFor(value)
    }
    return room
  }

  /** Writes the header as the ext block of a binary head. Room must be reserved. */
  writeBlock(header: Header<T>, writer: BufferWriter): void {
    const values: AnyHeader = header
    for (const { name, keyBytes } of this.fields) {
      const value = values[name]
      if (value === undefined) continue
      writer.key(keyBytes)
      writeValue(value, writer)
    }
  }

  #decodeMap(map: Readonly<Record<string, unknown>>, header: AnyHeader): void {
    for (const { name, wireName, field } of this.fields) {
      const text = textOf(map[wireName])
      if (text !== undefined) header[name] = fromText(field, wireName, text)
    }
  }

  #decodeValues(values: readonly unknown[], header: AnyHeader): void {
    for (let i = 0; i < this.fields.length; i++) {
      const ready = this.fields[i]
      if (ready === undefined) continue
      header[ready.name] = fromValue(ready.field, ready.wireName, values[i])
    }
  }

  #decodeBlock(block: Buffer, header: AnyHeader): void {
    for (let at = 0; at < block.length; ) {
      const keyAt = at + KEY_LENGTH_BYTES
      const keyLength = checkedKeyLength(block, at)
      const valueAt = keyAt + keyLength + VALUE_LENGTH_BYTES
      const valueLength = checkedValueLength(block, keyAt + keyLength)
      at = valueAt + valueLength
      const ready = valueLength === 0 ? undefined : this.#find(block, keyAt, keyLength)
      if (ready === undefined) continue
      header[ready.name] = fromBytes(ready.field, ready.wireName, block, valueAt, valueLength)
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

/** The value of one ext field that is not part of the command's own table. */
export function extraField(ext: Ext, key: string): string | undefined {
  if (ext.form === 'map') return textOf(ext.map[key])
  if (ext.form === 'values') return textOf(ext.extra?.[key])
  return extMap(ext)[key]
}

/** All ext fields as texts; of a `values` ext only the further ones, which alone carry their names. */
export function extMap(ext: Ext): Record<string, string> {
  const map: Record<string, string> = {}
  if (ext.form === 'binary') return blockMap(ext.block)
  const source = ext.form === 'map' ? ext.map : (ext.extra ?? {})
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
    room += ENTRY_LENGTHS_BYTES + (key.length + (extra[key] ?? '').length) * 3
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
  if (typeof value === 'string') return value.length * 3
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

function fromBytes(
  field: Field,
  wireName: string,
  block: Buffer,
  at: number,
  length: number,
): FieldValue {
  if (field.kind === 'int32' || field.kind === 'int64') {
    const number = shortDecimal(block, at, length)
    if (number !== undefined && (field.kind === 'int64' || number <= 0x7fff_ffff)) return number
    return fromText(field, wireName, block.toString('latin1', at, at + length))
  }
  if (field.kind === 'name') return internName(block, at, length)
  if (field.kind === 'bytes') return block.subarray(at, at + length)
  return fromText(field, wireName, block.toString('utf8', at, at + length))
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

function fromText(field: Field, wireName: string, value: string): FieldValue {
  switch (field.kind) {
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

/** A value that is of its field's type already is taken as it is; every other one by its text. */
function fromValue(field: Field, wireName: string, value: unknown): FieldValue | undefined {
  const { kind } = field
  if (typeof value === 'string') {
    if (kind === 'text' || kind === 'name') return value
  } else if (typeof value === 'number') {
    if (kind === 'int32' && (value | 0) === value) return value
    if (kind === 'int64' && Number.isSafeInteger(value)) return value
  } else if (typeof value === 'boolean') {
    if (kind === 'bool') return value
  } else if (kind === 'bytes' && Buffer.isBuffer(value)) return value
  const text = textOf(value)
  return text === undefined ? undefined : fromText(field, wireName, text)
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
