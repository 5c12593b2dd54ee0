/**
 * Notices queues that do not go on: nothing was heard from the broker for too long, or the oldest
 * message in hand is not done. Says so, and has them pulled anew where that may help. Source: Apache ProcessQueue.isPullExpired; `client.md` section 5. Owns
 * what it saw of each queue when it looked last.
 */
import { every, type Host, type Loop } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import type { OwnedQueue } from '../balance/owned-queue.ts'

/** Looks per time after which a queue counts as stalled. */
const LOOKS = 4

/** What keeps a queue from going on. */
export type StallReason =
  /** No pull was answered: the pull is made anew. */
  | 'pull'
  /** Another member of an orderly group has the lock. */
  | 'lock'
  /** Handlers do not finish the oldest message that is held, or nobody fetches it. */
  | 'handling'

export interface StallWatchParts {
  readonly host: Host
  readonly stalledAfterMs: number
  readonly owned: () => readonly OwnedQueue[]
  /** Makes the pull of a queue anew. */
  readonly repull: (owned: OwnedQueue) => void
  /** Told once of each stall. */
  readonly onStalled: (stall: QueueStall) => void
}

/** A queue that does not go on. */
export interface QueueStall {
  readonly queue: MessageQueue
  readonly reason: StallReason
  readonly forMs: number
}

interface Seen {
  answers: number
  answeredMs: number
  /** Offset of the oldest message that is held. */
  oldest: number
  progressedMs: number
  told: StallReason | undefined
}

export class StallWatch {
  readonly #parts: StallWatchParts
  readonly #seen = new WeakMap<OwnedQueue, Seen>()
  readonly #loop: Loop

  constructor(parts: StallWatchParts) {
    this.#parts = parts
    const { clock, logger } = parts.host
    this.#loop = every(
      clock,
      parts.stalledAfterMs / LOOKS,
      () => this.#look(),
      (error) =>
        logger.error('The watch over queues failed for a reason nobody foresaw.', { error }),
    )
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  #look(): void {
    const { host, owned, stalledAfterMs } = this.#parts
    const nowMs = host.clock.monotonicMs()
    for (const each of owned()) {
      const seen = this.#update(each, nowMs)
      const stall = stallOf(each, seen, nowMs - stalledAfterMs)
      if (stall === undefined) seen.told = undefined
      else if (seen.told !== stall.reason) {
        seen.told = stall.reason
        this.#tell(each, stall.reason, nowMs - stall.sinceMs)
      }
    }
  }

  #tell(owned: OwnedQueue, reason: StallReason, forMs: number): void {
    const { host, onStalled, repull } = this.#parts
    const stall = { queue: owned.queue, reason, forMs }
    host.logger.warn('A queue does not go on.', stall)
    onStalled(stall)
    if (reason === 'pull') repull(owned)
  }

  #update(owned: OwnedQueue, nowMs: number): Seen {
    const { answers, cached } = owned
    const oldest = cached.minOffset
    const seen = this.#seen.get(owned)
    if (seen === undefined) {
      const first = { answers, oldest, answeredMs: nowMs, progressedMs: nowMs }
      const made: Seen = { ...first, told: undefined }
      this.#seen.set(owned, made)
      return made
    }
    if (answers !== seen.answers || owned.isWaitingForRoom) seen.answeredMs = nowMs
    if (oldest !== seen.oldest || cached.count === 0) seen.progressedMs = nowMs
    seen.answers = answers
    seen.oldest = oldest
    return seen
  }
}

function stallOf(
  { isWaitingForLock }: OwnedQueue,
  { answeredMs, progressedMs }: Seen,
  beforeMs: number,
): { reason: StallReason; sinceMs: number } | undefined {
  if (answeredMs <= beforeMs) {
    return { reason: isWaitingForLock ? 'lock' : 'pull', sinceMs: answeredMs }
  }
  if (progressedMs <= beforeMs) return { reason: 'handling', sinceMs: progressedMs }
  return undefined
}
