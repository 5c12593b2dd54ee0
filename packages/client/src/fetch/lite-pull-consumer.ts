/**
 * The consumer of applications that fetch messages when they want them, in batches or in a loop, of
 * queues that the group shares (`subscribe`) or that they choose themselves (`assign`). Its place in
 * the group is that of `group-member.ts`; messages are read ahead in `pull.ts`, kept in
 * `ready-messages.ts` and given out in `fetching.ts`. Source: Apache class
 * DefaultLitePullConsumerImpl; `client.md` section 8. Owns which queues were assigned.
 */
import { EventEmitter } from 'node:events'
import type { MessageQueue } from '@rockhopper/protocol'
import { GroupMember, type MemberEvents } from '../balance/group-member.ts'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import { newClientId } from '../client-id.ts'
import { QueueFacts } from '../cluster/queue-facts.ts'
import { type QueuesListener, QueueWatch } from '../cluster/queue-watch.ts'
import { badOption, type ClientError } from '../errors.ts'
import type { AuditReport } from '../hooks/consume-observers.ts'
import { Life } from '../life.ts'
import type { MessageFilter } from '../pull/message-filter.ts'
import { Puller } from '../pull/pull.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { Subscriptions } from '../pull/subscriptions.ts'
import type { ReplyOptions } from '../request-reply/replier.ts'
import { Fetching } from './fetching.ts'
import { type LiteOperatedParts, liteOperations } from './lite-operations.ts'
import type { PolledQueue, Reading } from './polled-queue.ts'
import { PolledQueues, type QueueOffset, type SeekTarget } from './polled-queues.ts'
import { type LitePullConfig, type LitePullOptions, litePullConfig } from './pull-config.ts'
import { ReadyMessages } from './ready-messages.ts'

/** How long a broker may hold a pull when there is nothing to give (Apache: the same). */
const HOLD_MS = 20_000

/** What a consumer that fetches messages tells those who listen. */
export type LitePullEvents = MemberEvents

export class LitePullConsumer
  extends EventEmitter<LitePullEvents>
  implements AsyncIterable<ReceivedMessage>
{
  /** The name under which brokers and the other members know this consumer. */
  readonly clientId: string
  readonly #config: LitePullConfig
  readonly #life = new Life('the consumer')
  readonly #subscriptions: Subscriptions
  readonly #member: GroupMember
  readonly #facts: QueueFacts
  readonly #ready: ReadyMessages
  readonly #fetching: Fetching
  readonly #polled: PolledQueues
  readonly #puller: Puller<Reading>
  readonly #watch: QueueWatch
  /** Queues that the application chose; undefined as long as it has not chosen any. */
  #assigned: readonly MessageQueue[] | undefined
  /** Resolves when the queues chosen last are read, so that they can be moved. */
  #spreading: Promise<void> = Promise.resolve()

  /** Throws `ClientError` BAD_OPTION. Nothing is opened before `start`. */
  constructor(options: LitePullOptions) {
    super()
    const config = litePullConfig(options)
    const { host, group } = config
    this.#config = config
    this.clientId = `${newClientId(host, config.instanceName)}@STREAM`
    this.#subscriptions = new Subscriptions(group, 1, host.clock.nowMs(), false)
    this.#member = this.#newMember()
    const { brokerOffsets, cluster, observers, offsets } = this.#member
    this.#facts = new QueueFacts(cluster, brokerOffsets)
    this.#watch = new QueueWatch(cluster)
    this.#ready = new ReadyMessages(host.clock, config.maxCachedMessagesInAll)
    this.#fetching = new Fetching(host.clock, this.#ready, observers.watch)
    this.#polled = new PolledQueues({
      ...{ logger: host.logger, offsets, facts: this.#facts },
      ...{ ready: this.#ready, fetching: this.#fetching },
      isAutomatic: config.autoCommit,
      isShared: () => this.#assigned === undefined,
      mayCommit: (owned) => this.#member.mayCommit(owned),
    })
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
      () => this.#member.run(),
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

  /** Replies to a message that was sent with `request`; see `ConsumeContext.reply`. */
  async reply(
    request: ReceivedMessage,
    body: Uint8Array | string,
    options: ReplyOptions = {},
  ): Promise<void> {
    this.#life.checkStarted()
    await this.#member.replier.reply(request, body, options)
  }

  /**
   * Tells when the queues of a topic are others than before; routes are looked at every 30 s, and more
   * often at first and while a broker is missed. Gives back how to hear no more.
   */
  watchQueues(topic: string, listener: QueuesListener): () => void {
    const stop = this.#watch.add(topic, listener)
    if (this.#life.isStarted) void this.#watch.findRoutes()
    return stop
  }

  async #prepare(): Promise<void> {
    await this.#member.prepare()
    await this.#watch.findRoutes()
  }

  async #end(wasNew: boolean): Promise<void> {
    await this.#member.stopLoops()
    this.#fetching.close()
    await this.#member.leave(wasNew)
  }

  #newMember(): GroupMember {
    const config = this.#config
    return new GroupMember({
      ...{ config, clientId: this.clientId, subscriptions: this.#subscriptions },
      consumeType: 'CONSUME_ACTIVELY',
      isOrderly: false,
      handlerTimeoutMs: Number.POSITIVE_INFINITY,
      router: liteOperations(config, () => this.#operated),
      emit: (event, ...told) => this.emit<keyof MemberEvents>(event, ...told),
      chosen: () => this.#assigned,
      read: (owned, isShared) => this.#read(owned, isShared),
      commit: () => this.#polled.commitDue(),
      commitMs: config.autoCommitIntervalMs,
      isWatched: ({ queue }) => !this.#polled.get(queue).isPaused,
      onLeft: (owned) => this.#polled.delete(owned),
      onRouteChanged: (topic) => this.#watch.look(topic),
    })
  }

  get #operated(): LiteOperatedParts {
    const { locks, observers, rebalance, startedAtMs } = this.#member
    return {
      ...{ subscriptions: this.#subscriptions.data, owned: rebalance.owned, locks },
      ...{ startedAtMs, told: observers.told },
      wake: () => rebalance.wake(),
      move: ({ queue }, to) => this.#move(this.#polled.get(queue), to),
    }
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
      cluster: this.#member.cluster,
      group,
      batchSize: pullBatchSize,
      as: 'lite',
      holdMs: HOLD_MS,
      startOffset: async ({ from, polled }) =>
        from ?? this.#member.offsets.startOffset(polled.owned),
      open: (reading, startOffset) => {
        this.#member.observers.begin(reading.polled.owned.queue, startOffset)
        return reading.open(startOffset, limits, this.#member.budget)
      },
      room: (reading) => this.#room(reading),
      subscriptionTo: (topic) => this.#subscriptions.get(topic),
      onMessages: (reading, entries) => {
        if (reading.released.aborted) return
        this.#member.observers.see(reading.polled.owned.queue, entries)
        reading.polled.owned.hold(entries)
        this.#ready.put(reading, entries)
      },
      onPulled: ({ polled }) => {
        polled.owned.answers++
        polled.owned.lastPullAtMs = host.clock.nowMs()
      },
      onCommitted: () => {},
      onOffsetMoved: ({ polled }, _from, to) => this.#move(polled, to),
      onForgotten: () => this.#member.forgotten(),
      onFailure: ({ queue }, error) => this.#member.queueFailed(queue, error),
    })
  }

  async #read(owned: OwnedQueue, isShared: boolean): Promise<void> {
    const polled = this.#polled.add(owned)
    await this.#member.enter(owned, isShared)
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
    if (window !== undefined && window.count > 0) await this.#member.budget.room(released)
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
    if (this.#life.isStarted) this.#spreading = this.#member.spread()
  }
}

/** The sentence of Apache, and what to do. */
function mutuallyExclusive(before: string, now: string): ClientError {
  const hint = `this consumer was told to ${before}, so make another one to ${now}`
  return badOption('Subscribe and assign are mutually exclusive', hint)
}
