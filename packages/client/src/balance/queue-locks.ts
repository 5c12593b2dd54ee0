/**
 * Holds locks on queues at their brokers, so that a queue is in the hands of one member of the group
 * at a time. Source: Apache classes RebalanceImpl and RebalanceLockManager; `client.md` section 6.5,
 * `broker-api.md` section 6.5. Owns the locks that are wanted or held.
 *
 * Apache's clients ask every 20 s, rely on a lock for 30 s, and its brokers keep it for 60 s, during
 * which the queues of a member that died are nobody's. Members of this library ask more often and,
 * of brokers of this suite, for less time. All of that is safe with other brokers and members: they
 * keep a lock longer than we rely on it.
 */
import type { Host, Timer } from '@rockhopper/host'
import {
  decodeLockedQueues,
  encodeQueueLockRequest,
  LOCK_BATCH_MQ,
  UNLOCK_BATCH_MQ,
} from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import type { Cluster } from '../cluster/cluster.ts'
import { MASTER_ID } from '../cluster/routes.ts'
import { queueKey } from '../message-queue.ts'
import type { OwnedQueue } from './owned-queue.ts'

/** How often a lock is asked for again. */
const RENEW_MS = 5_000
/** How long it is relied on without an answer. */
const TRUST_MS = 20_000
/** How long the broker is to keep it after it was asked for. */
const LEASE_MS = 25_000
/** Pause before a lock that another has is asked for again. */
const ASK_AGAIN_MS = 200
/** The same after the broker could not be asked. */
const AFTER_FAILURE_MS = 1_000
/** Source: Apache class MQClientAPIImpl, its callers' 1000. */
const LOCK_TIMEOUT_MS = 1_000

/** How it came out that a lock was wanted. */
export type LockOutcome =
  /** The first answer granted it. */
  | 'at once'
  /** Another had it, and gave it back or lost it. */
  | 'after another'
  /** The broker knows no locks. */
  | 'refused'
  /** The lock is not wanted any more. */
  | 'released'

export interface QueueLocksParts {
  readonly host: Host
  readonly cluster: Cluster
  readonly clientId: string
  /** Under which name the locks are kept: that of the group, where Apache's members count. */
  readonly lockGroup: string
  /** Whether another has gone on with a queue whose lock may have been free for a while. */
  readonly isOvertaken: (owned: OwnedQueue) => Promise<boolean>
  /** A lock that was held is another's now, or was, and that one has gone on with the queue. */
  readonly onLost: (owned: OwnedQueue) => void
}

interface Lock {
  readonly owned: OwnedQueue
  /** Monotonic time at which the last request that granted it was sent. */
  grantedMs: number | undefined
  /** Wall time of the same, for people. */
  grantedAtMs: number
  /** Whether the broker may have forgotten it. */
  isDoubtful: boolean
  /** Whether another had it after we did: what we know of the queue is not so any more. */
  isLost: boolean
  /** Whether the broker said that it keeps no locks. */
  isUnkept: boolean
  /** Whether the broker was asked for it at all. */
  isAsked: boolean
  /** Answers that did not grant it. */
  refusals: number
  waiting: ((outcome: LockOutcome) => void)[]
}

export class QueueLocks {
  readonly #parts: QueueLocksParts
  readonly #locks = new Map<string, Lock>()
  /** By broker: the monotonic time before which it is not asked again for what it was asked for. */
  readonly #pausedUntilMs = new Map<string, number>()
  readonly #asking = new Set<string>()
  #timer: Timer | undefined
  #isStopped = false

  constructor(parts: QueueLocksParts) {
    this.#parts = parts
  }

  /** Wants the lock of a queue from now on; resolves when there is a first outcome. */
  want(owned: OwnedQueue): Promise<LockOutcome> {
    const known = this.#locks.get(owned.key)
    const lock = known?.owned === owned ? known : newLock(owned)
    if (lock !== known) {
      settle(known, 'released')
      this.#locks.set(owned.key, lock)
    }
    if (this.#isSure(lock)) return Promise.resolve('at once')
    this.#plan(0)
    return new Promise((resolve) => {
      lock.waiting.push(resolve)
    })
  }

  /** Whether the queue is ours alone at this moment. */
  isHeld(owned: OwnedQueue): boolean {
    const lock = this.#locks.get(owned.key)
    return lock?.owned === owned && this.#isSure(lock)
  }

  /**
   * Whether the group may be told how far we are, where locks are a courtesy: not when we had the lock,
   * and another may have had it since. Who never got it may, and who is alone with it.
   */
  mayCommit(owned: OwnedQueue): boolean {
    const lock = this.#locks.get(owned.key)
    if (lock?.owned !== owned) return true
    if (lock.isLost) return false
    return lock.grantedMs === undefined || lock.isUnkept || this.#isSure(lock)
  }

  /** Whether it will be known soon what is not known now: a broker is asked for the lock again. */
  isUndecided(owned: OwnedQueue): boolean {
    const lock = this.#locks.get(owned.key)
    return lock?.owned === owned && !lock.isLost && !this.#isSure(lock)
  }

  /** Wall time in ms at which the lock was granted last; 0 when it never was. */
  grantedAtMs(owned: OwnedQueue): number {
    return this.#locks.get(owned.key)?.grantedAtMs ?? 0
  }

  /** Wants a lock no more, and tells the broker. Never rejects. */
  async release(owned: OwnedQueue): Promise<void> {
    const lock = this.#locks.get(owned.key)
    if (lock?.owned !== owned) return
    this.#locks.delete(owned.key)
    settle(lock, 'released')
    const { cluster, host, lockGroup, clientId } = this.#parts
    const body = encodeQueueLockRequest({
      consumerGroup: lockGroup,
      clientId,
      queues: [owned.queue],
      onlyThisBroker: false,
    })
    try {
      const { address } = cluster.replica(owned.queue.brokerName, MASTER_ID)
      await cluster.remoting.oneway(address, UNLOCK_BATCH_MQ, {}, [body])
    } catch (error) {
      host.logger.debug('A lock was not given back; it runs out.', { queue: owned.queue, error })
    }
  }

  /** A connection is gone: a broker behind it may have been restarted, and have forgotten. */
  doubt(address: string): void {
    for (const lock of this.#locks.values()) {
      if (this.#addressOf(lock.owned.queue.brokerName) === address) lock.isDoubtful = true
    }
    if (this.#locks.size > 0) this.#plan(0)
  }

  /** Asks for nothing more. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    for (const lock of this.#locks.values()) settle(lock, 'released')
    this.#locks.clear()
  }

  #isSure({ grantedMs, isDoubtful, isLost }: Lock): boolean {
    if (grantedMs === undefined || isDoubtful || isLost) return false
    return this.#parts.host.clock.monotonicMs() - grantedMs < TRUST_MS
  }

  /** One timer for all: it stands at the next moment at which a broker is to be asked. */
  #plan(delayMs: number): void {
    if (this.#isStopped) return
    this.#timer?.cancel()
    this.#timer = this.#parts.host.clock.after(delayMs, () => this.#askAll())
  }

  #askAll(): void {
    this.#timer = undefined
    const nowMs = this.#parts.host.clock.monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const [brokerName, locks] of this.#byBroker()) {
      if (this.#asking.has(brokerName)) continue
      const dueMs = this.#dueMs(brokerName, locks)
      if (dueMs <= nowMs) void this.#ask(brokerName, locks)
      else nextMs = Math.min(nextMs, dueMs)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#plan(nextMs - nowMs)
  }

  /** When a broker is to be asked: at once for a lock that it was never asked for. */
  #dueMs(brokerName: string, locks: readonly Lock[]): number {
    if (locks.some(({ isAsked }) => !isAsked)) return 0
    const untilMs = this.#pausedUntilMs.get(brokerName) ?? 0
    if (!locks.every((lock) => this.#isSure(lock))) return untilMs
    return Math.max(untilMs, ...locks.map(({ grantedMs = 0 }) => grantedMs + RENEW_MS))
  }

  async #ask(brokerName: string, locks: readonly Lock[]): Promise<void> {
    const { cluster, host, lockGroup, clientId } = this.#parts
    const sentMs = host.clock.monotonicMs()
    this.#asking.add(brokerName)
    for (const lock of locks) lock.isAsked = true
    const queues = locks.map(({ owned }) => owned.queue)
    const request = { consumerGroup: lockGroup, clientId, queues, onlyThisBroker: false }
    let pauseMs = ASK_AGAIN_MS
    try {
      const { address } = cluster.replica(brokerName, MASTER_ID)
      const options = { body: [encodeQueueLockRequest(request)], timeoutMs: LOCK_TIMEOUT_MS }
      const header = { leaseMs: LEASE_MS }
      const answer = await cluster.remoting.request(address, LOCK_BATCH_MQ, header, options)
      const granted = new Set(decodeLockedQueues(answer.body).map(queueKey))
      await Promise.all(locks.map((lock) => this.#note(lock, granted.has(lock.owned.key), sentMs)))
    } catch (error) {
      pauseMs = AFTER_FAILURE_MS
      host.logger.debug('Queues could not be locked.', { brokerName, error })
      if (error instanceof RemoteError) for (const lock of locks) this.#refuse(lock)
    }
    this.#asking.delete(brokerName)
    this.#pausedUntilMs.set(brokerName, host.clock.monotonicMs() + pauseMs)
    this.#plan(0)
  }

  /** Never rejects. */
  async #note(lock: Lock, isGranted: boolean, sentMs: number): Promise<void> {
    if (!this.#isWanted(lock)) return
    lock.isUnkept = false
    const { grantedMs, isDoubtful } = lock
    if (!isGranted) {
      lock.refusals++
      lock.grantedMs = undefined
      if (grantedMs !== undefined) this.#lose(lock)
      return
    }
    const mayHaveBeenFree = isDoubtful || sentMs - (grantedMs ?? sentMs) >= LEASE_MS
    if (grantedMs !== undefined && mayHaveBeenFree) await this.#confirm(lock, sentMs)
    else this.#grant(lock, sentMs)
  }

  /** Another may have had the lock meanwhile. While that is not known, it counts as doubtful. */
  async #confirm(lock: Lock, sentMs: number): Promise<void> {
    const { host, isOvertaken } = this.#parts
    lock.isDoubtful = true
    try {
      const isLost = await isOvertaken(lock.owned)
      if (!this.#isWanted(lock)) return
      if (isLost) this.#lose(lock)
      else this.#grant(lock, sentMs)
    } catch (error) {
      const { queue } = lock.owned
      host.logger.debug('It is not known whether another had a queue; it is asked again.', {
        queue,
        error,
      })
    }
  }

  #grant(lock: Lock, sentMs: number): void {
    lock.grantedMs = sentMs
    lock.isDoubtful = false
    lock.grantedAtMs = this.#parts.host.clock.nowMs()
    settle(lock, lock.refusals === 0 ? 'at once' : 'after another')
  }

  #lose(lock: Lock): void {
    lock.isLost = true
    this.#parts.onLost(lock.owned)
    settle(lock, 'released')
  }

  #refuse(lock: Lock): void {
    lock.isUnkept = true
    settle(lock, 'refused')
  }

  #isWanted(lock: Lock): boolean {
    return this.#locks.get(lock.owned.key) === lock
  }

  #byBroker(): Map<string, Lock[]> {
    const byBroker = new Map<string, Lock[]>()
    for (const lock of this.#locks.values()) {
      const { brokerName } = lock.owned.queue
      const locks = byBroker.get(brokerName)
      if (locks === undefined) byBroker.set(brokerName, [lock])
      else locks.push(lock)
    }
    return byBroker
  }

  #addressOf(brokerName: string): string | undefined {
    return this.#parts.cluster.addresses.get(brokerName)?.get(MASTER_ID)
  }
}

function newLock(owned: OwnedQueue): Lock {
  const never = { grantedMs: undefined, grantedAtMs: 0, isDoubtful: false, isLost: false }
  return { owned, ...never, isUnkept: false, isAsked: false, refusals: 0, waiting: [] }
}

function settle(lock: Lock | undefined, outcome: LockOutcome): void {
  const waiting = lock?.waiting ?? []
  if (lock !== undefined) lock.waiting = []
  for (const resolve of waiting) resolve(outcome)
}
