/**
 * Draws from a seed how each life of a broker is to end: half of them at a random moment, half at a
 * named point. Owns nothing but the generator.
 */
import { brokerConfigTable } from '@rockhopper/broker'
import { SimRandom } from '@rockhopper/sim'
import { type Doom, type Point, points } from './points.mjs'

/** Lives that end at a random moment are so long, in ms. */
const SHORTEST_LIFE_MS = 60
const LONGEST_LIFE_MS = 2_400
/** Acknowledgements in a life that ends with one. */
const MOST_ACKNOWLEDGEMENTS = 60_000
const MOMENTS = ['before', 'within', 'after'] as const

/** How a life ends. */
export type Fate =
  /** Killed by another process after a time. */
  | { readonly kind: 'moment'; readonly afterMs: number }
  /** Killed the moment that so many acknowledgements have come, or when that takes too long. */
  | { readonly kind: 'acknowledgement'; readonly count: number; readonly withinMs: number }
  /** Killed when it has had the time to save some offset of the group in each queue. */
  | { readonly kind: 'commits' }
  | { readonly kind: 'doom'; readonly doom: Doom }

/** What a fate is called in the table. */
export function causeOf(fate: Fate): string {
  return fate.kind === 'doom' ? fate.doom.point : `random: ${fate.kind}`
}

/** The points that brokers of this state of the house come by, and those they cannot. */
export function reachablePoints(): { readonly met: readonly Point[]; readonly skipped: string[] } {
  const canBeMet = ({ neededKey }: Point): boolean =>
    neededKey === undefined || Object.hasOwn(brokerConfigTable, neededKey)
  return {
    met: points.filter(canBeMet),
    skipped: points.filter((point) => !canBeMet(point)).map(({ name }) => name),
  }
}

export interface FateOptions {
  readonly seed: number
  readonly kills: number
  /** Scales the lives that end at random: 1, when absent, is as above. */
  readonly length?: number
}

/** Fates at these points, once each. */
export function fatesAt(wanted: readonly Point[], seed: number): Fate[] {
  const random = new SimRandom(seed)
  return wanted.map((point) => ({ kind: 'doom', doom: drawDoom(random, point) }))
}

/** The fates of so many lives. The seed also says with which of the points they begin. */
export function drawFates(options: FateOptions): Fate[] {
  const { kills, length = 1, seed } = options
  const { met } = reachablePoints()
  const random = new SimRandom(seed)
  return Array.from({ length: kills }, (_, i) => {
    const point = met[(seed + Math.floor(i / 2)) % met.length]
    if (i % 2 === 1 && point !== undefined) return { kind: 'doom', doom: drawDoom(random, point) }
    if (random.chance(0.5)) {
      const afterMs = random.between(SHORTEST_LIFE_MS, LONGEST_LIFE_MS * length)
      return { kind: 'moment', afterMs: Math.round(afterMs) }
    }
    const count = 1 + random.below(Math.ceil(MOST_ACKNOWLEDGEMENTS * length))
    return { kind: 'acknowledgement', count, withinMs: Math.round(LONGEST_LIFE_MS * length) }
  })
}

function drawDoom(random: SimRandom, { name, spread }: Point): Doom {
  const moment = MOMENTS[random.below(MOMENTS.length)] ?? 'before'
  return { point: name, nth: 1 + random.below(spread), moment }
}
