/**
 * The checksum of a whole record, which Apache 5 can put at its end as a last property.
 *
 *   … other properties | "__CRC32#" 0x01 | 10 digits, the least significant first | 0x02
 *
 * It covers the record up to itself. Readers that do not know it see one more property.
 * Source: Apache classes MessageConst, MessageDecoder, CommitLog; `store-format.md` section 5.3.
 */
import { crc32 } from 'node:zlib'

const NAME_PART = Buffer.from('__CRC32#\x01')
const DIGITS = 10
const CRC_MASK = 0x7fff_ffff
const PAIR_END = 0x02
const ZERO_DIGIT = 0x30

/** Bytes at the end of a record that this property takes. */
export const CRC_PROPERTY_BYTES = NAME_PART.length + DIGITS + 1

const CRC_PLACE = Buffer.concat([NAME_PART, Buffer.alloc(DIGITS, '0'), Buffer.of(PAIR_END)])

/** Pieces of properties with the place of the checksum behind them, instead of one they came with. */
export function withCrcPlace(pieces: readonly Uint8Array[]): Uint8Array[] {
  const kept = pieces.map(withoutCrc).filter(({ length }) => length > 0)
  const last = kept.at(-1)
  if (last !== undefined && last[last.length - 1] !== PAIR_END) kept.push(Buffer.of(PAIR_END))
  return [...kept, CRC_PLACE]
}

/** Fills in the checksum of the record of `sizeBytes` at `at`, which ends with the place for it. */
export function writeCrcProperty(target: Buffer, at: number, sizeBytes: number): void {
  const end = at + sizeBytes - CRC_PROPERTY_BYTES
  let rest = crc32(target.subarray(at, end)) & CRC_MASK
  for (let digit = end + NAME_PART.length; digit < at + sizeBytes - 1; digit++) {
    target[digit] = ZERO_DIGIT + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

/** Whether the record of `sizeBytes` at `at` has its checksum, and it is right. */
export function hasSoundCrcProperty(source: Buffer, at: number, sizeBytes: number): boolean {
  if (sizeBytes < CRC_PROPERTY_BYTES) return false
  const expected = Buffer.from(source.subarray(at, at + sizeBytes))
  CRC_PLACE.copy(expected, sizeBytes - CRC_PROPERTY_BYTES)
  writeCrcProperty(expected, 0, sizeBytes)
  return expected.equals(source.subarray(at, at + sizeBytes))
}

/** The same pairs but for those with that name. */
function withoutCrc(piece: Uint8Array): Uint8Array {
  const pairs = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
  if (!pairs.includes(NAME_PART)) return piece
  const kept: Buffer[] = []
  for (let at = 0; at < pairs.length; ) {
    const end = pairs.indexOf(PAIR_END, at) + 1 || pairs.length
    const pair = pairs.subarray(at, end)
    if (!pair.subarray(0, NAME_PART.length).equals(NAME_PART)) kept.push(pair)
    at = end
  }
  return Buffer.concat(kept)
}
