/**
 * Makes messages visible in their queues as soon as they are confirmed. Owns the mark `dispatched`,
 * the list of queues with messages that are appended and not visible yet, and the times of those.
 *
 * Their units are in the queues already: what follows `confirmed` is each queue's `end`.
 */

import type { Marks } from '../log/marks.ts'
import type { ConsumeQueue } from './consume-queue.ts'

/** From the message at `logOffset` on, messages have this store time. */
interface TimeMark {
  readonly logOffset: number
  readonly storeTimestamp: number
}

export class Dispatcher {
  readonly #marks: Marks
  #pending: ConsumeQueue[] = []
  /** Of messages that are not visible yet, in the order of the log; after the one that counts. */
  #times: TimeMark[] = []
  #newestTimestamp: number
  #storeTimestamp: number

  /** `storeTimestamp` is that of the last message that is dispatched already. */
  constructor(marks: Marks, storeTimestamp: number) {
    this.#marks = marks
    this.#storeTimestamp = storeTimestamp
    this.#newestTimestamp = storeTimestamp
  }

  /** Store time of the last message dispatched, ms since 1970; 0 when there was none. */
  get storeTimestamp(): number {
    return this.#storeTimestamp
  }

  /** The record at `logOffset` is about to be put into `queue`. */
  add(queue: ConsumeQueue, logOffset: number, storeTimestamp: number): void {
    if (queue.isVisible) this.#pending.push(queue)
    if (storeTimestamp === this.#newestTimestamp) return
    this.#newestTimestamp = storeTimestamp
    this.#times.push({ logOffset, storeTimestamp })
  }

  /** Ends when `confirmed` is closed; rejects when it fails. */
  async run(): Promise<void> {
    const { confirmed, dispatched } = this.#marks
    while (await confirmed.reached(dispatched.value + 1)) {
      const end = confirmed.value
      this.#dispatch(end)
      dispatched.advance(end)
    }
  }

  #dispatch(confirmedOffset: number): void {
    const pending = this.#pending
    this.#pending = pending.filter((queue) => !queue.show(confirmedOffset))
    const later = this.#times.findIndex(({ logOffset }) => logOffset >= confirmedOffset)
    const count = later === -1 ? this.#times.length : later
    if (count === 0) return
    this.#storeTimestamp = this.#times[count - 1]?.storeTimestamp ?? this.#storeTimestamp
    this.#times = this.#times.slice(count)
  }
}
