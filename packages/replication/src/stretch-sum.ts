/**
 * The sum of a stretch of a log, by which two logs are compared without being sent. Owns nothing;
 * others get their turns meanwhile.
 */
import { crc32 } from 'node:zlib'
import type { Clock } from '@rockhopper/host'
import type { Stretch } from './equal-prefix.ts'
import { STRETCH_BYTES } from './limits.ts'

/** A log of which bytes can be read. */
export interface ReadableLog {
  readonly segmentBytes: number
  /** Offset of the first byte that it still has. */
  readonly minOffset: number
  /**
   * Bytes from `from` on, one at the least and those before `to` at the most; both are written, and in
   * one segment.
   */
  read(from: number, to: number): Buffer | Promise<Buffer>
}

/** All of it must be there. Rejects when it cannot be read. */
export async function sumOf(
  log: ReadableLog,
  { from, to }: Stretch,
  clock: Clock,
): Promise<number> {
  const { segmentBytes } = log
  let sum = 0
  for (let at = from; at < to; ) {
    const segmentEnd = at - (at % segmentBytes) + segmentBytes
    const bytes = await log.read(at, Math.min(to, segmentEnd, at + STRETCH_BYTES))
    sum = crc32(bytes, sum)
    at += bytes.length
    await new Promise<void>((next) => clock.soon(next))
  }
  return sum
}
