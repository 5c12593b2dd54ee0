/**
 * Names of the key index's files: when they were made, in the local zone, down to milliseconds.
 * Owns nothing. Source: Apache class UtilAll.timeMillisToHumanString; `store-format.md` section 11.
 */
import type { Clock } from '@rockhopper/host'

const NAME_DIGITS = 17
const NAME = /^\d{17}$/

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Whether a file of that name can be one of the key index. */
export function isIndexName(name: string): boolean {
  return NAME.test(name)
}

/** A name for a file made now; it comes behind the other, whatever the clock says. */
export function nameBehind(clock: Clock, other: string): string {
  const nowMs = clock.nowMs()
  const name = nameOf(nowMs + clock.utcOffsetMs(nowMs))
  if (name > other) return name
  return String(BigInt(other) + 1n).padStart(NAME_DIGITS, '0')
}

/** `yyyyMMddHHmmssSSS` of a time in ms since 1970. */
function nameOf(atMs: number): string {
  const days = Math.floor(atMs / DAY_MS)
  const ms = atMs - days * DAY_MS
  return [
    dateOf(days),
    digits(Math.floor(ms / HOUR_MS), 2),
    digits(Math.floor(ms / MINUTE_MS) % 60, 2),
    digits(Math.floor(ms / SECOND_MS) % 60, 2),
    digits(ms % SECOND_MS, 3),
  ].join('')
}

/** `yyyyMMdd` of a day since 1970, by years that begin in March: so the leap day comes last. */
function dateOf(daysSince1970: number): string {
  const days = daysSince1970 + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  const year = era * 400 + yearOfEra + (month < 10 ? 0 : 1)
  return digits(year, 4) + digits(month < 10 ? month + 3 : month - 9, 2) + digits(day, 2)
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}
