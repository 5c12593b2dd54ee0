/** Finds single messages, and says what became of them in each group. */

import { formatAddress } from '@rockhopper/host'
import {
  CONSUME_MESSAGE_DIRECTLY,
  type ConsumeMessageDirectlyResult,
  decodeConsumeDirectlyResult,
  decodeConsumeStats,
  decodeGroupList,
  GET_CONSUME_STATS,
  ipText,
  parseOffsetMessageId,
  QUERY_MESSAGE,
  QUERY_TOPIC_CONSUME_BY_WHO,
  responseCode,
  type SubscriptionData,
  VIEW_MESSAGE_BY_ID,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError, hasCode } from '../errors.ts'
import { findConsumerConnections, runningInfo } from './connections.ts'
import { readMessages } from './consume-message.ts'
import { type SeenMessage, seenMessage } from './message.ts'
import { recordsIn } from './read-queue.ts'
import { addressesOf, findRoute, topicRoute } from './topic-route.ts'

/** Messages of one unique key that are asked for; several copies carry the same. */
const UNIQUE_KEY_COPIES = 32

/** A consumer has 10 s for its answer to the broker, which passes it on. */
const RELAY_TIMEOUT_MS = 15_000

export interface KeyScope {
  readonly topic: string
  readonly key: string
  readonly maxNum: number
  /** Stored from then until then, ms since 1970. */
  readonly beginMs: number
  readonly endMs: number
  /** Topic by whose route the brokers are found when `topic` has none. */
  readonly routeTopic?: string | undefined
}

/** Messages with a key, from all brokers of the topic, in the order they were stored. */
export async function messagesByKey(client: AdminClient, scope: KeyScope): Promise<SeenMessage[]> {
  return query(client, scope, false)
}

/** All copies that carry a unique key, in the order they were stored. */
export async function messagesByUniqueKey(
  client: AdminClient,
  topic: string,
  key: string,
  routeTopic?: string,
): Promise<SeenMessage[]> {
  const everything = { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER, maxNum: UNIQUE_KEY_COPIES }
  return query(client, { topic, key, routeTopic, ...everything }, true)
}

/** By the broker's id or by the unique key; undefined when there is no such message. */
export async function messageById(
  client: AdminClient,
  topic: string,
  id: string,
  routeTopic?: string,
): Promise<SeenMessage | undefined> {
  const brokers = await brokersOf(client, topic, routeTopic)
  const place = parseOffsetMessageId(id)
  const host = place && formatAddress({ host: ipText(place.host.ip), port: place.host.port })
  const broker = brokers.find(({ address }) => address === host)
  if (place !== undefined && broker !== undefined) {
    const header = { offset: place.logOffset, topic }
    try {
      const answer = await client.askBroker(broker.address, VIEW_MESSAGE_BY_ID, header)
      const [record] = recordsIn(answer.body)
      if (record !== undefined) return seenMessage(record, broker.brokerName)
    } catch (error) {
      if (!hasCode(error, responseCode.SYSTEM_ERROR)) throw error
    }
  }
  const [first] = await messagesByUniqueKey(client, topic, id, routeTopic)
  return first
}

/** The message at a place in a queue; undefined when there is none. */
export async function messageByOffset(
  client: AdminClient,
  place: { topic: string; brokerName: string; queueId: number; offset: number },
): Promise<SeenMessage | undefined> {
  const [read] = await readMessages(client, { ...place, count: 1, group: 'TOOLS_CONSUMER' })
  return read?.messages.find(({ queueOffset }) => queueOffset === place.offset)
}

/** Has a push consumer consume a message now. Rejects with `AdminError` when it cannot. */
export async function consumeDirectly(
  client: AdminClient,
  message: SeenMessage,
  consumerGroup: string,
  clientId: string,
): Promise<ConsumeMessageDirectlyResult> {
  const { offsetMsgId: msgId, storeHost, topic } = message
  const info = await runningInfo(client, storeHost, consumerGroup, clientId)
  const type = info.properties['PROP_CONSUME_TYPE']
  if (type === 'CONSUME_ACTIVELY') {
    throw new AdminError(
      `this ${clientId} client is not push consumer ,not support direct push: it says ${type}.`,
    )
  }
  const header = { consumerGroup, clientId, msgId, topic }
  const options = { timeoutMs: RELAY_TIMEOUT_MS }
  const answer = await client.askBroker(storeHost, CONSUME_MESSAGE_DIRECTLY, header, options)
  return decodeConsumeDirectlyResult(answer.body)
}

export type TrackType =
  | 'NOT_ONLINE'
  | 'PULL'
  | 'CONSUMED'
  | 'CONSUMED_BUT_FILTERED'
  | 'NOT_CONSUME_YET'
  | 'CONSUME_BROADCASTING'
  | 'UNKNOWN'

/** What became of a message in one group. */
export interface MessageTrack {
  readonly group: string
  readonly trackType: TrackType
  readonly problem?: string
}

/** One for each group that consumes the topic of the message. */
export async function messageTracks(
  client: AdminClient,
  message: SeenMessage,
): Promise<MessageTrack[]> {
  const { storeHost: address, topic } = message
  const answer = await client.askBroker(address, QUERY_TOPIC_CONSUME_BY_WHO, { topic })
  const tracks: MessageTrack[] = []
  for (const group of decodeGroupList(answer.body).sort()) {
    try {
      tracks.push({ group, trackType: await trackOf(client, group, message) })
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      tracks.push({ group, trackType: 'UNKNOWN', problem })
    }
  }
  return tracks
}

async function trackOf(
  client: AdminClient,
  group: string,
  message: SeenMessage,
): Promise<TrackType> {
  const online = await findConsumerConnections(client, group, message.storeHost)
  if (online === undefined) return 'NOT_ONLINE'
  if (online.consumeType === 'CONSUME_ACTIVELY') return 'PULL'
  if (online.messageModel === 'BROADCASTING') return 'CONSUME_BROADCASTING'
  const header = { consumerGroup: group, topic: message.topic }
  const answer = await client.askBroker(message.storeHost, GET_CONSUME_STATS, header)
  const row = decodeConsumeStats(answer.body).queues.find(
    ({ queue }) => queue.topic === message.topic && queue.queueId === message.queueId,
  )
  if (row === undefined || row.consumerOffset <= message.queueOffset) return 'NOT_CONSUME_YET'
  const wanted = isWanted(message, online.subscriptionTable[message.topic])
  return wanted ? 'CONSUMED' : 'CONSUMED_BUT_FILTERED'
}

function isWanted(message: SeenMessage, subscription: SubscriptionData | undefined): boolean {
  if (subscription === undefined || subscription.tagsSet.length === 0) return true
  return subscription.tagsSet.includes(message.properties.get('TAGS') ?? '')
}

async function query(
  client: AdminClient,
  { beginMs, endMs, key, maxNum, routeTopic, topic }: KeyScope,
  uniqueKeyQuery: boolean,
): Promise<SeenMessage[]> {
  const times = { beginTimestamp: beginMs, endTimestamp: endMs }
  const header = { topic, key, maxNum, ...times, uniqueKeyQuery }
  const found: SeenMessage[] = []
  for (const { address, brokerName } of await brokersOf(client, topic, routeTopic)) {
    try {
      const answer = await client.askBroker(address, QUERY_MESSAGE, header)
      found.push(...recordsIn(answer.body).map((record) => seenMessage(record, brokerName)))
    } catch (error) {
      if (!hasCode(error, responseCode.QUERY_NOT_FOUND)) throw error
    }
  }
  return found.sort((left, right) => left.storeTimestamp - right.storeTimestamp)
}

async function brokersOf(client: AdminClient, topic: string, routeTopic: string = topic) {
  return addressesOf((await findRoute(client, topic)) ?? (await topicRoute(client, routeTopic)))
}
