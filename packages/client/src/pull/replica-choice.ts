/**
 * Which of the brokers of one name a queue is read from next: the one that the last answer named, or
 * another when that one does not answer. Knows neither sockets nor clocks.
 * Source: Apache class PullAPIWrapper (`pullFromWhichNodeTable`), whose clients stay with a master that
 * is gone until they have a new route.
 */
import { MASTER_ID } from '../cluster/routes.ts'

/** A broker that failed is left alone for so long, though another one names it, in ms. */
const AWAY_MS = 1_000

/** Whether the next question may follow at once. */
export type Pace = 'at once' | 'after a pause'

export class ReplicaChoice {
  /** Broker ids, and the monotonic time at which each failed last. */
  readonly #failedMs = new Map<number, number>()
  #next = MASTER_ID
  #failuresInARow = 0

  /** Broker id to ask. */
  get next(): number {
    return this.#next
  }

  /**
   * The broker `asked` has answered and named `suggested` for the next time. `known`: the ids of the
   * brokers that there are. `isFound`: there were messages.
   */
  answered(
    { asked, suggested, isFound }: { asked: number; suggested: number; isFound: boolean },
    known: readonly number[],
    nowMs: number,
  ): Pace {
    this.#failuresInARow = 0
    this.#failedMs.delete(asked)
    const failedMs = this.#failedMs.get(suggested) ?? Number.NEGATIVE_INFINITY
    const isAway = suggested !== asked && (nowMs - failedMs < AWAY_MS || !known.includes(suggested))
    this.#next = isAway ? asked : suggested
    return isAway && !isFound ? 'after a pause' : 'at once'
  }

  /** The broker `asked` could not be reached, or gave no answer: the one behind it is next. */
  failed(asked: number, known: readonly number[], nowMs: number): Pace {
    this.#failedMs.set(asked, nowMs)
    this.#failuresInARow++
    const ids = [...known].sort((a, b) => a - b)
    this.#next = ids.find((id) => id > asked) ?? ids[0] ?? MASTER_ID
    return this.#failuresInARow < ids.length ? 'at once' : 'after a pause'
  }

  /** A slave does not want to be read: only the master is left. */
  refused(): void {
    this.#next = MASTER_ID
  }
}
