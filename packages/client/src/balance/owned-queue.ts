/**
 * A queue that this consumer reads at present: from the moment it is assigned until its last
 * handler has finished. Owns its window, the count of running handlers, what it takes of the budget,
 * and the offset that the broker is known to have.
 */
import { type Clock, pause } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import { queueKey } from '../message-queue.ts'
import type { CacheBudget } from '../pull/cache-budget.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { Window, type WindowEntry, type WindowLimits } from '../pull/window.ts'

export type Entry = WindowEntry<ReceivedMessage>

export class OwnedQueue {
  readonly queue: MessageQueue
  readonly key: string
  /** Offset of the group that the broker is known to have stored; undefined when none is. */
  storedOffset: number | undefined
  /** Whether the last pull failed: the first failure is reported, not each one. */
  isFailing = false
  /** Pulls that were answered. */
  answers = 0
  /** Whether the last pull brought messages. */
  isBusy = false
  /** Whether it is not pulled because another member may still have it. */
  isWaitingForLock = false
  /** Whether it is not pulled because enough is held. */
  isWaitingForRoom = false
  /** Wall time of the last answer to a pull, in ms since 1970; 0 for never. */
  lastPullAtMs = 0
  /** Wall time at which a handler of it ended last, in ms since 1970; 0 for never. */
  lastDoneAtMs = 0
  #budget: CacheBudget | undefined
  #window: Window<ReceivedMessage> | undefined
  #running = 0
  #whenIdle: (() => void)[] = []
  #isGone = false
  readonly #release = new AbortController()
  #committable: () => number | undefined = () => this.#window?.commitOffset

  constructor(queue: MessageQueue) {
    this.queue = queue
    this.key = queueKey(queue)
  }

  /** Aborts when the queue is no longer ours to read. */
  get released(): AbortSignal {
    return this.#release.signal
  }

  get isReleased(): boolean {
    return this.#release.signal.aborted
  }

  /** Whether what its handlers do does not count any more: somebody else gets their messages. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** Everything below may be committed; undefined before the first offset is known. */
  get commitOffset(): number | undefined {
    return this.#committable()
  }

  /** Lets another say what may be committed, in place of the window. */
  commitBy(committable: () => number | undefined): void {
    this.#committable = committable
  }

  /** What is held of it: messages that are not dealt with. Offsets are 0 when there are none. */
  get cached(): { count: number; sizeBytes: number; minOffset: number; maxOffset: number } {
    const window = this.#window
    if (window === undefined || window.count === 0) {
      return { count: 0, sizeBytes: 0, minOffset: 0, maxOffset: 0 }
    }
    const { count, sizeBytes, commitOffset: minOffset, nextOffset } = window
    return { count, sizeBytes, minOffset, maxOffset: nextOffset - 1 }
  }

  /** Begins at an offset. What is held of it counts for the budget, if one is given. */
  open(startOffset: number, limits: WindowLimits, budget?: CacheBudget): Window<ReceivedMessage> {
    this.#window = new Window(startOffset, limits)
    this.#budget = budget
    return this.#window
  }

  /** Has other limits from now on. */
  limit(limits: WindowLimits): void {
    this.#window?.limit(limits)
  }

  /** New messages are held. */
  hold(entries: readonly Entry[]): void {
    for (const { sizeBytes } of entries) this.#budget?.take(sizeBytes)
  }

  /** What is held counts no more: nobody waits for it. */
  forsake(): void {
    this.#budget?.give(this.cached.sizeBytes)
    this.#budget = undefined
  }

  /** A handler begins to work on messages of this queue. */
  enter(): void {
    this.#running++
  }

  /** A handler has ended. */
  leave(): void {
    this.#running--
    if (this.#running > 0 || this.#whenIdle.length === 0) return
    const told = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of told) resolve()
  }

  /** A message is dealt with. */
  finish(entry: Entry): void {
    if (!entry.finished) this.#budget?.give(entry.sizeBytes)
    this.#window?.finish(entry)
  }

  /** Pulls no more, starts no more handlers. */
  release(): void {
    this.#release.abort()
    this.#window?.wake()
  }

  /** Resolves when no handler runs, or when the signal aborts. */
  idle(signal?: AbortSignal): Promise<void> {
    if (this.#running === 0 || signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Waits for the running handlers; false when some still run after `timeoutMs`. */
  async drain(clock: Clock, timeoutMs: number): Promise<boolean> {
    if (this.#running > 0) {
      const idle = new AbortController()
      this.#whenIdle.push(() => idle.abort())
      await pause(clock, timeoutMs, idle.signal)
    }
    this.#isGone = this.#running > 0
    return this.#running === 0
  }
}
