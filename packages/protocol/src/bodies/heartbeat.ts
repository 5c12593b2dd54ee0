/**
 * What a client tells every broker each 30 seconds: its groups and what they subscribe to.
 * Source: Apache classes HeartbeatData, ConsumerData, SubscriptionData; `broker-api.md` section 16.1.
 */
import { parseFastjson } from '../fastjson.ts'
import { javaHashCode } from '../tag-hash.ts'
import { asBool, asList, asNumber, asObject, asText } from './shape.ts'

export type MessageModel = 'CLUSTERING' | 'BROADCASTING'
export type ConsumeType = 'CONSUME_ACTIVELY' | 'CONSUME_PASSIVELY' | 'CONSUME_POP'
export type ConsumeFromWhere =
  | 'CONSUME_FROM_LAST_OFFSET'
  | 'CONSUME_FROM_FIRST_OFFSET'
  | 'CONSUME_FROM_TIMESTAMP'

export interface SubscriptionData {
  readonly topic: string
  /** `*`, tags joined by `||`, or an SQL92 expression. */
  readonly subString: string
  /** Tags of the expression; empty for `*`. */
  readonly tagsSet: readonly string[]
  /** Java hash codes of the tags. */
  readonly codeSet: readonly number[]
  /** When the client made the subscription, ms since 1970; the newer one wins. */
  readonly subVersion: number
  readonly expressionType: string
  readonly classFilterMode: boolean
}

export interface ConsumerData {
  readonly groupName: string
  readonly consumeType: ConsumeType
  readonly messageModel: MessageModel
  readonly consumeFromWhere: ConsumeFromWhere
  readonly subscriptionDataSet: readonly SubscriptionData[]
  readonly unitMode: boolean
}

export interface HeartbeatData {
  readonly clientID: string
  readonly producerDataSet: readonly { readonly groupName: string }[]
  readonly consumerDataSet: readonly ConsumerData[]
  /** Not 0: a heartbeat of the second version. */
  readonly heartbeatFingerprint: number
  /** Of the second version: the subscriptions are left out, the broker keeps what it has. */
  readonly withoutSub: boolean
}

export function encodeHeartbeat(heartbeat: HeartbeatData): Buffer {
  return Buffer.from(JSON.stringify(heartbeat))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeHeartbeat(body: Buffer): HeartbeatData {
  const json = asObject(parseFastjson(body.toString()))
  return {
    clientID: asText(json['clientID']),
    producerDataSet: asList(json['producerDataSet']).map((producer) => ({
      groupName: asText(asObject(producer)['groupName']),
    })),
    consumerDataSet: asList(json['consumerDataSet']).map(consumerOf),
    heartbeatFingerprint: asNumber(json['heartbeatFingerprint']),
    withoutSub: asBool(json['withoutSub']),
  }
}

/** Reads a subscription; the codes are computed anew, for Go clients hash bytes and send texts. */
export function subscriptionOf(value: unknown): SubscriptionData {
  const json = asObject(value)
  const tagsSet = asList(json['tagsSet']).map((tag) => asText(tag))
  // In the order in which fastjson writes it.
  return {
    classFilterMode: asBool(json['classFilterMode']),
    codeSet: tagsSet.map(javaHashCode),
    expressionType: asText(json['expressionType'], 'TAG'),
    subString: asText(json['subString'], '*'),
    subVersion: asNumber(json['subVersion']),
    tagsSet,
    topic: asText(json['topic']),
  }
}

/**
 * The subscription to a topic by a tag expression: `*`, empty or `a || b`.
 * Throws `RangeError` when it consists of separators only.
 */
export function tagSubscription(
  topic: string,
  expression: string,
  subVersion: number,
): SubscriptionData {
  const subString = expression.trim() === '' ? '*' : expression.trim()
  const parts = subString === '*' ? [] : subString.split('||').map((part) => part.trim())
  const tagsSet = [...new Set(parts.filter((part) => part !== ''))]
  if (subString !== '*' && tagsSet.length === 0) {
    throw new RangeError(`the tag expression "${expression}" names no tag: write "a || b" or "*"`)
  }
  const codeSet = tagsSet.map(javaHashCode)
  const expressionType = 'TAG'
  return { topic, subString, tagsSet, codeSet, subVersion, expressionType, classFilterMode: false }
}

/** The subscription to a topic by an SQL92 expression, which only brokers look into. */
export function sqlSubscription(
  topic: string,
  expression: string,
  subVersion: number,
): SubscriptionData {
  const none = { tagsSet: [], codeSet: [] }
  const subString = expression
  return { topic, subString, ...none, subVersion, expressionType: 'SQL92', classFilterMode: false }
}

function consumerOf(value: unknown): ConsumerData {
  const json = asObject(value)
  return {
    groupName: asText(json['groupName']),
    consumeType: consumeTypeOf(json['consumeType']),
    messageModel: messageModelOf(json['messageModel']),
    consumeFromWhere: consumeFromWhereOf(json['consumeFromWhere']),
    subscriptionDataSet: asList(json['subscriptionDataSet']).map(subscriptionOf),
    unitMode: asBool(json['unitMode']),
  }
}

function consumeTypeOf(value: unknown): ConsumeType {
  const name = asText(value).toUpperCase()
  return name === 'CONSUME_ACTIVELY' || name === 'CONSUME_POP' ? name : 'CONSUME_PASSIVELY'
}

function messageModelOf(value: unknown): MessageModel {
  return asText(value).toUpperCase() === 'BROADCASTING' ? 'BROADCASTING' : 'CLUSTERING'
}

function consumeFromWhereOf(value: unknown): ConsumeFromWhere {
  const name = asText(value).toUpperCase()
  return name === 'CONSUME_FROM_FIRST_OFFSET' || name === 'CONSUME_FROM_TIMESTAMP'
    ? name
    : 'CONSUME_FROM_LAST_OFFSET'
}
