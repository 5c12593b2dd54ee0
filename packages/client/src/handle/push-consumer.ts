/**
 * The consumer that applications use: it gives messages to handlers, and says what happens. Its place
 * in the group is that of `group-member.ts`; queues are read in `pull.ts`, and messages handled in
 * `consume-concurrently.ts` or `consume-orderly.ts`.
 */
import { EventEmitter } from 'node:events'
import { pause } from '@rockhopper/host'
import { type MessageQueue, retryTopicOf } from '@rockhopper/protocol'
import { GroupMember, type MemberEvents } from '../balance/group-member.ts'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import { newClientId } from '../client-id.ts'
import { wireFromWhere } from '../cluster/group-presence.ts'
import { type ConsumerConfig, type ConsumerOptions, consumerConfig } from '../config.ts'
import type { AuditReport } from '../hooks/consume-observers.ts'
import { Life } from '../life.ts'
import { cacheLimits, divideLimits } from '../pull/cache-limits.ts'
import type { MessageFilter } from '../pull/message-filter.ts'
import { Puller } from '../pull/pull.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { Subscriptions } from '../pull/subscriptions.ts'
import type { Window } from '../pull/window.ts'
import type { ReplyOptions } from '../request-reply/replier.ts'
import { Valve } from '../valve.ts'
import { ConsumeStatistics } from './consume-statistics.ts'
import type { ConsumerEvents } from './consumer-events.ts'
import { topicOf } from './consumption.ts'
import type { BatchHandler, MessageHandler } from './handlers.ts'
import { Listening } from './listening.ts'
import type { MessageStream } from './message-stream.ts'
import { type OperatedParts, operations } from './operations.ts'

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
  readonly #member: GroupMember
  readonly #listening: Listening
  readonly #statistics: ConsumeStatistics
  readonly #valve = new Valve()
  readonly #puller: Puller<OwnedQueue>

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
    this.#statistics = new ConsumeStatistics(host.clock)
    this.#member = this.#newMember()
    this.#listening = this.#newListening()
    this.#puller = this.#newPuller()
  }

  /** What the sequence audit knows; undefined without one. */
  get audit(): AuditReport | undefined {
    return this.#member.observers.report
  }

  /** Records of the message trace that did not reach the trace topic, since the start. */
  get lostTraces(): number {
    return this.#member.observers.lostTraces
  }

  /** The queues that are read at present. */
  get queues(): readonly MessageQueue[] {
    return this.#member.rebalance.owned.map(({ queue }) => queue)
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
    this.#spread()
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
      this.#spread()
    }
    return this.#listening.stream(topic)
  }

  /** Asks for no more messages of a topic. */
  unsubscribe(topic: string): this {
    this.#listening.endStreams(topic)
    this.#subscriptions.delete(topic)
    this.#spread()
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
    await this.#member.replier.reply(request, body, options)
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
      () => this.#member.run(),
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

  async #prepare(): Promise<void> {
    this.#subscriptions.checkHandlers()
    await this.#member.prepare()
  }

  async #end(wasNew: boolean): Promise<void> {
    this.#listening.closeStreams()
    await this.#member.stopLoops()
    await this.#member.leave(wasNew, () => this.#listening.stop())
  }

  #newMember(): GroupMember {
    const config = this.#config
    return new GroupMember({
      ...{ config, clientId: this.clientId, subscriptions: this.#subscriptions },
      consumeType: 'CONSUME_PASSIVELY',
      isOrderly: config.orderly,
      handlerTimeoutMs: config.consumeTimeoutMs,
      router: operations(config, () => this.#operated),
      emit: (event, ...told) => this.emit<keyof MemberEvents>(event, ...told),
      read: async (owned, isShared) => {
        await this.#member.enter(owned, isShared)
        await this.#puller.run(owned, 0)
      },
      commit: () => this.#commit(),
      commitMs: COMMIT_MS,
      onShared: () => divideLimits(config, this.#member.rebalance.owned),
    })
  }

  get #operated(): OperatedParts {
    return {
      config: this.#config,
      consumeFromWhere: wireFromWhere(this.#config.consumeFromWhere),
      subscriptions: this.#subscriptions,
      rebalance: this.#member.rebalance,
      listening: this.#listening,
      locks: this.#member.locks,
      statistics: this.#statistics,
      told: this.#member.observers.told,
      reply: (...reply) => this.reply(...reply),
      startedAtMs: this.#member.startedAtMs,
      onMoved: (move) => this.emit('offsetMoved', move),
    }
  }

  #newListening(): Listening {
    const { clock } = this.#config.host
    return new Listening({
      config: this.#config,
      cluster: this.#member.cluster,
      handover: this.#member.handover,
      watch: this.#member.observers.watch,
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
    if (this.#member.isBroadcasting || this.#member.cluster.route(topic) !== undefined) return
    this.#member.rebalance.soon()
  }

  /** Whether nobody else may be handling messages of the queue; only an orderly consumer minds. */
  #mayHandle(owned: OwnedQueue): boolean {
    return this.#member.isBroadcasting || !this.#config.orderly || this.#member.locks.isHeld(owned)
  }

  #newPuller(): Puller<OwnedQueue> {
    const config = this.#config
    return new Puller<OwnedQueue>({
      host: config.host,
      cluster: this.#member.cluster,
      group: config.group,
      batchSize: config.pullBatchSize,
      as: 'member',
      holdMs: HOLD_MS,
      startOffset: (owned) => this.#member.offsets.startOffset(owned),
      open: (owned, startOffset) => this.#open(owned, startOffset),
      room: (owned, window) => this.#room(owned, window),
      onPulled: (owned, count, tookMs) => {
        owned.answers++
        owned.isBusy = count > 0
        owned.lastPullAtMs = config.host.clock.nowMs()
        if (count > 0) this.#statistics.pulled(owned.queue.topic, count, tookMs)
      },
      isCommitted: (owned) => !this.#member.isBroadcasting && this.#member.mayCommit(owned),
      onCommitted: (owned, offset) => {
        owned.storedOffset = offset
      },
      subscriptionTo: (topic) => this.#subscriptions.get(topic),
      onMessages: (owned, entries) => {
        this.#member.observers.see(owned.queue, entries)
        owned.hold(entries)
        this.#listening.submit(owned, entries)
      },
      onOffsetMoved: (owned, from, to) => {
        this.emit('offsetMoved', { queue: owned.queue, from, to })
        this.#member.rebalance.move(owned, to)
      },
      onForgotten: () => this.#member.forgotten(),
      onFailure: ({ queue }, error) => this.#member.queueFailed(queue, error),
    })
  }

  #open(owned: OwnedQueue, startOffset: number): Window<ReceivedMessage> {
    const { topic } = owned.queue
    this.#member.observers.begin(owned.queue, startOffset)
    const count = this.#member.rebalance.owned.filter((each) => each.queue.topic === topic).length
    return owned.open(startOffset, cacheLimits(this.#config, count), this.#member.budget)
  }

  async #room(owned: OwnedQueue, window: Window<ReceivedMessage>): Promise<void> {
    const { host, pullIntervalMs } = this.#config
    owned.isWaitingForRoom = true
    if (owned.isBusy && pullIntervalMs > 0) await pause(host.clock, pullIntervalMs, owned.released)
    await window.room()
    if (window.count > 0) await this.#member.budget.room(owned.released)
    await this.#valve.pass(owned.released)
    owned.isWaitingForRoom = false
  }

  /** Brokers must know what is wanted before it is asked for. */
  #spread(): void {
    if (this.#life.isStarted) void this.#member.spread()
  }

  async #commit(): Promise<void> {
    await Promise.all(
      this.#member.rebalance.owned
        .filter((owned) => this.#member.mayCommit(owned))
        .map((owned) =>
          this.#member.offsets.commitLater(owned).catch((error: unknown) =>
            this.#config.host.logger.debug('An offset could not be committed; it will be later.', {
              queue: owned.queue,
              error,
            }),
          ),
        ),
    )
  }
}
