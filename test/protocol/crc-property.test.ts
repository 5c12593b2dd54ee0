/** The checksum of a whole record, as its last property. */
import { crc32 } from 'node:zlib'
import {
  CRC_PROPERTY_BYTES,
  hasSoundCrcProperty,
  withCrcPlace,
  writeCrcProperty,
} from '@rockhopper/protocol'
import { expect, it } from 'vitest'

function text(pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString('latin1').replaceAll('\x01', '=').replaceAll('\x02', ';')
}

function withPlace(...pieces: string[]): string {
  return text(withCrcPlace(pieces.map((piece) => Buffer.from(piece))))
}

it('has its place behind the other properties, which are ended first', () => {
  expect(withPlace()).toBe('__CRC32#=0000000000;')
  expect(withPlace('A\x01b\x02')).toBe('A=b;__CRC32#=0000000000;')
  expect(withPlace('A\x01b\x02', 'C\x01d')).toBe('A=b;C=d;__CRC32#=0000000000;')
})

it('takes the place of one that the message came with, and of no other property', () => {
  expect(withPlace('__CRC32#\x01123\x02A\x01b\x02')).toBe('A=b;__CRC32#=0000000000;')
  expect(withPlace('A\x01b\x02__CRC32#\x01123')).toBe('A=b;__CRC32#=0000000000;')
  expect(withPlace('my__CRC32#\x01123\x02')).toBe('my__CRC32#=123;__CRC32#=0000000000;')
})

it('is written with the least significant digit first, without the top bit of the sum', () => {
  const bytes = Buffer.concat([Buffer.from('a record'), ...withCrcPlace([])])
  writeCrcProperty(bytes, 0, bytes.length)
  const sum = crc32(Buffer.from('a record')) & 0x7fff_ffff
  const digits = [...String(sum).padStart(10, '0')].reverse().join('')
  expect(text([bytes])).toBe(`a record__CRC32#=${digits};`)
  expect(CRC_PROPERTY_BYTES).toBe(20)
})

it('tells every change of a record', () => {
  const bytes = Buffer.concat([Buffer.from('..a record'), ...withCrcPlace([])])
  const sizeBytes = bytes.length - 2
  writeCrcProperty(bytes, 2, sizeBytes)
  expect(hasSoundCrcProperty(bytes, 2, sizeBytes)).toBe(true)
  for (let bit = 16; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >>> 3] = (changed[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
    expect(hasSoundCrcProperty(changed, 2, sizeBytes)).toBe(false)
  }
  expect(hasSoundCrcProperty(Buffer.from('short'), 0, 5)).toBe(false)
})
