/**
 * SEND_MESSAGE, SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE: check, place, append, and answer when the
 * message is as safe as the configuration promises. Everything up to the append runs without
 * suspending, so what was checked is still true when the offsets are assigned.
 * Source: Apache class SendMessageProcessor; `broker-api.md` section 3.
 */
import type { Clock, Random } from '@rockhopper/host'
import {
  type BatchEntry,
  type DelayLevels,
  decodeBatch,
  decodeProperties,
  encodeRecallHandle,
  type Header,
  type HostAddress,
  isRetryTopic,
  isSendForbidden,
  offsetMessageId,
  RETRY_PREFIX,
  responseCode,
  SEND_BATCH_MESSAGE,
  SEND_MESSAGE,
  SEND_MESSAGE_V2,
  type TopicConfig,
} from '@rockhopper/protocol'
import { Refusal, type Reply, type RequestContext, type Router } from '@rockhopper/remoting'
import type { Appended, BatchAppended, Rejected, SettleOutcome, Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { MAX_OPEN_TRANSACTIONS, MAX_PENDING_TIMERS } from '../limits.ts'
import { DEAD_LETTER_QUEUE, deadLetterTopic, markDeadLetter } from '../rules/dead-letter.ts'
import { type Placement, placementOf } from '../rules/delayed.ts'
import { HALF_QUEUE, HALF_TOPIC, halfFlags, halfProperties } from '../rules/half-message.ts'
import { demandTopicForSend } from '../rules/new-topic.ts'
import { queueFor } from '../rules/queue-choice.ts'
import { maxRetriesOf } from '../rules/retry.ts'
import { type SendProperties, walkSendProperties } from '../rules/send-properties.ts'
import { DEFAULT_TOPIC } from '../rules/system-topics.ts'
import { type TimerRules, timedPlacementOf } from '../rules/timed.ts'
import type { SavedTable } from '../services/table-files.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { Transactions } from '../services/transactions.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { PeerHosts } from '../tables/peer-hosts.ts'
import type { PendingTimers } from '../tables/pending-timers.ts'
import type { QueueLockTable } from '../tables/queue-locks.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface SendParts {
  readonly clock: Clock
  readonly config: BrokerConfig
  readonly random: Random
  readonly store: Store
  readonly topics: TopicTable
  readonly savedTopics: SavedTable
  readonly groups: GroupTable
  readonly locks: QueueLockTable
  readonly delays: DelayLevels
  readonly timerRules: TimerRules
  /** Those that wait. */
  readonly timers: PendingTimers
  readonly traffic: TrafficCounters
  readonly transactions: Transactions
  readonly peers: PeerHosts
  /** The address that stored messages and their ids carry. */
  readonly storeHost: HostAddress
  readonly offsetIdPrefix: string
  /** Makes the id of a message that its sender gave none. */
  readonly uniqueKey: () => string
}

type SendHeader = Header<typeof SEND_MESSAGE.tables.request>
type SendReply = Reply<typeof SEND_MESSAGE.tables.answer>

const NO_PROPERTIES = Buffer.alloc(0)

export function handleSends(router: Router, parts: SendParts): void {
  const sender = new Sender(parts)
  const handle = (header: SendHeader, context: RequestContext): Promise<SendReply> =>
    sender.send(header, context)
  router.on(SEND_MESSAGE, handle).on(SEND_MESSAGE_V2, handle).on(SEND_BATCH_MESSAGE, handle)
}

class Sender {
  readonly #parts: SendParts
  /** Properties that the broker adds to every message that was sent alone. */
  readonly #brokerProperties: Buffer
  readonly #regionId: string
  readonly #traceOn: string

  constructor(parts: SendParts) {
    this.#parts = parts
    const { brokerClusterName, regionId, traceOn } = parts.config
    const traced = String(traceOn)
    const pairs = { MSG_REGION: regionId, TRACE_ON: traced, CLUSTER: brokerClusterName }
    const texts = Object.entries(pairs).map(([name, value]) => `${name}\x01${value}\x02`)
    this.#brokerProperties = Buffer.from(texts.join(''))
    this.#regionId = regionId
    this.#traceOn = traced
  }

  async send(header: SendHeader, context: RequestContext): Promise<SendReply> {
    const { store, topics } = this.#parts
    const topic = topics.get(header.topic) ?? this.#createTopic(header)
    if (isSendForbidden(header.topic)) refuseForbidden(header.topic)
    const queueId = queueFor(topic, header.queueId, this.#parts.random)
    if (context.body.length === 0) refuseIllegal('the message has no body')
    const appended =
      header.batch === true
        ? this.#appendBatch(header, queueId, context)
        : this.#appendOne(header, queueId, context)
    const settled = store.settled(appended.endOffset, { waitForFlush: appended.waitStored })
    const outcome = typeof settled === 'string' ? settled : await settled
    if (!this.#parts.savedTopics.isUpToDate) await this.#parts.savedTopics.upToDate()
    return this.#reply(outcome, queueId, appended)
  }

  #appendOne(header: SendHeader, queueId: number, context: RequestContext): Stored {
    const sent = walkSendProperties(header.properties ?? NO_PROPERTIES)
    const isRetry = isRetryTopic(header.topic)
    // What is tried again was committed.
    const isHalf = sent.isTransactional && !isRetry && !isSentBack(header, sent)
    if (isHalf) this.#refuseHalf(sent)
    refuseBadLevel(sent)
    const uniqueKey = sent.uniqueKey ?? this.#parts.uniqueKey()
    const properties = [...sent.kept, this.#brokerProperties]
    if (sent.uniqueKey === undefined) properties.push(Buffer.from(`UNIQ_KEY\x01${uniqueKey}\x02`))
    const isLater = sent.delayLevel > 0 || sent.timed !== undefined
    const isPlain = !isRetry && !isLater && !isHalf
    const place: Placement = isPlain
      ? { topic: header.topic, queueId, properties, tagsCode: sent.tagsCode }
      : isHalf
        ? halfPlacement(header.topic, queueId, uniqueKey, properties, sent.tagsCode)
        : this.#place(header, queueId, properties, context)
    const flags = header.sysFlag ?? 0
    // Written out: copying two objects into one costs more than the append itself.
    const outcome = stored<Appended>(
      this.#parts.store.append({
        topic: place.topic,
        queueId: place.queueId,
        sysFlag: isHalf ? halfFlags(flags) : flags,
        bornTimestamp: header.bornTimestamp ?? 0,
        bornHost: this.#parts.peers.of(context.connection),
        storeHost: this.#parts.storeHost,
        reconsumeTimes: header.reconsumeTimes ?? 0,
        preparedTransactionOffset: 0,
        body: context.body,
        flag: header.flag ?? 0,
        properties: place.properties,
        tagsCode: place.tagsCode,
        delayMs: place.delayMs,
        // The store time of what is due already is not before its time.
        isTimed: sent.timed !== undefined,
      }),
    )
    this.#parts.traffic.notePut(place.topic, 1, context.body.length)
    const { endOffset, logOffset, queueOffset } = outcome
    if (isHalf) this.#parts.transactions.opened({ logOffset, queueOffset })
    const { waitStored } = sent
    const msgId = offsetMessageId(this.#parts.offsetIdPrefix, logOffset)
    const recallHandle = this.#recallHandle(header.topic, uniqueKey, place)
    return { endOffset, queueOffset, waitStored, transactionId: uniqueKey, msgId, recallHandle }
  }

  /** By which a message that waits for its time can be called off; undefined when it does not. */
  #recallHandle(topic: string, uniqueKey: string, { slotMs }: Placement): string | undefined {
    if (slotMs === undefined || isRetryTopic(topic)) return undefined
    const { brokerName } = this.#parts.config
    // The end of a slot belongs to the slot before: what has this time comes into the same one.
    return encodeRecallHandle({ topic, brokerName, timestampMs: slotMs + 1, uniqueKey })
  }

  #refuseHalf({ delayLevel, timed }: SendProperties): void {
    const { config, transactions } = this.#parts
    if (config.rejectTransactionMessage) {
      const sentence = `the broker[${config.brokerIP1}] sending transaction message is forbidden`
      throw new Refusal(responseCode.NO_PERMISSION, sentence)
    }
    if (delayLevel > 0 || timed !== undefined) {
      refuseIllegal('a transaction cannot be delayed: leave out the delay or the transaction')
    }
    if (!transactions.isFull) return
    const sentence =
      `${MAX_OPEN_TRANSACTIONS} transactions are open, which is the limit: see to the producers that ` +
      'do not end theirs'
    throw new Refusal(responseCode.SYSTEM_BUSY, sentence)
  }

  /** Where a message goes that is delayed, or that a consumer gives back to be tried again. */
  #place(
    header: SendHeader,
    queueId: number,
    bytes: readonly Buffer[],
    context: RequestContext,
  ): Placement {
    const properties = decodeProperties(Buffer.concat(bytes))
    const { topic } = header
    const group = isRetryTopic(topic) ? topic.slice(RETRY_PREFIX.length) : undefined
    if (group === undefined || !this.#isDead(header, group, context)) {
      return this.#laterPlace(topic, queueId, properties)
    }
    const deadLetters = this.#parts.topics.obtain(deadLetterTopic(group))
    if (deadLetters === undefined) {
      const sentence = `group "${group}" cannot have a topic for dead letters: there are too many`
      throw new Refusal(responseCode.SYSTEM_ERROR, sentence)
    }
    markDeadLetter(properties, '-1')
    return this.#laterPlace(deadLetters.topicName, DEAD_LETTER_QUEUE, properties)
  }

  /** What is delayed by a level has no other time. */
  #laterPlace(topic: string, queueId: number, properties: Map<string, string>): Placement {
    const { clock, delays, timerRules, timers } = this.#parts
    const byLevel = placementOf(topic, queueId, properties, delays)
    if (byLevel.delayMs !== undefined) return byLevel
    const timed = timedPlacementOf(topic, queueId, properties, timerRules, clock.nowMs())
    switch (timed.kind) {
      case 'at-once':
        return byLevel
      case 'disabled':
        throw new Refusal(
          responseCode.SYSTEM_ERROR,
          'the message has a time of its own, and timerWheelEnable is false: switch it on',
        )
      case 'illegal':
        return refuseIllegal(timed.reason)
      case 'waits':
        if (timers.count < MAX_PENDING_TIMERS) return timed.place
        throw new Refusal(
          responseCode.SYSTEM_ERROR,
          `${timers.count} messages wait for their times, which is the limit: send it later`,
        )
    }
  }

  /** A group that has queues for itself has tried on its own, and sends here what it gives up. */
  #isDead(header: SendHeader, groupName: string, { head }: RequestContext): boolean {
    const { config, groups, locks } = this.#parts
    const group = groups.obtain(groupName, config.autoCreateSubscriptionGroup)
    if (group === undefined) refuseUnknownGroup(groupName)
    const maxRetries = maxRetriesOf(group, head.version, header.maxReconsumeTimes)
    return (header.reconsumeTimes ?? 0) > maxRetries || locks.isAnyLocked(groupName)
  }

  #appendBatch(header: SendHeader, queueId: number, context: RequestContext): Stored {
    if (isRetryTopic(header.topic)) refuseIllegal('a batch cannot be sent to a retry topic')
    if (context.body.length > this.#parts.config.maxMessageSize) {
      refuseIllegal(
        `the batch has ${context.body.length} bytes, maxMessageSize allows ` +
          `${this.#parts.config.maxMessageSize}: send it in parts`,
      )
    }
    const envelope = walkSendProperties(header.properties ?? NO_PROPERTIES)
    const entries = batchEntries(context.body).map(({ body, flag, properties }) => {
      const sent = walkSendProperties(properties)
      refuseBadLevel(sent)
      const alone = aloneFor(sent)
      if (alone !== undefined) {
        refuseIllegal(`a message with the property ${alone} is to be sent alone`)
      }
      return { body, flag, properties: sent.kept, tagsCode: sent.tagsCode }
    })
    const common = {
      topic: header.topic,
      queueId,
      sysFlag: header.sysFlag ?? 0,
      bornTimestamp: header.bornTimestamp ?? 0,
      bornHost: this.#parts.peers.of(context.connection),
      storeHost: this.#parts.storeHost,
      reconsumeTimes: header.reconsumeTimes ?? 0,
      preparedTransactionOffset: 0,
    }
    const outcome = stored<BatchAppended>(this.#parts.store.appendBatch(common, entries))
    this.#parts.traffic.notePut(header.topic, entries.length, context.body.length)
    const { endOffset, logOffsets, queueOffset } = outcome
    const { uniqueKey: transactionId, waitStored } = envelope
    const { offsetIdPrefix } = this.#parts
    const ids = logOffsets.map((logOffset) => offsetMessageId(offsetIdPrefix, logOffset))
    return { endOffset, queueOffset, waitStored, transactionId, msgId: ids.join(',') }
  }

  /** A topic made by its first message; it is on disk before that message is acknowledged. */
  #createTopic(header: SendHeader): TopicConfig {
    const { config, topics } = this.#parts
    const template = topics.get(header.defaultTopic ?? DEFAULT_TOPIC)
    const { autoCreateTopicEnable } = config
    const created = demandTopicForSend(header, template, topics.hasRoom, autoCreateTopicEnable)
    topics.put(created)
    return created
  }

  #reply(outcome: SettleOutcome, queueId: number, kept: Stored): SendReply {
    const { msgId, queueOffset, recallHandle, transactionId } = kept
    const regionId = this.#regionId
    const traceOn = this.#traceOn
    const stored = { msgId, queueId, queueOffset, transactionId, regionId, traceOn }
    const header = recallHandle === undefined ? stored : { ...stored, recallHandle }
    return { code: codeOf(outcome), header }
  }
}

/** What was stored for one request. */
interface Stored {
  readonly endOffset: number
  /** Offset id; of a batch, the ids joined by commas. */
  readonly msgId: string
  readonly queueOffset: number
  readonly waitStored: boolean
  readonly transactionId: string | undefined
  readonly recallHandle?: string | undefined
}

function codeOf(outcome: SettleOutcome): number {
  switch (outcome) {
    case 'ok':
      return responseCode.SUCCESS
    case 'flush-timeout':
      return responseCode.FLUSH_DISK_TIMEOUT
    case 'replica-timeout':
      return responseCode.FLUSH_SLAVE_TIMEOUT
    case 'replica-absent':
      return responseCode.SLAVE_NOT_AVAILABLE
    case 'failed':
      throw new Refusal(
        responseCode.SERVICE_NOT_AVAILABLE,
        'the disk failed before the message was safe: it may or may not be there after a restart',
      )
  }
}

/** What was appended. Throws `Refusal` with the store's sentence when nothing was. */
function stored<T extends { readonly kind: 'appended' }>(outcome: T | Rejected): T {
  switch (outcome.kind) {
    case 'appended':
      return outcome
    case 'message-illegal':
    case 'properties-too-long':
      throw new Refusal(responseCode.MESSAGE_ILLEGAL, outcome.reason)
    case 'not-writable':
      throw new Refusal(responseCode.SERVICE_NOT_AVAILABLE, outcome.reason)
    case 'too-few-replicas':
      throw new Refusal(responseCode.SYSTEM_ERROR, outcome.reason)
  }
}

function batchEntries(body: Buffer): BatchEntry[] {
  try {
    return decodeBatch(body)
  } catch (error) {
    if (error instanceof RangeError) refuseIllegal(error.message)
    throw error
  }
}

function refuseBadLevel({ delayLevel }: SendProperties): void {
  if (Number.isNaN(delayLevel)) refuseIllegal('the property DELAY of the message is no number')
}

/** The property for which a message cannot be part of a batch. */
function aloneFor({ delayLevel, isTransactional, timed }: SendProperties): string | undefined {
  if (isTransactional) return 'TRAN_MSG'
  return delayLevel > 0 ? 'DELAY' : timed
}

/** Old clients give back what they consumed with all of its properties. */
function isSentBack({ reconsumeTimes = 0 }: SendHeader, { delayLevel }: SendProperties): boolean {
  return reconsumeTimes > 0 && delayLevel > 0
}

function halfPlacement(
  topic: string,
  queueId: number,
  uniqueKey: string,
  properties: readonly Buffer[],
  tagsCode: number,
): Placement {
  const known = [...properties, ...halfProperties(uniqueKey, topic, queueId)]
  return { topic: HALF_TOPIC, queueId: HALF_QUEUE, properties: known, tagsCode }
}

function refuseUnknownGroup(group: string): never {
  throw new Refusal(
    responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
    `subscription group not exist, ${group}: create it with mqadmin updateSubGroup`,
  )
}

function refuseForbidden(topic: string): never {
  throw new Refusal(
    responseCode.NO_PERMISSION,
    `Sending message to topic[${topic}] is forbidden: only the broker writes it`,
  )
}

function refuseIllegal(reason: string): never {
  throw new Refusal(responseCode.MESSAGE_ILLEGAL, reason)
}
