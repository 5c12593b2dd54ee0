/** Puts groups to other offsets: by time, to the end of their queues, or to where another group is. */
import {
  CLONE_GROUP_OFFSET,
  type ConsumeQueueStats,
  decodeConsumeStats,
  decodeResetOffsets,
  decodeTopicStats,
  GET_CONSUME_STATS,
  GET_MAX_OFFSET,
  GET_TOPIC_STATS_INFO,
  INVOKE_BROKER_TO_RESET_OFFSET,
  type MessageQueue,
  type QueueOffsets,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { hasCode } from '../errors.ts'
import { byQueue } from './queues.ts'
import { addressesOf, findRoute, topicRoute } from './topic-route.ts'

/** Stands for the end of each queue. */
export const TO_END = -1

/** Searching the queues of a topic takes a broker longer than other requests. */
const RESET_TIMEOUT_MS = 30_000

export interface ResetScope {
  readonly group: string
  readonly topic: string
  /** Store time to go on at, ms since 1970, or `TO_END`. */
  readonly timeMs: number
  /** Whether offsets may move forward; brokers that reset by themselves do not ask. */
  readonly force: boolean
  /** Topic by whose route the brokers are found when `topic` has none. */
  readonly routeTopic?: string | undefined
}

/** One queue of a group that was offline at a broker which resets through clients only. */
export interface Rollback {
  readonly queue: MessageQueue
  readonly brokerOffset: number
  readonly consumerOffset: number
  readonly timestampOffset: number
  readonly resetOffset: number
}

export interface ResetResult {
  readonly offsets: QueueOffsets
  /** Queues that were set one by one, because their broker could not do it. */
  readonly rollbacks: readonly Rollback[]
}

/** Rejects with `AdminError` when there is no such topic or group. */
export async function resetOffsets(client: AdminClient, scope: ResetScope): Promise<ResetResult> {
  const { force, group, routeTopic, timeMs, topic } = scope
  const route = (await findRoute(client, topic)) ?? (await topicRoute(client, routeTopic ?? topic))
  const offsets: [MessageQueue, number][] = []
  const rollbacks: Rollback[] = []
  for (const { address, brokerName } of addressesOf(route)) {
    try {
      const header = { group, topic, timestamp: timeMs, isForce: force, queueId: -1, offset: -1 }
      const options = { timeoutMs: RESET_TIMEOUT_MS }
      const answer = await client.askBroker(address, INVOKE_BROKER_TO_RESET_OFFSET, header, options)
      for (const [queue, offset] of decodeResetOffsets(answer.body)) offsets.push([queue, offset])
    } catch (error) {
      if (!hasCode(error, responseCode.CONSUMER_NOT_ONLINE)) throw error
      rollbacks.push(...(await rollback(client, address, brokerName, scope)))
    }
  }
  offsets.sort(([left], [right]) => byQueue(left, right))
  return { offsets, rollbacks }
}

/** Resets one queue; `offset` undefined stands for the one at `timeMs`. The result is the offset. */
export async function resetQueue(
  client: AdminClient,
  address: string,
  { group, timeMs, topic }: ResetScope,
  queueId: number,
  offset?: number,
): Promise<number> {
  const target = offset ?? (await offsetAt(client, address, topic, queueId, timeMs))
  const header = { group, topic, queueId, offset: target, timestamp: 0, isForce: true }
  await client.askBroker(address, INVOKE_BROKER_TO_RESET_OFFSET, header)
  return target
}

/** On every broker of the topic. */
export async function cloneOffsets(
  client: AdminClient,
  scope: { srcGroup: string; destGroup: string; topic: string; offline: boolean },
): Promise<{ readonly brokers: readonly string[] }> {
  const brokers = addressesOf(await topicRoute(client, scope.topic)).map(({ address }) => address)
  for (const address of brokers) await client.askBroker(address, CLONE_GROUP_OFFSET, scope)
  return { brokers }
}

/** As Apache's tools do it for brokers that cannot reset the offsets of a group that is offline. */
async function rollback(
  client: AdminClient,
  address: string,
  brokerName: string,
  scope: ResetScope,
): Promise<Rollback[]> {
  const { group, topic } = scope
  const header = { consumerGroup: group, topic }
  const answer = await client.askBroker(address, GET_CONSUME_STATS, header)
  const known = decodeConsumeStats(answer.body).queues
  const rows = known.length > 0 ? known : await unconsumed(client, address, topic)
  const mine = rows.filter(({ queue }) => queue.brokerName === brokerName)
  const done: Rollback[] = []
  for (const row of mine) done.push(await rollbackQueue(client, address, row, scope))
  return done.sort((left, right) => byQueue(left.queue, right.queue))
}

async function rollbackQueue(
  client: AdminClient,
  address: string,
  { brokerOffset, consumerOffset, queue }: ConsumeQueueStats,
  { force, group, timeMs }: ResetScope,
): Promise<Rollback> {
  const { queueId, topic } = queue
  const timestampOffset = await offsetAt(client, address, topic, queueId, timeMs)
  const moves = force || timestampOffset <= consumerOffset
  const resetOffset = moves ? timestampOffset : consumerOffset
  if (moves) {
    const header = { consumerGroup: group, topic, queueId, commitOffset: resetOffset }
    await client.askBroker(address, UPDATE_CONSUMER_OFFSET, header)
  }
  return { queue, brokerOffset, consumerOffset, timestampOffset, resetOffset }
}

/** The queues of a topic as a group sees them that never consumed it. */
async function unconsumed(
  client: AdminClient,
  address: string,
  topic: string,
): Promise<ConsumeQueueStats[]> {
  const answer = await client.askBroker(address, GET_TOPIC_STATS_INFO, { topic })
  return decodeTopicStats(answer.body).queues.map(({ maxOffset, minOffset, queue }) => ({
    queue,
    brokerOffset: maxOffset,
    consumerOffset: minOffset,
    pullOffset: minOffset,
    lastTimestamp: 0,
  }))
}

async function offsetAt(
  client: AdminClient,
  address: string,
  topic: string,
  queueId: number,
  timeMs: number,
): Promise<number> {
  if (timeMs === TO_END) {
    const answer = await client.askBroker(address, GET_MAX_OFFSET, { topic, queueId })
    return answer.header().offset
  }
  const header = { topic, queueId, timestamp: timeMs }
  const answer = await client.askBroker(address, SEARCH_OFFSET_BY_TIMESTAMP, header)
  return answer.header().offset
}
