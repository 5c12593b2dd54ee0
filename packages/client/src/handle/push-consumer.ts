/**
 * The consumer that applications use: it builds its parts, starts and closes them, and says what
 * happens. Queues are shared in `rebalance.ts`, handed over in `handover.ts`, read in `pull.ts`, and
 * handled in `consume-concurrently.ts` or `consume-orderly.ts`.
 */
import { EventEmitter } from 'node:events'
import { every, type Loop, pause } from '@rockhopper/host'
import { courtesyGroupOf, type MessageQueue, retryTopicOf } from '@rockhopper/protocol'
import { Handover } from '../balance/handover.ts'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import { QueueLocks } from '../balance/queue-locks.ts'
import { Rebalance } from '../balance/rebalance.ts'
import { TopicShares } from '../balance/topic-shares.ts'
import { newClientId } from '../client-id.ts'
import { BrokerOffsets } from '../cluster/broker-offsets.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { GroupPresence, wireFromWhere } from '../cluster/group-presence.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import { type ConsumerConfig, type ConsumerOptions, consumerConfig } from '../config.ts'
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
import { cacheLimits, divideLimits } from '../pull/cache-limits.ts'
import { checkFilters, type FilterCheckParts, tellWrongFilters } from '../pull/filter-check.ts'
import type { MessageFilter } from '../pull/message-filter.ts'
import { Puller } from '../pull/pull.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { Subscriptions } from '../pull/subscriptions.ts'
import type { Window } from '../pull/window.ts'
import { Replier, type ReplyOptions } from '../request-reply/replier.ts'
import { Valve } from '../valve.ts'
import { ConsumeStatistics } from './consume-statistics.ts'
import type { ConsumerEvents } from './consumer-events.ts'
import { topicOf } from './consumption.ts'
import type { BatchHandler, MessageHandler } from './handlers.ts'
import { Listening } from './listening.ts'
import type { MessageStream } from './message-stream.ts'
import { type OperatedParts, operations } from './operations.ts'
import { StallWatch } from './stall-watch.ts'

/** How often offsets are committed (Apache: persistConsumerOffsetInterval). */
const COMMIT_MS = 5_000

/** How long a broker may hold a pull when there is nothing to give (Apache: the same). */
const HOLD_MS = 15_000

export class PushConsumer extends EventEmitter<ConsumerEvents> {
  /** The name under which brokers and the other members know this consumer. */
  readonly clientId: string
  readonly #config: ConsumerConfig
  readonly #subscriptions: Subscriptions
  readonly #life = new Life('the consumer')
  readonly #presence: GroupPresence
  readonly #offsets: OffsetStore
  readonly #locks: QueueLocks
  readonly #handover: Handover
  readonly #replier: Replier
  readonly #listening: Listening
  readonly #statistics: ConsumeStatistics
  readonly #observers: ConsumeObservers
  readonly #budget: CacheBudget
  readonly #valve = new Valve()
  readonly #shares: TopicShares
  readonly #rebalance: Rebalance
  #commits: Loop | undefined
  #stalls: StallWatch | undefined
  #startedAtMs = 0

  /** Throws `ClientError` BAD_OPTION. Nothing is opened before `start`. */
  constructor(options: ConsumerOptions) {
    super()
    const config = consumerConfig(options)
    const { host, group } = config
    this.#config = config
    this.clientId = newClientId(host, config.instanceName)
    const batchSize = config.consumeMessageBatchMaxSize
    const isRetried = config.messageModel === 'clustering'
    this.#subscriptions = new Subscriptions(group, batchSize, host.clock.nowMs(), isRetried)
    this.#presence = this.#newPresence()
    const broker = new BrokerOffsets(this.#presence.cluster, group)
    this.#offsets = offsetStoreOf(config, this.clientId, broker)
    this.#locks = this.#newLocks()
    this.#handover = new Handover({
      clock: host.clock,
      locks: this.#locks,
      isOrderly: config.orderly,
      handoverMs: config.handoverMs,
    })
    this.#statistics = new ConsumeStatistics(host.clock)
    this.#budget = new CacheBudget(config.maxCachedBytesInAll)
    const { cluster } = this.#presence
    this.#replier = new Replier({ host, cluster, group })
    this.#observers = this.#newObservers(cluster)
    this.#listening = this.#newListening()
    this.#shares = new TopicShares({
      host,
      cluster: this.#presence.cluster,
      group,
      subscriptions: this.#subscriptions,
      onProblem: (topic, error) => this.#tellProblem(topic, undefined, error),
      onForgotten: () => this.#presence.heartbeats.soon(),
    })
    this.#rebalance = this.#newRebalance(this.#newPuller())
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
   * Asks for the messages of a topic, before or after `start`; a second call for a topic replaces
   * the first. All members of a group must subscribe to the same. `filter` is `*` for all messages,
   * the wanted tags as `a || b`, or what `bySql` and `byTags` give. Without a handler the one of
   * `onMessages` gets them. Throws `ClientError` BAD_OPTION.
   */
  subscribe(topic: string, filter: string | MessageFilter = '*', handler?: MessageHandler): this {
    this.#listening.endStreams(topic)
    this.#subscriptions.set(topic, filter, this.#config.host.clock.nowMs(), handler)
    this.#spreadSubscriptions()
    return this
  }

  /**
   * Asks for the messages of a topic like `subscribe`, and gives them to a loop:
   *
   *     for await (const message of consumer.messages('orders')) await handle(message)
   *
   * A message is done when the loop asks for the next one. Leaving the loop ends the stream, and the
   * message that was in hand comes again, unless `ack` was called; `close` ends it after the message
   * in hand. Several streams of a topic share its messages. Throws `ClientError` BAD_OPTION.
   */
  messages(topic: string, filter: string | MessageFilter = '*'): MessageStream {
    if (!this.#listening.isStreamed(topic)) {
      const handler = this.#listening.handlerOf(topic)
      this.#subscriptions.set(topic, filter, this.#config.host.clock.nowMs(), handler)
      this.#spreadSubscriptions()
    }
    return this.#listening.stream(topic)
  }

  /** Asks for no more messages of a topic. */
  unsubscribe(topic: string): this {
    this.#listening.endStreams(topic)
    this.#subscriptions.delete(topic)
    this.#spreadSubscriptions()
    return this
  }

  /**
   * Names the handler of all topics that have none of their own. It gets up to
   * `consumeMessageBatchMaxSize` messages of one topic and queue at a time.
   */
  onMessages(handler: BatchHandler): this {
    this.#subscriptions.setBatchHandler(handler)
    return this
  }

  /** Replies to a message that was sent with `request`; see `ConsumeContext.reply`. */
  async reply(
    request: ReceivedMessage,
    body: Uint8Array | string,
    options: ReplyOptions = {},
  ): Promise<void> {
    await this.#replier.reply(request, body, options)
  }

  /** Pulls no more messages until `resume`. Those that are held are still handled. */
  suspend(): void {
    this.#valve.close()
  }

  /** Pulls messages again. */
  resume(): void {
    this.#valve.reopen()
  }

  /**
   * Joins the group and resolves when the first share of the queues is known. Rejects with
   * `ClientError` NAME_SERVER_UNREACHABLE, BAD_OPTION when a topic has no handler or a broker finds
   * its filter wrong, BROKER_REFUSED when a broker has no such filters; it may then be called again. A
   * topic that does not exist yet is no error: it is told as a `problem`.
   */
  start(): Promise<void> {
    return this.#life.start(
      () => this.#prepare(),
      () => this.#run(),
    )
  }

  /**
   * Takes no more messages, waits for the handlers that run (at most `drainTimeoutMs`), commits what
   * was consumed and leaves the group.
   */
  close(): Promise<void> {
    return this.#life.close((wasNew) => this.#end(wasNew))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #identity(): FilterCheckParts {
    const { cluster } = this.#presence
    return { cluster, clientId: this.clientId, group: this.#config.group }
  }

  async #prepare(): Promise<void> {
    this.#subscriptions.checkHandlers()
    if (this.#offsets instanceof LocalOffsets) this.#offsets.load()
    await this.#presence.cluster.checkNameServers()
    await this.#shares.findRoutes()
    await checkFilters(this.#identity, this.#subscriptions.data)
    await this.#presence.heartbeats.beat()
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#config.host
    this.#startedAtMs = clock.nowMs()
    this.#presence.start()
    await this.#rebalance.start()
    this.#stalls = this.#newStallWatch()
    this.#commits = every(
      clock,
      COMMIT_MS,
      () => this.#commit(),
      (error) =>
        logger.error('The commit of offsets failed for a reason nobody foresaw.', { error }),
    )
  }

  #newStallWatch(): StallWatch {
    const { host, stalledAfterMs } = this.#config
    return new StallWatch({
      host,
      stalledAfterMs,
      owned: () => this.#rebalance.owned,
      repull: (owned) => this.#rebalance.repull(owned),
      onStalled: (stall) => this.emit('queueStalled', stall),
    })
  }

  async #end(wasNew: boolean): Promise<void> {
    this.#listening.closeStreams()
    await this.#stalls?.stop()
    await this.#commits?.stop()
    await this.#rebalance.close()
    this.#listening.stop()
    await this.#observers.close()
    this.#locks.stop()
    await this.#presence.end(!wasNew)
  }

  #newPresence(): GroupPresence {
    const { consumeFromWhere } = this.#config
    return new GroupPresence({
      config: this.#config,
      clientId: this.clientId,
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: this.#isBroadcasting ? 'BROADCASTING' : 'CLUSTERING',
      consumeFromWhere,
      subscriptions: () => this.#subscriptions.data,
      router: operations(this.#config, () => this.#operated),
      onRouteChanged: (topic) => {
        this.#observers.followRoute(topic)
        this.#rebalance.soon()
      },
      onConnectionClosed: (address) => this.#locks.doubt(address),
    })
  }

  get #operated(): OperatedParts {
    return {
      config: this.#config,
      consumeFromWhere: wireFromWhere(this.#config.consumeFromWhere),
      subscriptions: this.#subscriptions,
      rebalance: this.#rebalance,
      listening: this.#listening,
      locks: this.#locks,
      statistics: this.#statistics,
      told: this.#observers.told,
      reply: (...reply) => this.reply(...reply),
      startedAtMs: this.#startedAtMs,
      onMoved: (move) => this.emit('offsetMoved', move),
    }
  }

  #newLocks(): QueueLocks {
    const { host, group, orderly } = this.#config
    return new QueueLocks({
      host,
      cluster: this.#presence.cluster,
      clientId: this.clientId,
      lockGroup: orderly ? group : courtesyGroupOf(group),
      isOvertaken: (owned) => this.#offsets.isOvertaken(owned),
      onLost: (owned) => this.#rebalance.restart(owned),
    })
  }

  #newObservers(cluster: Cluster): ConsumeObservers {
    return new ConsumeObservers({
      ...{ config: this.#config, cluster, timeoutMs: this.#config.consumeTimeoutMs },
      emit: (event, ...told) => this.emit<keyof ObserverEvents>(event, ...told),
      isWhole: (topic) => this.#subscriptions.get(topic)?.data.subString === '*',
    })
  }

  #newListening(): Listening {
    const { clock } = this.#config.host
    return new Listening({
      config: this.#config,
      cluster: this.#presence.cluster,
      handover: this.#handover,
      watch: this.#observers.watch,
      handlingOf: (topic) => this.#subscriptions.handlingOf(topic),
      isOurs: (owned) => this.#mayHandle(owned),
      reply: (...reply) => this.reply(...reply),
      onFailed: (message, error, after) => {
        this.#lookForRetries()
        this.emit('failed', { message, error, after })
      },
      onHandled: (task, done, failed, nowMs) => {
        task.owned.lastDoneAtMs = clock.nowMs()
        this.#statistics.handled(topicOf(task), done, failed, nowMs - task.startMs, nowMs)
      },
    })
  }

  /** The first message that fails makes the retry topic: it is to be read in time. */
  #lookForRetries(): void {
    const topic = retryTopicOf(this.#config.group)
    if (this.#isBroadcasting || this.#presence.cluster.route(topic) !== undefined) return
    this.#rebalance.soon()
  }

  get #isBroadcasting(): boolean {
    return this.#config.messageModel === 'broadcasting'
  }

  /** Whether nobody else may be handling messages of the queue; only an orderly consumer minds. */
  #mayHandle(owned: OwnedQueue): boolean {
    return this.#isBroadcasting || !this.#config.orderly || this.#locks.isHeld(owned)
  }

  #newPuller(): Puller<OwnedQueue> {
    const config = this.#config
    return new Puller<OwnedQueue>({
      host: config.host,
      cluster: this.#presence.cluster,
      group: config.group,
      batchSize: config.pullBatchSize,
      as: 'member',
      holdMs: HOLD_MS,
      startOffset: (owned) => this.#offsets.startOffset(owned),
      open: (owned, startOffset) => this.#open(owned, startOffset),
      room: (owned, window) => this.#room(owned, window),
      onPulled: (owned, count, tookMs) => {
        owned.answers++
        owned.isBusy = count > 0
        owned.lastPullAtMs = config.host.clock.nowMs()
        if (count > 0) this.#statistics.pulled(owned.queue.topic, count, tookMs)
      },
      isCommitted: (owned) => !this.#isBroadcasting && this.#handover.mayCommit(owned),
      onCommitted: (owned, offset) => {
        owned.storedOffset = offset
      },
      subscriptionTo: (topic) => this.#subscriptions.get(topic),
      onMessages: (owned, entries) => {
        this.#observers.see(owned.queue, entries)
        owned.hold(entries)
        this.#listening.submit(owned, entries)
      },
      onOffsetMoved: (owned, from, to) => {
        this.emit('offsetMoved', { queue: owned.queue, from, to })
        this.#rebalance.move(owned, to)
      },
      onForgotten: () => this.#presence.heartbeats.soon(),
      onFailure: (owned, error) => this.#queueFailed(owned, error),
    })
  }

  #open(owned: OwnedQueue, startOffset: number): Window<ReceivedMessage> {
    const { topic } = owned.queue
    this.#observers.begin(owned.queue, startOffset)
    const count = this.#rebalance.owned.filter((each) => each.queue.topic === topic).length
    return owned.open(startOffset, cacheLimits(this.#config, count), this.#budget)
  }

  async #room(owned: OwnedQueue, window: Window<ReceivedMessage>): Promise<void> {
    const { host, pullIntervalMs } = this.#config
    owned.isWaitingForRoom = true
    if (owned.isBusy && pullIntervalMs > 0) await pause(host.clock, pullIntervalMs, owned.released)
    await window.room()
    if (window.count > 0) await this.#budget.room(owned.released)
    await this.#valve.pass(owned.released)
    owned.isWaitingForRoom = false
  }

  #newRebalance(puller: Puller<OwnedQueue>): Rebalance {
    const { host, group, allocation, drainTimeoutMs } = this.#config
    return new Rebalance({
      host,
      group,
      allocation,
      clientId: this.clientId,
      offsets: this.#offsets,
      isKeptUntilDone: this.#config.orderly && !this.#isBroadcasting,
      isBroadcasting: this.#isBroadcasting,
      drainTimeoutMs,
      shares: () => this.#shares.all(),
      isSubscribed: (topic) => this.#subscriptions.get(topic) !== undefined,
      read: async (owned, isShared) => {
        if (!this.#isBroadcasting) await this.#handover.enter(owned, isShared)
        await puller.run(owned, 0)
      },
      mayCommit: async (owned) =>
        this.#isBroadcasting || (await this.#handover.mayCommitLast(owned)),
      onLeft: (owned) => {
        owned.forsake()
        return this.#handover.leave(owned)
      },
      onAssigned: (queues) => {
        divideLimits(this.#config, this.#rebalance.owned)
        this.emit('assigned', queues)
      },
      onReleased: (queues) => {
        divideLimits(this.#config, this.#rebalance.owned)
        this.emit('released', queues)
      },
      onForgotten: () => this.#presence.heartbeats.soon(),
      onProblem: (topic, error) => this.#tellProblem(topic, undefined, error),
    })
  }

  /** Brokers must know what is wanted before it is asked for. */
  #spreadSubscriptions(): void {
    if (!this.#life.isStarted) return
    this.#shares
      .findRoutes()
      .then(() => this.#presence.heartbeats.beat())
      .then(() => this.#rebalance.wake())
      .then(() =>
        tellWrongFilters(this.#identity, this.#subscriptions.data, (topic, error) =>
          this.#tellProblem(topic, undefined, error),
        ),
      )
  }

  async #commit(): Promise<void> {
    await Promise.all(
      this.#rebalance.owned
        .filter((owned) => this.#isBroadcasting || this.#handover.mayCommit(owned))
        .map((owned) =>
          this.#offsets.commitLater(owned).catch((error: unknown) =>
            this.#config.host.logger.debug('An offset could not be committed; it will be later.', {
              queue: owned.queue,
              error,
            }),
          ),
        ),
    )
  }

  #queueFailed({ queue }: OwnedQueue, error: unknown): void {
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
