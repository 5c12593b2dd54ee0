/**
 * Carries one request with a message, or with a batch, to a broker: chooses the queue, tries other
 * brokers when one fails, and reads the answer. Source: Apache class DefaultMQProducerImpl;
 * `client.md` sections 3.3, 3.4 and 3.6. Owns nothing but the way the time of a send is spent.
 */
import type { Clock } from '@rockhopper/host'
import {
  type Header,
  responseCode,
  SEND_BATCH_MESSAGE,
  SEND_MESSAGE_V2,
} from '@rockhopper/protocol'
import { type Answer, RemoteError } from '@rockhopper/remoting'
import { badOption } from './errors.ts'
import { within } from './give-up.ts'
import type { Message, SendOptions, SendResult, SendStatus } from './message.ts'
import type { MessageQueue } from './message-queue.ts'
import type { PublishEntry, PublishQueue, PublishTable } from './publish-table.ts'
import { type FailedAttempt, isWorthAnotherAttempt, outOfTime, sendFailed } from './retry-policy.ts'

export type SendHeader = Header<(typeof SEND_MESSAGE_V2)['tables']['request']>
type SendAnswer = Answer<(typeof SEND_MESSAGE_V2)['tables']['answer']>

/** Answers that mean "stored". */
const STATUS: ReadonlyMap<number, SendStatus> = new Map([
  [responseCode.SUCCESS, 'SEND_OK'],
  [responseCode.FLUSH_DISK_TIMEOUT, 'FLUSH_DISK_TIMEOUT'],
  [responseCode.FLUSH_SLAVE_TIMEOUT, 'FLUSH_SLAVE_TIMEOUT'],
  [responseCode.SLAVE_NOT_AVAILABLE, 'SLAVE_NOT_AVAILABLE'],
])

const REGION_FIELD = 'MSG_REGION'
const DEFAULT_REGION = 'DefaultRegion'

/** A request that lacks only the queue. */
export interface Parcel {
  readonly topic: string
  readonly msgId: string
  /** Queue and broker are filled in for each attempt. */
  readonly header: SendHeader
  readonly body: readonly Uint8Array[]
  readonly isBatch: boolean
}

/** Picks the one queue that a message may go to. */
export type Destination = (entry: PublishEntry) => MessageQueue

/** How a send may spend its time; both are of the monotonic clock or durations, in ms. */
export interface Budget {
  readonly startMs: number
  readonly timeoutMs: number
}

export interface SenderParts {
  readonly clock: Clock
  readonly publish: PublishTable
  /** Attempts after the first. */
  readonly retries: number
  /** Longest time of an attempt that another one may follow. */
  readonly attemptTimeoutMs: number
  /** Told of each attempt that failed and is followed by another. */
  readonly onRetry: (topic: string, failed: FailedAttempt) => void
}

export class Sender {
  readonly #parts: SenderParts

  constructor(parts: SenderParts) {
    this.#parts = parts
  }

  /**
   * Delivers a parcel; with a destination there is one attempt. Throws `ClientError`, or the reason
   * of the signal when that aborted before an attempt.
   */
  async deliver(
    parcel: Parcel,
    budget: Budget,
    destination?: Destination,
    signal?: AbortSignal,
  ): Promise<SendResult> {
    const { publish, clock } = this.#parts
    const entry = publish.get(parcel.topic) ?? (await this.#find(parcel.topic, budget))
    const attempts = destination === undefined ? 1 + this.#parts.retries : 1
    const failed: FailedAttempt[] = []
    while (failed.length < attempts) {
      signal?.throwIfAborted()
      const leftMs = budget.startMs + budget.timeoutMs - clock.monotonicMs()
      if (leftMs <= 0) break
      const way = this.#choose(entry, destination, failed.at(-1)?.brokerName)
      const isLast = failed.length + 1 === attempts
      const timeoutMs = isLast ? leftMs : Math.min(leftMs, this.#parts.attemptTimeoutMs)
      try {
        return await this.#attempt(parcel, way, timeoutMs)
      } catch (error) {
        failed.push({ brokerName: way.brokerName, error })
        if (!isWorthAnotherAttempt(error)) break
        if (!isLast) this.#parts.onRetry(parcel.topic, { brokerName: way.brokerName, error })
      }
    }
    if (failed.length === 0) throw outOfTime(parcel.topic, budget.timeoutMs)
    throw sendFailed(parcel.topic, failed, clock.monotonicMs() - budget.startMs)
  }

  /** Hands a parcel to a connection and waits for nothing more. Throws `ClientError`. */
  async hand(parcel: Parcel, budget: Budget, destination?: Destination): Promise<void> {
    const { publish } = this.#parts
    const entry = publish.get(parcel.topic) ?? (await this.#find(parcel.topic, budget))
    const { link, queue, brokerName } = this.#choose(entry, destination, undefined)
    parcel.header.queueId = queue.queueId
    parcel.header.brokerName = brokerName
    try {
      await link.oneway(SEND_MESSAGE_V2, parcel.header, parcel.body, budget.timeoutMs)
    } catch (error) {
      throw sendFailed(parcel.topic, [{ brokerName, error }], 0)
    }
  }

  #find(topic: string, { timeoutMs }: Budget): Promise<PublishEntry> {
    const { publish, clock } = this.#parts
    return within(clock, publish.find(topic), timeoutMs, () => outOfTime(topic, timeoutMs))
  }

  #choose(
    { chooser, queues }: PublishEntry,
    destination: Destination | undefined,
    lastBroker: string | undefined,
  ): PublishQueue {
    if (destination !== undefined) return this.#parts.publish.way(destination({ chooser, queues }))
    const way = lastBroker === undefined ? chooser.next() : chooser.nextAvoiding(lastBroker)
    if (way === undefined) throw new RangeError('a publish entry has no queue')
    return way
  }

  async #attempt(parcel: Parcel, way: PublishQueue, timeoutMs: number): Promise<SendResult> {
    const command = parcel.isBatch ? SEND_BATCH_MESSAGE : SEND_MESSAGE_V2
    parcel.header.queueId = way.queue.queueId
    parcel.header.brokerName = way.brokerName
    const answer = await way.link.call(command, parcel.header, { body: parcel.body, timeoutMs })
    const status = STATUS.get(answer.code)
    if (status !== undefined) return resultOf(parcel, way.queue, status, answer)
    const address = way.link.address ?? way.brokerName
    throw new RemoteError(address, command.name, answer.code, answer.remark)
  }
}

function resultOf(
  parcel: Parcel,
  asked: MessageQueue,
  status: SendStatus,
  answer: SendAnswer,
): SendResult {
  const { msgId, queueId, queueOffset, transactionId, batchUniqId } = answer.header()
  const { topic, brokerName } = asked
  return {
    status,
    msgId: batchUniqId ?? parcel.msgId,
    offsetMsgId: msgId,
    queue: queueId === asked.queueId ? asked : { topic, brokerName, queueId },
    queueOffset,
    transactionId,
    regionId: answer.extra(REGION_FIELD) ?? DEFAULT_REGION,
  }
}

/** The destination that the options of a send name, if they do. */
export function destinationOf(
  message: Message,
  { queue, selector }: SendOptions,
): Destination | undefined {
  if (queue !== undefined) return () => ofTopic(message.topic, queue)
  if (selector === undefined) return undefined
  return ({ queues }) => ofTopic(message.topic, selector(queues, message))
}

function ofTopic(topic: string, queue: MessageQueue): MessageQueue {
  if (queue.topic === topic) return queue
  throw badOption(
    `a message to "${topic}" was to go to a queue of the topic "${queue.topic}"`,
    'name a queue of its own topic',
  )
}
