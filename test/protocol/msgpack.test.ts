/** What heads write in place is what msgpackr reads, and the other way round; and objects as lists. */
import { FrameError } from '@rockhopper/protocol'
import fc from 'fast-check'
import { Packr } from 'msgpackr/pack'
import { Unpackr } from 'msgpackr/unpack'
import { describe, expect, test } from 'vitest'
import { BufferWriter } from '../../packages/protocol/src/buffer-writer.ts'
import type { FieldValue } from '../../packages/protocol/src/field.ts'
import { shapeOf } from '../../packages/protocol/src/header-shape.ts'
import { MsgpackReader } from '../../packages/protocol/src/msgpack-reader.ts'
import {
  VALUE_ROOM,
  valueRoom,
  writeArrayHead,
  writeValue,
} from '../../packages/protocol/src/msgpack-writer.ts'

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

function written(...values: readonly (FieldValue | undefined)[]): Buffer {
  const writer = new BufferWriter()
  writer.reserve(values.reduce<number>((room, value) => room + valueRoom(value), VALUE_ROOM))
  writeArrayHead(values.length, writer)
  for (const value of values) writeValue(value, writer)
  return Buffer.concat(writer.take())
}

function readerOf(bytes: Buffer): MsgpackReader {
  return new MsgpackReader().open(bytes, 0, bytes.length)
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ minLength: 80, maxLength: 300 }),
)
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }))

describe('values written in place', () => {
  test('are what msgpackr reads', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
    const value = fc.oneof(text, number, fc.boolean(), bytes)
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), (values) => {
        expect(unpackr.unpack(written(...values))).toEqual(values)
      }),
      { seed: 1 },
    )
  })

  test('may be longer than lengths of one and of two bytes tell', () => {
    for (const length of [85, 86, 21_845, 21_846, 70_000]) {
      const values = ['ü'.repeat(length), Buffer.alloc(length, 7)]
      expect(unpackr.unpack(written(...values))).toEqual(values)
    }
  })

  test('that are absent are nil', () => {
    expect(unpackr.unpack(written(1, undefined, 'a'))).toEqual([1, null, 'a'])
  })
})

describe('a reader', () => {
  test('reads numbers in every form', () => {
    fc.assert(
      fc.property(number, (value) => {
        const reader = readerOf(packr.pack(value))
        // A zero has no sign in a whole number.
        expect(reader.number()).toBe(Object.is(value, -0) ? 0 : value)
        expect(reader.isAtEnd).toBe(true)
      }),
      { seed: 1 },
    )
    const whole = [0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3]
    for (const [i, form] of whole.entries()) {
      const bytes = Buffer.alloc(1 + 2 ** (i % 4))
      bytes[0] = form
      bytes[bytes.length - 1] = 7
      expect(readerOf(bytes).number()).toBe(7)
    }
  })

  test('passes over whatever msgpackr writes, and stands behind it', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 4, withDate: true }), (value) => {
        const bytes = Buffer.concat([packr.pack([value]), Buffer.of(0x2a)])
        const reader = readerOf(bytes)
        reader.skip()
        expect(reader.number()).toBe(42)
      }),
      { seed: 1 },
    )
  })

  test('says what it finds, and reads nothing when that is something else', () => {
    const reader = readerOf(packr.pack(['text', 5, true, null, Buffer.from('bytes'), { a: 1 }]))
    expect(reader.number()).toBeUndefined()
    expect(reader.arrayHead()).toBe(6)
    expect([reader.number(), reader.boolean(), reader.arrayHead()]).toEqual(
      Array(3).fill(undefined),
    )
    expect(reader.span()).toBe('text')
    expect(reader.bytes.toString('utf8', reader.from, reader.to)).toBe('text')
    expect(reader.span()).toBeUndefined()
    expect(reader.number()).toBe(5)
    expect(reader.boolean()).toBe(true)
    expect(reader.nil()).toBe(true)
    expect(reader.span()).toBe('bytes')
    expect(reader.any()).toEqual({ a: 1 })
    expect(reader.isAtEnd).toBe(true)
  })

  test.each([
    ['a text', Buffer.of(0xa5, 0x61)],
    ['bytes', Buffer.of(0xc4, 9, 1)],
    ['a length', Buffer.of(0xdb, 0, 0)],
    ['a number', Buffer.of(0xcf, 1, 2, 3)],
    ['an array', Buffer.of(0x92, 1)],
    ['an array of four thousand million', Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff, 1)],
    ['a map', Buffer.of(0x81, 1)],
    ['an extension', Buffer.of(0xd8, 1, 2)],
    ['nothing', Buffer.alloc(0)],
  ])('that comes to the end within %s says so', (_what, bytes) => {
    expect(() => readerOf(bytes).skip()).toThrow(FrameError)
  })
})

describe('a shape', () => {
  test.each([
    ['of plain names', ['topic', 'queueId', 'b1']],
    ['of names that no code may hold', ['a-b', '__proto__x', 'a b']],
    ['of no names', []],
  ])('%s makes lists of objects, and objects of lists', (_what, names) => {
    const shape = shapeOf(names)
    const values = names.map((_, i) => (i === 1 ? undefined : `value ${i}`))
    const made = shape.fromList(values)
    expect(Object.keys(made)).toEqual(names)
    const list: unknown[] = names.map(() => 'left from before')
    shape.toList(made, list)
    expect(list).toEqual(values)
  })
})
