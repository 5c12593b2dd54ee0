/**
 * What groups and clients do, for operators: which topics, since when, who produces, what a queue
 * holds. Source: Apache class AdminBrokerProcessor; `broker-api.md` section 10.
 */
import type { Clock } from '@rockhopper/host'
import {
  type ConsumeQueueData,
  type ConsumeStats,
  encodeConsumeQueue,
  encodeConsumeStatsList,
  encodeProducerTable,
  encodeQueriedSubscription,
  encodeTimeSpans,
  encodeTopicList,
  GET_ALL_PRODUCER_INFO,
  GET_BROKER_CONSUME_STATS,
  type Header,
  languageName,
  QUERY_CONSUME_QUEUE,
  QUERY_CONSUME_TIME_SPAN,
  QUERY_SUBSCRIPTION_BY_CONSUMER,
  QUERY_TOPICS_BY_CONSUMER,
  type QueueTimeSpan,
  readRecord,
  responseCode,
  tagsCodeOf,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import { MAX_QUERIED_ENTRIES } from '../limits.ts'
import type { Progress, ProgressParts } from '../services/progress.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'

export interface ConsumerParts extends ProgressParts {
  readonly brokerAddress: string
  readonly clients: ClientTable
  readonly clock: Clock
  readonly groups: GroupTable
  readonly progress: Progress
  readonly traffic: TrafficCounters
}

export function handleConsumers(router: Router, parts: ConsumerParts): void {
  const { brokerAddress, clients, offsets } = parts
  router
    .on(QUERY_TOPICS_BY_CONSUMER, ({ group }) => ({
      body: [encodeTopicList({ brokerAddr: brokerAddress, topicList: offsets.topicsOf(group) })],
    }))
    .on(QUERY_SUBSCRIPTION_BY_CONSUMER, ({ group, topic }) => {
      const subscription = clients.consumersOf(group)?.subscriptions.get(topic ?? '')
      return { body: [encodeQueriedSubscription(group, topic, subscription)] }
    })
    .on(QUERY_CONSUME_TIME_SPAN, async ({ group, topic }) => {
      const queues = writeQueuesOf(topic, parts)
      const spans = Array.from({ length: queues }, (_, id) => timeSpan(group, topic, id, parts))
      return { body: [encodeTimeSpans(await Promise.all(spans))] }
    })
    .on(GET_ALL_PRODUCER_INFO, () => ({ body: [encodeProducerTable(producersOf(clients))] }))
    .on(GET_BROKER_CONSUME_STATS, async ({ isOrder }) => ({
      body: [await brokerStats(isOrder === true, parts)],
    }))
    .on(QUERY_CONSUME_QUEUE, async (header) => ({ body: [await queueEntries(header, parts)] }))
}

function writeQueuesOf(topic: string, { topics }: ConsumerParts): number {
  const config = topics.get(topic)
  if (config !== undefined) return config.writeQueueNums
  throw new Refusal(responseCode.TOPIC_NOT_EXIST, `topic[${topic}] not exist`)
}

/** Times of what is not there are −1, as Apache's store tells them. */
async function timeSpan(
  group: string,
  topic: string,
  queueId: number,
  { brokerName, clock, offsets, store }: ConsumerParts,
): Promise<QueueTimeSpan> {
  const { maxOffset, minOffset } = store.queueBounds(topic, queueId)
  const timeAt = (offset: number): Promise<number> => store.storeTimeOf(topic, queueId, offset)
  const consumed = offsets.get(group, topic, queueId) ?? -1
  const minTimeStamp = await timeAt(minOffset)
  return {
    messageQueue: { brokerName, queueId, topic },
    minTimeStamp,
    maxTimeStamp: await timeAt(maxOffset - 1),
    consumeTimeStamp: consumed > 0 ? await timeAt(consumed - 1) : minTimeStamp,
    delayTime: consumed < maxOffset ? clock.nowMs() - (await timeAt(consumed)) : 0,
  }
}

function producersOf(clients: ClientTable) {
  const groups = [...clients.producers()].map(([group, members]) => {
    const infos = [...members.values()].map(({ clientId, connection, ...member }) => ({
      clientId,
      language: languageName(member.language),
      lastUpdateTimestamp: member.seenAtMs,
      // As Java prints an address.
      remoteIP: `/${connection.remote}`,
      version: member.version,
    }))
    return [group, infos] as const
  })
  return new Map(groups)
}

async function brokerStats(orderedOnly: boolean, parts: ConsumerParts): Promise<Buffer> {
  const groups: [string, ConsumeStats[]][] = []
  let totalDiff = 0
  for (const { groupName } of parts.groups.all()) {
    const stats = await statsOfGroup(groupName, orderedOnly, parts)
    for (const { brokerOffset, consumerOffset } of stats.flatMap(({ queues }) => queues)) {
      totalDiff += brokerOffset - consumerOffset
    }
    groups.push([groupName, stats])
  }
  const totalInflightDiff = groups
    .flatMap(([, stats]) => stats.flatMap(({ queues }) => queues))
    .reduce((sum, row) => sum + Math.max(0, row.pullOffset - row.consumerOffset), 0)
  const { brokerAddress: brokerAddr } = parts
  return encodeConsumeStatsList({ brokerAddr, groups, totalDiff, totalInflightDiff })
}

async function statsOfGroup(
  group: string,
  orderedOnly: boolean,
  parts: ConsumerParts,
): Promise<ConsumeStats[]> {
  const { clients, offsets, progress, topics, traffic } = parts
  const subscriptions = clients.consumersOf(group)?.subscriptions
  const wanted = offsets.topicsOf(group).filter((topic) => {
    const config = topics.get(topic)
    if (config === undefined || (orderedOnly && !config.order)) return false
    return subscriptions === undefined || subscriptions.size === 0 || subscriptions.has(topic)
  })
  const rows = wanted.map(async (topic) => ({
    queues: await progress.rowsOf(group, topic),
    consumeTps: traffic.getsOfGroup(group),
  }))
  return Promise.all(rows)
}

/** The entries by the messages they point at; the tag's hash is computed anew. */
async function queueEntries(
  header: Header<typeof QUERY_CONSUME_QUEUE.tables.request>,
  { clients, store }: ConsumerParts,
): Promise<Buffer> {
  const { consumerGroup, count, index, queueId, topic } = header
  const { maxOffset, minOffset } = store.queueBounds(topic, queueId)
  if (maxOffset === 0) {
    throw new Refusal(responseCode.SYSTEM_ERROR, `${queueId}@${topic} is not exist!`)
  }
  const subscriptionData =
    consumerGroup && clients.consumersOf(consumerGroup)?.subscriptions.get(topic)
  const offline = subscriptionData === undefined && `${consumerGroup}@${topic} is not online!`
  return encodeConsumeQueue({
    ...(consumerGroup ? { filterData: offline || 'null' } : {}),
    ...(subscriptionData ? { subscriptionData } : {}),
    queueData: await entriesFrom(
      topic,
      queueId,
      index,
      Math.min(count, MAX_QUERIED_ENTRIES),
      store,
    ),
    maxQueueIndex: maxOffset,
    minQueueIndex: minOffset,
  })
}

async function entriesFrom(
  topic: string,
  queueId: number,
  index: number,
  count: number,
  store: Store,
): Promise<ConsumeQueueData[]> {
  const entries: ConsumeQueueData[] = []
  for (let offset = index; entries.length < count; ) {
    const scope = { topic, queueId, offset, maxMessages: count - entries.length }
    const outcome = await store.read({ ...scope, maxBytes: READ_BYTES })
    if (outcome.status !== 'FOUND') break
    for (const slice of outcome.slices) {
      for (let at = 0; at < slice.length; ) {
        const record = readRecord(slice, at)
        if (record === undefined) break
        entries.push({
          physicOffset: record.logOffset,
          physicSize: record.sizeBytes,
          tagsCode: tagsCodeOf(record.properties),
        })
        at += record.sizeBytes
      }
    }
    offset = outcome.nextOffset
  }
  return entries.slice(0, count)
}

/** Bytes of messages that are read at a time to see their entries. */
const READ_BYTES = 1024 * 1024
