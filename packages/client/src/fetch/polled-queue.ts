/**
 * A queue whose messages the application fetches: what was read of it and not fetched yet, and how
 * far the application is. A seek ends one reading and begins another. Owns the reading under way,
 * whether the queue is paused, and the offset that the application last said it had consumed.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { Entry, OwnedQueue } from '../balance/owned-queue.ts'
import type { CacheBudget } from '../pull/cache-budget.ts'
import type { PullTarget } from '../pull/pull.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { Window, WindowLimits } from '../pull/window.ts'

/** The reading of a queue from one offset on. */
export class Reading implements PullTarget {
  readonly polled: PolledQueue
  /** Where it was told to begin; undefined: where the group is. */
  readonly from: number | undefined
  isFailing = false
  #window: Window<ReceivedMessage> | undefined
  readonly #end = new AbortController()

  constructor(polled: PolledQueue, from: number | undefined) {
    this.polled = polled
    this.from = from
  }

  get queue(): MessageQueue {
    return this.polled.queue
  }

  get released(): AbortSignal {
    return this.#end.signal
  }

  /** What was read and is not consumed; undefined before an offset is known. */
  get window(): Window<ReceivedMessage> | undefined {
    return this.#window
  }

  /** Everything below was fetched and is consumed; undefined before an offset is known. */
  get position(): number | undefined {
    return this.#window?.commitOffset ?? this.from
  }

  /** What is held of it counts for the budget. */
  open(startOffset: number, limits: WindowLimits, budget: CacheBudget): Window<ReceivedMessage> {
    this.#window = this.polled.owned.open(startOffset, limits, budget)
    return this.#window
  }

  /** Messages were fetched: the queue is not given up before they are consumed, or some time. */
  lend(): void {
    this.polled.owned.enter()
  }

  /** They are consumed; after a seek that is of no account. */
  finish(entries: readonly Entry[]): void {
    if (this.polled.reading === this) for (const entry of entries) this.polled.owned.finish(entry)
    this.giveBack()
  }

  /** Nobody will say whether they are consumed. */
  giveBack(): void {
    this.polled.owned.leave()
  }

  stop(): void {
    this.#end.abort()
    this.#window?.wake()
  }
}

export class PolledQueue {
  readonly owned: OwnedQueue
  isPaused = false
  #reading: Reading
  /** What is consumed, in the last word of the application. */
  #noted: number | undefined

  /** `isAutomatic`: what is consumed by the time the queue is given up need not be noted. */
  constructor(owned: OwnedQueue, isAutomatic: boolean) {
    this.owned = owned
    this.#reading = new Reading(this, undefined)
    owned.commitBy(() => {
      if (isAutomatic && owned.isReleased) this.note(this.position)
      return this.#noted
    })
    owned.released.addEventListener('abort', () => this.#reading.stop(), { once: true })
  }

  get queue(): MessageQueue {
    return this.owned.queue
  }

  /** The reading under way. */
  get reading(): Reading {
    return this.#reading
  }

  /** Offset of the first message that is not consumed; undefined before it is known. */
  get position(): number | undefined {
    return this.#reading.position
  }

  /** The application says what is consumed; to be committed when its time comes. */
  note(offset: number | undefined): void {
    this.#noted = offset ?? this.#noted
  }

  /** Begins anew at an offset. Gives back the reading that is over. */
  restart(offset: number): Reading {
    const over = this.#reading
    this.owned.forsake()
    this.#reading = new Reading(this, offset)
    over.stop()
    return over
  }

  /** Reads, one reading after another, until the queue is released. */
  async read(run: (reading: Reading) => Promise<void>): Promise<void> {
    while (!this.owned.isReleased) await run(this.#reading)
  }
}
