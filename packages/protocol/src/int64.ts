/**
 * 64-bit whole numbers in bytes, as JavaScript numbers: offsets and times stay below 2^53.
 */
const TWO_32 = 0x1_0000_0000

export function writeInt64(target: Buffer, value: number, at: number): void {
  target.writeInt32BE(Math.floor(value / TWO_32) | 0, at)
  target.writeInt32BE(value | 0, at + 4)
}

/** Exact up to ±2^53; larger numbers lose their lowest bits. */
export function readInt64(source: Buffer, at: number): number {
  return source.readInt32BE(at) * TWO_32 + source.readUInt32BE(at + 4)
}
