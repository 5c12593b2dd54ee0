/**
 * What is removed now, and whether messages are still accepted: decisions from the hour, the age of
 * the oldest file and the use of the volumes. Pure; `retention.ts` performs them.
 *
 *   used, in percent      0 .. cleanAbove .. forceAbove .. refuseAbove .. 100
 *   what has expired is removed   in its hour | at any hour ..
 *   what has not expired, too                      | if `mayForce` ..
 *   messages are refused                      lifted | stays  | begins ..
 *
 * Source: Apache class DefaultMessageStore.CleanCommitLogService; `store-runtime.md` section 7.
 */

const HOUR_MS = 3_600_000
const HOURS_PER_DAY = 24

/** The keys in brackets are Apache's. */
export interface RetentionRules {
  /** How long a file is kept after it was last written, while there is room (fileReservedTime). */
  readonly reservedMs: number
  /** Local hours, 0 to 23, in which expired files are removed (deleteWhen). */
  readonly deleteHours: readonly number[]
  /** Used percent above which expired files are removed at any hour (diskMaxUsedSpaceRatio). */
  readonly cleanAbovePercent: number
  /** Above which files are removed before they expire (diskSpaceCleanForciblyRatio). */
  readonly forceAbovePercent: number
  /** Above which messages are refused (diskSpaceWarningLevelRatio). */
  readonly refuseAbovePercent: number
  /** Whether files may be removed before they expire (cleanFileForciblyEnable). */
  readonly mayForce: boolean
}

/** What is known when it is decided. */
export interface Situation {
  readonly nowMs: number
  /** 0 to 23. */
  readonly localHour: number
  /** Used part of the fullest volume, in whole percent, rounded up. */
  readonly usedPercent: number
  /** Whether an operator has asked for the removal of what has expired. */
  readonly isAsked: boolean
}

/** Why the oldest file goes. */
export type RemovalReason = 'its time' | 'asked' | 'little room' | 'no room'

/** Why a file that was last written at a time is to be removed now; undefined when it stays. */
export function removalReason(
  rules: RetentionRules,
  situation: Situation,
  modifiedMs: number,
): RemovalReason | undefined {
  const { isAsked, localHour, nowMs, usedPercent } = situation
  if (rules.mayForce && usedPercent > forceAbove(rules)) return 'no room'
  if (nowMs < modifiedMs + rules.reservedMs) return undefined
  const cleanAbove = Math.min(rules.cleanAbovePercent, forceAbove(rules))
  if (usedPercent > cleanAbove) return 'little room'
  if (isAsked) return 'asked'
  return rules.deleteHours.includes(localHour) ? 'its time' : undefined
}

/** Whether messages are refused at this use of the volume, when until now they were or were not. */
export function refusesAt(rules: RetentionRules, usedPercent: number, refused: boolean): boolean {
  if (usedPercent > rules.refuseAbovePercent) return true
  return refused && usedPercent > forceAbove(rules)
}

/** Used percent at which messages that were refused are accepted again. */
export function acceptsAgainAt(rules: RetentionRules): number {
  return forceAbove(rules)
}

/** As in Apache's broker, what refuses messages always makes room, too. */
function forceAbove({ forceAbovePercent, refuseAbovePercent }: RetentionRules): number {
  return Math.min(forceAbovePercent, refuseAbovePercent)
}

/** The hour of the day, 0 to 23, at a wall time where local time is ahead of UTC by an offset. */
export function hourOf(atMs: number, utcOffsetMs: number): number {
  const hours = Math.floor((atMs + utcOffsetMs) / HOUR_MS) % HOURS_PER_DAY
  return hours < 0 ? hours + HOURS_PER_DAY : hours
}
