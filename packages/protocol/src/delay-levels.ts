/**
 * Levels of delay: their durations, and what the queue of a delayed message keeps in the place of its
 * tag's hash, the time at which it is due.
 *
 * Source: Apache classes ScheduleMessageService (parseDelayLevel, computeDeliverTimestamp), CommitLog
 * (checkMessageAndReturnSize) and MessageStoreConfig; `store-format.md` section 7.
 */
import { findProperty, tagsCodeOf } from './properties.ts'

/** Where delayed messages wait, those of each level in a queue of their own: level 1 in queue 0. */
export const DELAY_TOPIC = 'SCHEDULE_TOPIC_XXXX'

/** Where messages wait that have a time of their own, in one queue. */
export const TIMER_TOPIC = 'rmq_sys_wheel_timer'

/** How Apache's setting messageDelayLevel says it, and its default. */
export const DEFAULT_DELAY_LEVELS = '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h'

/** How long a message of a level waits that nobody knows. */
const UNKNOWN_LEVEL_DELAY_MS = 1_000

/** No level is longer: ten years. */
const MAX_DELAY_MS = 10 * 366 * 86_400_000

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** How long the messages of each level wait, in milliseconds, from level 1 on. */
export type DelayLevels = readonly number[]

/** The levels of a text such as `1s 5s 1m`; undefined when it is no such text. */
export function delayLevelsOf(text: string): DelayLevels | undefined {
  const words = text.trim().split(/\s+/)
  const delays = words.map((word) => {
    const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(word) ?? []
    return Number(count) * (unitMs[unit ?? ''] ?? Number.NaN)
  })
  return delays.every((delayMs) => delayMs <= MAX_DELAY_MS) ? delays : undefined
}

const defaultDelays: DelayLevels = delayLevelsOf(DEFAULT_DELAY_LEVELS) ?? []

/** How long a message of a level waits, in milliseconds; a level above the last is the last. */
export function delayOf(level: number, delays: DelayLevels = defaultDelays): number {
  return delays[Math.min(level, delays.length) - 1] ?? UNKNOWN_LEVEL_DELAY_MS
}

/** The last part of the queue unit of a record. */
export function unitTagsCodeOf(
  record: {
    readonly topic: string
    readonly properties: Buffer
    readonly storeTimestamp: number
  },
  delays?: DelayLevels,
): number {
  const { properties, storeTimestamp, topic } = record
  const level = topic === DELAY_TOPIC ? Number(findProperty(properties, 'DELAY') ?? 0) : 0
  return level > 0 ? storeTimestamp + delayOf(level, delays) : tagsCodeOf(properties)
}

/**
 * Whether the last part of a unit can be that of a record, for who does not know the levels: a
 * delayed message waits some whole number of seconds.
 */
export function fitsUnit(tagsCode: number, record: Parameters<typeof unitTagsCodeOf>[0]): boolean {
  if (tagsCode === unitTagsCodeOf(record)) return true
  const delayMs = tagsCode - record.storeTimestamp
  const isDelayed =
    record.topic === DELAY_TOPIC && findProperty(record.properties, 'DELAY') !== undefined
  return isDelayed && delayMs > 0 && delayMs <= MAX_DELAY_MS && delayMs % 1_000 === 0
}
