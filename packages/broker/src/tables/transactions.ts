/**
 * The transactions that are open: half messages that were neither committed nor rolled back, with the
 * newest copy of each. Owns them, in the order in which they are to be looked at.
 *
 * Two lists suffice for that, and need no sorting: those that were just sent wait one time, those that
 * were looked at wait another.
 */

import type { Clock } from '@rockhopper/host'
import { Watermark } from '@rockhopper/store'
import { MAX_GIVEN_UP } from '../limits.ts'
import type { HalfPlace } from '../rules/half-message.ts'

/** One transaction; only the table changes it. */
export interface OpenTransaction {
  /** Queue offset of its first copy: what it is known by. */
  readonly first: number
  /** Its newest copy. */
  readonly newest: HalfPlace
  readonly isOver: boolean
}

interface MutableTransaction extends OpenTransaction {
  newest: HalfPlace
  isOver: boolean
}

/** A look that is due, at the copy that was the newest when it was planned. */
interface Look {
  readonly transaction: OpenTransaction
  readonly place: HalfPlace
  /** Monotonic, in ms. */
  readonly dueMs: number
}

/** So many entries of a list that nobody needs any more are cut off together. */
const COMPACT_ABOVE = 1_024

export class OpenTransactions {
  /** How many were ever opened: who waits for the next one waits for this. */
  readonly opened: Watermark
  readonly #clock: Clock
  readonly #open = new Map<number, MutableTransaction>()
  readonly #fresh = new LookList()
  readonly #known = new LookList()
  /** Nobody is asked about them any more; in the order in which they were given up. */
  readonly #givenUp = new Map<number, OpenTransaction>()
  #superseded: number[] = []
  #pruneAbove = COMPACT_ABOVE
  #end = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.opened = new Watermark(clock, 0)
  }

  get size(): number {
    return this.#open.size
  }

  /** Those that are open; the ones that are known for longest come first. */
  all(): IterableIterator<OpenTransaction> {
    return this.#open.values()
  }

  /** Queue offset behind the last half message. */
  get end(): number {
    return this.#end
  }

  /** The least queue offset of a half message that is still needed; undefined when none is. */
  get lowest(): number | undefined {
    const fresh = this.#fresh.head?.place.queueOffset
    const known = this.#known.head?.place.queueOffset
    if (fresh === undefined || known === undefined) return fresh ?? known
    return Math.min(fresh, known)
  }

  /** Whether some were not looked at yet: then those that are opened now are not due before them. */
  get hasFresh(): boolean {
    return this.#fresh.head !== undefined
  }

  /** When the next look is due, by the monotonic clock; undefined when none is planned. */
  get dueMs(): number | undefined {
    const fresh = this.#fresh.head?.dueMs
    const known = this.#known.head?.dueMs
    if (fresh === undefined || known === undefined) return fresh ?? known
    return Math.min(fresh, known)
  }

  /** The look that is due by now; it stays so until the transaction is over or has a new copy. */
  get due(): OpenTransaction | undefined {
    const nowMs = this.#clock.monotonicMs()
    const looks = [this.#fresh.head, this.#known.head]
    return looks.find((look) => look !== undefined && look.dueMs <= nowMs)?.transaction
  }

  /**
   * The transaction that is known by a queue offset, if it can be ended: it is open, or was given up
   * not long ago.
   */
  get(first: number): OpenTransaction | undefined {
    return this.#open.get(first) ?? this.#givenUp.get(first)
  }

  /** Takes in a half message that was just sent, or found; it is looked at after `waitMs`. */
  open(place: HalfPlace, waitMs: number): void {
    const transaction = { first: place.queueOffset, newest: place, isOver: false }
    this.#open.set(transaction.first, transaction)
    this.#fresh.add({ transaction, place, dueMs: this.#clock.monotonicMs() + waitMs })
    this.beginAt(place.queueOffset + 1)
    this.opened.advance(this.opened.value + 1)
  }

  /** The same for a transaction of which a copy was found. */
  reopen(first: number, place: HalfPlace, waitMs: number): void {
    const transaction = { first, newest: place, isOver: false }
    this.#open.set(first, transaction)
    this.#known.add({ transaction, place, dueMs: this.#clock.monotonicMs() + waitMs })
    this.beginAt(place.queueOffset + 1)
    this.opened.advance(this.opened.value + 1)
  }

  /** A copy took the place of a half message; it is looked at after `waitMs`. */
  moved(first: number, place: HalfPlace, waitMs: number): void {
    const transaction = this.#open.get(first)
    if (transaction === undefined) return
    this.supersede(transaction.newest.queueOffset)
    transaction.newest = place
    this.beginAt(place.queueOffset + 1)
    this.#known.add({ transaction, place, dueMs: this.#clock.monotonicMs() + waitMs })
  }

  /** A copy at this queue offset has a newer one. */
  supersede(queueOffset: number): void {
    this.#superseded.push(queueOffset)
    if (this.#superseded.length <= this.#pruneAbove) return
    this.#superseded = this.superseded
    this.#pruneAbove = Math.max(COMPACT_ABOVE, 2 * this.#superseded.length)
  }

  /**
   * Copies that are behind the first half message that is still needed, and have newer ones: whoever
   * reads the queue from there takes them for transactions by themselves, unless told.
   */
  get superseded(): number[] {
    const lowest = this.lowest ?? this.#end
    return this.#superseded.filter((queueOffset) => queueOffset > lowest)
  }

  /** No half message before this queue offset is new. */
  beginAt(queueOffset: number): void {
    this.#end = Math.max(this.#end, queueOffset)
  }

  /** Its producer is not asked any more, and may still end it. */
  giveUp(first: number): void {
    const transaction = this.#open.get(first)
    this.close(first)
    if (transaction === undefined) return
    this.#givenUp.set(first, transaction)
    const [oldest] = this.#givenUp.keys()
    if (this.#givenUp.size > MAX_GIVEN_UP && oldest !== undefined) this.#givenUp.delete(oldest)
  }

  close(first: number): void {
    this.#givenUp.delete(first)
    const transaction = this.#open.get(first)
    if (transaction === undefined) return
    transaction.isOver = true
    this.#open.delete(first)
  }
}

/** Looks in the order in which they are due, which is also that of their copies in the queue. */
class LookList {
  #looks: Look[] = []
  #first = 0

  get head(): Look | undefined {
    for (;;) {
      const look = this.#looks[this.#first]
      if (look === undefined || isNeeded(look)) return look
      this.#first++
      this.#compact()
    }
  }

  add(look: Look): void {
    this.#looks.push(look)
  }

  #compact(): void {
    if (this.#first === this.#looks.length) this.#looks = []
    else if (this.#first > COMPACT_ABOVE && this.#first * 2 > this.#looks.length) {
      this.#looks = this.#looks.slice(this.#first)
    } else return
    this.#first = 0
  }
}

function isNeeded({ place, transaction }: Look): boolean {
  return !transaction.isOver && transaction.newest === place
}
