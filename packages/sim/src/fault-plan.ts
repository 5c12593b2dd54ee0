/**
 * What will go wrong in a simulation, and when: drawn from its seed before it begins. Pure. Faults
 * of one lane follow each other; those of different lanes overlap as chance will have it.
 */
import type { DelayRange } from './delay.ts'
import type { SimRandom } from './random.ts'

export type FaultKind =
  | 'broker-kill'
  | 'broker-kill-in-call'
  | 'broker-power-loss'
  | 'broker-stop'
  | 'clock-jump'
  | 'disk-error'
  | 'disk-slow'
  | 'disk-short'
  | 'disk-full'
  | 'name-server-kill'
  | 'name-server-power-loss'
  | 'network-cut'
  | 'network-slow'
  | 'producer-kill'
  | 'consumer-kill'
  | 'consumer-power-loss'
  | 'consumer-leave'

/** Something that goes wrong at a time and is mended at another. */
export interface Fault {
  readonly kind: FaultKind
  /** Milliseconds since the load began. */
  readonly fromMs: number
  readonly untilMs: number
  /** Chooses whom it hits and how, where there is a choice. */
  readonly chance: number
}

/** Faults that follow each other. */
interface Lane {
  readonly kinds: readonly FaultKind[]
  readonly lengthMs: DelayRange
  readonly gapMs: DelayRange
}

/** Only a broker that waits for its device promises to survive the loss of power. */
const KILLS: readonly FaultKind[] = [
  'broker-kill',
  'broker-kill-in-call',
  'broker-stop',
  'disk-error',
]
const POWER: readonly FaultKind[] = ['broker-power-loss', 'broker-power-loss']

const LANES: readonly Lane[] = [
  { kinds: KILLS, lengthMs: [100, 8_000], gapMs: [500, 10_000] },
  { kinds: ['disk-slow', 'disk-short', 'disk-full'], lengthMs: [500, 6_000], gapMs: [500, 6_000] },
  {
    kinds: ['name-server-kill', 'name-server-power-loss'],
    lengthMs: [500, 10_000],
    gapMs: [1_000, 10_000],
  },
  { kinds: ['network-cut', 'network-slow'], lengthMs: [200, 10_000], gapMs: [500, 8_000] },
  { kinds: ['clock-jump'], lengthMs: [100, 8_000], gapMs: [1_000, 10_000] },
  { kinds: ['producer-kill'], lengthMs: [100, 3_000], gapMs: [2_000, 10_000] },
  {
    kinds: ['consumer-kill', 'consumer-power-loss', 'consumer-leave'],
    lengthMs: [100, 8_000],
    gapMs: [1_000, 10_000],
  },
]

/** How often a lane has faults at all: most seeds then mix some kinds and leave others out. */
const LANE_CHANCE = 0.6

/** The faults of a simulation, in the order in which they begin; all are over by `horizonMs`. */
export function planFaults(random: SimRandom, horizonMs: number, withPowerLoss: boolean): Fault[] {
  const faults: Fault[] = []
  for (const [index, lane] of LANES.entries()) {
    const kinds = index === 0 && withPowerLoss ? [...lane.kinds, ...POWER] : lane.kinds
    if (random.chance(LANE_CHANCE)) faults.push(...planLane(random, { ...lane, kinds }, horizonMs))
  }
  return inOrder(faults)
}

/** The comings and goings of consumers alone: nothing that disturbs a cluster. */
export function planVisits(random: SimRandom, horizonMs: number): Fault[] {
  const visits: Lane = { kinds: ['consumer-leave'], lengthMs: [100, 9_000], gapMs: [1_000, 10_000] }
  return planLane(random, visits, horizonMs)
}

function planLane(random: SimRandom, lane: Lane, horizonMs: number): Fault[] {
  const faults: Fault[] = []
  let timeMs = random.between(...lane.gapMs)
  for (;;) {
    const untilMs = timeMs + random.between(...lane.lengthMs)
    if (untilMs >= horizonMs) return faults
    const kind = lane.kinds[random.below(lane.kinds.length)]
    const chance = random.below(2 ** 30)
    if (kind !== undefined) faults.push({ kind, fromMs: timeMs, untilMs, chance })
    timeMs = untilMs + random.between(...lane.gapMs)
  }
}

function inOrder(faults: readonly Fault[]): Fault[] {
  return [...faults].sort((one, other) => one.fromMs - other.fromMs)
}
