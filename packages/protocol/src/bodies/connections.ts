/**
 * Who is connected to a broker. Source: Apache classes ConsumerConnection, ProducerConnection,
 * GetConsumerListByGroupResponseBody, GroupList; `broker-api.md` sections 16.4 and 16.6.
 */
import { parseFastjson } from '../fastjson.ts'
import {
  type ConsumeFromWhere,
  type ConsumeType,
  type MessageModel,
  type SubscriptionData,
  subscriptionOf,
} from './heartbeat.ts'
import { asList, asNumber, asObject, asText } from './shape.ts'

export interface ClientConnection {
  readonly clientId: string
  readonly clientAddr: string
  readonly language: string
  readonly version: number
}

export interface ConsumerConnections {
  readonly connectionSet: readonly ClientConnection[]
  readonly subscriptionTable: Readonly<Record<string, SubscriptionData>>
  readonly consumeType: ConsumeType
  readonly messageModel: MessageModel
  readonly consumeFromWhere: ConsumeFromWhere
  /** Sentences that say how subscriptions of members differ; only from a broker of this suite. */
  readonly differences?: readonly string[]
}

export function encodeConsumerConnections(connections: ConsumerConnections): Buffer {
  return Buffer.from(JSON.stringify(connections))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumerConnections(body: Buffer): ConsumerConnections {
  const json = asObject(parseFastjson(body.toString()))
  const table = Object.entries(asObject(json['subscriptionTable']))
  const differences = json['differences']
  return {
    connectionSet: asList(json['connectionSet']).map(connectionOf),
    subscriptionTable: Object.fromEntries(
      table.map(([topic, subscription]) => [topic, subscriptionOf(subscription)]),
    ),
    consumeType: asText(json['consumeType'], 'CONSUME_PASSIVELY') as ConsumeType,
    messageModel: asText(json['messageModel'], 'CLUSTERING') as MessageModel,
    consumeFromWhere: asText(
      json['consumeFromWhere'],
      'CONSUME_FROM_LAST_OFFSET',
    ) as ConsumeFromWhere,
    ...(Array.isArray(differences) ? { differences: differences.map((text) => asText(text)) } : {}),
  }
}

export function encodeProducerConnections(connectionSet: readonly ClientConnection[]): Buffer {
  return Buffer.from(JSON.stringify({ connectionSet }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeProducerConnections(body: Buffer): ClientConnection[] {
  return asList(asObject(parseFastjson(body.toString()))['connectionSet']).map(connectionOf)
}

export function encodeConsumerIds(consumerIdList: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify({ consumerIdList }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumerIds(body: Buffer): string[] {
  const json = asObject(parseFastjson(body.toString()))
  return asList(json['consumerIdList']).map((id) => asText(id))
}

export function encodeGroupList(groupList: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify({ groupList }))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeGroupList(body: Buffer): string[] {
  const json = asObject(parseFastjson(body.toString()))
  return asList(json['groupList']).map((group) => asText(group))
}

function connectionOf(value: unknown): ClientConnection {
  const json = asObject(value)
  return {
    clientId: asText(json['clientId']),
    clientAddr: asText(json['clientAddr']),
    language: asText(json['language'], 'OTHER'),
    version: asNumber(json['version']),
  }
}
