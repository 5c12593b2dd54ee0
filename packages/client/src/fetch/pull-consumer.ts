/**
 * The consumer of applications that do everything themselves: which queue to read, from which
 * offset, and how far they are. Source: Apache class DefaultMQPullConsumer; `client.md` section 7.
 * Owns the offsets that brokers are still to be told, and which replica of a queue to ask next.
 */
import { EventEmitter } from 'node:events'
import { every, type Loop } from '@rockhopper/host'
import { type MessageQueue, retryTopicOf } from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { newClientId } from '../client-id.ts'
import { BrokerOffsets } from '../cluster/broker-offsets.ts'
import { GroupPresence } from '../cluster/group-presence.ts'
import { QueueFacts } from '../cluster/queue-facts.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import { MASTER_ID } from '../cluster/routes.ts'
import { badOption } from '../errors.ts'
import { giveBack } from '../handle/send-back.ts'
import {
  type AuditReport,
  ConsumeObservers,
  type ObserverEvents,
} from '../hooks/consume-observers.ts'
import { Life } from '../life.ts'
import { queueKey } from '../message-queue.ts'
import { checkFilters } from '../pull/filter-check.ts'
import type { MessageFilter } from '../pull/message-filter.ts'
import { type PullResult, pullOnce } from '../pull/pull-once.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { type Subscription, Subscriptions, subscriptionTo } from '../pull/subscriptions.ts'
import { Replier, type ReplyOptions } from '../request-reply/replier.ts'
import { type PullConfig, type PullOptions, pullConfig } from './pull-config.ts'

/** How often offsets are told (Apache: persistConsumerOffsetInterval). */
const COMMIT_MS = 5_000

/** Messages wanted by one pull at the most, as brokers allow. */
const MAX_MESSAGES = 1024

/** What a pull brought. */
export type Pulled = Pick<
  PullResult,
  'kind' | 'messages' | 'nextOffset' | 'minOffset' | 'maxOffset'
>

/** An offset that a broker is to be told. */
interface Note {
  readonly queue: MessageQueue
  readonly offset: number
}

/** What a consumer that pulls tells those who listen. */
export type PullEvents = ObserverEvents

export class PullConsumer extends EventEmitter<PullEvents> {
  /** The name under which brokers know this consumer. */
  readonly clientId: string
  readonly #config: PullConfig
  readonly #life = new Life('the consumer')
  readonly #registered: Subscriptions
  readonly #presence: GroupPresence
  readonly #offsets: BrokerOffsets
  readonly #facts: QueueFacts
  readonly #observers: ConsumeObservers
  readonly #replier: Replier
  /** By topic: whether the last pull asked for all of its messages. */
  readonly #wholes = new Map<string, boolean>()
  readonly #replicas = new Map<string, number>()
  /** By queue: what was said last of it, and whether the broker was told. */
  readonly #notes = new Map<string, Note>()
  readonly #told = new Map<string, number>()
  #commits: Loop | undefined

  /** Throws `ClientError` BAD_OPTION. Nothing is opened before `start`. */
  constructor(options: PullOptions) {
    super()
    const config = pullConfig(options)
    const { host, group } = config
    this.#config = config
    this.clientId = `${newClientId(host)}@STREAM`
    this.#registered = new Subscriptions(group, 1, host.clock.nowMs(), false)
    for (const [topic, filter] of Object.entries(config.topics)) {
      this.#registered.set(topic, filter, host.clock.nowMs(), undefined)
    }
    this.#presence = new GroupPresence({
      config,
      clientId: this.clientId,
      consumeType: 'CONSUME_ACTIVELY',
      messageModel: 'CLUSTERING',
      consumeFromWhere: 'last',
      subscriptions: () => this.#registered.data,
      router: new Router(host.logger),
      onRouteChanged: (topic) => this.#observers.followRoute(topic),
    })
    const { cluster } = this.#presence
    this.#offsets = new BrokerOffsets(cluster, group)
    this.#facts = new QueueFacts(cluster, this.#offsets)
    this.#replier = new Replier({ host, cluster, group })
    this.#observers = new ConsumeObservers({
      ...{ config, cluster, timeoutMs: Number.POSITIVE_INFINITY },
      emit: (event, ...told) => this.emit<keyof ObserverEvents>(event, ...told),
      isWhole: (topic) => this.#wholes.get(topic) === true,
    })
  }

  /** What the sequence audit knows; undefined without one. */
  get audit(): AuditReport | undefined {
    return this.#observers.report
  }

  /** Records of the message trace that did not reach the trace topic, since the start. */
  get lostTraces(): number {
    return this.#observers.lostTraces
  }

  /**
   * Finds a name server. Rejects with `ClientError` NAME_SERVER_UNREACHABLE, BAD_OPTION when a
   * broker finds a filter of `topics` wrong; it may then be called again.
   */
  start(): Promise<void> {
    return this.#life.start(
      () => this.#prepare(),
      async () => this.#run(),
    )
  }

  /** Tells brokers the offsets that they do not know yet, and takes leave of them. */
  close(): Promise<void> {
    return this.#life.close((wasNew) => this.#end(wasNew))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Up to `maxMessages` (1 … 1024) messages of a queue from an offset on, as far as there are any
   * at present. `filter` is `*` for all messages, the wanted tags as `a || b`, or what `bySql` and
   * `byTags` give. Go on at `nextOffset`, also when nothing came. Hooks and the message trace take
   * what was pulled for consumed. Rejects with `ClientError`.
   */
  pull(
    queue: MessageQueue,
    filter: string | MessageFilter,
    offset: number,
    maxMessages: number,
  ): Promise<Pulled> {
    return this.#pull(queue, filter, offset, maxMessages, 0)
  }

  /** The same, and waits at the end of the queue for at most `suspendMs` until something comes. */
  pullBlockIfNotFound(
    queue: MessageQueue,
    filter: string | MessageFilter,
    offset: number,
    maxMessages: number,
  ): Promise<Pulled> {
    return this.#pull(queue, filter, offset, maxMessages, this.#config.suspendMs)
  }

  /** The queues of a topic that may be read. Rejects with `NoRouteError`. */
  async fetchMessageQueues(topic: string): Promise<readonly MessageQueue[]> {
    this.#life.checkStarted()
    return await this.#facts.queuesOf(topic)
  }

  /**
   * Next offset that the group will consume: what was said here, else what the broker knows;
   * undefined when that is nothing. Rejects with `ClientError`.
   */
  async fetchConsumeOffset(queue: MessageQueue): Promise<number | undefined> {
    this.#life.checkStarted()
    return this.#notes.get(queueKey(queue))?.offset ?? (await this.#facts.committed(queue))
  }

  /** Says how far the group is; the broker is told within 5 s, and before `close` resolves. */
  updateConsumeOffset(queue: MessageQueue, offset: number): void {
    this.#life.checkStarted()
    checkOffset(offset)
    this.#notes.set(queueKey(queue), { queue, offset })
  }

  /** First offset that the queue still has. Rejects with `ClientError`. */
  async minOffset(queue: MessageQueue): Promise<number> {
    this.#life.checkStarted()
    return await this.#facts.minOffset(queue)
  }

  /** Offset that the next message of the queue will get. Rejects with `ClientError`. */
  async maxOffset(queue: MessageQueue): Promise<number> {
    this.#life.checkStarted()
    return await this.#facts.maxOffset(queue)
  }

  /** Offset of the first message stored at or after a time, in ms. Rejects with `ClientError`. */
  async searchOffset(queue: MessageQueue, timestampMs: number): Promise<number> {
    this.#life.checkStarted()
    return await this.#facts.offsetAtTime(queue, timestampMs)
  }

  /**
   * Gives a message back that could not be dealt with: it comes to the group again by its retry
   * topic, or becomes a dead letter. `delayLevel`: 0 leaves it to the broker, which waits longer each
   * time; 1 … 18 is a delay level; −1 makes it a dead letter. `error` is kept with it. Rejects with
   * `ClientError` when no broker took it.
   */
  async sendMessageBack(
    message: ReceivedMessage,
    delayLevel = 0,
    error: unknown = new Error('sent back by the application'),
  ): Promise<void> {
    this.#life.checkStarted()
    const { cluster } = this.#presence
    const { host, group, maxReconsumeTimes } = this.#config
    // Where a copy goes if the broker of the message does not take it; it may not exist yet.
    await cluster.findRoute(retryTopicOf(group)).catch(() => undefined)
    try {
      await giveBack({ host, cluster, group, maxReconsumeTimes }, message, delayLevel, error)
    } catch (refusal) {
      throw clientErrorOf(refusal)
    }
  }

  /** Replies to a message that was sent with `request`; see `ConsumeContext.reply`. */
  async reply(
    request: ReceivedMessage,
    body: Uint8Array | string,
    options: ReplyOptions = {},
  ): Promise<void> {
    this.#life.checkStarted()
    await this.#replier.reply(request, body, options)
  }

  async #prepare(): Promise<void> {
    const { cluster, heartbeats } = this.#presence
    await cluster.checkNameServers()
    const { topics, data } = this.#registered
    await Promise.all(topics.map((topic) => cluster.findRoute(topic).catch(() => undefined)))
    await checkFilters({ cluster, clientId: this.clientId, group: this.#config.group }, data)
    await heartbeats.beat()
  }

  #run(): void {
    this.#presence.start()
    const { clock, logger } = this.#config.host
    this.#commits = every(
      clock,
      COMMIT_MS,
      () => this.#tell((queue, offset) => this.#offsets.commitUnheard(queue, offset)),
      (error) => logger.error('The commit of offsets failed for an unforeseen reason.', { error }),
    )
  }

  async #end(wasNew: boolean): Promise<void> {
    await this.#commits?.stop()
    await this.#tell((queue, offset) => this.#offsets.commit(queue, offset))
    await this.#observers.close()
    await this.#presence.end(!wasNew)
  }

  async #pull(
    queue: MessageQueue,
    filter: string | MessageFilter,
    offset: number,
    maxMessages: number,
    holdMs: number,
  ): Promise<Pulled> {
    this.#life.checkStarted()
    checkOffset(offset)
    if (!Number.isInteger(maxMessages) || maxMessages < 1 || maxMessages > MAX_MESSAGES) {
      throw badOption(`a pull wants ${maxMessages} messages`, `use 1 to ${MAX_MESSAGES}`)
    }
    const { cluster } = this.#presence
    const { group } = this.#config
    const subscription = this.#subscriptionTo(queue.topic, filter)
    if (cluster.route(queue.topic) === undefined) await this.#facts.queuesOf(queue.topic)
    const key = queueKey(queue)
    const replica = this.#replicas.get(key) ?? MASTER_ID
    const what = { group, queue, offset, maxMessages, subscription, holdMs, replica }
    try {
      const result = await pullOnce(cluster, { ...what, as: 'plain' })
      if (result.kind !== 'offset moved') this.#replicas.set(key, result.nextReplica)
      this.#show(queue, offset, subscription, result)
      return result
    } catch (error) {
      throw clientErrorOf(error)
    }
  }

  /** As with Apache, what is given counts as consumed: nothing is heard of it any more. */
  #show(
    queue: MessageQueue,
    offset: number,
    { data }: Subscription,
    { messages }: PullResult,
  ): void {
    this.#wholes.set(queue.topic, data.subString === '*')
    this.#observers.begin(queue, offset)
    if (messages.length === 0) return
    const entries = messages.map((message) => ({ message }))
    this.#observers.see(queue, entries)
    this.#observers.watch.given(entries, queue)?.('success')
  }

  #subscriptionTo(topic: string, filter: string | MessageFilter): Subscription {
    return subscriptionTo(topic, filter, this.#config.host.clock.nowMs())
  }

  /**
   * Tells brokers what they do not know yet, in one way or another; what came to `false` is told
   * again. Never rejects.
   */
  async #tell(commit: (queue: MessageQueue, offset: number) => Promise<unknown>): Promise<void> {
    const untold = [...this.#notes].filter(([key, { offset }]) => this.#told.get(key) !== offset)
    await Promise.all(
      untold.map(async ([key, { queue, offset }]) => {
        try {
          if ((await commit(queue, offset)) !== false) this.#told.set(key, offset)
        } catch (error) {
          const { logger } = this.#config.host
          logger.warn('An offset could not be committed.', { queue, offset, error })
        }
      }),
    )
  }
}

function checkOffset(offset: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return
  throw badOption(`an offset is ${offset}`, 'use a whole number from 0')
}
