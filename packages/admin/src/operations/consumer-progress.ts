/** How far the groups are with the messages of their topics. */
import {
  type ConsumeQueueStats,
  type ConsumerConnections,
  decodeConsumeStats,
  GET_CONSUME_STATS,
  isRetryTopic,
  type MessageQueue,
  RETRY_PREFIX,
  retryTopicOf,
  type TopicRouteData,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { findConsumerConnections, runningInfo } from './connections.ts'
import { byQueue } from './queues.ts'
import { topicList } from './topic-list.ts'
import { addressesOf, findRoute } from './topic-route.ts'

/** Reading the progress of a large group takes a broker longer than other requests. */
const STATS_TIMEOUT_MS = 15_000

export interface Progress {
  readonly group: string
  readonly queues: readonly ConsumeQueueStats[]
  readonly consumeTps: number
}

/** A group at a glance. */
export interface GroupSummary {
  readonly group: string
  /** Consumers that are connected at this moment. */
  readonly count: number
  /** Smallest version ordinal among them; absent when there are none. */
  readonly version?: number
  readonly consumeType?: ConsumerConnections['consumeType']
  readonly messageModel?: ConsumerConnections['messageModel']
  readonly consumeTps: number
  readonly diffTotal: number
}

export interface ProgressScope {
  /** Only this topic. */
  readonly topic?: string | undefined
  /** Topic by whose route the brokers are found, instead of the group's retry topic. */
  readonly routeTopic?: string | undefined
}

/** Rejects with `AdminError` when the group is unknown. */
export async function consumerProgress(
  client: AdminClient,
  group: string,
  scope: ProgressScope = {},
): Promise<Progress> {
  const route = await routeOf(client, group, scope)
  const queues: ConsumeQueueStats[] = []
  let consumeTps = 0
  for (const { address } of addressesOf(route)) {
    const header = { consumerGroup: group, topic: scope.topic }
    const timeoutMs = STATS_TIMEOUT_MS
    const answer = await client.askBroker(address, GET_CONSUME_STATS, header, { timeoutMs })
    const stats = decodeConsumeStats(answer.body)
    queues.push(...stats.queues)
    consumeTps += stats.consumeTps
  }
  queues.sort((left, right) => byQueue(left.queue, right.queue))
  return { group, queues, consumeTps }
}

/** Which client has each queue of a group, by `queueName`; queues that nobody has are missing. */
export async function queueOwners(
  client: AdminClient,
  group: string,
): Promise<ReadonlyMap<string, string>> {
  const online = await findConsumerConnections(client, group)
  const owners = new Map<string, string>()
  for (const { clientAddr, clientId } of online?.connectionSet ?? []) {
    const { mqTable } = await runningInfo(client, online?.address ?? '', group, clientId)
    for (const [queue] of mqTable) owners.set(queueName(queue), clientAddr.replace(/:\d+$/, ''))
  }
  return owners
}

export function queueName({ brokerName, queueId, topic }: MessageQueue): string {
  return `${topic} ${brokerName} ${queueId}`
}

/** All groups that ever subscribed, the one with the most to do first. */
export async function groupSummaries(client: AdminClient): Promise<GroupSummary[]> {
  const topics = await topicList(client)
  const groups = topics.filter(isRetryTopic).map((topic) => topic.slice(RETRY_PREFIX.length))
  const summaries: GroupSummary[] = []
  for (const group of groups) summaries.push(await summaryOf(client, group))
  return summaries.sort((left, right) => right.diffTotal - left.diffTotal)
}

/** Messages that a group has not consumed yet, over all queues. */
export function diffTotalOf(queues: readonly ConsumeQueueStats[]): number {
  return queues.reduce((sum, row) => sum + row.brokerOffset - row.consumerOffset, 0)
}

/** Messages that are fetched and not consumed yet. */
export function inflightOf(row: ConsumeQueueStats): number {
  return Math.max(0, row.pullOffset - row.consumerOffset)
}

async function summaryOf(client: AdminClient, group: string): Promise<GroupSummary> {
  const [progress, connections] = [
    await consumerProgress(client, group),
    await findConsumerConnections(client, group),
  ]
  const summary = {
    group,
    consumeTps: progress.consumeTps,
    diffTotal: diffTotalOf(progress.queues),
  }
  if (connections === undefined) return { ...summary, count: 0 }
  const { connectionSet, consumeType, messageModel } = connections
  const version = Math.min(...connectionSet.map((connection) => connection.version))
  return { ...summary, count: connectionSet.length, version, consumeType, messageModel }
}

async function routeOf(
  client: AdminClient,
  group: string,
  { topic, routeTopic }: ProgressScope,
): Promise<TopicRouteData> {
  const retryTopic = retryTopicOf(group)
  for (const candidate of [topic, routeTopic, retryTopic]) {
    const route = candidate === undefined ? undefined : await findRoute(client, candidate)
    if (route !== undefined) return route
  }
  throw new AdminError(
    `There is no consumer group "${group}": no consumer of it ever connected to these brokers. ` +
      'See the groups there are with mqadmin consumerProgress.',
  )
}
