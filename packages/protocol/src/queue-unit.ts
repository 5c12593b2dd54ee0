/**
 * One entry of a consume queue: 20 bytes that point into the commit log.
 * Source: Apache class ConsumeQueue; `store-format.md` section 8.
 *
 *   0 logOffset i64 · 8 sizeBytes i32 · 12 tagsCode i64
 */
import { readInt64, writeInt32, writeInt64 } from './int64.ts'

export const UNIT_BYTES = 20

/** The size that stands in a unit which fills the place in front of a queue's first message. */
const PRE_BLANK_SIZE = 0x7fff_ffff

export interface QueueUnit {
  readonly logOffset: number
  readonly sizeBytes: number
  readonly tagsCode: number
}

export function writeUnit(target: Buffer, at: number, unit: QueueUnit): void {
  writeInt64(target, unit.logOffset, at)
  writeInt32(target, unit.sizeBytes, at + 8)
  writeInt64(target, unit.tagsCode, at + 12)
}

export function readUnit(source: Buffer, at: number): QueueUnit {
  return {
    logOffset: readInt64(source, at),
    sizeBytes: source.readInt32BE(at + 8),
    tagsCode: readInt64(source, at + 12),
  }
}

/** Whether something was ever written there: files are zeros beyond their end. */
export function isLive(unit: QueueUnit): boolean {
  return unit.logOffset >= 0 && unit.sizeBytes > 0
}

/** Whether the unit only fills the place in front of a queue that does not start at 0. */
export function isPreBlank(unit: QueueUnit): boolean {
  return unit.logOffset === 0 && unit.sizeBytes === PRE_BLANK_SIZE
}

export const PRE_BLANK_UNIT: QueueUnit = { logOffset: 0, sizeBytes: PRE_BLANK_SIZE, tagsCode: 0 }
