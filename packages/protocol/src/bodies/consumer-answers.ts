/**
 * What a consumer tells of itself, and of a message it was asked to consume.
 * Source: Apache classes ConsumerRunningInfo, ProcessQueueInfo, ConsumeStatus,
 * ConsumeMessageDirectlyResult; `broker-api.md` sections 16.6 and 16.7.
 */
import { parseFastjson } from '../fastjson.ts'
import { type SubscriptionData, subscriptionOf } from './heartbeat.ts'
import { type MessageQueue, queueKeyed, queueRows } from './message-queue.ts'
import { asBool, asList, asNumber, asObject, asText, type JsonObject } from './shape.ts'

/** What a consumer has of one queue; times in ms since 1970, 0 for never. */
export interface ProcessQueueInfo {
  readonly commitOffset: number
  readonly cachedMsgMinOffset: number
  readonly cachedMsgMaxOffset: number
  readonly cachedMsgCount: number
  readonly cachedMsgSizeInMiB: number
  readonly transactionMsgMinOffset: number
  readonly transactionMsgMaxOffset: number
  readonly transactionMsgCount: number
  readonly locked: boolean
  readonly tryUnlockTimes: number
  readonly lastLockTimestamp: number
  readonly droped: boolean
  readonly lastPullTimestamp: number
  readonly lastConsumeTimestamp: number
}

/** How fast a consumer is with a topic; times in ms, rates per second. */
export interface ConsumeStatus {
  readonly pullRT: number
  readonly pullTPS: number
  readonly consumeRT: number
  readonly consumeOKTPS: number
  readonly consumeFailedTPS: number
  readonly consumeFailedMsgs: number
}

export interface ConsumerRunningInfo {
  /** `PROP_CONSUME_TYPE` and `PROP_CONSUMER_START_TIMESTAMP` must be among them. */
  readonly properties: Readonly<Record<string, string>>
  readonly subscriptionSet: readonly SubscriptionData[]
  readonly mqTable: readonly (readonly [MessageQueue, ProcessQueueInfo])[]
  readonly statusTable: Readonly<Record<string, ConsumeStatus>>
  readonly userConsumerInfo: Readonly<Record<string, string>>
  readonly jstack?: string | undefined
}

export function encodeConsumerRunningInfo(info: ConsumerRunningInfo): Buffer {
  const { jstack, mqTable, properties, statusTable, subscriptionSet, userConsumerInfo } = info
  const stack = jstack === undefined ? '' : `"jstack":${JSON.stringify(jstack)},`
  const rest = JSON.stringify({ properties, statusTable, subscriptionSet, userConsumerInfo })
  return Buffer.from(`{${stack}"mqPopTable":{},"mqTable":${queueKeyed(mqTable)},${rest.slice(1)}`)
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumerRunningInfo(body: Buffer): ConsumerRunningInfo {
  const json = asObject(parseFastjson(body.toString()))
  const jstack = json['jstack']
  return {
    properties: textsOf(json['properties']),
    subscriptionSet: asList(json['subscriptionSet']).map(subscriptionOf),
    mqTable: queueRows(json['mqTable']).map(([queue, row]) => [queue, processQueueOf(row)]),
    statusTable: Object.fromEntries(
      Object.entries(asObject(json['statusTable'])).map(([topic, row]) => [
        topic,
        consumeStatusOf(asObject(row)),
      ]),
    ),
    userConsumerInfo: textsOf(json['userConsumerInfo']),
    ...(typeof jstack === 'string' ? { jstack } : {}),
  }
}

/** Ordinals of these are what Go clients write. */
const consumeResults = [
  'CR_SUCCESS',
  'CR_LATER',
  'CR_ROLLBACK',
  'CR_COMMIT',
  'CR_THROW_EXCEPTION',
  'CR_RETURN_NULL',
] as const

export type DirectConsumeOutcome = (typeof consumeResults)[number]

export interface ConsumeMessageDirectlyResult {
  readonly order: boolean
  readonly autoCommit: boolean
  readonly consumeResult: DirectConsumeOutcome
  readonly remark?: string | undefined
  /** How long the listener took, in ms. */
  readonly spentTimeMills: number
}

export function encodeConsumeDirectlyResult(result: ConsumeMessageDirectlyResult): Buffer {
  const { autoCommit, consumeResult, order, remark, spentTimeMills } = result
  return Buffer.from(JSON.stringify({ autoCommit, consumeResult, order, remark, spentTimeMills }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumeDirectlyResult(body: Buffer): ConsumeMessageDirectlyResult {
  const json = asObject(parseFastjson(body.toString()))
  const told = json['consumeResult']
  const outcome = consumeResults.find((name, ordinal) => name === told || ordinal === told)
  const remark = json['remark']
  return {
    order: asBool(json['order']),
    autoCommit: asBool(json['autoCommit'], true),
    consumeResult: outcome ?? 'CR_RETURN_NULL',
    ...(typeof remark === 'string' ? { remark } : {}),
    spentTimeMills: asNumber(json['spentTimeMills']),
  }
}

function processQueueOf(row: JsonObject): ProcessQueueInfo {
  const number = (key: keyof ProcessQueueInfo): number => asNumber(row[key])
  return {
    commitOffset: number('commitOffset'),
    cachedMsgMinOffset: number('cachedMsgMinOffset'),
    cachedMsgMaxOffset: number('cachedMsgMaxOffset'),
    cachedMsgCount: number('cachedMsgCount'),
    cachedMsgSizeInMiB: number('cachedMsgSizeInMiB'),
    transactionMsgMinOffset: number('transactionMsgMinOffset'),
    transactionMsgMaxOffset: number('transactionMsgMaxOffset'),
    transactionMsgCount: number('transactionMsgCount'),
    locked: asBool(row['locked']),
    tryUnlockTimes: number('tryUnlockTimes'),
    lastLockTimestamp: number('lastLockTimestamp'),
    droped: asBool(row['droped']),
    lastPullTimestamp: number('lastPullTimestamp'),
    lastConsumeTimestamp: number('lastConsumeTimestamp'),
  }
}

function consumeStatusOf(row: JsonObject): ConsumeStatus {
  return {
    pullRT: asNumber(row['pullRT']),
    pullTPS: asNumber(row['pullTPS']),
    consumeRT: asNumber(row['consumeRT']),
    consumeOKTPS: asNumber(row['consumeOKTPS']),
    consumeFailedTPS: asNumber(row['consumeFailedTPS']),
    consumeFailedMsgs: asNumber(row['consumeFailedMsgs']),
  }
}

function textsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(asObject(value))
  return Object.fromEntries(entries.map(([key, text]) => [key, asText(text)]))
}
