/**
 * Makes messages visible in their queues as soon as they are confirmed. Owns the mark `dispatched`
 * and the list of messages that are appended and not visible yet, in the order of the log.
 *
 * Their units are in the queues already: what follows `confirmed` is each queue's `end`.
 */
import type { ConsumeQueue } from './consume-queue.ts'
import type { Marks } from './marks.ts'

/** So many finished entries at the head of the list are cut off together. */
const COMPACT_ABOVE = 4096

export class Dispatcher {
  readonly #marks: Marks
  /** Lists side by side spare an object per message. */
  #queues: ConsumeQueue[] = []
  #logEnds: number[] = []
  #queueEnds: number[] = []
  #storeTimestamps: number[] = []
  #head = 0
  #storeTimestamp: number

  /** `storeTimestamp` is that of the last message that is dispatched already. */
  constructor(marks: Marks, storeTimestamp: number) {
    this.#marks = marks
    this.#storeTimestamp = storeTimestamp
  }

  /** Store time of the last message dispatched, ms since 1970; 0 when there was none. */
  get storeTimestamp(): number {
    return this.#storeTimestamp
  }

  /** The record that ends at `logEnd` is in `queue`, which then ends at `queueEnd`. */
  add(queue: ConsumeQueue, queueEnd: number, logEnd: number, storeTimestamp: number): void {
    this.#queues.push(queue)
    this.#queueEnds.push(queueEnd)
    this.#logEnds.push(logEnd)
    this.#storeTimestamps.push(storeTimestamp)
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
    let head = this.#head
    for (; head < this.#queues.length; head++) {
      if ((this.#logEnds[head] ?? 0) > confirmedOffset) break
      this.#queues[head]?.end.advance(this.#queueEnds[head] ?? 0)
    }
    this.#storeTimestamp = this.#storeTimestamps[head - 1] ?? this.#storeTimestamp
    this.#head = head
    if (head === this.#queues.length) this.#forget(head)
    else if (head > COMPACT_ABOVE && head * 2 > this.#queues.length) this.#forget(head)
  }

  #forget(count: number): void {
    this.#queues = this.#queues.slice(count)
    this.#queueEnds = this.#queueEnds.slice(count)
    this.#logEnds = this.#logEnds.slice(count)
    this.#storeTimestamps = this.#storeTimestamps.slice(count)
    this.#head = 0
  }
}
