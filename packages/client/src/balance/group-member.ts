/**
 * A consumer as a member of its group: what it takes to share queues with others, and to say how far
 * it is, whether handlers get the messages (`push-consumer.ts`) or the application fetches them
 * (`lite-pull-consumer.ts`). It builds these parts, starts and ends them in their order. Owns the
 * time of the start.
 */
import { every, type Loop } from '@rockhopper/host'
import {
  type ConsumerData,
  courtesyGroupOf,
  type MessageQueue,
  type SubscriptionData,
} from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import { BrokerOffsets } from '../cluster/broker-offsets.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { EarlyLooks } from '../cluster/early-looks.ts'
import { GroupPresence } from '../cluster/group-presence.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import type { ClientConfig, ConsumerConfig, Observed } from '../config.ts'
import type { ConsumerEvents } from '../handle/consumer-events.ts'
import { StallWatch } from '../handle/stall-watch.ts'
import { ConsumeObservers, type ObserverEvents } from '../hooks/consume-observers.ts'
import { LocalOffsets } from '../offsets/local-offsets.ts'
import type { OffsetStore } from '../offsets/offset-store.ts'
import { offsetStoreOf } from '../offsets/offset-stores.ts'
import { CacheBudget } from '../pull/cache-budget.ts'
import { checkFilters, type FilterCheckParts, tellWrongFilters } from '../pull/filter-check.ts'
import type { Subscriptions } from '../pull/subscriptions.ts'
import { Replier } from '../request-reply/replier.ts'
import type { AllocationStrategy } from './allocate.ts'
import { Handover } from './handover.ts'
import type { OwnedQueue } from './owned-queue.ts'
import { QueueLocks } from './queue-locks.ts'
import { Rebalance } from './rebalance.ts'
import { TopicShares } from './topic-shares.ts'

/** The options that matter to every member. */
export type MemberConfig = ClientConfig &
  Observed &
  Pick<
    ConsumerConfig,
    | 'allocation'
    | 'consumeFromWhere'
    | 'drainTimeoutMs'
    | 'handoverMs'
    | 'hooks'
    | 'localOffsetStoreDir'
    | 'maxCachedBytesInAll'
    | 'messageModel'
    | 'stalledAfterMs'
  >

/** What every member tells those who listen. */
export type MemberEvents = Pick<
  ConsumerEvents,
  'assigned' | 'released' | 'offsetMoved' | 'queueStalled' | 'problem' | keyof ObserverEvents
>

export interface GroupMemberParts {
  readonly config: MemberConfig
  readonly clientId: string
  readonly consumeType: ConsumerData['consumeType']
  readonly subscriptions: Subscriptions
  /** Whether nothing may be handled without the lock of its queue. */
  readonly isOrderly: boolean
  /** Time after which a handler has taken too long, in ms. */
  readonly handlerTimeoutMs: number
  /** Takes what brokers ask. */
  readonly router: Router
  readonly emit: <E extends keyof MemberEvents>(event: E, ...told: MemberEvents[E]) => void
  /** Queues that the application chose, instead of a share; undefined when it chose none. */
  readonly chosen?: () => readonly MessageQueue[] | undefined
  /** Reads a queue until it is released. `isShared`: another member may have it at present. */
  readonly read: (owned: OwnedQueue, isShared: boolean) => Promise<void>
  /** Commits what is to be committed; called every `commitMs`. */
  readonly commit: () => void | Promise<void>
  readonly commitMs: number
  /** Whether a queue that does not go on is stalled, not paused. */
  readonly isWatched?: (owned: OwnedQueue) => boolean
  /** Queues have come or gone. */
  readonly onShared?: () => void
  /** A queue was given up, and what was consumed of it is committed. */
  readonly onLeft?: (owned: OwnedQueue) => void
  readonly onRouteChanged?: (topic: string) => void
}

export class GroupMember {
  readonly cluster: Cluster
  /** How far the group is, as brokers know it. */
  readonly brokerOffsets: BrokerOffsets
  readonly offsets: OffsetStore
  readonly locks: QueueLocks
  readonly handover: Handover
  readonly replier: Replier
  readonly observers: ConsumeObservers
  readonly budget: CacheBudget
  readonly rebalance: Rebalance
  readonly #parts: GroupMemberParts
  readonly #presence: GroupPresence
  readonly #shares: TopicShares
  #commits: Loop | undefined
  #stalls: StallWatch | undefined
  #earlyLooks: EarlyLooks | undefined
  #startedAtMs = 0

  constructor(parts: GroupMemberParts) {
    const { config, clientId, isOrderly } = parts
    const { host, group, handoverMs } = config
    this.#parts = parts
    this.#presence = this.#newPresence()
    this.cluster = this.#presence.cluster
    this.brokerOffsets = new BrokerOffsets(this.cluster, group)
    this.offsets = offsetStoreOf(config, clientId, this.brokerOffsets)
    this.locks = new QueueLocks({
      ...{ host, cluster: this.cluster, clientId },
      lockGroup: isOrderly ? group : courtesyGroupOf(group),
      isOvertaken: (owned) => this.offsets.isOvertaken(owned),
      onLost: (owned) => this.rebalance.restart(owned),
    })
    this.handover = new Handover({ clock: host.clock, locks: this.locks, isOrderly, handoverMs })
    this.replier = new Replier({ host, cluster: this.cluster, group })
    this.observers = this.#newObservers()
    this.budget = new CacheBudget(config.maxCachedBytesInAll)
    this.#shares = this.#newShares()
    this.rebalance = this.#newRebalance()
  }

  /** Wall time of the start, in ms since 1970; 0 before it. */
  get startedAtMs(): number {
    return this.#startedAtMs
  }

  /** Whether every member has all queues. */
  get isBroadcasting(): boolean {
    return this.#parts.config.messageModel === 'broadcasting'
  }

  /** Whether other members of the group do not matter for what is read. */
  get isAlone(): boolean {
    return this.isBroadcasting || this.#chosen !== undefined
  }

  /** Looks whether it can start. Rejects with `ClientError`; it may then be called again. */
  async prepare(): Promise<void> {
    if (this.offsets instanceof LocalOffsets) this.offsets.load()
    await this.cluster.checkNameServers()
    await this.#shares.findRoutes()
    await checkFilters(this.#identity, this.#parts.subscriptions.data)
    await this.#presence.heartbeats.beat()
  }

  /** Resolves when the first share of the queues is known. */
  async run(): Promise<void> {
    const { config, commit, commitMs } = this.#parts
    const { clock, logger } = config.host
    this.#startedAtMs = clock.nowMs()
    this.#presence.start()
    this.#earlyLooks = new EarlyLooks(clock, () => this.cluster.renewRoutes())
    await this.rebalance.start()
    this.#stalls = this.#newStallWatch()
    this.#commits = every(clock, commitMs, commit, (error) =>
      logger.error('The commit of offsets failed for a reason nobody foresaw.', { error }),
    )
  }

  /** The first half of the end: nothing is committed now and then any more. */
  async stopLoops(): Promise<void> {
    this.#earlyLooks?.stop()
    await this.#stalls?.stop()
    await this.#commits?.stop()
  }

  /** The second half: gives up all queues, and the membership. `wasNew`: it was never prepared. */
  async leave(wasNew: boolean, onQueuesLeft?: () => void): Promise<void> {
    await this.rebalance.close()
    onQueuesLeft?.()
    await this.observers.close()
    this.locks.stop()
    await this.#presence.end(!wasNew)
  }

  /** Resolves when the queue may be read, or when it is released. */
  async enter(owned: OwnedQueue, isShared: boolean): Promise<void> {
    if (!this.isAlone) await this.handover.enter(owned, isShared)
  }

  /** Whether the group may be told how far the queue is. */
  mayCommit(owned: OwnedQueue): boolean {
    return this.isAlone || this.handover.mayCommit(owned)
  }

  /** Tells brokers what is wanted, before it is asked for; resolves when its queues are shared. */
  spread(): Promise<void> {
    const spread = this.#shares
      .findRoutes()
      .then(() => this.#presence.heartbeats.beat())
      .then(() => this.rebalance.now())
    void spread.then(() =>
      tellWrongFilters(this.#identity, this.#parts.subscriptions.data, (topic, error) =>
        this.#tellProblem(topic, undefined, error),
      ),
    )
    return spread
  }

  /** Brokers do not know this consumer any more: they are told. */
  forgotten(): void {
    this.#presence.heartbeats.soon()
  }

  /** A queue cannot be read: its broker may have forgotten what is wanted, or never heard of it. */
  queueFailed(queue: MessageQueue, error: unknown): void {
    this.forgotten()
    this.#tellProblem(queue.topic, queue, clientErrorOf(error))
  }

  get #identity(): FilterCheckParts {
    const { clientId, config } = this.#parts
    return { cluster: this.cluster, clientId, group: config.group }
  }

  get #chosen(): readonly MessageQueue[] | undefined {
    return this.#parts.chosen?.()
  }

  #newPresence(): GroupPresence {
    const { clientId, config, consumeType, router, subscriptions } = this.#parts
    return new GroupPresence({
      ...{ config, clientId, consumeType, router },
      messageModel: this.isBroadcasting ? 'BROADCASTING' : 'CLUSTERING',
      consumeFromWhere: config.consumeFromWhere,
      // Who chooses queues by itself is no member that shares any.
      subscriptions: (): readonly SubscriptionData[] =>
        this.#chosen === undefined ? subscriptions.data : [],
      onRouteChanged: (topic) => {
        this.observers.followRoute(topic)
        this.rebalance.soon()
        this.#parts.onRouteChanged?.(topic)
      },
      onConnectionClosed: (address) => this.locks.doubt(address),
    })
  }

  #newObservers(): ConsumeObservers {
    const { config, emit, handlerTimeoutMs, subscriptions } = this.#parts
    return new ConsumeObservers({
      ...{ config, cluster: this.cluster, timeoutMs: handlerTimeoutMs },
      emit: (event, ...told) => emit<keyof ObserverEvents>(event, ...told),
      isWhole: (topic) => subscriptions.get(topic)?.data.subString === '*',
    })
  }

  #newShares(): TopicShares {
    const { clientId, config, subscriptions } = this.#parts
    return new TopicShares({
      host: config.host,
      cluster: this.cluster,
      ...{ group: config.group, clientId, subscriptions },
      isAlone: () => this.isAlone,
      onProblem: (topic, error) => this.#tellProblem(topic, undefined, error),
      onForgotten: () => this.forgotten(),
    })
  }

  #newRebalance(): Rebalance {
    const { clientId, config, emit, isOrderly, onLeft, onShared, read, subscriptions } = this.#parts
    const { host, group, drainTimeoutMs } = config
    return new Rebalance({
      ...{ host, group, clientId, drainTimeoutMs, read },
      allocation: this.#allocation(),
      offsets: this.offsets,
      isKeptUntilDone: isOrderly && !this.isBroadcasting,
      shares: () => this.#shares.all(),
      isSubscribed: (topic) => subscriptions.get(topic) !== undefined,
      mayCommit: async (owned) => this.isAlone || (await this.handover.mayCommitLast(owned)),
      onLeft: async (owned) => {
        onLeft?.(owned)
        owned.forsake()
        await this.handover.leave(owned)
      },
      onAssigned: (queues) => {
        onShared?.()
        emit('assigned', queues)
      },
      onReleased: (queues) => {
        onShared?.()
        emit('released', queues)
      },
      onForgotten: () => this.forgotten(),
      onProblem: (topic, error) => this.#tellProblem(topic, undefined, error),
    })
  }

  #allocation(): AllocationStrategy {
    const { allocation } = this.#parts.config
    return {
      name: allocation.name,
      allocate: (group, clientId, queues, members) => {
        if (this.isAlone) return this.#chosen ?? queues
        return allocation.allocate(group, clientId, queues, members)
      },
    }
  }

  #newStallWatch(): StallWatch {
    const { config, emit, isWatched } = this.#parts
    const { host, stalledAfterMs } = config
    return new StallWatch({
      ...{ host, stalledAfterMs },
      owned: () => {
        const { owned } = this.rebalance
        return isWatched === undefined ? owned : owned.filter(isWatched)
      },
      repull: (owned) => this.rebalance.repull(owned),
      onStalled: (stall) => emit('queueStalled', stall),
    })
  }

  #tellProblem(topic: string, queue: MessageQueue | undefined, error: Error): void {
    const { config, emit } = this.#parts
    config.host.logger.warn('A topic, or a queue of it, cannot be consumed at present.', {
      topic,
      queue,
      error,
    })
    emit('problem', { topic, queue, error })
  }
}
