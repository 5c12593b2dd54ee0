/**
 * Whole numbers in bytes, big end first, as JavaScript numbers: offsets and times stay below 2^53.
 * Byte by byte is four times as fast as the methods of `Buffer`, which check each argument.
 */
const TWO_32 = 0x1_0000_0000

export function writeInt32(target: Uint8Array, value: number, at: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

export function writeInt64(target: Uint8Array, value: number, at: number): void {
  writeInt32(target, Math.floor(value / TWO_32) | 0, at)
  writeInt32(target, value | 0, at + 4)
}

/** Exact up to ±2^53; larger numbers lose their lowest bits. */
export function readInt64(source: Buffer, at: number): number {
  return source.readInt32BE(at) * TWO_32 + source.readUInt32BE(at + 4)
}
