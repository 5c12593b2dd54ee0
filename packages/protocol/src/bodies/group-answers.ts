/**
 * What a broker tells of groups beside their progress.
 * Source: Apache classes ProducerTableInfo, QuerySubscriptionResponseBody, QueryConsumeTimeSpanBody,
 * QueryConsumeQueueResponseBody, GroupForbidden; `broker-api.md` sections 9.4, 16.4 and 16.6.
 */
import { parseFastjson } from '../fastjson.ts'
import { type SubscriptionData, subscriptionOf } from './heartbeat.ts'
import type { MessageQueue } from './message-queue.ts'
import { asList, asNumber, asObject, asText } from './shape.ts'

export interface ProducerInfo {
  readonly clientId: string
  readonly language: string
  /** Time of its last heartbeat, ms since 1970. */
  readonly lastUpdateTimestamp: number
  readonly remoteIP: string
  readonly version: number
}

export function encodeProducerTable(groups: ReadonlyMap<string, readonly ProducerInfo[]>): Buffer {
  return Buffer.from(JSON.stringify({ data: Object.fromEntries(groups) }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeProducerTable(body: Buffer): Map<string, readonly ProducerInfo[]> {
  const groups = asObject(asObject(parseFastjson(body.toString()))['data'])
  return new Map(
    Object.entries(groups).map(([group, infos]) => [group, asList(infos).map(producerOf)]),
  )
}

/** Without the subscription when nobody of the group is connected. */
export function encodeQueriedSubscription(
  group: string,
  topic: string | undefined,
  subscriptionData: SubscriptionData | undefined,
): Buffer {
  return Buffer.from(JSON.stringify({ group, subscriptionData, topic }))
}

/** Of what time the messages of a queue are, and where a group is; all in ms since 1970. */
export interface QueueTimeSpan {
  readonly messageQueue: MessageQueue
  readonly minTimeStamp: number
  readonly maxTimeStamp: number
  readonly consumeTimeStamp: number
  /** Age of the next message that the group will consume, in ms; 0 when it is at the end. */
  readonly delayTime: number
}

export function encodeTimeSpans(consumeTimeSpanSet: readonly QueueTimeSpan[]): Buffer {
  return Buffer.from(JSON.stringify({ consumeTimeSpanSet }))
}

/** One entry of a consume queue. */
export interface ConsumeQueueData {
  readonly physicOffset: number
  readonly physicSize: number
  readonly tagsCode: number
}

export interface QueriedConsumeQueue {
  readonly subscriptionData?: SubscriptionData | undefined
  readonly filterData?: string | undefined
  readonly queueData: readonly ConsumeQueueData[]
  readonly maxQueueIndex: number
  readonly minQueueIndex: number
}

export function encodeConsumeQueue(answer: QueriedConsumeQueue): Buffer {
  const { filterData, maxQueueIndex, minQueueIndex, subscriptionData } = answer
  const queueData = answer.queueData.map((row) => ({ eval: false, ...row }))
  return Buffer.from(
    JSON.stringify({ filterData, maxQueueIndex, minQueueIndex, queueData, subscriptionData }),
  )
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumeQueue(body: Buffer): QueriedConsumeQueue {
  const json = asObject(parseFastjson(body.toString()))
  const subscription = json['subscriptionData']
  const filterData = json['filterData']
  return {
    ...(subscription == null ? {} : { subscriptionData: subscriptionOf(subscription) }),
    ...(typeof filterData === 'string' ? { filterData } : {}),
    queueData: asList(json['queueData']).map((row) => ({
      physicOffset: asNumber(asObject(row)['physicOffset']),
      physicSize: asNumber(asObject(row)['physicSize']),
      tagsCode: asNumber(asObject(row)['tagsCode']),
    })),
    maxQueueIndex: asNumber(json['maxQueueIndex']),
    minQueueIndex: asNumber(json['minQueueIndex']),
  }
}

export function encodeGroupForbidden(group: string, topic: string, readable: boolean): Buffer {
  return Buffer.from(JSON.stringify({ group, readable, topic }))
}

function producerOf(value: unknown): ProducerInfo {
  const json = asObject(value)
  return {
    clientId: asText(json['clientId']),
    language: asText(json['language'], 'OTHER'),
    lastUpdateTimestamp: asNumber(json['lastUpdateTimestamp']),
    remoteIP: asText(json['remoteIP']),
    version: asNumber(json['version']),
  }
}
