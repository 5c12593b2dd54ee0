/**
 * Which client of a group has which queue for itself, so that its messages are consumed in order.
 * Owns the leases: each ends a while after it was last asked for. Nothing of it is on disk; clients
 * ask anew every 20 seconds, and take a lease for lost when 30 passed without an answer.
 *
 * The lease of a client whose connection closes is left to run out: the client may be alive, and in
 * the middle of a message that it must finish before another may have the queue. Clients of this
 * suite ask more often, and for less time. They rely on nothing once their connection is gone, and
 * ask again at once if they live: who does not within some seconds is dead, and has lost the queue.
 * Source: Apache class RebalanceLockManager.
 */
import type { Clock } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import { MAX_QUEUE_LOCKS, ORPHANED_LOCK_MS } from '../limits.ts'

interface Lease {
  clientId: string
  /** Monotonic time at which it ends unless it is asked for again, in milliseconds. */
  endMs: number
  /** With which it ends, too; undefined when the client relies on it beyond that. */
  connection: Connection | undefined
}

/** How a client wants its leases. */
export interface LeaseWish {
  /** For how long, if for less than usual, in milliseconds. */
  readonly wantedMs?: number | undefined
  /** The connection without which the client relies on none of them. */
  readonly connection?: Connection | undefined
}

export class QueueLockTable {
  readonly #clock: Clock
  readonly #leaseMs: number
  readonly #groups = new Map<string, Map<string, Lease>>()
  readonly #ofConnection = new Map<Connection, Set<Lease>>()
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
    { wantedMs = this.#leaseMs, connection }: LeaseWish = {},
  ): MessageQueue[] {
    const endMs = this.#clock.monotonicMs() + Math.max(0, Math.min(wantedMs, this.#leaseMs))
    if (this.#count + queues.length > MAX_QUEUE_LOCKS) this.#forgetEnded()
    const leases = this.#groups.get(group) ?? new Map<string, Lease>()
    this.#groups.set(group, leases)
    const locked = queues.filter((queue) =>
      this.#lock(leases, keyOf(queue), { clientId, endMs, connection }),
    )
    if (leases.size === 0) this.#groups.delete(group)
    return locked
  }

  /** Ends the leases that the client has of these queues. */
  unlock(group: string, clientId: string, queues: readonly MessageQueue[]): void {
    const leases = this.#groups.get(group)
    if (leases === undefined) return
    for (const key of queues.map(keyOf)) {
      const lease = leases.get(key)
      if (lease?.clientId === clientId) this.#forget(leases, key, lease)
    }
    if (leases.size === 0) this.#groups.delete(group)
  }

  /** A connection is gone: who relied on it, and lives, asks again at once. */
  disconnected(connection: Connection): void {
    const endMs = this.#clock.monotonicMs() + ORPHANED_LOCK_MS
    for (const lease of this.#ofConnection.get(connection) ?? []) {
      lease.endMs = Math.min(lease.endMs, endMs)
      lease.connection = undefined
    }
    this.#ofConnection.delete(connection)
  }

  /** Whether a member of the group has any queue for itself. */
  isAnyLocked(group: string): boolean {
    const leases = this.#groups.get(group)
    return leases !== undefined && [...leases.values()].some((lease) => this.#runs(lease))
  }

  #lock(leases: Map<string, Lease>, key: string, wanted: Lease): boolean {
    const lease = leases.get(key)
    if (lease === undefined) {
      if (this.#count >= MAX_QUEUE_LOCKS) return false
      leases.set(key, wanted)
      this.#count++
      this.#bind(wanted, wanted.connection)
      return true
    }
    if (lease.clientId !== wanted.clientId && this.#runs(lease)) return false
    lease.clientId = wanted.clientId
    lease.endMs = wanted.endMs
    this.#bind(lease, wanted.connection)
    return true
  }

  #bind(lease: Lease, connection: Connection | undefined): void {
    if (lease.connection !== undefined) this.#ofConnection.get(lease.connection)?.delete(lease)
    lease.connection = connection?.isOpen === true ? connection : undefined
    if (lease.connection === undefined) return
    const leases = this.#ofConnection.get(lease.connection)
    if (leases === undefined) this.#ofConnection.set(lease.connection, new Set([lease]))
    else leases.add(lease)
  }

  #runs({ endMs }: Lease): boolean {
    return this.#clock.monotonicMs() <= endMs
  }

  #forgetEnded(): void {
    for (const [group, leases] of this.#groups) {
      for (const [key, lease] of leases) if (!this.#runs(lease)) this.#forget(leases, key, lease)
      if (leases.size === 0) this.#groups.delete(group)
    }
  }

  #forget(leases: Map<string, Lease>, key: string, lease: Lease): void {
    leases.delete(key)
    this.#bind(lease, undefined)
    this.#count--
  }
}

function keyOf({ brokerName, queueId, topic }: MessageQueue): string {
  return `${queueId} ${brokerName} ${topic}`
}
