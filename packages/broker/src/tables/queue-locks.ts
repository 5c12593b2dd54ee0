/**
 * Which client of a group has which queue for itself, so that its messages are consumed in order.
 * Owns the leases: each ends a while after it was last asked for. Nothing of it is on disk; clients
 * ask anew every 20 seconds, and take a lease for lost when 30 passed without an answer.
 *
 * The lease of a client whose connection closes is left to run out: the client may be alive, and in
 * the middle of a message that it must finish before another may have the queue. Clients of this
 * suite ask more often, and for less time, so that the queues of one that died are free sooner.
 * Source: Apache class RebalanceLockManager.
 */
import type { Clock } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import { MAX_QUEUE_LOCKS } from '../limits.ts'

interface Lease {
  clientId: string
  /** Monotonic time at which it ends unless it is asked for again, in milliseconds. */
  endMs: number
}

export class QueueLockTable {
  readonly #clock: Clock
  readonly #leaseMs: number
  readonly #groups = new Map<string, Map<string, Lease>>()
  #count = 0

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock
    this.#leaseMs = leaseMs
  }

  /**
   * Begins or prolongs leases, for the usual time or less; returns those of the queues that the
   * client has from now on.
   */
  lock(
    group: string,
    clientId: string,
    queues: readonly MessageQueue[],
    wantedMs: number = this.#leaseMs,
  ): MessageQueue[] {
    const endMs = this.#clock.monotonicMs() + Math.max(0, Math.min(wantedMs, this.#leaseMs))
    if (this.#count + queues.length > MAX_QUEUE_LOCKS) this.#forgetEnded()
    const leases = this.#groups.get(group) ?? new Map<string, Lease>()
    this.#groups.set(group, leases)
    const locked = queues.filter((queue) => this.#lock(leases, keyOf(queue), { clientId, endMs }))
    if (leases.size === 0) this.#groups.delete(group)
    return locked
  }

  /** Ends the leases that the client has of these queues. */
  unlock(group: string, clientId: string, queues: readonly MessageQueue[]): void {
    const leases = this.#groups.get(group)
    if (leases === undefined) return
    for (const key of queues.map(keyOf)) {
      if (leases.get(key)?.clientId === clientId) this.#forget(leases, key)
    }
    if (leases.size === 0) this.#groups.delete(group)
  }

  /** Whether a member of the group has any queue for itself. */
  isAnyLocked(group: string): boolean {
    const leases = this.#groups.get(group)
    return leases !== undefined && [...leases.values()].some((lease) => this.#runs(lease))
  }

  #lock(leases: Map<string, Lease>, key: string, { clientId, endMs }: Lease): boolean {
    const lease = leases.get(key)
    if (lease === undefined) {
      if (this.#count >= MAX_QUEUE_LOCKS) return false
      leases.set(key, { clientId, endMs })
      this.#count++
      return true
    }
    if (lease.clientId !== clientId && this.#runs(lease)) return false
    lease.clientId = clientId
    lease.endMs = endMs
    return true
  }

  #runs({ endMs }: Lease): boolean {
    return this.#clock.monotonicMs() <= endMs
  }

  #forgetEnded(): void {
    for (const [group, leases] of this.#groups) {
      for (const [key, lease] of leases) if (!this.#runs(lease)) this.#forget(leases, key)
      if (leases.size === 0) this.#groups.delete(group)
    }
  }

  #forget(leases: Map<string, Lease>, key: string): void {
    leases.delete(key)
    this.#count--
  }
}

function keyOf({ brokerName, queueId, topic }: MessageQueue): string {
  return `${queueId} ${brokerName} ${topic}`
}
