/**
 * Shares the queues of the subscribed topics among the members of the group: every member computes
 * the same allocation from the same lists, takes what is its own and gives up what is not. Source:
 * Apache class RebalanceImpl; `client.md` section 5.
 *
 * It owns the queues that this consumer has, those it is giving up, and the loop. A queue is given
 * up in order: no more pulls, running handlers end, the offset is committed, and only then it is let
 * go of, which the member that takes it over waits for (`handover.ts`): a quiet change repeats
 * nothing.
 */
import { setMaxListeners } from 'node:events'
import { every, type Host, type Loop, type Timer } from '@rockhopper/host'
import type { MessageQueue, TopicRouteData } from '@rockhopper/protocol'
import { subscribeQueues } from '../cluster/routes.ts'
import { ClientError } from '../errors.ts'
import { compareQueues, queueKey } from '../message-queue.ts'
import type { OffsetStore } from '../offsets/offset-store.ts'
import type { AllocationStrategy } from './allocate.ts'
import { OwnedQueue } from './owned-queue.ts'

/** Source: Apache rocketmq.client.rebalance.waitInterval. */
const REBALANCE_MS = 20_000
/** Pause before another try when something was unknown or in the way. */
const AGAIN_MS = 1_000

/** What one topic of the subscription looks like at present. */
export interface TopicShare {
  readonly topic: string
  readonly route: TopicRouteData
  /** Sorted ids of the members; undefined when nobody could say. */
  readonly members: readonly string[] | undefined
}

export interface RebalanceParts {
  readonly host: Host
  readonly group: string
  readonly clientId: string
  /** How the members share the queues of a topic. */
  readonly allocation: AllocationStrategy
  readonly offsets: OffsetStore
  /**
   * Whether a queue that is given up is kept until its handlers have ended, however long that takes:
   * nobody else may have it before. Absent: no. A closing consumer keeps nothing longer than told.
   */
  readonly isKeptUntilDone?: boolean
  /** How long running handlers of a queue that is given up are waited for, in ms. */
  readonly drainTimeoutMs: number
  /** The subscribed topics that have a route, with the members of the group. */
  readonly shares: () => Promise<readonly TopicShare[]>
  /** Whether the topic is subscribed at present. */
  readonly isSubscribed: (topic: string) => boolean
  /** Reads a queue until it is released. `isShared`: another member may have it at present. */
  readonly read: (owned: OwnedQueue, isShared: boolean) => Promise<void>
  /** Whether the queue is ours, so that its offset may be committed. Never rejects. */
  readonly mayCommit: (owned: OwnedQueue) => Promise<boolean>
  /** A queue was given up and is to be let go of. Never rejects. */
  readonly onLeft: (owned: OwnedQueue) => Promise<void>
  readonly onAssigned: (queues: readonly MessageQueue[]) => void
  readonly onReleased: (queues: readonly MessageQueue[]) => void
  /** The brokers do not count us among the members. */
  readonly onForgotten: () => void
  /** Told once when the queues of a topic cannot be shared, and again after they could. */
  readonly onProblem: (topic: string, error: Error) => void
}

/** What is committed of a queue that is given up: how far it is, another offset, or nothing. */
type LastCommit = 'progress' | 'nothing' | number

/** A topic with the queues of it that are ours; undefined where that cannot be said. */
interface Allotment extends TopicShare {
  readonly own: readonly MessageQueue[] | undefined
}

export class Rebalance {
  readonly #parts: RebalanceParts
  readonly #owned = new Map<string, OwnedQueue>()
  readonly #leaving = new Map<string, Promise<void>>()
  /** Topics whose queues others had a share of when we looked last. */
  readonly #sharedBefore = new Set<string>()
  /** Topics whose queues could not be shared when it was tried last. */
  readonly #unshared = new Set<string>()
  #loop: Loop | undefined
  /** Others came or went while the first share was being worked out. */
  #wokenEarly = false
  #planned: Timer | undefined
  /** Those who wait for the end of a run that begins after they asked. */
  #waiting: (() => void)[] = []
  readonly #closing = new AbortController()

  constructor(parts: RebalanceParts) {
    this.#parts = parts
    // Each queue that is being given up listens: Node would warn of a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  /** The queues that are read at present. */
  get owned(): readonly OwnedQueue[] {
    return [...this.#owned.values()]
  }

  /** Shares for the first time, then every 20 s. */
  async start(): Promise<void> {
    await this.#run()
    const { clock, logger } = this.#parts.host
    this.#loop = every(
      clock,
      REBALANCE_MS,
      () => this.#run(),
      (error) => logger.error('A rebalance failed for a reason nobody foresaw.', { error }),
    )
    if (this.#wokenEarly) this.#loop.wake()
  }

  /** Shares anew at once. */
  wake(): void {
    if (this.#loop === undefined) this.#wokenEarly = true
    else this.#loop.wake()
  }

  /** Shares anew at once, and resolves when that is done or this is closed. Never rejects. */
  now(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.wake()
    })
  }

  /** Shares anew in a second. */
  soon(): void {
    if (this.#planned !== undefined) return
    this.#planned = this.#parts.host.clock.after(AGAIN_MS, () => {
      this.#planned = undefined
      this.wake()
    })
  }

  /** Begins a queue anew at another offset: the one it had is not there any more, or not wanted. */
  move(owned: OwnedQueue, offset: number): void {
    if (this.#owned.get(owned.key) !== owned) return
    this.#giveUp(owned, offset)
    this.soon()
  }

  /** Begins a queue anew where it is: nothing was heard of it for long. */
  repull(owned: OwnedQueue): void {
    if (this.#owned.get(owned.key) !== owned) return
    this.#giveUp(owned)
    this.wake()
  }

  /** Begins a queue anew at the offset that the group has, without committing ours. */
  restart(owned: OwnedQueue): void {
    if (this.#owned.get(owned.key) !== owned) return
    this.#giveUp(owned, 'nothing')
    this.wake()
  }

  /** Gives up all queues, in order. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#planned?.cancel()
    await this.#loop?.stop()
    this.#loop = undefined
    for (const resolve of this.#waiting.splice(0)) resolve()
    this.#giveUpAll(this.owned)
    await Promise.all(this.#leaving.values())
  }

  async #run(): Promise<void> {
    const waiting = this.#waiting.splice(0)
    try {
      await this.#share()
    } finally {
      for (const resolve of waiting) resolve()
    }
  }

  async #share(): Promise<void> {
    const shares = await this.#parts.shares()
    const allotments = shares.map((share) => ({ ...share, own: this.#allocate(share) }))
    const released = this.owned.filter((owned) => this.#isLost(owned, allotments))
    this.#giveUpAll(released)
    const assigned: MessageQueue[] = []
    for (const allotment of allotments) assigned.push(...this.#takeOwn(allotment))
    if (assigned.length > 0) this.#parts.onAssigned(assigned)
  }

  /** Whether a queue is not ours any more. Where the members are unknown, nothing changes. */
  #isLost({ queue }: OwnedQueue, allotments: readonly Allotment[]): boolean {
    if (!this.#parts.isSubscribed(queue.topic)) return true
    const own = allotments.find(({ topic }) => topic === queue.topic)?.own
    return own !== undefined && !own.some((other) => queueKey(other) === queueKey(queue))
  }

  /** Takes the queues of a topic that are ours and not read yet. */
  #takeOwn(allotment: Allotment): MessageQueue[] {
    const { own } = allotment
    if (own === undefined) {
      this.soon()
      return []
    }
    const isShared = this.#isShared(allotment)
    const taken: MessageQueue[] = []
    for (const queue of own) {
      const key = queueKey(queue)
      if (this.#owned.has(key)) continue
      if (this.#leaving.has(key)) this.soon()
      else {
        this.#take(new OwnedQueue(queue), isShared)
        taken.push(queue)
      }
    }
    return taken
  }

  /**
   * Whether others may have queues of the topic: now or a moment ago, for a broker that was started
   * again learns of the members one by one.
   */
  #isShared({ topic, members = [] }: TopicShare): boolean {
    const before = this.#sharedBefore.has(topic)
    if (members.length > 1) this.#sharedBefore.add(topic)
    else this.#sharedBefore.delete(topic)
    return before || members.length > 1
  }

  #allocate({ topic, route, members }: TopicShare): readonly MessageQueue[] | undefined {
    const queues = [...subscribeQueues(topic, route)].sort(compareQueues)
    if (members === undefined) return undefined
    if (!members.includes(this.#parts.clientId)) {
      this.#parts.onForgotten()
      this.soon()
    }
    const { allocation, group, clientId } = this.#parts
    try {
      const own = allocation.allocate(group, clientId, queues, members)
      this.#unshared.delete(topic)
      return own.filter((queue) => queue.topic === topic)
    } catch (error) {
      if (!this.#unshared.has(topic)) this.#parts.onProblem(topic, unshared(topic, error))
      this.#unshared.add(topic)
      return undefined
    }
  }

  #take(owned: OwnedQueue, isShared: boolean): void {
    this.#owned.set(owned.key, owned)
    this.#parts.read(owned, isShared).catch((error: unknown) => {
      this.#parts.host.logger.error('A queue is not read any more, for a reason nobody foresaw.', {
        queue: owned.queue,
        error,
      })
      if (this.#owned.get(owned.key) === owned) this.#giveUp(owned)
      this.soon()
    })
  }

  #giveUpAll(queues: readonly OwnedQueue[]): void {
    for (const owned of queues) this.#giveUp(owned)
    if (queues.length > 0) this.#parts.onReleased(queues.map(({ queue }) => queue))
  }

  #giveUp(owned: OwnedQueue, lastCommit: LastCommit = 'progress'): void {
    this.#owned.delete(owned.key)
    owned.release()
    const leaving = this.#leave(owned, lastCommit).finally(() => this.#leaving.delete(owned.key))
    this.#leaving.set(owned.key, leaving)
  }

  async #leave(owned: OwnedQueue, lastCommit: LastCommit): Promise<void> {
    const { host, drainTimeoutMs, onLeft } = this.#parts
    const { queue } = owned
    if (this.#parts.isKeptUntilDone === true) await owned.idle(this.#closing.signal)
    if (!(await owned.drain(host.clock, drainTimeoutMs))) {
      host.logger.warn('A queue is given up while handlers of it still run.', { queue })
    }
    if (lastCommit !== 'nothing') {
      const offset = lastCommit === 'progress' ? owned.commitOffset : lastCommit
      if (offset !== undefined) await this.#commit(owned, offset)
    }
    await onLeft(owned)
  }

  async #commit(owned: OwnedQueue, offset: number): Promise<void> {
    const { host, offsets, mayCommit } = this.#parts
    if (!(await mayCommit(owned))) return
    try {
      await offsets.commit(owned, offset)
    } catch (error) {
      host.logger.warn('The offset of a queue that is given up was not committed.', {
        queue: owned.queue,
        offset,
        error,
      })
    }
  }
}

function unshared(topic: string, cause: unknown): ClientError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const sentence = `the queues of the topic "${topic}" cannot be shared: ${why}`
  const hint = 'correct the option allocation'
  return new ClientError('BAD_OPTION', sentence, { retryable: false, hint, cause })
}
