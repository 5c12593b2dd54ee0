/**
 * Carries one request with a message, or with a batch, to a broker: chooses the queue, tries other
 * brokers when one fails, and reads the answer. Source: Apache class DefaultMQProducerImpl;
 * `client.md` sections 3.3, 3.4 and 3.6. Owns nothing but the way the time of a send is spent.
 */
import type { Clock, Random } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import {
  type BatchEntry,
  type Header,
  responseCode,
  SEND_BATCH_MESSAGE,
  SEND_MESSAGE_V2,
} from '@rockhopper/protocol'
import { type Answer, RemoteError } from '@rockhopper/remoting'
import {
  clientErrorOf,
  type FailedAttempt,
  isWorthAnotherAttempt,
  outOfTime,
  sendFailed,
} from '../cluster/retry-policy.ts'
import { badOption } from '../errors.ts'
import { within } from '../give-up.ts'
import type { AttemptEnd, BrokerFaults } from './broker-faults.ts'
import type { Message, SendOptions, SendResult, SendStatus } from './message.ts'
import type { PublishEntry, PublishQueue, PublishTable } from './publish-table.ts'
import type { Room } from './room.ts'
import { selectByHash } from './select-by-hash.ts'

export type SendHeader = Header<(typeof SEND_MESSAGE_V2)['tables']['request']>
type SendAnswer = Answer<(typeof SEND_MESSAGE_V2)['tables']['answer']>

/** Answers that mean "stored", but less safely than the broker was told to. */
const LESS_SAFE: ReadonlyMap<number, SendStatus> = new Map([
  [responseCode.FLUSH_DISK_TIMEOUT, 'FLUSH_DISK_TIMEOUT'],
  [responseCode.FLUSH_SLAVE_TIMEOUT, 'FLUSH_SLAVE_TIMEOUT'],
  [responseCode.SLAVE_NOT_AVAILABLE, 'SLAVE_NOT_AVAILABLE'],
])

const DEFAULT_REGION = 'DefaultRegion'

/** A request that lacks only the queue. */
export interface Parcel {
  readonly topic: string
  readonly msgId: string
  /** Queue and broker are filled in for each attempt. */
  readonly header: SendHeader
  readonly body: readonly Buffer[]
  readonly sizeBytes: number
  readonly isBatch: boolean
  /** Whether it may become part of a batch. */
  readonly canJoin: boolean
  readonly waitStored: boolean
  /** What the application gave; of a batch, its first message. */
  readonly message: Message
  /** The messages of a batch; undefined for a message alone. */
  readonly members: readonly Member[] | undefined
}

/** A message of a batch. */
export interface Member extends BatchEntry {
  readonly message: Message
}

/** What looks at each attempt when its queue is chosen. */
export interface Gate {
  /** Throws when the attempt must not be made. */
  check(parcel: Parcel, way: PublishQueue): void
  /** The request as it goes to this queue. Throws when it must not. */
  admit(parcel: Parcel, way: PublishQueue): Parcel
  /** A broker has stored the parcel. */
  stored(parcel: Parcel): void
  /** Nobody tries any more to deliver the parcel. */
  over(parcel: Parcel): void
}

/** Picks the one queue that a message may go to. */
export type Destination = (entry: PublishEntry) => MessageQueue

/** A parcel and the terms of its delivery. */
export interface Order {
  readonly parcel: Parcel
  /** Monotonic time at which the send began, in ms. */
  readonly startMs: number
  /** Time for all attempts together, in ms. */
  readonly timeoutMs: number
  /** With a destination there is one attempt. */
  readonly destination: Destination | undefined
  /** No attempt is begun after it aborted. */
  readonly signal: AbortSignal | undefined
  /** Whether the parcel took room, which is given back when the delivery is over. */
  readonly holdsRoom: boolean
}

export interface SenderParts {
  readonly clock: Clock
  readonly publish: PublishTable
  /** Given back what a parcel took. */
  readonly room: Room
  /** Attempts after the first. */
  readonly retries: number
  /** Answers of brokers that are worth another attempt, beside those that always are. */
  readonly retryResponseCodes?: ReadonlySet<number>
  /** Longest time of an attempt that another one may follow. */
  readonly attemptTimeoutMs: number
  /** Whether a message that was stored less safely than it should be is sent to another broker too. */
  readonly retryLessSafe: boolean
  /** Which brokers to keep away from; undefined: none but the one that just failed. */
  readonly faults: BrokerFaults | undefined
  /** Told of each attempt that failed and is followed by another. */
  readonly onRetry: (attempt: FailedAttempt, topic: string) => void
  /** Undefined: every attempt goes as it is. */
  readonly gate: Gate | undefined
}

export class Sender {
  readonly #parts: SenderParts

  constructor(parts: SenderParts) {
    this.#parts = parts
  }

  /**
   * Delivers a parcel. Throws `ClientError`, or the reason of the signal.
   *
   * One function and one promise, for this is done for every message: what is rare is elsewhere.
   */
  async deliver(order: Order): Promise<SendResult> {
    const { parcel, destination } = order
    const { publish, clock, room, faults, gate, retryLessSafe } = this.#parts
    let failed: FailedAttempt[] | undefined
    let stored: SendResult | undefined
    try {
      const entry = publish.get(parcel.topic) ?? (await this.#find(order))
      let attemptsLeft = destination === undefined ? 1 + this.#parts.retries : 1
      while (attemptsLeft > 0) {
        attemptsLeft--
        const way = this.#choose(entry, destination, failed)
        const askedMs = clock.monotonicMs()
        const leftMs = order.startMs + order.timeoutMs - askedMs
        if (leftMs <= 0) break
        try {
          const answer = await this.#ask(parcel, way, leftMs, attemptsLeft)
          const status = statusOf(answer.code)
          if (status !== undefined) {
            gate?.stored(parcel)
            stored = resultOf(parcel, way.queue, status, answer)
            faults?.note(way.brokerName, clock.monotonicMs() - askedMs, 'answered')
            if (status === 'SEND_OK' || !retryLessSafe) return stored
          }
          throw refusalOf(way, answer)
        } catch (error) {
          faults?.note(way.brokerName, clock.monotonicMs() - askedMs, endOf(error))
          const attempt = { brokerName: way.brokerName, error }
          failed = failed === undefined ? [attempt] : [...failed, attempt]
          if (!this.#goesOn(order, attempt, attemptsLeft)) break
        }
      }
      if (stored !== undefined) return stored
      throw this.#failure(order, failed)
    } finally {
      gate?.over(parcel)
      if (order.holdsRoom) room.leave(parcel.sizeBytes)
    }
  }

  /** Hands a parcel to a connection and waits for nothing more. Throws `ClientError`. */
  async hand(order: Order): Promise<void> {
    const { parcel, destination, timeoutMs } = order
    const { publish, room } = this.#parts
    try {
      const entry = publish.get(parcel.topic) ?? (await this.#find(order))
      const way = this.#choose(entry, destination, undefined)
      this.#parts.gate?.check(parcel, way)
      address(parcel, way)
      await way.link.oneway(SEND_MESSAGE_V2, parcel.header, parcel.body, timeoutMs)
    } catch (error) {
      throw clientErrorOf(error)
    } finally {
      if (order.holdsRoom) room.leave(parcel.sizeBytes)
    }
  }

  #ask(
    parcel: Parcel,
    way: PublishQueue,
    leftMs: number,
    attemptsLeft: number,
  ): Promise<SendAnswer> {
    const timeoutMs = attemptsLeft === 0 ? leftMs : Math.min(leftMs, this.#parts.attemptTimeoutMs)
    const { gate } = this.#parts
    const request = gate === undefined ? parcel : gate.admit(parcel, way)
    address(request, way)
    const command = parcel.isBatch ? SEND_BATCH_MESSAGE : SEND_MESSAGE_V2
    return way.link.call(command, request.header, { body: request.body, timeoutMs })
  }

  /** Whether there is another attempt after one that failed. */
  #goesOn({ parcel, signal }: Order, attempt: FailedAttempt, attemptsLeft: number): boolean {
    const { error } = attempt
    if (attemptsLeft === 0) return false
    const { retryResponseCodes } = this.#parts
    const isWished = error instanceof RemoteError && retryResponseCodes?.has(error.code)
    if (!isWished && !isWorthAnotherAttempt(error) && !isStoredLessSafely(error)) return false
    signal?.throwIfAborted()
    this.#parts.onRetry(attempt, parcel.topic)
    return true
  }

  #failure({ parcel, startMs, timeoutMs }: Order, failed: readonly FailedAttempt[] = []): Error {
    if (failed.length === 0) return outOfTime(parcel.topic, timeoutMs)
    return sendFailed(parcel.topic, failed, this.#parts.clock.monotonicMs() - startMs)
  }

  #find({ parcel: { topic }, timeoutMs }: Order): Promise<PublishEntry> {
    const { publish, clock } = this.#parts
    return within(clock, publish.find(topic), timeoutMs, () => outOfTime(topic, timeoutMs))
  }

  #choose(
    entry: PublishEntry,
    destination: Destination | undefined,
    failed: readonly FailedAttempt[] | undefined,
  ): PublishQueue {
    if (destination !== undefined) return this.#parts.publish.way(destination(entry))
    const lastBroker = failed?.at(-1)?.brokerName
    const { chooser } = entry
    const { faults } = this.#parts
    const spared =
      faults === undefined || faults.isEmpty ? undefined : sparing(chooser, faults, lastBroker)
    const way =
      spared ?? (lastBroker === undefined ? chooser.next() : chooser.nextAvoiding(lastBroker))
    if (way === undefined) throw new RangeError('a publish entry has no queue')
    return way
  }
}

/** A queue of a broker that is well, else of one that is at least there; undefined: of none. */
function sparing(
  chooser: PublishEntry['chooser'],
  faults: BrokerFaults,
  lastBroker: string | undefined,
): PublishQueue | undefined {
  return (
    chooser.nextOn((name) => name !== lastBroker && faults.isAvailable(name)) ??
    chooser.nextOn((name) => name !== lastBroker && faults.isReachable(name))
  )
}

/** What the end of an attempt says of the broker: a message that is at fault says nothing. */
function endOf(error: unknown): AttemptEnd {
  if (!isWorthAnotherAttempt(error)) return 'answered'
  return error instanceof RemoteError ? 'refused' : 'unanswered'
}

function isStoredLessSafely(error: unknown): boolean {
  return error instanceof RemoteError && LESS_SAFE.has(error.code)
}

/** Writes the queue into the request. It is encoded before another attempt can change it. */
function address({ header }: Parcel, { queue, brokerName }: PublishQueue): void {
  header.queueId = queue.queueId
  header.brokerName = brokerName
}

function statusOf(code: number): SendStatus | undefined {
  return code === responseCode.SUCCESS ? 'SEND_OK' : LESS_SAFE.get(code)
}

function refusalOf({ link, brokerName }: PublishQueue, answer: SendAnswer): RemoteError {
  const from = link.address ?? brokerName
  return new RemoteError(from, SEND_MESSAGE_V2.name, answer.code, answer.remark)
}

function resultOf(
  parcel: Parcel,
  asked: MessageQueue,
  status: SendStatus,
  answer: SendAnswer,
): SendResult {
  const stored = answer.header()
  const { topic, brokerName } = asked
  return {
    status,
    msgId: stored.batchUniqId ?? parcel.msgId,
    offsetMsgId: stored.msgId,
    queue:
      stored.queueId === asked.queueId ? asked : { topic, brokerName, queueId: stored.queueId },
    queueOffset: stored.queueOffset,
    transactionId: stored.transactionId,
    recallHandle: stored.recallHandle,
    regionId: stored.regionId ?? DEFAULT_REGION,
    traceOn: stored.traceOn !== 'false',
  }
}

/** The destination that the options of a send name, or else the key of the message, if they do. */
export function destinationOf(
  message: Message,
  { queue, selector }: SendOptions,
  random: Random,
): Destination | undefined {
  if (queue !== undefined) return () => ofTopic(message.topic, queue)
  const { shardingKey, topic } = message
  const byKey = shardingKey === undefined ? undefined : selectByHash(shardingKey)
  const select = selector ?? byKey
  if (select === undefined) return undefined
  return ({ queues }) => ofTopic(topic, select(queues, message, random))
}

/** What a selector gives comes from the application, where types may not be checked. */
function ofTopic(topic: string, queue: MessageQueue | null | undefined): MessageQueue {
  if (queue === undefined || queue === null) {
    throw badOption(
      `the selector picked no queue for a message to "${topic}"`,
      'return one of the queues it is given',
    )
  }
  if (queue.topic === topic) return queue
  throw badOption(
    `a message to "${topic}" was to go to a queue of the topic "${queue.topic}"`,
    'name a queue of its own topic',
  )
}
