/**
 * The messages that a group failed to consume too often: reads them, and sends chosen ones again, to
 * their group alone or to everybody. A dead letter stays where it is until the broker's retention
 * removes it. Source: `broker-api.md` section 3.4; Apache's client has nothing of the kind. Owns its
 * own view of the cluster.
 */
import {
  deadLetterTopicOf,
  encodeProperties,
  type MessageQueue,
  retryTopicOf,
} from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { BrokerOffsets } from '../cluster/broker-offsets.ts'
import { Cluster } from '../cluster/cluster.ts'
import { QueueFacts } from '../cluster/queue-facts.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import { MASTER_ID } from '../cluster/routes.ts'
import { type ClientConfig, type ClientOptions, clientConfig } from '../config.ts'
import { badMessage, NoRouteError } from '../errors.ts'
import { Life } from '../life.ts'
import type { Names } from '../namespace/names.ts'
import type { SendResult } from '../produce/message.ts'
import { PublishTable, USUAL_NEW_TOPICS } from '../produce/publish-table.ts'
import { Room } from '../produce/room.ts'
import { type Parcel, Sender } from '../produce/sender.ts'
import { type PullResult, pullOnce } from '../pull/pull-once.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { type Subscription, subscriptionTo } from '../pull/subscriptions.ts'

/** Messages asked for by one pull. */
const BATCH = 32
/** Time for a letter that is sent again, with all attempts, in ms; and attempts after the first. */
const SEND_MS = 10_000
const RETRIES = 2
/** Letters that are sent again at a time, and their bytes; who exceeds it by himself may. */
const MAX_IN_FLIGHT = { maxCount: 1024, maxBytes: 100 * 1024 * 1024 }

/** Properties by which a message knew of its failures. */
const OF_FAILURES: ReadonlySet<string> = new Set(
  `RETRY_TOPIC ORIGIN_MESSAGE_ID DLQ_ORIGIN_TOPIC DLQ_ORIGIN_MESSAGE_ID RECONSUME_TIME DELAY
  MAX_RECONSUME_TIMES CONSUME_ERROR CONSUME_START_TIME REAL_TOPIC REAL_QID MIN_OFFSET MAX_OFFSET
  TRAN_MSG WAIT __CRC32#`.split(/\s+/),
)

/** A message that its group has given up. */
export interface DeadLetter {
  /** As it lies among the dead letters. */
  readonly message: ReceivedMessage
  /** Where it was sent to; undefined when a program of another kind put it here. */
  readonly originTopic: string | undefined
  /** The broker's id of the message that failed first. */
  readonly originMsgId: string | undefined
  /** How often it was consumed without success. */
  readonly tries: number
  /** Why it failed the last time, where that was kept. */
  readonly lastError: string | undefined
  /** When it was given up, in ms since 1970. */
  readonly diedAtMs: number
}

/** Which letters to read: by when they were given up, in ms since 1970. All when absent. */
export interface DeadLetterRange {
  /** The first time that counts. */
  readonly fromMs?: number
  /** The first time that does not count any more. */
  readonly toMs?: number
}

export class DeadLetters {
  readonly #config: ClientConfig
  readonly #topic: string
  readonly #life = new Life('the reader of dead letters')
  readonly #cluster: Cluster
  readonly #offsets: BrokerOffsets
  readonly #facts: QueueFacts
  readonly #publish: PublishTable
  readonly #room: Room
  readonly #sender: Sender

  /** `options.group`: whose dead letters. Throws `ClientError` BAD_OPTION. */
  constructor(options: ClientOptions) {
    const config = clientConfig(options)
    const { host, group, names, namespaceV2, nameServers, serialization } = config
    this.#config = config
    this.#topic = deadLetterTopicOf(group)
    this.#cluster = new Cluster({
      host,
      nameServers,
      serialization,
      ...{ names, namespaceV2 },
      router: new Router(host.logger),
      onRouteChanged: (topic) => this.#publish.renew(topic),
      onConnectionClosed: () => {},
    })
    this.#offsets = new BrokerOffsets(this.#cluster, group)
    this.#facts = new QueueFacts(this.#cluster, this.#offsets)
    this.#publish = new PublishTable(this.#cluster, host.random, USUAL_NEW_TOPICS)
    this.#room = new Room(host.clock, MAX_IN_FLIGHT)
    this.#sender = new Sender({
      clock: host.clock,
      publish: this.#publish,
      room: this.#room,
      retries: RETRIES,
      attemptTimeoutMs: SEND_MS,
      retryLessSafe: false,
      faults: undefined,
      onRetry: () => {},
      gate: undefined,
    })
  }

  /** Finds a name server. Rejects with `ClientError` NAME_SERVER_UNREACHABLE. */
  start(): Promise<void> {
    return this.#life.start(
      () => this.#cluster.checkNameServers(),
      async () => this.#cluster.start(),
    )
  }

  /** Waits for letters that are being sent again, and closes all connections. */
  close(): Promise<void> {
    return this.#life.close(async () => {
      await this.#room.idle()
      await this.#cluster.close()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** How many letters there are. Rejects with `ClientError`. */
  async count(): Promise<number> {
    this.#life.checkStarted()
    const queues = await this.#queues()
    const counts = queues.map(async (queue) => {
      const [min, max] = await this.#bounds(queue)
      return max - min
    })
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }

  /**
   * The letters that are there at the beginning, queue by queue in the order in which they were
   * given up. Rejects with `ClientError`; `NoRouteError` with the reason `no-usable-queue` where
   * the topic of dead letters may not be read, as brokers of 4.x make it.
   */
  async *read(range: DeadLetterRange = {}): AsyncGenerator<DeadLetter, void, void> {
    this.#life.checkStarted()
    for (const queue of await this.#queues()) yield* this.#readQueue(queue, range)
  }

  /**
   * Sends a letter again: to its group alone, by the retry topic (`group`), or to the topic that it
   * was sent to first, for every group that reads it (`topic`). It has all its tries before it, and
   * keeps its key, its tag and its own properties. Rejects with `ClientError`.
   */
  async resend(letter: DeadLetter, to: 'group' | 'topic' = 'group'): Promise<SendResult> {
    this.#life.checkStarted()
    const parcel = to === 'group' ? this.#parcelToGroup(letter) : this.#parcelToTopic(letter)
    this.#room.enter(parcel.sizeBytes)
    return await this.#sender.deliver({
      parcel,
      startMs: this.#config.host.clock.monotonicMs(),
      timeoutMs: SEND_MS,
      destination: undefined,
      signal: undefined,
      holdsRoom: true,
    })
  }

  async *#readQueue(
    queue: MessageQueue,
    { fromMs, toMs = Number.POSITIVE_INFINITY }: DeadLetterRange,
  ): AsyncGenerator<DeadLetter, void, void> {
    const [min, end] = await this.#bounds(queue)
    let offset = fromMs === undefined ? min : await this.#facts.offsetAtTime(queue, fromMs)
    const subscription = subscriptionTo(this.#topic, '*', this.#config.host.clock.nowMs())
    while (offset < end) {
      const { messages, nextOffset } = await this.#pull(queue, offset, subscription)
      for (const message of messages) {
        if (message.queueOffset >= end || message.storedAtMs >= toMs) return
        if (message.storedAtMs >= (fromMs ?? 0)) yield letterOf(message, this.#config.names)
      }
      // Where nothing comes of what was there, retention was faster.
      if (nextOffset <= offset) return
      offset = nextOffset
    }
  }

  async #pull(
    queue: MessageQueue,
    offset: number,
    subscription: Subscription,
  ): Promise<PullResult> {
    const { group } = this.#config
    const wish = { group, queue, offset, maxMessages: BATCH, subscription, holdMs: 0 }
    try {
      return await pullOnce(this.#cluster, { ...wish, replica: MASTER_ID, as: 'plain' })
    } catch (error) {
      throw clientErrorOf(error)
    }
  }

  /** None as long as the group has no dead letters. */
  async #queues(): Promise<readonly MessageQueue[]> {
    try {
      return await this.#facts.queuesOf(this.#topic)
    } catch (error) {
      if (error instanceof NoRouteError && error.reason === 'topic-missing') return []
      throw error
    }
  }

  #bounds(queue: MessageQueue): Promise<readonly [min: number, end: number]> {
    return Promise.all([this.#facts.minOffset(queue), this.#facts.maxOffset(queue)])
  }

  #parcelToGroup(letter: DeadLetter): Parcel {
    const { message, originTopic, originMsgId } = letter
    const topic = retryTopicOf(this.#config.group)
    const origin = originMsgId ?? message.offsetMsgId
    return this.#parcel(message, topic, {
      RETRY_TOPIC: this.#config.names.full(originTopic ?? topic),
      ORIGIN_MESSAGE_ID: origin,
    })
  }

  #parcelToTopic({ message, originTopic }: DeadLetter): Parcel {
    if (originTopic !== undefined) return this.#parcel(message, originTopic, {})
    throw badMessage(
      `the dead letter ${message.msgId} does not say which topic it was sent to`,
      'send it to its group, or make a new message of its body',
    )
  }

  #parcel(message: ReceivedMessage, topic: string, marks: Record<string, string>): Parcel {
    const { body, sysFlag } = message.stored
    const kept = Object.entries(message.properties).filter(([name]) => !OF_FAILURES.has(name))
    const properties = encodeProperties({ ...Object.fromEntries(kept), ...marks, WAIT: 'true' })
    const header = {
      producerGroup: this.#config.group,
      topic,
      defaultTopic: USUAL_NEW_TOPICS.newTopicTemplate,
      defaultTopicQueueNums: USUAL_NEW_TOPICS.newTopicQueues,
      queueId: 0,
      sysFlag,
      bornTimestamp: this.#config.host.clock.nowMs(),
      flag: message.flag,
      properties: Buffer.from(properties),
      reconsumeTimes: 0,
      unitMode: false,
      maxReconsumeTimes: undefined,
      batch: false,
      brokerName: '',
    }
    const alone = { isBatch: false, canJoin: false, waitStored: true, members: undefined }
    const { msgId } = message
    return {
      topic,
      msgId,
      header,
      body: [body],
      sizeBytes: body.length,
      message: { topic, body },
      ...alone,
    }
  }
}

function letterOf(message: ReceivedMessage, names: Names): DeadLetter {
  const { properties } = message
  const originTopic = properties['DLQ_ORIGIN_TOPIC'] ?? properties['RETRY_TOPIC']
  return {
    message,
    originTopic: originTopic === undefined ? undefined : names.bare(originTopic),
    originMsgId: properties['DLQ_ORIGIN_MESSAGE_ID'] ?? properties['ORIGIN_MESSAGE_ID'],
    tries: message.reconsumeTimes,
    lastError: message.lastError,
    diedAtMs: message.storedAtMs,
  }
}
