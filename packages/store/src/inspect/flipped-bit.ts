/**
 * Finds the bit that changed in bytes of which the CRC-32 is known: the checksums of two texts that
 * differ in one bit differ in a way that tells which one. Owns a table that is computed once.
 */
import { crc32 } from 'node:zlib'

const BITS = [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => 1 << bit)

/** What a byte does to the sum: the sum of the byte, without what zlib adds at begin and end. */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  return crc32(Buffer.of(byte)) ^ crc32(Buffer.of(0))
})

/** A bit: `mask` of the byte at `at`. */
export interface Bit {
  readonly at: number
  readonly mask: number
}

/**
 * The one bit that is to be turned to give `bytes` this checksum; undefined when none does. Of bytes
 * of which more has changed, 4 KiB are taken for such by chance in 1 of 130,000 cases.
 */
export function flippedBit(bytes: Buffer, expected: number): Bit | undefined {
  const difference = (crc32(bytes) ^ expected) | 0
  const changes = BITS.map((mask) => TABLE[mask] ?? 0)
  for (let at = bytes.length - 1; at >= 0; at--) {
    const bit = changes.indexOf(difference)
    if (bit !== -1) return { at, mask: 1 << bit }
    for (const [i, change] of changes.entries()) {
      changes[i] = (change >>> 8) ^ (TABLE[change & 0xff] ?? 0)
    }
  }
  return undefined
}
