/**
 * The consumer of applications that fetch messages when they want them, in batches or in a loop, of
 * queues that the group shares (`subscribe`) or that they choose themselves (`assign`). It builds
 * its parts, starts and closes them. Queues are shared in `rebalance.ts`, read ahead in `pull.ts`,
 * kept in `ready-messages.ts` and given out in `fetching.ts`. Source: Apache class
 * DefaultLitePullConsumerImpl; `client.md` section 8. Owns which queues were assigned.
 */
import { EventEmitter } from 'node:events'
import { every, type Loop } from '@rockhopper/host'
import { courtesyGroupOf, type MessageQueue } from '@rockhopper/protocol'
import { Handover } from '../balance/handover.ts'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import { QueueLocks } from '../balance/queue-locks.ts'
import { Rebalance, type TopicShare } from '../balance/rebalance.ts'
import { TopicShares } from '../balance/topic-shares.ts'
import { newClientId } from '../client-id.ts'
import { BrokerOffsets } from '../cluster/broker-offsets.ts'
import { GroupPresence } from '../cluster/group-presence.ts'
import { QueueFacts } from '../cluster/queue-facts.ts'
import { type QueuesListener, QueueWatch } from '../cluster/queue-watch.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import { badOption, type ClientError } from '../errors.ts'
import type { ConsumerEvents } from '../handle/consumer-events.ts'
import { StallWatch } from '../handle/stall-watch.ts'
import {
  type AuditReport,
  ConsumeObservers,
  type ObserverEvents,
} from '../hooks/consume-observers.ts'
import { Life } from '../life.ts'
import { LocalOffsets } from '../offsets/local-offsets.ts'
import type { OffsetStore } from '../offsets/offset-store.ts'
import { offsetStoreOf } from '../offsets/offset-stores.ts'
import { CacheBudget } from '../pull/cache-budget.ts'
import { checkFilters, type FilterCheckParts, tellWrongFilters } from '../pull/filter-check.ts'
import type { MessageFilter } from '../pull/message-filter.ts'
import { Puller } from '../pull/pull.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { Subscriptions } from '../pull/subscriptions.ts'
import { Fetching } from './fetching.ts'
import { liteOperations } from './lite-operations.ts'
import type { PolledQueue, Reading } from './polled-queue.ts'
import { PolledQueues, type QueueOffset, type SeekTarget } from './polled-queues.ts'
import { type LitePullConfig, type LitePullOptions, litePullConfig } from './pull-config.ts'
import { ReadyMessages } from './ready-messages.ts'

/** How long a broker may hold a pull when there is nothing to give (Apache: the same). */
const HOLD_MS = 20_000

/** What a consumer that fetches messages tells those who listen. */
export type LitePullEvents = Pick<
  ConsumerEvents,
  'assigned' | 'released' | 'offsetMoved' | 'queueStalled' | 'problem' | keyof ObserverEvents
>

export class LitePullConsumer
  extends EventEmitter<LitePullEvents>
  implements AsyncIterable<ReceivedMessage>
{
  /** The name under which brokers and the other members know this consumer. */
  readonly clientId: string
  readonly #config: LitePullConfig
  readonly #life = new Life('the consumer')
  readonly #subscriptions: Subscriptions
  readonly #presence: GroupPresence
  readonly #facts: QueueFacts
  readonly #offsets: OffsetStore
  readonly #locks: QueueLocks
  readonly #handover: Handover
  readonly #budget: CacheBudget
  readonly #ready: ReadyMessages
  readonly #observers: ConsumeObservers
  readonly #fetching: Fetching
  readonly #polled: PolledQueues
  readonly #puller: Puller<Reading>
  readonly #shares: TopicShares
  readonly #rebalance: Rebalance
  readonly #watch: QueueWatch
  /** Queues that the application chose; undefined as long as it has not chosen any. */
  #assigned: readonly MessageQueue[] | undefined
  /** Resolves when the queues chosen last are read, so that they can be moved. */
  #spreading: Promise<void> = Promise.resolve()
  #commits: Loop | undefined
  #stalls: StallWatch | undefined
  #startedAtMs = 0

  /** Throws `ClientError` BAD_OPTION. Nothing is opened before `start`. */
  constructor(options: LitePullOptions) {
    super()
    const config = litePullConfig(options)
    const { host, group } = config
    this.#config = config
    this.clientId = `${newClientId(host, config.instanceName)}@STREAM`
    this.#subscriptions = new Subscriptions(group, 1, host.clock.nowMs(), false)
    this.#presence = this.#newPresence()
    const { cluster, heartbeats } = this.#presence
    const broker = new BrokerOffsets(cluster, group)
    this.#facts = new QueueFacts(cluster, broker)
    this.#offsets = offsetStoreOf(config, this.clientId, broker)
    this.#locks = new QueueLocks({
      host,
      cluster,
      clientId: this.clientId,
      lockGroup: courtesyGroupOf(group),
      isOvertaken: (owned) => this.#offsets.isOvertaken(owned),
      onLost: (owned) => this.#rebalance.restart(owned),
    })
    const { handoverMs } = config
    const { clock } = host
    this.#handover = new Handover({ clock, locks: this.#locks, isOrderly: false, handoverMs })
    this.#budget = new CacheBudget(config.maxCachedBytesInAll)
    this.#ready = new ReadyMessages(clock, config.maxCachedMessagesInAll)
    this.#observers = new ConsumeObservers({
      ...{ config, cluster, timeoutMs: Number.POSITIVE_INFINITY },
      emit: (event, ...told) => this.emit<keyof ObserverEvents>(event, ...told),
      isWhole: (topic) => this.#subscriptions.get(topic)?.data.subString === '*',
    })
    this.#fetching = new Fetching(clock, this.#ready, this.#observers.watch)
    this.#polled = new PolledQueues({
      logger: host.logger,
      offsets: this.#offsets,
      facts: this.#facts,
      ready: this.#ready,
      fetching: this.#fetching,
      isAutomatic: config.autoCommit,
      isShared: () => this.#assigned === undefined,
      mayCommit: (owned) => this.#handover.mayCommit(owned),
    })
    this.#puller = this.#newPuller()
    this.#shares = new TopicShares({
      host,
      cluster,
      group,
      subscriptions: this.#subscriptions,
      onProblem: (topic, error) => this.#tellProblem(topic, undefined, error),
      onForgotten: () => heartbeats.soon(),
    })
    this.#rebalance = this.#newRebalance()
    this.#watch = new QueueWatch(cluster)
  }

  /** What the sequence audit knows; undefined without one. */
  get audit(): AuditReport | undefined {
    return this.#observers.report
  }

  /** Records of the message trace that did not reach the trace topic, since the start. */
  get lostTraces(): number {
    return this.#observers.lostTraces
  }

  /** The queues that are read at present. */
  get queues(): readonly MessageQueue[] {
    return this.#rebalance.owned.map(({ queue }) => queue)
  }

  /**
   * Asks for a share of the messages of a topic, before or after `start`; a second call for a topic
   * replaces the first. `filter` is `*` for all messages, the wanted tags as `a || b`, or what `bySql`
   * and `byTags` give. Throws `ClientError` BAD_OPTION, also after `assign`.
   */
  subscribe(topic: string, filter: string | MessageFilter = '*'): this {
    if (this.#assigned !== undefined) throw mutuallyExclusive('assign', 'subscribe')
    this.#subscriptions.set(topic, filter, this.#config.host.clock.nowMs(), undefined)
    this.#spread()
    return this
  }

  /** Asks for no more messages of a topic. */
  unsubscribe(topic: string): this {
    if (this.#assigned !== undefined) throw mutuallyExclusive('assign', 'unsubscribe')
    this.#subscriptions.delete(topic)
    this.#spread()
    return this
  }

  /**
   * Reads exactly these queues, whoever else does, before or after `start`, as no member of the
   * group; a second call replaces the first. `filters` says what is wanted of a topic, as for `subscribe`; all messages where it
   * does not. Throws `ClientError` BAD_OPTION, also after `subscribe`.
   */
  assign(
    queues: readonly MessageQueue[],
    filters: Readonly<Record<string, string | MessageFilter>> = {},
  ): this {
    if (this.#assigned === undefined && this.#subscriptions.topics.length > 0) {
      throw mutuallyExclusive('subscribe', 'assign')
    }
    if (queues.length === 0) throw badOption('no queue is assigned', 'name at least one')
    const nowMs = this.#config.host.clock.nowMs()
    const topics = new Set(queues.map(({ topic }) => topic))
    for (const topic of topics) {
      this.#subscriptions.set(topic, filters[topic] ?? '*', nowMs, undefined)
    }
    for (const topic of this.#subscriptions.topics) {
      if (!topics.has(topic)) this.#subscriptions.delete(topic)
    }
    this.#assigned = queues
    this.#spread()
    return this
  }

  /**
   * Joins the group and resolves when the first share of the queues is known. Rejects with
   * `ClientError` NAME_SERVER_UNREACHABLE, BAD_OPTION when a broker finds a filter wrong,
   * BROKER_REFUSED when a broker has no such filters; it may then be called again. A topic that does
   * not exist yet is no error: it is told as a `problem`.
   */
  start(): Promise<void> {
    return this.#life.start(
      () => this.#prepare(),
      () => this.#run(),
    )
  }

  /**
   * Ends polls and loops, waits (at most `drainTimeoutMs`) until loops are done with their message,
   * commits what counts as consumed and leaves the group. What the last poll gave counts only when
   * it was committed: call `commitSync` first.
   */
  close(): Promise<void> {
    return this.#life.close((wasNew) => this.#end(wasNew))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Up to `pullBatchSize` messages of one queue, as soon as there are some; none when there were none
   * for `timeoutMs`, or when the consumer is closed meanwhile. What earlier polls gave counts as
   * consumed from now on. For one loop: of several workers, each should iterate. Rejects with
   * `ClientError` BAD_OPTION, NOT_STARTED and CLOSED.
   */
  async poll(timeoutMs = this.#config.pollTimeoutMs): Promise<readonly ReceivedMessage[]> {
    this.#life.checkStarted()
    if (!(timeoutMs >= 0)) throw badOption(`a poll may take ${timeoutMs} ms`, 'use 0 or more')
    return await this.#fetching.poll(this.#config.pullBatchSize, timeoutMs)
  }

  /**
   * All messages one by one, until the consumer is closed: `for await (const message of consumer)`.
   * A message counts as consumed when its loop asks for the next one; a loop that is left, by an
   * error or otherwise, leaves its last message to the next loop. Several loops share the messages.
   * Rejects as `poll` does.
   */
  [Symbol.asyncIterator](): AsyncGenerator<ReceivedMessage, void, void> {
    this.#life.checkStarted()
    return this.#fetching.messages()
  }

  /**
   * Commits these offsets, or without any all messages that were given so far, by polls and loops;
   * resolves when brokers (broadcasting: the file) have them. Rejects with `ClientError`,
   * NOT_ASSIGNED when a queue was given up meanwhile.
   */
  async commitSync(offsets?: readonly QueueOffset[]): Promise<void> {
    this.#life.checkStarted()
    await this.#polled.commit(offsets)
  }

  /** The same without waiting: brokers are told now, and again with the next commit. */
  commitAsync(offsets?: readonly QueueOffset[]): void {
    this.#life.checkStarted()
    this.#polled.commitUnheard(offsets)
  }

  /** Next offset that the group will consume; undefined when nothing of the queue was committed. */
  async committed(queue: MessageQueue): Promise<number | undefined> {
    this.#life.checkStarted()
    return await this.#polled.committed(queue)
  }

  /**
   * Goes on at this offset: what was read of the queue and not given out is forgotten. Rejects with
   * `ClientError`: NOT_ASSIGNED, and BAD_OPTION where the queue does not reach.
   */
  seek(queue: MessageQueue, offset: number): Promise<void> {
    return this.#seek(queue, offset)
  }

  /** Goes on with the oldest message that the queue has. Rejects as `seek` does. */
  seekToBegin(queue: MessageQueue): Promise<void> {
    return this.#seek(queue, 'begin')
  }

  /** Goes on behind the messages that the queue has. Rejects as `seek` does. */
  seekToEnd(queue: MessageQueue): Promise<void> {
    return this.#seek(queue, 'end')
  }

  /** Goes on with the first message stored at or after a time. Rejects as `seek` does. */
  seekToTime(queue: MessageQueue, timestampMs: number): Promise<void> {
    return this.#seek(queue, { timestampMs })
  }

  /** Gives no messages of these queues, and reads none, until `resume`. Throws NOT_ASSIGNED. */
  pause(queues: readonly MessageQueue[]): void {
    this.#setPaused(queues, true)
  }

  /** Goes on with queues that were paused. Throws NOT_ASSIGNED. */
  resume(queues: readonly MessageQueue[]): void {
    this.#setPaused(queues, false)
    this.#ready.wake()
  }

  /** Offset of the first message stored at or after a time. Rejects with `ClientError`. */
  async offsetForTimestamp(queue: MessageQueue, timestampMs: number): Promise<number> {
    this.#life.checkStarted()
    return await this.#facts.offsetAtTime(queue, timestampMs)
  }

  /** The queues of a topic that may be read. Rejects with `NoRouteError`. */
  async fetchMessageQueues(topic: string): Promise<readonly MessageQueue[]> {
    this.#life.checkStarted()
    return await this.#facts.queuesOf(topic)
  }

  /**
   * Tells when the queues of a topic are others than before; routes are looked at every 30 s. Gives
   * back how to hear no more.
   */
  watchQueues(topic: string, listener: QueuesListener): () => void {
    const stop = this.#watch.add(topic, listener)
    if (this.#life.isStarted) void this.#watch.findRoutes()
    return stop
  }

  async #prepare(): Promise<void> {
    if (this.#offsets instanceof LocalOffsets) this.#offsets.load()
    const { cluster, heartbeats } = this.#presence
    await cluster.checkNameServers()
    await this.#shares.findRoutes()
    await this.#watch.findRoutes()
    await checkFilters(this.#identity, this.#subscriptions.data)
    await heartbeats.beat()
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#config.host
    this.#startedAtMs = clock.nowMs()
    this.#presence.start()
    await this.#rebalance.start()
    this.#stalls = this.#newStallWatch()
    this.#commits = every(
      clock,
      this.#config.autoCommitIntervalMs,
      () => this.#polled.commitDue(),
      (error) => logger.error('The commit of offsets failed for an unforeseen reason.', { error }),
    )
  }

  async #end(wasNew: boolean): Promise<void> {
    await this.#stalls?.stop()
    await this.#commits?.stop()
    this.#fetching.close()
    await this.#rebalance.close()
    await this.#observers.close()
    this.#locks.stop()
    await this.#presence.end(!wasNew)
  }

  #newPresence(): GroupPresence {
    const { consumeFromWhere } = this.#config
    return new GroupPresence({
      config: this.#config,
      clientId: this.clientId,
      consumeType: 'CONSUME_ACTIVELY',
      messageModel: this.#isBroadcasting ? 'BROADCASTING' : 'CLUSTERING',
      consumeFromWhere,
      // Who chooses queues by itself is no member that shares any.
      subscriptions: () => (this.#assigned === undefined ? this.#subscriptions.data : []),
      router: liteOperations(this.#config, () => ({
        subscriptions: this.#subscriptions.data,
        owned: this.#rebalance.owned,
        locks: this.#locks,
        startedAtMs: this.#startedAtMs,
        told: this.#observers.told,
        wake: () => this.#rebalance.wake(),
        move: ({ queue }, to) => this.#move(this.#polled.get(queue), to),
      })),
      onRouteChanged: (topic) => {
        this.#observers.followRoute(topic)
        this.#rebalance.soon()
        this.#watch.look(topic)
      },
      onConnectionClosed: (address) => this.#locks.doubt(address),
    })
  }

  #newStallWatch(): StallWatch {
    const { host, stalledAfterMs } = this.#config
    return new StallWatch({
      host,
      stalledAfterMs,
      owned: () => this.#rebalance.owned.filter(({ queue }) => !this.#polled.get(queue).isPaused),
      repull: (owned) => this.#rebalance.repull(owned),
      onStalled: (stall) => this.emit('queueStalled', stall),
    })
  }

  #newPuller(): Puller<Reading> {
    const { host, group, pullBatchSize } = this.#config
    const { maxCachedMessages, maxCachedBytes, maxCachedSpan } = this.#config
    const limits = {
      maxMessages: maxCachedMessages,
      maxBytes: maxCachedBytes,
      maxSpan: maxCachedSpan,
    }
    return new Puller<Reading>({
      host,
      cluster: this.#presence.cluster,
      group,
      batchSize: pullBatchSize,
      as: 'lite',
      holdMs: HOLD_MS,
      startOffset: async ({ from, polled }) => from ?? this.#offsets.startOffset(polled.owned),
      open: (reading, startOffset) => {
        this.#observers.begin(reading.polled.owned.queue, startOffset)
        return reading.open(startOffset, limits, this.#budget)
      },
      room: (reading) => this.#room(reading),
      subscriptionTo: (topic) => this.#subscriptions.get(topic),
      onMessages: (reading, entries) => {
        if (reading.released.aborted) return
        this.#observers.see(reading.polled.owned.queue, entries)
        reading.polled.owned.hold(entries)
        this.#ready.put(reading, entries)
      },
      onPulled: ({ polled }) => {
        polled.owned.answers++
        polled.owned.lastPullAtMs = host.clock.nowMs()
      },
      onCommitted: () => {},
      onOffsetMoved: ({ polled }, _from, to) => this.#move(polled, to),
      onForgotten: () => this.#presence.heartbeats.soon(),
      onFailure: ({ queue }, error) => this.#queueFailed(queue, error),
    })
  }

  #newRebalance(): Rebalance {
    const { host, group, allocation, drainTimeoutMs } = this.#config
    return new Rebalance({
      host,
      group,
      clientId: this.clientId,
      allocation: {
        name: allocation.name,
        allocate: (name, clientId, queues, members) => {
          if (this.#assigned !== undefined) return this.#assigned
          return this.#isAlone ? queues : allocation.allocate(name, clientId, queues, members)
        },
      },
      offsets: this.#offsets,
      isBroadcasting: false,
      drainTimeoutMs,
      shares: () => this.#allShares(),
      isSubscribed: (topic) => this.#subscriptions.get(topic) !== undefined,
      read: (owned, isShared) => this.#read(owned, isShared),
      mayCommit: (owned) => this.#handover.mayCommitLast(owned),
      onLeft: async (owned) => {
        this.#polled.delete(owned)
        owned.forsake()
        await this.#handover.leave(owned)
      },
      onAssigned: (queues) => this.emit('assigned', queues),
      onReleased: (queues) => this.emit('released', queues),
      onForgotten: () => this.#presence.heartbeats.soon(),
      onProblem: (topic, error) => this.#tellProblem(topic, undefined, error),
    })
  }

  /** Who asks, where brokers want to know. */
  get #identity(): FilterCheckParts {
    const { cluster } = this.#presence
    return { cluster, clientId: this.clientId, group: this.#config.group }
  }

  get #isBroadcasting(): boolean {
    return this.#config.messageModel === 'broadcasting'
  }

  /** Whether other members of the group do not matter for what is read. */
  get #isAlone(): boolean {
    return this.#isBroadcasting || this.#assigned !== undefined
  }

  async #allShares(): Promise<readonly TopicShare[]> {
    if (!this.#isAlone) return await this.#shares.all()
    const { cluster } = this.#presence
    const { topics } = this.#subscriptions
    if (topics.some((topic) => cluster.route(topic) === undefined)) await this.#shares.findRoutes()
    return topics.flatMap((topic) => {
      const route = cluster.route(topic)
      return route === undefined ? [] : [{ topic, route, members: [this.clientId] }]
    })
  }

  async #read(owned: OwnedQueue, isShared: boolean): Promise<void> {
    const polled = this.#polled.add(owned)
    if (!this.#isAlone) await this.#handover.enter(owned, isShared)
    await polled.read((reading) => this.#puller.run(reading, 0))
    this.#ready.drop(polled.reading)
  }

  /** Waits until more of a queue may be held here. */
  async #room({ released, polled, window }: Reading): Promise<void> {
    polled.owned.isWaitingForRoom = true
    while (!released.aborted) {
      if (window?.isFull === true) await window.room()
      else if (polled.isPaused || this.#ready.isFull) await this.#ready.room(released)
      else break
    }
    if (window !== undefined && window.count > 0) await this.#budget.room(released)
    polled.owned.isWaitingForRoom = false
  }

  /** The queue goes on elsewhere, by the word of its broker or of an operator. */
  #move(polled: PolledQueue, to: number): void {
    this.emit('offsetMoved', { queue: polled.queue, from: polled.position ?? to, to })
    polled.note(to)
    this.#polled.restart(polled, to)
  }

  async #seek(queue: MessageQueue, to: SeekTarget): Promise<void> {
    this.#life.checkStarted()
    await this.#spreading
    await this.#polled.seek(queue, to)
  }

  #setPaused(queues: readonly MessageQueue[], isPaused: boolean): void {
    this.#life.checkStarted()
    for (const polled of queues.map((queue) => this.#polled.get(queue))) polled.isPaused = isPaused
  }

  /** Brokers must know what is wanted before it is asked for. */
  #spread(): void {
    if (!this.#life.isStarted) return
    this.#spreading = this.#shares
      .findRoutes()
      .then(() => this.#presence.heartbeats.beat())
      .then(() => this.#rebalance.now())
    this.#spreading.then(() =>
      tellWrongFilters(this.#identity, this.#subscriptions.data, (topic, error) =>
        this.#tellProblem(topic, undefined, error),
      ),
    )
  }

  #queueFailed(queue: MessageQueue, error: unknown): void {
    // The broker may have forgotten what this consumer wants, or never heard of it.
    this.#presence.heartbeats.soon()
    this.#tellProblem(queue.topic, queue, clientErrorOf(error))
  }

  #tellProblem(topic: string, queue: MessageQueue | undefined, error: Error): void {
    this.#config.host.logger.warn('A topic, or a queue of it, cannot be consumed at present.', {
      topic,
      queue,
      error,
    })
    this.emit('problem', { topic, queue, error })
  }
}

/** The sentence of Apache, and what to do. */
function mutuallyExclusive(before: string, now: string): ClientError {
  const hint = `this consumer was told to ${before}, so make another one to ${now}`
  return badOption('Subscribe and assign are mutually exclusive', hint)
}
