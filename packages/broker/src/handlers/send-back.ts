/**
 * CONSUMER_SEND_MSG_BACK: a consumer gives back a message that it could not consume. A copy of it
 * is tried again after a while, or becomes a dead letter when it was tried often enough.
 * Source: Apache class AbstractSendMessageProcessor; `broker-api.md` section 3.4.
 */
import type { Random } from '@rockhopper/host'
import {
  CONSUMER_SEND_MSG_BACK,
  type DelayLevels,
  decodeProperties,
  encodeProperties,
  type Header,
  type HostAddress,
  MAX_PROPERTIES_BYTES,
  offsetIdPrefix,
  offsetMessageId,
  readRecord,
  responseCode,
  retryTopicOf,
  type StoredRecord,
  type SubscriptionGroupConfig,
  type TopicConfig,
} from '@rockhopper/protocol'
import { Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { DEAD_LETTER_QUEUE, deadLetterTopic, markDeadLetter } from '../rules/dead-letter.ts'
import { placementOf } from '../rules/delayed.ts'
import { retryTopic } from '../rules/new-topic.ts'
import { isWriteable } from '../rules/permission.ts'
import { maxRetriesOf, retryLevelOf } from '../rules/retry.ts'
import type { SavedTable } from '../services/table-files.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface SendBackParts {
  readonly config: BrokerConfig
  readonly random: Random
  readonly store: Store
  readonly topics: TopicTable
  readonly savedTopics: SavedTable
  readonly groups: GroupTable
  readonly delays: DelayLevels
  readonly traffic: TrafficCounters
  /** The address that stored messages carry. */
  readonly storeHost: HostAddress
}

type SendBackHeader = Header<typeof CONSUMER_SEND_MSG_BACK.tables.request>

/** A consumer of units says so of its retry topic. Source: Apache class TopicSysFlag. */
const UNIT_SUBSCRIBER = 2

const CRC_PROPERTY = '__CRC32#'

export function handleSendBacks(router: Router, parts: SendBackParts): void {
  router.on(CONSUMER_SEND_MSG_BACK, async (header, context) => {
    const group = demandGroup(header.group, parts)
    demandWriteable(parts.config)
    // Whoever configures a group so wants no retries.
    if (group.retryQueueNums > 0) await giveBack(header, group, context, parts)
    return {}
  })
}

async function giveBack(
  header: SendBackHeader,
  group: SubscriptionGroupConfig,
  context: RequestContext,
  parts: SendBackParts,
): Promise<void> {
  const { savedTopics, store } = parts
  const retries = demandTopic(retryTopicFor(header, group), parts)
  const record = await demandRecord(header.offset, store)
  const copy = copyOf(record, header)
  const maxRetries = maxRetriesOf(group, context.head.version, header.maxReconsumeTimes)
  const isDead = record.reconsumeTimes >= maxRetries || header.delayLevel < 0
  if (isDead) markDeadLetter(copy, '0')
  else copy.set('DELAY', String(levelOf(header, group, record, parts.delays)))
  const topic = isDead ? demandTopic(deadLetterTopic(header.group), parts) : retries
  const queueId = isDead ? DEAD_LETTER_QUEUE : parts.random.below(queuesOf(retries, group))
  const endOffset = append(topic.topicName, queueId, record, copy, parts)
  // The consumer forgets the message then, so it waits for the device whatever the message says.
  const settled = await store.settled(endOffset, { waitForFlush: true })
  // Slaves may lack it: the master has it, and a second copy would not help them.
  const isHere = settled !== 'failed' && settled !== 'flush-timeout'
  if (!isHere) refuse(`the copy may be lost: ${settled}`)
  if (!savedTopics.isUpToDate) await savedTopics.upToDate()
}

function append(
  topic: string,
  queueId: number,
  record: StoredRecord,
  properties: ReadonlyMap<string, string>,
  { delays, storeHost, store, traffic }: SendBackParts,
): number {
  const place = placementOf(topic, queueId, properties, delays)
  const { bornHost, bornTimestamp, flag, sysFlag } = record
  const outcome = store.append({
    ...place,
    ...{ body: record.body, flag, sysFlag, bornTimestamp, bornHost, storeHost },
    reconsumeTimes: record.reconsumeTimes + 1,
    preparedTransactionOffset: 0,
  })
  if (outcome.kind !== 'appended') refuse(outcome.reason)
  traffic.notePut(place.topic, 1, record.body.length)
  return outcome.endOffset
}

/** The properties of the copy, which remembers the first topic and the first id of the message. */
function copyOf(record: StoredRecord, header: SendBackHeader): Map<string, string> {
  const copy = decodeProperties(record.properties)
  copy.delete(CRC_PROPERTY)
  if (!copy.has('RETRY_TOPIC')) copy.set('RETRY_TOPIC', record.topic)
  copy.set('WAIT', 'false')
  if (copy.get('ORIGIN_MESSAGE_ID')?.trim() === undefined) {
    const id = offsetMessageId(offsetIdPrefix(record.storeHost), record.logOffset)
    copy.set('ORIGIN_MESSAGE_ID', id)
  }
  noteReason(copy, header.consumeError)
  return copy
}

/** Why it could not be consumed, if there is room to say so. */
function noteReason(copy: Map<string, string>, reason: string | undefined): void {
  copy.delete('CONSUME_ERROR')
  if (reason === undefined || reason === '') return
  const bytes = Buffer.byteLength(encodeProperties(copy)) + Buffer.byteLength(reason)
  if (bytes + ROOM_BYTES > MAX_PROPERTIES_BYTES) return
  copy.set('CONSUME_ERROR', reason.replace(/\p{Cc}/gu, ' '))
}

/** For what is added behind the reason: where the copy belongs, and that it is delayed. */
const ROOM_BYTES = 1_024

function levelOf(
  { delayLevel }: SendBackHeader,
  group: SubscriptionGroupConfig,
  { reconsumeTimes }: StoredRecord,
  delays: DelayLevels,
): number {
  return delayLevel > 0 ? delayLevel : retryLevelOf(group, reconsumeTimes, delays)
}

/** A group that wants more queues than its topic has would not read what is put beyond them. */
function queuesOf(
  { readQueueNums }: TopicConfig,
  { retryQueueNums }: SubscriptionGroupConfig,
): number {
  return Math.max(1, Math.min(retryQueueNums, readQueueNums))
}

function retryTopicFor(header: SendBackHeader, group: SubscriptionGroupConfig): TopicConfig {
  const config = retryTopic(retryTopicOf(header.group), group.retryQueueNums)
  return header.unitMode === true ? { ...config, topicSysFlag: UNIT_SUBSCRIBER } : config
}

function demandGroup(name: string, { config, groups }: SendBackParts): SubscriptionGroupConfig {
  const group = groups.obtain(name, config.autoCreateSubscriptionGroup)
  if (group !== undefined) return group
  throw new Refusal(
    responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
    `subscription group not exist, ${name}: create it with mqadmin updateSubGroup`,
  )
}

function demandWriteable({ brokerIP1, brokerPermission }: BrokerConfig): void {
  if (isWriteable(brokerPermission)) return
  throw new Refusal(
    responseCode.NO_PERMISSION,
    `the broker[${brokerIP1}] sending message is forbidden: see brokerPermission`,
  )
}

function demandTopic(config: TopicConfig, { topics }: SendBackParts): TopicConfig {
  const topic = topics.obtain(config)
  if (topic === undefined) refuse(`topic[${config.topicName}] not exist, and there are too many`)
  if (isWriteable(topic.perm)) return topic
  const sentence = `the topic[${config.topicName}] sending message is forbidden`
  throw new Refusal(responseCode.NO_PERMISSION, sentence)
}

async function demandRecord(logOffset: number, store: Store): Promise<StoredRecord> {
  const bytes = await store.messageAt(logOffset)
  const record = bytes && readRecord(bytes, 0)
  if (record !== undefined) return record
  return refuse(
    `look message by offset failed, ${logOffset}: no message of this broker begins there, or it ` +
      'has been removed since',
  )
}

function refuse(sentence: string): never {
  throw new Refusal(responseCode.SYSTEM_ERROR, sentence)
}
