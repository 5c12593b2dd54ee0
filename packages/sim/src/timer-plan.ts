/**
 * What happens in a life of delayed messages, and when: drawn from its seed before it begins. Pure.
 * The life lasts days; messages come in bursts, and half of what goes wrong does so about the time
 * when some of them come, or are due.
 */
import { DEFAULT_DELAY_LEVELS, delayLevelsOf } from '@rockhopper/protocol'
import type { DelayRange } from './delay.ts'
import type { SimRandom } from './random.ts'

/** How a message asks to come later. */
export type DelayWish =
  | { readonly kind: 'level'; readonly level: number; readonly delayMs: number }
  /** So long after the broker has it; told in ms or in whole seconds. */
  | { readonly kind: 'delay'; readonly delayMs: number; readonly unit: 'ms' | 's' }
  /** At that time by the wall clock, so far ahead when it is sent. */
  | { readonly kind: 'at'; readonly aheadMs: number }

export interface PlannedSend {
  /** Milliseconds since the life began. */
  readonly atMs: number
  readonly wish: DelayWish
  /** When it is called off; undefined when it is not. */
  readonly recallAtMs: number | undefined
}

/** The broker is away for a while. */
export interface PlannedOutage {
  readonly kind: 'kill' | 'power-loss' | 'stop'
  readonly fromMs: number
  readonly untilMs: number
}

/** All wall clocks are set, and stay so. */
export interface PlannedJump {
  readonly atMs: number
  readonly byMs: number
}

export interface TimerPlan {
  readonly lengthMs: number
  readonly sends: readonly PlannedSend[]
  readonly outages: readonly PlannedOutage[]
  readonly jumps: readonly PlannedJump[]
}

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const LENGTH_MS: DelayRange = [6 * HOUR_MS, 60 * HOUR_MS]
const BURSTS = { least: 4, most: 16 }
const BURST_MESSAGES = 24
const BURST_LENGTH_MS: DelayRange = [50, 5_000]
const RECALL_CHANCE = 0.15
const OUTAGES = 24
/** At the most as a share of the whole length. */
const DOWN_SHARE = 0.05
const LEAST_DOWN_MS = 50
const JUMPS = 12
const JUMP_MS: DelayRange = [200, 8 * HOUR_MS]
/** A share of lives whose clocks are never set. */
const SANE_CHANCE = 0.3
/** What hits a message hits it so closely. */
const NEAR_MS = 1_500

const DELAYS: readonly number[] = delayLevelsOf(DEFAULT_DELAY_LEVELS) ?? []

/** The length is drawn, too, when none is given. */
export function planTimers(random: SimRandom, wantedMs?: number): TimerPlan {
  const lengthMs = wantedMs ?? logarithmic(random, LENGTH_MS)
  const sends = planSends(random, lengthMs)
  const moments = sends.flatMap(({ atMs, wish }) => [atMs, atMs + lengthOf(wish)])
  const outages = planOutages(random, lengthMs, moments)
  const jumps = random.chance(SANE_CHANCE) ? [] : planJumps(random, lengthMs, moments)
  return { lengthMs, sends, outages, jumps }
}

/** How long a message waits when no clock is set meanwhile. */
export function lengthOf(wish: DelayWish): number {
  return wish.kind === 'at' ? wish.aheadMs : wish.delayMs
}

function planSends(random: SimRandom, lengthMs: number): PlannedSend[] {
  const count = BURSTS.least + random.below(BURSTS.most - BURSTS.least)
  const bursts = Array.from({ length: count }, () => {
    const fromMs = random.between(0, 0.8 * lengthMs)
    const burstMs = logarithmic(random, BURST_LENGTH_MS)
    return Array.from({ length: 1 + random.below(BURST_MESSAGES) }, () => {
      return planSend(random, fromMs + random.between(0, burstMs), lengthMs)
    })
  })
  return bursts.flat().sort((one, other) => one.atMs - other.atMs)
}

function planSend(random: SimRandom, atMs: number, lengthMs: number): PlannedSend {
  const wish = drawWish(random, 0.9 * (lengthMs - atMs))
  const isRecalled = wish.kind !== 'level' && random.chance(RECALL_CHANCE)
  // Some are called off too late.
  const share = isRecalled ? random.between(0, 1.1) : undefined
  const recallAtMs = share === undefined ? undefined : atMs + 500 + share * lengthOf(wish)
  return { atMs, wish, recallAtMs }
}

function drawWish(random: SimRandom, mostMs: number): DelayWish {
  const turn = random.below(3)
  if (turn === 0) {
    const known = DELAYS.filter((delayMs) => delayMs < mostMs)
    const level = 1 + random.below(known.length)
    return { kind: 'level', level, delayMs: DELAYS[level - 1] ?? 0 }
  }
  const delayMs = Math.round(logarithmic(random, [100, mostMs]))
  if (turn === 1) return { kind: 'at', aheadMs: delayMs }
  const isCoarse = random.chance(0.3) && delayMs > SECOND_MS
  if (!isCoarse) return { kind: 'delay', unit: 'ms', delayMs }
  return { kind: 'delay', unit: 's', delayMs: Math.floor(delayMs / SECOND_MS) * SECOND_MS }
}

function planOutages(
  random: SimRandom,
  lengthMs: number,
  moments: readonly number[],
): PlannedOutage[] {
  const kinds = ['kill', 'kill', 'power-loss', 'stop'] as const
  const times = drawTimes(random, random.below(OUTAGES), lengthMs, moments)
  let freeFromMs = 0
  return times.flatMap((fromMs) => {
    const kind = kinds[random.below(kinds.length)] ?? 'kill'
    const untilMs = fromMs + logarithmic(random, [LEAST_DOWN_MS, DOWN_SHARE * lengthMs])
    if (fromMs < freeFromMs) return []
    freeFromMs = untilMs + SECOND_MS
    return [{ kind, fromMs, untilMs }]
  })
}

function planJumps(random: SimRandom, lengthMs: number, moments: readonly number[]): PlannedJump[] {
  let aheadMs = 0
  return drawTimes(random, 1 + random.below(JUMPS), lengthMs, moments).map((atMs) => {
    const isForth = random.chance(aheadMs > 0 ? 0.3 : 0.7)
    const byMs = Math.round(logarithmic(random, JUMP_MS)) * (isForth ? 1 : -1)
    aheadMs += byMs
    return { atMs, byMs }
  })
}

function drawTimes(
  random: SimRandom,
  count: number,
  lengthMs: number,
  moments: readonly number[],
): number[] {
  const times = Array.from({ length: count }, () => {
    const moment = moments[random.below(moments.length)] ?? 0
    if (random.chance(0.5)) return random.between(0, lengthMs)
    return Math.max(0, moment + random.between(-NEAR_MS, NEAR_MS))
  })
  return times.filter((atMs) => atMs < lengthMs).sort((one, other) => one - other)
}

/** Short and long ones are equally likely. */
function logarithmic(random: SimRandom, [least, most]: DelayRange): number {
  return least * (Math.max(most, least) / least) ** random.between(0, 1)
}
