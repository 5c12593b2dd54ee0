/**
 * The queues of a consumer whose messages the application fetches: finds them, moves them, and
 * commits what the application has consumed of them. Owns which there are.
 */
import type { Logger } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { QueueFacts } from '../cluster/queue-facts.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import { badOption, ClientError } from '../errors.ts'
import { queueKey } from '../message-queue.ts'
import type { OffsetStore } from '../offsets/offset-store.ts'
import type { Fetching } from './fetching.ts'
import { PolledQueue } from './polled-queue.ts'
import type { ReadyMessages } from './ready-messages.ts'

/** An offset of a queue: that of the next message to consume. */
export interface QueueOffset {
  readonly queue: MessageQueue
  readonly offset: number
}

/** Where to go on with a queue. */
export type SeekTarget =
  | number
  /** At the oldest message that the queue has. */
  | 'begin'
  /** Behind the messages that the queue has. */
  | 'end'
  /** At the first message stored at or after this time. */
  | { readonly timestampMs: number }

export interface PolledQueuesParts {
  readonly logger: Logger
  readonly offsets: OffsetStore
  readonly facts: QueueFacts
  readonly ready: ReadyMessages
  readonly fetching: Fetching
  /** Whether what counts as consumed is committed without a word of the application. */
  readonly isAutomatic: boolean
  /** Whether a group shares the queues, so that they come and go. */
  readonly isShared: () => boolean
  /** Whether the group may be told how far a queue is, without a word of the application. */
  readonly mayCommit: (owned: OwnedQueue) => boolean
}

export class PolledQueues {
  readonly #parts: PolledQueuesParts
  readonly #byKey = new Map<string, PolledQueue>()

  constructor(parts: PolledQueuesParts) {
    this.#parts = parts
  }

  /** A queue is this consumer's from now on. */
  add(owned: OwnedQueue): PolledQueue {
    const polled = new PolledQueue(owned, this.#parts.isAutomatic)
    this.#byKey.set(owned.key, polled)
    return polled
  }

  /** A queue is this consumer's no more, and what was consumed of it is committed. */
  delete(owned: OwnedQueue): void {
    this.#byKey.delete(owned.key)
  }

  /** A queue that is read at present. Throws NOT_ASSIGNED. */
  get(queue: MessageQueue): PolledQueue {
    const polled = this.#byKey.get(queueKey(queue))
    if (polled !== undefined && !polled.owned.isReleased) return polled
    const sentence = `the queue ${queueKey(queue)} is not assigned to this consumer`
    const retryable = this.#parts.isShared()
    const hint = retryable ? 'the group may be sharing anew: look at `queues`' : 'assign it first'
    throw new ClientError('NOT_ASSIGNED', sentence, { retryable, hint })
  }

  /** Goes on elsewhere. Rejects with NOT_ASSIGNED, and BAD_OPTION where the queue does not reach. */
  async seek(queue: MessageQueue, to: SeekTarget): Promise<void> {
    this.get(queue)
    const offset = await this.#offsetOf(queue, to)
    // The queue may be somebody else's by now.
    this.restart(this.get(queue), offset)
  }

  /** Goes on at an offset: what was read and not fetched is forgotten. */
  restart(polled: PolledQueue, offset: number): void {
    this.#parts.ready.drop(polled.restart(offset))
  }

  /** Commits these offsets, or all that was given, and waits until it is kept. */
  async commit(offsets: readonly QueueOffset[] | undefined): Promise<void> {
    const commits = this.#note(offsets).map(async ({ owned }) => {
      const { commitOffset } = owned
      if (commitOffset === undefined || commitOffset === owned.storedOffset) return
      await this.#parts.offsets.commit(owned, commitOffset)
    })
    const failed = (await Promise.allSettled(commits)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw clientErrorOf(failed.reason)
  }

  /** The same without waiting. */
  commitUnheard(offsets: readonly QueueOffset[] | undefined): void {
    for (const { owned } of this.#note(offsets)) this.#commitLater(owned)
  }

  /** Commits what has not been so far, as the options and the application say. */
  commitDue(): void {
    for (const polled of this.#byKey.values()) {
      if (this.#parts.isAutomatic) polled.note(polled.position)
      if (this.#parts.mayCommit(polled.owned)) this.#commitLater(polled.owned)
    }
  }

  /** Next offset that the group will consume, as far as it was said or is known here. */
  async committed(queue: MessageQueue): Promise<number | undefined> {
    const noted = this.#byKey.get(queueKey(queue))?.owned.commitOffset
    return noted ?? (await this.#parts.facts.committed(queue))
  }

  async #offsetOf(queue: MessageQueue, to: SeekTarget): Promise<number> {
    const { facts } = this.#parts
    if (to === 'begin') return await facts.minOffset(queue)
    if (to === 'end') return await facts.maxOffset(queue)
    if (typeof to === 'object') return await facts.offsetAtTime(queue, to.timestampMs)
    const [min, max] = await Promise.all([facts.minOffset(queue), facts.maxOffset(queue)])
    if (Number.isSafeInteger(to) && to >= min && to <= max) return to
    throw badOption(
      `the queue ${queueKey(queue)} has the offsets ${min} to ${max}, and ${to} is none`,
      'seek to one of them, or to the begin, the end or a time',
    )
  }

  /** Notes what the application says it has consumed. Gives back the queues concerned. */
  #note(offsets: readonly QueueOffset[] | undefined): readonly PolledQueue[] {
    if (offsets === undefined) {
      this.#parts.fetching.finishAll()
      const all = [...this.#byKey.values()]
      for (const polled of all) polled.note(polled.position)
      return all
    }
    const found = offsets.map(({ queue, offset }) => ({ polled: this.get(queue), offset }))
    for (const { polled, offset } of found) polled.note(offset)
    return found.map(({ polled }) => polled)
  }

  #commitLater(owned: OwnedQueue): void {
    this.#parts.offsets.commitLater(owned).catch((error: unknown) =>
      this.#parts.logger.debug('An offset could not be committed; it will be later.', {
        queue: owned.queue,
        error,
      }),
    )
  }
}
