/**
 * What happens to the groups of a storm, and when: drawn from its seed before it begins. Pure. The
 * plan knows at each moment who is a member, so that each event finds somebody to happen to.
 */
import type { DelayRange } from './delay.ts'
import type { SimRandom } from './random.ts'

export type StormEventKind =
  | 'join'
  | 'leave'
  | 'kill'
  /** The machine of a member is off: nobody hears that it is gone. */
  | 'power-loss'
  /** Nothing gets from a member to the others, nor back, for a while. */
  | 'cut-off'
  | 'broker-stop'
  | 'broker-kill'

export interface StormEvent {
  readonly kind: StormEventKind
  /** Milliseconds since the storm began. */
  readonly fromMs: number
  /** When a cut is mended, or a broker started again; equal to `fromMs` for all others. */
  readonly untilMs: number
  /** Which member, or which broker. */
  readonly index: number
}

export interface StormPlanOptions {
  readonly events: number
  readonly members: number
  /** Members there are when it begins: those with the lowest numbers. */
  readonly membersAtFirst: number
  readonly brokers: number
  /** Stretches the times between events; 1 is a storm in which most changes meet others. */
  readonly pace: number
  /** Whether members vanish without a word, too. */
  readonly isSilent: boolean
  /** Whether brokers end, too. */
  readonly isDeep: boolean
}

/** Many events come on the heels of others: then a change meets the one before it. */
const HEELS_CHANCE = 0.3
const HEELS_MS: DelayRange = [0, 60]
const GAP_MS: DelayRange = [20, 700]
const CUT_MS: DelayRange = [300, 50_000]
const BROKER_DOWN_MS: DelayRange = [200, 8_000]
/** Brokers end one at a time, and rarely: what they explain is not looked at closely. */
const BROKER_GAP_MS = 30_000
const BROKER_CHANCE = 0.05
const SILENT_CHANCE = 0.05

export function planStorm(random: SimRandom, options: StormPlanOptions): StormEvent[] {
  return new Plan(random, options).draw()
}

class Plan {
  readonly #random: SimRandom
  readonly #options: StormPlanOptions
  readonly #present: Set<number>
  /** When each member that is cut off is back. */
  readonly #cutUntilMs = new Map<number, number>()
  #brokersFromMs = BROKER_GAP_MS / 2
  #nowMs = 0

  constructor(random: SimRandom, options: StormPlanOptions) {
    this.#random = random
    this.#options = options
    this.#present = new Set(Array.from({ length: options.membersAtFirst }, (_, index) => index))
  }

  draw(): StormEvent[] {
    return Array.from({ length: this.#options.events }, () => {
      const gap = this.#random.chance(HEELS_CHANCE) ? HEELS_MS : GAP_MS
      this.#nowMs += this.#random.between(...gap) * this.#options.pace
      return this.#drawOne()
    })
  }

  #drawOne(): StormEvent {
    const { isDeep, isSilent } = this.#options
    const isBrokers = isDeep && this.#nowMs > this.#brokersFromMs
    if (isBrokers && this.#random.chance(BROKER_CHANCE)) return this.#endBroker()
    if (isSilent && this.#random.chance(SILENT_CHANCE)) {
      const event = this.#random.chance(0.5) ? this.#cutOff() : this.#lose('power-loss')
      if (event !== undefined) return event
    }
    const isJoin = this.#random.chance(0.5)
    const kind = this.#random.chance(0.5) ? 'leave' : 'kill'
    const event = isJoin ? (this.#join() ?? this.#lose(kind)) : (this.#lose(kind) ?? this.#join())
    if (event === undefined) throw new RangeError('there is nobody for the storm to hit')
    return event
  }

  #endBroker(): StormEvent {
    const untilMs = this.#nowMs + this.#random.between(...BROKER_DOWN_MS)
    this.#brokersFromMs = untilMs + BROKER_GAP_MS
    const kind = this.#random.chance(0.5) ? 'broker-stop' : 'broker-kill'
    const index = this.#random.below(this.#options.brokers)
    return { kind, fromMs: this.#nowMs, untilMs, index }
  }

  #join(): StormEvent | undefined {
    const all = Array.from({ length: this.#options.members }, (_, index) => index)
    const index = this.#picked(all.filter((each) => !this.#present.has(each)))
    if (index === undefined) return undefined
    this.#present.add(index)
    return this.#at('join', index)
  }

  #lose(kind: 'leave' | 'kill' | 'power-loss'): StormEvent | undefined {
    const index = this.#picked(this.#reachable)
    if (index === undefined) return undefined
    this.#present.delete(index)
    return this.#at(kind, index)
  }

  #cutOff(): StormEvent | undefined {
    const index = this.#picked(this.#reachable)
    if (index === undefined) return undefined
    const untilMs = this.#nowMs + this.#random.between(...CUT_MS)
    this.#cutUntilMs.set(index, untilMs)
    return { ...this.#at('cut-off', index), untilMs }
  }

  /** Members that are not cut off at present. */
  get #reachable(): number[] {
    return [...this.#present].filter((index) => (this.#cutUntilMs.get(index) ?? 0) < this.#nowMs)
  }

  #at(kind: StormEventKind, index: number): StormEvent {
    return { kind, fromMs: this.#nowMs, untilMs: this.#nowMs, index }
  }

  #picked(indexes: readonly number[]): number | undefined {
    return indexes.length === 0 ? undefined : indexes[this.#random.below(indexes.length)]
  }
}
