/**
 * Reads the units of a queue for who wants to know of messages without their records: when they are
 * due. Owns nothing.
 */
import { type QueueUnit, readUnit, UNIT_BYTES } from '@rockhopper/protocol'
import type { ConsumeQueue } from './consume-queue.ts'
import type { UnitRepair } from './unit-repair.ts'

/**
 * The visible units from `from` on: at the most `count`, none where the queue has none. Rejects with
 * `DiskError`.
 */
export async function unitsFrom(
  queue: ConsumeQueue,
  from: number,
  count: number,
  repair: UnitRepair,
): Promise<QueueUnit[]> {
  const to = Math.min(from + count, queue.end.value)
  if (from < queue.minOffset || from >= to) return []
  if (from < queue.tailOffset) await repair.see(queue, from, to)
  const isHot = from >= queue.tailOffset
  const units = isHot ? queue.hotUnits(from, count) : await queue.coldUnits(from, count)
  return Array.from({ length: units.length / UNIT_BYTES }, (_, i) =>
    readUnit(units, i * UNIT_BYTES),
  )
}
