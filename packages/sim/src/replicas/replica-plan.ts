/**
 * What will go wrong with masters and slaves, and when: drawn from the seed before anything begins.
 * Pure. Most plans take nothing that the mode does not promise to survive; the others are harder, and
 * then only what is promised in spite of it is judged.
 */
import type { DelayRange } from '../delay.ts'
import type { SimRandom } from '../random.ts'
import {
  isForgetful,
  type Loss,
  type LossKind,
  mayBeLost,
  type ReplicaMode,
} from './replica-mode.ts'

/** Every kind of fault. */
export const FAULT_KINDS = [
  // Brokers end, or stand still.
  ...(['kill', 'kill-in-call', 'stop', 'pause'] as const),
  // Machines forget what their devices do not have yet, or everything.
  ...(['power-loss', 'parted-power-loss', 'lone-power-loss', 'blackout'] as const),
  ...(['disk-loss', 'parted-disk-loss'] as const),
  ...(['disk-slow', 'disk-short', 'disk-full', 'disk-error'] as const),
  // Wires: cut in all ways; connections broken off; what is sent is late, lost, overtaken.
  ...(['cut', 'cut-one-way', 'flapping', 'isolated', 'split', 'reset'] as const),
  ...(['slow-wires', 'lossy-wires', 'uneven-wires'] as const),
  ...(['clock-jump', 'lone-clock-jump'] as const),
  ...(['name-server-kill', 'name-server-power-loss', 'name-server-pause'] as const),
  ...(['producer-kill', 'producer-pause', 'producer-cut'] as const),
  ...(['consumer-kill', 'consumer-leave', 'consumer-pause', 'consumer-cut'] as const),
  'consumer-power-loss',
] as const

export type ReplicaFaultKind = (typeof FAULT_KINDS)[number]

/** Something that goes wrong at a time and is mended at another. */
export interface ReplicaFault {
  readonly kind: ReplicaFaultKind
  /** Which machine it hits. */
  readonly host: string
  /** Milliseconds since the load began. */
  readonly fromMs: number
  readonly untilMs: number
  /** Chooses how it hits, where there is a choice. */
  readonly chance: number
}

export interface ReplicaPlan {
  readonly faults: readonly ReplicaFault[]
  /**
   * Whether the mode survives all of it. One thing goes wrong at a time then where a master may lose
   * what only its slaves have: it gets that back from them when it starts.
   */
  readonly isWithinPromise: boolean
}

/** The machines that faults hit. */
export interface ReplicaTargets {
  readonly nameServers: readonly string[]
  /** By broker name; the master is first. */
  readonly brokers: ReadonlyMap<string, readonly string[]>
  readonly producers: readonly string[]
  readonly consumers: readonly string[]
}

interface PlanOptions {
  readonly mode: ReplicaMode
  readonly loadMs: number
  readonly targets: ReplicaTargets
}

/** One thing that a lane may draw. */
interface Choice {
  readonly kind: ReplicaFaultKind
  readonly host: string
}

interface Lane {
  /** One of them is drawn first, then one of its choices. */
  readonly sorts: readonly (readonly Choice[])[]
  readonly lengthMs: DelayRange
  readonly gapMs: DelayRange
}

const WITHIN_CHANCE = 0.75
/** How often a lane has faults at all: most seeds then mix some kinds and leave others out. */
const LANE_CHANCE = 0.6
const FIRST_MS = 300
const MACHINE_MS: DelayRange = [50, 2_500]
const MACHINE_GAP_MS: DelayRange = [300, 2_500]
/** A master that starts finds its slaves, and they follow it again. */
const SERIAL_GAP_MS: DelayRange = [1_500, 2_500]
/** How processes end, or stand still, without losing anything. */
const ENDS: readonly ReplicaFaultKind[] = ['kill', 'kill', 'kill-in-call', 'stop', 'pause']
const DISKS: readonly ReplicaFaultKind[] = ['disk-slow', 'disk-short', 'disk-full', 'disk-error']
const WIRES: readonly ReplicaFaultKind[] = [
  ...(['cut', 'cut', 'cut-one-way', 'cut-one-way', 'flapping', 'isolated', 'split'] as const),
  ...(['reset', 'reset', 'slow-wires', 'lossy-wires', 'uneven-wires'] as const),
]
const NAME_SERVERS: readonly ReplicaFaultKind[] = [
  'name-server-kill',
  'name-server-power-loss',
  'name-server-pause',
]
const PRODUCERS: readonly ReplicaFaultKind[] = ['producer-kill', 'producer-pause', 'producer-cut']
const CONSUMERS: readonly ReplicaFaultKind[] = [
  ...(['consumer-kill', 'consumer-leave', 'consumer-pause', 'consumer-cut'] as const),
]
/**
 * How often consumers may lose power: brokers hold the queues of such a one for two minutes, which take
 * longer to play than all the rest.
 */
const SILENCE_CHANCE = 0.02

/** Of a master that lacks something afterwards. */
const FRAGILE_LOSSES: Readonly<Record<LossKind, readonly ReplicaFaultKind[]>> = {
  power: ['power-loss', 'power-loss', 'parted-power-loss', 'parted-power-loss'],
  disk: ['disk-loss', 'parted-disk-loss'],
}
const LOSSES: Readonly<Record<LossKind, readonly ReplicaFaultKind[]>> = {
  power: ['power-loss', 'power-loss'],
  disk: ['disk-loss'],
}

export function planReplicas(random: SimRandom, options: PlanOptions): ReplicaPlan {
  const isWithinPromise = random.chance(WITHIN_CHANCE)
  const lanes = new Lanes(random, options, isWithinPromise)
  const { loadMs } = options
  const main = lanes.isSerial ? planLane(random, lanes.everything, loadMs) : []
  const beside = lanes.isSerial ? [lanes.clocks, lanes.clients] : lanes.apart
  const faults = [
    ...main,
    ...beside.flatMap((lane) => (random.chance(LANE_CHANCE) ? planLane(random, lane, loadMs) : [])),
  ]
  return { faults: faults.sort((one, other) => one.fromMs - other.fromMs), isWithinPromise }
}

class Lanes {
  readonly isSerial: boolean
  /** Whether consumers may vanish without a word. */
  readonly #isSilent: boolean
  readonly #targets: ReplicaTargets
  /** What happens to the machines of each broker name, of which they lose something or not. */
  readonly #families: readonly Family[]

  constructor(random: SimRandom, { mode, targets }: PlanOptions, isWithinPromise: boolean) {
    this.#targets = targets
    this.#isSilent = random.chance(SILENCE_CHANCE)
    const losses = [...targets.brokers.keys()].map((brokerName) => {
      return isWithinPromise ? survivable(random, mode, brokerName) : harder(mode, brokerName)
    })
    const isFragile = ({ brokerId, ...loss }: Loss): boolean => {
      return brokerId === 0 && isForgetful(mode, { ...loss, brokerId })
    }
    this.isSerial = isWithinPromise && losses.flat().some(isFragile)
    this.#families = [...targets.brokers.values()].map((hosts, index) => ({
      ends: choices(ENDS, hosts),
      losses: [
        ...(losses[index] ?? []).flatMap((loss) => lossChoices(mode, hosts, loss)),
        ...this.#blackout(hosts, losses[index] ?? []),
        ...(isWithinPromise || mode.masterFlush === 'SYNC_FLUSH'
          ? []
          : often({ kind: 'lone-power-loss', host: hosts[0] ?? '' })),
      ],
    }))
  }

  get clocks(): Lane {
    const machines = [...this.#brokers, ...this.#targets.producers, ...this.#targets.consumers]
    const all: Choice = { kind: 'clock-jump', host: '' }
    return lane([[all], choices(['lone-clock-jump'], machines)], [100, 3_000], [500, 8_000])
  }

  /** Applications come and go. */
  get clients(): Lane {
    const { consumers, producers } = this.#targets
    const kinds = this.#isSilent ? (['consumer-power-loss'] as const) : CONSUMERS
    const sorts = [choices(PRODUCERS, producers), choices(kinds, consumers)]
    return lane(sorts, [100, 3_000], [500, 5_000])
  }

  /** Nothing overlaps. */
  get everything(): Lane {
    const losses = this.#families.flatMap((family) => family.losses)
    const ends = this.#families.flatMap((family) => family.ends)
    return lane([losses, losses, ends, this.#disks, this.#wires], MACHINE_MS, SERIAL_GAP_MS)
  }

  get apart(): readonly Lane[] {
    const servers = choices(NAME_SERVERS, this.#targets.nameServers)
    return [
      ...this.#families.map(({ ends, losses }) => {
        return lane([ends, losses], MACHINE_MS, MACHINE_GAP_MS)
      }),
      lane([this.#disks], [200, 3_000], [500, 4_000]),
      lane([this.#wires], [100, 4_000], [300, 3_000]),
      lane([servers], [200, 4_000], [500, 5_000]),
      this.clocks,
      this.clients,
    ]
  }

  /** If all of them may lose power, they may do so at once. */
  #blackout(hosts: readonly string[], losses: readonly Loss[]): readonly Choice[] {
    const isPossible = losses.filter(({ kind }) => kind === 'power').length === hosts.length
    return isPossible && !this.isSerial ? often({ kind: 'blackout', host: hosts[0] ?? '' }) : []
  }

  get #disks(): readonly Choice[] {
    return choices(DISKS, this.#brokers)
  }

  get #wires(): readonly Choice[] {
    return choices(WIRES, this.#brokers)
  }

  get #brokers(): readonly string[] {
    return [...this.#targets.brokers.values()].flat()
  }
}

/** What may happen to a master and its slaves. */
interface Family {
  readonly ends: readonly Choice[]
  readonly losses: readonly Choice[]
}

function lossChoices(mode: ReplicaMode, hosts: readonly string[], loss: Loss): readonly Choice[] {
  const { brokerId, kind } = loss
  const isFragile = brokerId === 0 && isForgetful(mode, loss)
  const kinds = (isFragile ? FRAGILE_LOSSES : LOSSES)[kind]
  return kinds.map((each) => ({ kind: each, host: hosts[brokerId] ?? '' }))
}

/** Which machines may lose what, one after the other, without harm to what was acknowledged. */
function survivable(random: SimRandom, mode: ReplicaMode, brokerName: string): readonly Loss[] {
  const taken: Loss[] = []
  for (const loss of shuffled(random, lossesOf(mode, brokerName))) {
    if (!mayBeLost(mode, [...taken, loss])) taken.push(loss)
  }
  return taken
}

/** A master that begins with nothing, and finds no slave, would need a person. */
function harder(mode: ReplicaMode, brokerName: string): readonly Loss[] {
  return lossesOf(mode, brokerName).filter(({ brokerId, kind }) => brokerId > 0 || kind === 'power')
}

function lossesOf({ slavesPerMaster }: ReplicaMode, brokerName: string): readonly Loss[] {
  return Array.from({ length: 1 + slavesPerMaster }, (_, brokerId) => brokerId).flatMap(
    (brokerId) => [
      { brokerName, brokerId, kind: 'power' as const, atMs: 0 },
      { brokerName, brokerId, kind: 'disk' as const, atMs: 0 },
    ],
  )
}

function planLane(random: SimRandom, { gapMs, lengthMs, sorts }: Lane, loadMs: number) {
  const faults: ReplicaFault[] = []
  let fromMs = FIRST_MS + random.between(0, gapMs[1])
  for (;;) {
    const untilMs = fromMs + random.between(...lengthMs)
    const choices = sorts[random.below(sorts.length)] ?? []
    const choice = choices[random.below(choices.length)]
    if (untilMs >= loadMs || choice === undefined) return faults
    faults.push({ ...choice, fromMs, untilMs, chance: random.below(2 ** 30) })
    fromMs = untilMs + random.between(...gapMs)
  }
}

function lane(sorts: Lane['sorts'], lengthMs: DelayRange, gapMs: DelayRange): Lane {
  return { sorts: sorts.filter((choices) => choices.length > 0), lengthMs, gapMs }
}

/** Each kind, on each machine. */
function choices(kinds: readonly ReplicaFaultKind[], hosts: readonly string[]): readonly Choice[] {
  return hosts.flatMap((host) => kinds.map((kind) => ({ kind, host })))
}

/** Something that is to come as often as other losses together. */
function often(choice: Choice): readonly Choice[] {
  return [choice, choice, choice, choice]
}

function shuffled<T>(random: SimRandom, list: readonly T[]): T[] {
  const keyed = list.map((item) => [random.between(0, 1), item] as const)
  return keyed.sort(([one], [other]) => one - other).map(([, item]) => item)
}
