/**
 * What a storm did and what came of it, by the cause of the kills. Owns the rows; a flaw is put
 * down to the kill before the life in which it was found.
 */
import type { Flaws } from './books.ts'
import type { OffsetFlaws } from './group-reader.ts'

type AllFlaws = Flaws & OffsetFlaws

export interface State {
  readonly nowMs: number
  /** Messages acknowledged so far. */
  readonly acknowledged: number
  readonly flaws: AllFlaws
}

interface Line {
  kills: number
  missed: number
  acknowledged: number
  flaws: Record<string, number>
}

/** Lives that work shorter than this say nothing about the rate. */
const TELLING_LIFE_MS = 300
const COLUMNS = [
  'lost',
  'wrong',
  'holes',
  'repeats',
  'phantoms',
  'unread',
  'unfound',
  'ahead',
  'behind',
]

export class Tally {
  /** From the start of the process to the first acknowledgement, for each restart, in ms. */
  readonly #restartMs: number[] = []
  readonly #lines = new Map<string, Line>()
  readonly #skipped: readonly string[]
  readonly #rates: number[] = []
  #workMs = 0
  #workAcknowledged = 0
  #begun: State | undefined
  #workBegun: State | undefined
  #cause = ''
  #causeBefore = 'in the end'

  constructor({ met, skipped }: { met: readonly { name: string }[]; skipped: readonly string[] }) {
    for (const { name } of met) this.#line(name)
    this.#skipped = skipped
  }

  /** A life begins that is to end by `cause`. */
  begin(cause: string, state: State): void {
    this.#cause = cause
    this.#begun = state
  }

  noteRestart(ms: number): void {
    this.#restartMs.push(ms)
  }

  /** The first acknowledgement has come. */
  beginWork(state: State): void {
    this.#workBegun = state
  }

  endWork(state: State): void {
    if (this.#workBegun === undefined) return
    const ms = state.nowMs - this.#workBegun.nowMs
    const count = state.acknowledged - this.#workBegun.acknowledged
    this.#workMs += ms
    this.#workAcknowledged += count
    if (ms >= TELLING_LIFE_MS) this.#rates.push((count * 1_000) / ms)
  }

  /** The life is over; `met` when it ended as it was to. */
  end(met: boolean, state: State): void {
    const line = this.#line(this.#cause)
    if (met) line.kills++
    else line.missed++
    line.acknowledged += state.acknowledged - (this.#begun?.acknowledged ?? 0)
    const blamed = this.#cause === 'in the end' ? line : this.#line(this.#causeBefore)
    for (const name of COLUMNS) {
      const more = countIn(state.flaws, name) - countIn(this.#begun?.flaws, name)
      blamed.flaws[name] = (blamed.flaws[name] ?? 0) + more
    }
    this.#causeBefore = this.#cause
  }

  /** Kills where they were meant to be, and those of brokers that did not come by their point. */
  get kills(): { readonly met: number; readonly missed: number } {
    let met = 0
    let missed = 0
    for (const [cause, line] of this.#lines) {
      if (cause !== 'in the end') met += line.kills
      missed += line.missed
    }
    return { met, missed }
  }

  get acknowledged(): number {
    let total = 0
    for (const { acknowledged } of this.#lines.values()) total += acknowledged
    return total
  }

  /** Of the restarts, so many percent took no longer to the first acknowledgement, in ms. */
  restartMs(percent: number): number {
    return Math.round(
      percentile(
        this.#restartMs.toSorted((a, b) => a - b),
        percent,
      ),
    )
  }

  /** Causes by which a life ended as it was to. */
  get met(): string[] {
    return [...this.#lines].filter(([, { kills }]) => kills > 0).map(([name]) => name)
  }

  /** Acknowledged messages per second while the broker served. */
  get rate(): number {
    return this.#workMs === 0 ? 0 : (this.#workAcknowledged * 1_000) / this.#workMs
  }

  /** One line on what there was so far. */
  progress(flaws: AllFlaws): string {
    const found = Object.values(flaws).reduce((sum, count) => sum + count, 0)
    return (
      `${this.kills.met} kills, ${this.acknowledged} acknowledged at ${Math.round(this.rate)} msg/s, ` +
      `restarts p99 ${this.restartMs(99)} ms, ${found} flaws`
    )
  }

  report(): string {
    const rates = this.#rates.toSorted((a, b) => a - b)
    const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
    return [
      ...this.#table(),
      ...this.#skipped.map((name) => `skipped: ${name}: this broker does nothing of the kind yet`),
      `rate while serving ${whole(this.rate)} msg/s; lives of ${TELLING_LIFE_MS} ms and more: ` +
        `p50 ${whole(percentile(rates, 50))}, p10 ${whole(percentile(rates, 10))} msg/s`,
      `restart to first acknowledgement p50 ${this.restartMs(50)} ms, p99 ${this.restartMs(99)} ms, ` +
        `${this.#restartMs.length} restarts`,
    ].join('\n')
  }

  #table(): string[] {
    const head = ['killed at', 'kills', 'missed', 'acknowledged', ...COLUMNS]
    const rows = [...this.#lines].map(([cause, { acknowledged, flaws, kills, missed }]) => {
      return [cause, kills, missed, acknowledged, ...COLUMNS.map((name) => flaws[name] ?? 0)]
    })
    return [head, ...rows].map((cells) =>
      cells
        .map((cell, i) =>
          i === 0 ? String(cell).padEnd(24) : String(cell).padStart(9 + +(i === 3) * 4),
        )
        .join(''),
    )
  }

  #line(cause: string): Line {
    const known = this.#lines.get(cause)
    if (known !== undefined) return known
    const line = { kills: 0, missed: 0, acknowledged: 0, flaws: {} }
    this.#lines.set(cause, line)
    return line
  }
}

function countIn(flaws: AllFlaws | undefined, name: string): number {
  return Object.entries(flaws ?? {}).find(([each]) => each === name)?.[1] ?? 0
}

/** The value that so many percent of the sorted ones do not exceed. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0
}
