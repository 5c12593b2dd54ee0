/**
 * Which client of a group has which queue for itself, so that its messages are consumed in order.
 * Owns the leases: each ends a while after it was last asked for. Clients ask anew every 20 seconds,
 * and take a lease for lost when 30 passed without an answer.
 *
 * The lease of a client whose connection closes is left to run out: the client may be alive, and in
 * the middle of a message that it must finish before another may have the queue. Clients of this
 * suite ask more often, and for less time. They rely on nothing once their connection is gone, and
 * ask again at once if they live: who does not within some seconds is dead, and has lost the queue.
 * Source: Apache class RebalanceLockManager.
 *
 * Apache's brokers forget all leases when they end, and give a queue to whoever asks first, though
 * another may be handling its messages. Here it is known over a restart who has what
 * (`config/queueLocks.json`), and a lease goes on until it ends by itself. When nobody of a group
 * comes back, the group was started anew with the broker, and waits for none of the dead.
 *
 * A queue that is free goes to the one that has asked for it for the longest time, among those that
 * ask again and again. It may be reading the queue already, and only wait for a dead one's lease.
 */
import type { Clock } from '@rockhopper/host'
import { asList, asNumber, asObject, asText, type MessageQueue } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import { Watermark } from '@rockhopper/store'
import { MAX_QUEUE_LOCKS, ORPHANED_LOCK_MS } from '../limits.ts'

/** Clients rely on a lease for so long. Source: Apache ProcessQueue.REBALANCE_LOCK_MAX_LIVE_TIME. */
const RELIED_ON_MS = 30_000
/** Who waits for a queue asks for it again within this time, or waits no more. */
const ASKS_AGAIN_MS = 1_500

/** The next to have a queue. */
interface Heir {
  readonly clientId: string
  readonly untilMs: number
  readonly connection: Connection | undefined
}

interface Lease {
  clientId: string
  /** Monotonic time at which it ends unless it is asked for again, in milliseconds. */
  endMs: number
  /** For how long it was asked, if for less than usual, in milliseconds. */
  wantedMs: number | undefined
  /** With which it ends, too; undefined when the client relies on it beyond that. */
  connection: Connection | undefined
  heir?: Heir | undefined
}

/** The leases of a client as they are kept; `leaseMs` if they are for less than usual. */
interface SavedLeases {
  readonly leaseMs: number | undefined
  readonly queues: string[]
}

/** How a client wants its leases. */
export interface LeaseWish {
  /** For how long, if for less than usual, in milliseconds. */
  readonly wantedMs?: number | undefined
  /** The connection without which the client relies on none of them. */
  readonly connection?: Connection | undefined
}

export class QueueLockTable {
  /** Number of changes so far in who has what. */
  readonly revision: Watermark
  readonly #clock: Clock
  readonly #leaseMs: number
  readonly #groups = new Map<string, Map<string, Lease>>()
  readonly #ofConnection = new Map<Connection, Set<Lease>>()
  /** By connection: the client that asked over it for leases of less than the usual time. */
  readonly #askers = new WeakMap<Connection, string>()
  /** Groups that had leases in an earlier life, and of which nobody came back yet. */
  readonly #unheard = new Set<string>()
  /** Until when those who live have come back, in monotonic milliseconds. */
  #returnedMs = 0
  #count = 0

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock
    this.#leaseMs = leaseMs
    this.revision = new Watermark(clock, 0)
  }

  /**
   * Begins or prolongs leases, for the usual time or less; returns those of the queues that the
   * client has from now on.
   */
  lock(
    group: string,
    clientId: string,
    queues: readonly MessageQueue[],
    { wantedMs, connection }: LeaseWish = {},
  ): MessageQueue[] {
    const lengthMs = Math.max(0, Math.min(wantedMs ?? this.#leaseMs, this.#leaseMs))
    const endMs = this.#clock.monotonicMs() + lengthMs
    if (this.#count + queues.length > MAX_QUEUE_LOCKS) this.forgetEnded()
    this.#hear(group, clientId)
    if (connection !== undefined) this.#askers.set(connection, clientId)
    const leases = this.#groups.get(group) ?? new Map<string, Lease>()
    this.#groups.set(group, leases)
    const locked = queues.filter((queue) =>
      this.#lock(leases, keyOf(queue), { clientId, endMs, wantedMs, connection }),
    )
    if (leases.size === 0) this.#groups.delete(group)
    return locked
  }

  /** Ends the leases that the client has of these queues; it waits for none of them any more. */
  unlock(group: string, clientId: string, queues: readonly MessageQueue[]): void {
    const leases = this.#groups.get(group)
    if (leases === undefined) return
    for (const key of queues.map(keyOf)) {
      const lease = leases.get(key)
      if (lease?.heir?.clientId === clientId) lease.heir = undefined
      if (lease?.clientId !== clientId) continue
      if (this.#isWaitedFor(lease)) this.#end(lease)
      else this.#forget(leases, key, lease)
      this.#change()
    }
    if (leases.size === 0) this.#groups.delete(group)
  }

  /** The client that asked over a connection for leases of less than the usual time. */
  askerOf(connection: Connection): string | undefined {
    return this.#askers.get(connection)
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

  /** Leases that have ended need no room, and need not be known in the next life. */
  forgetEnded(): void {
    for (const [group, leases] of this.#groups) {
      for (const [key, lease] of leases) {
        if (this.#runs(lease) || this.#isWaitedFor(lease)) continue
        this.#forget(leases, key, lease)
        this.#change()
      }
      if (leases.size === 0) this.#groups.delete(group)
    }
  }

  /**
   * Takes over what `toJson` gave in an earlier life. When each lease was asked for last is not
   * known: it goes on for as long as its client may rely on it at the most.
   */
  load(value: unknown): void {
    const nowMs = this.#clock.monotonicMs()
    this.#returnedMs = nowMs + ORPHANED_LOCK_MS
    for (const [group, clients] of Object.entries(asObject(value))) {
      const leases = new Map<string, Lease>()
      for (const [clientId, client] of Object.entries(asObject(clients))) {
        const { leaseMs, queues } = asObject(client)
        const wantedMs = leaseMs === undefined ? undefined : asNumber(leaseMs)
        const endMs = nowMs + Math.min(wantedMs ?? RELIED_ON_MS, RELIED_ON_MS, this.#leaseMs)
        for (const key of asList(queues)) {
          leases.set(asText(key), { clientId, endMs, wantedMs, connection: undefined })
        }
      }
      if (leases.size === 0) continue
      this.#groups.set(group, leases)
      this.#unheard.add(group)
      this.#count += leases.size
    }
  }

  /** By group and client: the queues of the leases that run, and how long each is asked for. */
  toJson(): unknown {
    return Object.fromEntries(
      [...this.#groups].map(([group, leases]) => [
        group,
        Object.fromEntries(this.#running(leases)),
      ]),
    )
  }

  #running(leases: ReadonlyMap<string, Lease>): Map<string, SavedLeases> {
    const clients = new Map<string, SavedLeases>()
    for (const [key, lease] of leases) {
      if (!this.#runs(lease)) continue
      const client = clients.get(lease.clientId)
      if (client === undefined)
        clients.set(lease.clientId, { leaseMs: lease.wantedMs, queues: [key] })
      else client.queues.push(key)
    }
    return clients
  }

  /** Somebody of a group asks: are those that had its queues before the start still there? */
  #hear(group: string, clientId: string): void {
    if (!this.#unheard.has(group)) return
    const leases = this.#groups.get(group) ?? new Map<string, Lease>()
    const isBack = [...leases.values()].some((lease) => lease.clientId === clientId)
    if (!isBack && this.#clock.monotonicMs() < this.#returnedMs) return
    this.#unheard.delete(group)
    if (isBack) return
    for (const lease of leases.values()) if (lease.wantedMs !== undefined) this.#end(lease)
  }

  #lock(leases: Map<string, Lease>, key: string, wanted: Lease): boolean {
    const lease = leases.get(key)
    if (lease === undefined) {
      if (this.#count >= MAX_QUEUE_LOCKS) return false
      leases.set(key, wanted)
      this.#count++
      this.#bind(wanted, wanted.connection)
      this.#change()
      return true
    }
    if (!this.#mayHave(lease, wanted.clientId)) {
      this.#waitFor(lease, wanted)
      return false
    }
    if (lease.clientId !== wanted.clientId || !this.#runs(lease)) this.#change()
    if (lease.heir?.clientId === wanted.clientId) lease.heir = undefined
    lease.clientId = wanted.clientId
    lease.endMs = wanted.endMs
    lease.wantedMs = wanted.wantedMs
    this.#bind(lease, wanted.connection)
    return true
  }

  #mayHave(lease: Lease, clientId: string): boolean {
    if (this.#runs(lease)) return lease.clientId === clientId
    return lease.heir?.clientId === clientId || !this.#isWaitedFor(lease)
  }

  /** Who asked for less time than usual asks again soon, and is the next unless another is. */
  #waitFor(lease: Lease, { clientId, connection, wantedMs }: Lease): void {
    if (wantedMs === undefined) return
    if (lease.heir?.clientId !== clientId && this.#isWaitedFor(lease)) return
    const untilMs = this.#clock.monotonicMs() + ASKS_AGAIN_MS
    lease.heir = { clientId, untilMs, connection }
  }

  #isWaitedFor({ heir }: Lease): boolean {
    if (heir === undefined || heir.connection?.isOpen === false) return false
    return this.#clock.monotonicMs() <= heir.untilMs
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

  #end(lease: Lease): void {
    lease.endMs = Number.NEGATIVE_INFINITY
    this.#bind(lease, undefined)
  }

  #forget(leases: Map<string, Lease>, key: string, lease: Lease): void {
    leases.delete(key)
    this.#bind(lease, undefined)
    this.#count--
  }

  #change(): void {
    this.revision.advance(this.revision.value + 1)
  }
}

function keyOf({ brokerName, queueId, topic }: MessageQueue): string {
  return `${queueId} ${brokerName} ${topic}`
}
