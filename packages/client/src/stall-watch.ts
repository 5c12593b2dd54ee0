/**
 * Notices queues that do not go on: nothing was heard from the broker for too long, or the oldest
 * message in hand is not done. Source: Apache ProcessQueue.isPullExpired; `client.md` section 5. Owns
 * what it saw of each queue when it looked last.
 */
import { type Clock, every, type Loop } from '@rockhopper/host'
import type { OwnedQueue } from './owned-queue.ts'

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
  readonly clock: Clock
  readonly stalledAfterMs: number
  readonly owned: () => readonly OwnedQueue[]
  /** Told once of each stall. */
  readonly onStalled: (owned: OwnedQueue, reason: StallReason, forMs: number) => void
  readonly onError: (error: unknown) => void
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
    const periodMs = parts.stalledAfterMs / LOOKS
    this.#loop = every(parts.clock, periodMs, () => this.#look(), parts.onError)
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  #look(): void {
    const { clock, owned, stalledAfterMs, onStalled } = this.#parts
    const nowMs = clock.monotonicMs()
    for (const each of owned()) {
      const seen = this.#update(each, nowMs)
      const stall = stallOf(each, seen, nowMs - stalledAfterMs)
      if (stall === undefined) seen.told = undefined
      else if (seen.told !== stall.reason) {
        seen.told = stall.reason
        onStalled(each, stall.reason, nowMs - stall.sinceMs)
      }
    }
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
