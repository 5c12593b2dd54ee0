/**
 * The way of a queue from one member of the group to the next: the one that takes it over begins
 * when the one that gives it up has finished its handlers and committed. Owns nothing.
 *
 * Members of an orderly group have Apache's lock for that, and do nothing without it. Where messages
 * are handled concurrently, Apache has nothing, and what is being handled comes twice; members of
 * this library hold locks there as well, under a name of their own so that nothing else is changed
 * by them (a broker of 5.x makes failed messages dead letters while their group holds locks). A
 * queue is not kept waiting for such a lock: the member that has it may be dead.
 */
import { type Clock, pause } from '@rockhopper/host'
import type { OwnedQueue } from './owned-queue.ts'
import type { QueueLocks } from './queue-locks.ts'

/**
 * Pause before a queue is read whose last owner held no lock, and may just be giving it up: a member
 * of another library, or one that has given it back before.
 */
const SETTLE_MS = 500

/** Longest wait for the word of a broker whether a queue that is given up is still ours. */
const LAST_WORD_MS = 2_000

export interface HandoverParts {
  readonly clock: Clock
  readonly locks: QueueLocks
  /** Whether nothing may be handled without the lock. */
  readonly isOrderly: boolean
  /** Longest wait for a lock that is no more than a courtesy, in ms. */
  readonly handoverMs: number
}

export class Handover {
  readonly #parts: HandoverParts

  constructor(parts: HandoverParts) {
    this.#parts = parts
  }

  /** Resolves when the queue may be read, or when it is released. */
  async enter(owned: OwnedQueue, isShared: boolean): Promise<void> {
    if (!this.#parts.isOrderly && !isShared) {
      void this.#parts.locks.want(owned)
      return
    }
    owned.isWaitingForLock = true
    if (this.#parts.isOrderly) await this.locked(owned)
    else await this.#courtesy(owned)
    owned.isWaitingForLock = false
  }

  /** Resolves when the lock is held, or when the queue is released. */
  async locked(owned: OwnedQueue): Promise<void> {
    const { locks } = this.#parts
    while (!owned.isReleased && !locks.isHeld(owned)) await locks.want(owned)
  }

  /** Whether the group may be told how far the queue is: nobody else has gone on with it. */
  mayCommit(owned: OwnedQueue): boolean {
    const { isOrderly, locks } = this.#parts
    return isOrderly ? locks.isHeld(owned) : locks.mayCommit(owned)
  }

  /** The same of a queue that is given up: its broker may be back just now, and yet to be heard. */
  async mayCommitLast(owned: OwnedQueue): Promise<boolean> {
    const { clock, locks } = this.#parts
    if (!this.mayCommit(owned) && locks.isUndecided(owned)) {
      const decided = new AbortController()
      void locks.want(owned).then(() => decided.abort())
      await pause(clock, LAST_WORD_MS, decided.signal)
    }
    return this.mayCommit(owned)
  }

  /** Gives the queue to whoever comes next: at once, or when its handlers have ended. */
  async leave(owned: OwnedQueue): Promise<void> {
    const { isOrderly, locks } = this.#parts
    if (isOrderly && owned.isGone) void owned.idle().then(() => locks.release(owned))
    else await locks.release(owned)
  }

  async #courtesy(owned: OwnedQueue): Promise<void> {
    const { clock, locks, handoverMs } = this.#parts
    const enough = new AbortController()
    const end = (): void => enough.abort()
    owned.released.addEventListener('abort', end, { once: true })
    const timer = clock.after(handoverMs, end)
    const outcome = await Promise.race([locks.want(owned), aborted(enough.signal)])
    timer.cancel()
    owned.released.removeEventListener('abort', end)
    if (outcome === 'at once' || outcome === 'refused') {
      await pause(clock, Math.min(SETTLE_MS, handoverMs), owned.released)
    }
  }
}

function aborted(signal: AbortSignal): Promise<'in vain'> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve('in vain'), { once: true })
  })
}
