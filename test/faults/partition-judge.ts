/**
 * Watches how a cluster comes back after its network was healed, and judges what it saw. Pure: it
 * knows neither clocks nor processes. Owns the times at which each part was well again.
 */

/** Since the network is whole, in ms; infinite for what has not come. */
export interface Healing {
  /** A message that was begun since is acknowledged, in each queue, and its slave has it. */
  readonly sendsMs: number
  /** Each slave has all that its master had then. */
  readonly slavesMs: number
  /** A message that was begun since is delivered, of each queue. */
  readonly consumersMs: number
}

export interface HealedState {
  readonly healedMs: number
  /** Messages from this number on were begun since. */
  readonly firstNumber: number
  /** All queues, by `queueName`. */
  readonly queues: readonly string[]
  /** By slave: where the log of its master ended. */
  readonly masterEnds: ReadonlyMap<string, number>
}

export function queueName(brokerName: string, queueId: number): string {
  return `${brokerName} queue ${queueId}`
}

export class HealWatch {
  readonly #state: HealedState
  /** What is still missing, by what is looked for. */
  readonly #unsent: Set<string>
  readonly #unread: Set<string>
  readonly #behind: Map<string, number>
  #sendsMs = Number.POSITIVE_INFINITY
  #slavesMs = Number.POSITIVE_INFINITY
  #consumersMs = Number.POSITIVE_INFINITY

  constructor(state: HealedState) {
    this.#state = state
    this.#unsent = new Set(state.queues)
    this.#unread = new Set(state.queues)
    this.#behind = new Map(state.masterEnds)
  }

  /** `isSafe`: the broker says that its slave has it, too. All times are monotonic, in ms. */
  acknowledged(number: number, queue: string, isSafe: boolean, atMs: number): void {
    if (number < this.#state.firstNumber || !isSafe) return
    if (this.#unsent.delete(queue) && this.#unsent.size === 0) this.#sendsMs = this.#since(atMs)
  }

  delivered(number: number, queue: string, atMs: number): void {
    if (number < this.#state.firstNumber) return
    if (this.#unread.delete(queue) && this.#unread.size === 0) this.#consumersMs = this.#since(atMs)
  }

  slaveEnd(slave: string, endOffset: number, atMs: number): void {
    if (endOffset < (this.#behind.get(slave) ?? Number.POSITIVE_INFINITY)) return
    this.#behind.delete(slave)
    if (this.#behind.size === 0) this.#slavesMs = Math.min(this.#slavesMs, this.#since(atMs))
  }

  get healing(): Healing {
    return { sendsMs: this.#sendsMs, slavesMs: this.#slavesMs, consumersMs: this.#consumersMs }
  }

  get isOver(): boolean {
    return Object.values(this.healing).every(Number.isFinite)
  }

  /** Slaves that are still looked at. */
  get slavesBehind(): readonly string[] {
    return [...this.#behind.keys()]
  }

  /** What has not come within `limitMs`, as sentences. */
  findings(limitMs: number): string[] {
    const limit = `within ${limitMs} ms of the network`
    const { consumersMs, sendsMs, slavesMs } = this.healing
    const late = (ms: number): string =>
      Number.isFinite(ms) ? `but after ${Math.round(ms)} ms` : ''
    const missing = (names: Iterable<string>, ms: number): string => {
      return Number.isFinite(ms) ? late(ms) : `nor later: ${[...names].join(', ')}`
    }
    return [
      ...(sendsMs <= limitMs
        ? []
        : [`sends were not safe in all queues ${limit}, ${missing(this.#unsent, sendsMs)}`]),
      ...(slavesMs <= limitMs
        ? []
        : [
            `slaves had not what their masters had ${limit}, ${missing(this.#behind.keys(), slavesMs)}`,
          ]),
      ...(consumersMs <= limitMs
        ? []
        : [
            `new messages of all queues did not come ${limit}, ${missing(this.#unread, consumersMs)}`,
          ]),
    ]
  }

  #since(atMs: number): number {
    return Math.max(0, atMs - this.#state.healedMs)
  }
}

/** A queue as it was found at the slave. */
export interface SlaveQueue {
  readonly queue: string
  /** Behind the last message that was acknowledged as safe, before the slave was asked. */
  readonly safeEnd: number
  /** Behind the last message that the slave has. */
  readonly slaveEnd: number
}

/** Messages that were acknowledged as safe and that the slave does not have, as sentences. */
export function liesIn(queues: readonly SlaveQueue[]): string[] {
  return queues
    .filter(({ safeEnd, slaveEnd }) => safeEnd > slaveEnd)
    .map(({ queue, safeEnd, slaveEnd }) => {
      return `${queue}: acknowledged as safe up to ${safeEnd}, but the slave ends at ${slaveEnd}`
    })
}
