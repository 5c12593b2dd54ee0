/**
 * A queue that this consumer reads at present: from the moment it is assigned until its last
 * handler has finished. Owns its window, the count of running handlers, and the offset that the
 * broker is known to have.
 */
import { type Clock, pause } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import { queueKey } from './message-queue.ts'
import type { ReceivedMessage } from './received-message.ts'
import { Window, type WindowEntry, type WindowLimits } from './window.ts'

export type Entry = WindowEntry<ReceivedMessage>

export class OwnedQueue {
  readonly queue: MessageQueue
  readonly key: string
  /** Offset of the group that the broker is known to have stored; undefined when none is. */
  storedOffset: number | undefined
  /** Whether the last pull failed: the first failure is reported, not each one. */
  isFailing = false
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

  /** Begins at an offset. */
  open(startOffset: number, limits: WindowLimits): Window<ReceivedMessage> {
    this.#window = new Window(startOffset, limits)
    return this.#window
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
    this.#window?.finish(entry)
  }

  /** Pulls no more, starts no more handlers. */
  release(): void {
    this.#release.abort()
    this.#window?.wake()
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
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
