/**
 * What the queue of a delayed message keeps in the place of its tag's hash: the time at which it is
 * due. Owns the levels of delay that Apache has unless told otherwise (messageDelayLevel).
 *
 * Source: Apache classes CommitLog (checkMessageAndReturnSize) and MessageStoreConfig;
 * `store-format.md` section 7.
 */
import { findProperty, tagsCodeOf } from './properties.ts'

/** Where delayed messages wait, those of each level in a queue of their own. */
const DELAY_TOPIC = 'SCHEDULE_TOPIC_XXXX'

/** By level, from 1 on. */
const DELAY_SECONDS: readonly number[] = [
  ...[1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200],
]

/** The last part of the queue unit of a record. */
export function unitTagsCodeOf(record: {
  readonly topic: string
  readonly properties: Buffer
  readonly storeTimestamp: number
}): number {
  const { properties, storeTimestamp, topic } = record
  const level = topic === DELAY_TOPIC ? Number(findProperty(properties, 'DELAY') ?? 0) : 0
  const seconds = DELAY_SECONDS[Math.min(level, DELAY_SECONDS.length) - 1]
  return seconds === undefined ? tagsCodeOf(properties) : storeTimestamp + seconds * 1_000
}
