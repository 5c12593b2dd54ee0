/**
 * Finds out, at the start, which delayed messages were delivered that the file of offsets does not
 * tell of, because the process was killed before it was written again: their copies are in the log.
 * Owns nothing.
 *
 *   delayOffset.json is written        killed
 *      | copies that it tells of | copies that it does not tell of |
 *      logOffset                                    end of the log ^
 */
import type { Logger } from '@rockhopper/host'
import { DELAY_TOPIC } from '@rockhopper/protocol'
import { CorruptionError, type Store } from '@rockhopper/store'
import { MAX_DUE_MESSAGES } from '../limits.ts'
import { copyOriginOf } from '../rules/delayed-copy.ts'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'

export interface DeliveredParts {
  readonly logger: Logger
  readonly store: Store
  readonly offsets: DelayOffsetTable
}

/**
 * Brings the table up to what is delivered: then it has, for each level, an offset that its queue has.
 * When the signal aborts, that was not done. Rejects with `DiskError`.
 */
export async function catchUp(
  levels: readonly number[],
  parts: DeliveredParts,
  signal: AbortSignal,
): Promise<void> {
  for (const level of levels) correctOffset(level, parts)
  const from = await scanStart(levels, parts)
  if (from === undefined) return
  const ends = await deliveredEnds(from, parts, signal)
  if (signal.aborted) return
  for (const [level, endOffset] of ends) await passDelivered(level, endOffset, parts)
}

/** An offset that its queue does not have is that of the next message which it has. */
export function correctOffset(level: number, { logger, offsets, store }: DeliveredParts): void {
  const { maxOffset, minOffset } = store.queueBounds(DELAY_TOPIC, level - 1)
  const offset = offsets.get(level)
  const corrected = Math.max(minOffset, Math.min(offset, maxOffset))
  if (corrected === offset) return
  const sentence =
    'How far a level of delay is does not fit its queue: messages may be gone with old files of the ' +
    'log before they were due, if fileReservedTime is shorter than the level.'
  logger.warn(sentence, { level, offset, minOffset, maxOffset })
  offsets.put(level, corrected)
}

/** The log offset behind which copies may be that nobody noted; undefined when there are none. */
async function scanStart(
  levels: readonly number[],
  { offsets, store }: DeliveredParts,
): Promise<number | undefined> {
  const { hasFile, logOffset } = offsets.saved
  // Apache's broker wrote the file, and its copies do not say what they are of.
  if (hasFile && logOffset === undefined) return undefined
  let first: number | undefined
  for (const level of levels) {
    const [unit] = await store.units(DELAY_TOPIC, level - 1, offsets.get(level), 1)
    if (unit !== undefined) first = Math.min(first ?? unit.logOffset, unit.logOffset)
  }
  return first === undefined ? undefined : Math.max(first, logOffset ?? 0)
}

/** For each level, the end of the last message of it that has a copy. */
async function deliveredEnds(
  from: number,
  { logger, store }: DeliveredParts,
  signal: AbortSignal,
): Promise<Map<number, number>> {
  const ends = new Map<number, number>()
  try {
    for await (const record of store.records(from)) {
      if (signal.aborted) break
      const origin = copyOriginOf(record)
      if (origin !== undefined) ends.set(origin.level, origin.endOffset)
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    const sentence =
      'The commit log is damaged behind the last note of what was delivered: some delayed messages ' +
      'may be delivered twice.'
    logger.error(sentence, { error })
  }
  return ends
}

/** Messages of a level are delivered in their order: all before the last copy are done. */
async function passDelivered(
  level: number,
  endOffset: number,
  { offsets, store }: DeliveredParts,
): Promise<void> {
  for (;;) {
    const from = offsets.get(level)
    const units = await store.units(DELAY_TOPIC, level - 1, from, MAX_DUE_MESSAGES)
    const pending = units.findIndex(({ logOffset }) => logOffset >= endOffset)
    const count = pending === -1 ? units.length : pending
    if (count === 0) return
    offsets.put(level, from + count)
  }
}
