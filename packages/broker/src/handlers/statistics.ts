/**
 * How far topics and groups are, and who is connected: what operators look at.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 10.
 */
import {
  encodeConsumerConnections,
  encodeConsumeStats,
  encodeGroupList,
  encodeProducerConnections,
  encodeTopicStats,
  GET_CONSUME_STATS,
  GET_CONSUMER_CONNECTION_LIST,
  GET_PRODUCER_CONNECTION_LIST,
  GET_TOPIC_STATS_INFO,
  languageName,
  QUERY_TOPIC_CONSUME_BY_WHO,
  responseCode,
  type TopicQueueStats,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import type { Progress, ProgressParts } from '../services/progress.ts'
import type { SubscriptionGuard } from '../services/subscription-guard.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { ClientTable, Member } from '../tables/clients.ts'

export interface StatisticsParts extends ProgressParts {
  readonly clients: ClientTable
  readonly guard: SubscriptionGuard
  readonly progress: Progress
  readonly traffic: TrafficCounters
}

export function handleStatistics(router: Router, parts: StatisticsParts): void {
  const { clients, guard, offsets, topics, traffic } = parts
  router
    .on(GET_TOPIC_STATS_INFO, async ({ topic }) => {
      const config = topics.get(topic)
      if (config === undefined) {
        throw new Refusal(responseCode.TOPIC_NOT_EXIST, `topic[${topic}] not exist`)
      }
      const queues = Math.max(config.readQueueNums, config.writeQueueNums)
      const rows = Array.from({ length: queues }, (_, queueId) => topicRow(topic, queueId, parts))
      const body = encodeTopicStats({
        queues: await Promise.all(rows),
        topicPutTps: traffic.putsOfTopic(topic),
      })
      return { body: [body] }
    })
    .on(GET_CONSUME_STATS, async ({ consumerGroup, topic, topicList }) => {
      const listed = topicList?.split(';').filter((name) => name !== '') ?? []
      const consumed = listed.length > 0 ? listed : subscribedTopics(consumerGroup, topic, parts)
      const rows = await Promise.all(
        consumed.map((name) => parts.progress.rowsOf(consumerGroup, name)),
      )
      const body = encodeConsumeStats({
        queues: rows.flat(),
        consumeTps: traffic.getsOfGroup(consumerGroup),
      })
      return { body: [body] }
    })
    .on(GET_CONSUMER_CONNECTION_LIST, ({ consumerGroup, explainDifferences }) => {
      const group = clients.consumersOf(consumerGroup)
      if (group === undefined) {
        throw new Refusal(
          responseCode.CONSUMER_NOT_ONLINE,
          `the consumer group[${consumerGroup}] not online`,
        )
      }
      const body = encodeConsumerConnections({
        connectionSet: [...group.members.values()].map(connectionRow),
        consumeFromWhere: group.consumeFromWhere,
        consumeType: group.consumeType,
        messageModel: group.messageModel,
        subscriptionTable: Object.fromEntries(group.subscriptions),
        ...(explainDifferences === true ? { differences: guard.differencesOf(consumerGroup) } : {}),
      })
      return { body: [body] }
    })
    .on(GET_PRODUCER_CONNECTION_LIST, ({ producerGroup }) => {
      const members = clients.producersOf(producerGroup)
      if (members.length > 0) {
        return { body: [encodeProducerConnections(members.map(connectionRow))] }
      }
      throw new Refusal(
        responseCode.SYSTEM_ERROR,
        `the producer group[${producerGroup}] not exist: none has sent a heartbeat`,
      )
    })
    .on(QUERY_TOPIC_CONSUME_BY_WHO, ({ topic }) => {
      const groups = new Set([...clients.groupsSubscribing(topic), ...offsets.groupsOf(topic)])
      return { body: [encodeGroupList([...groups])] }
    })
}

/** Topics with offsets of the group; of an online group only those it still subscribes to. */
function subscribedTopics(
  group: string,
  asked: string | undefined,
  { clients, offsets }: StatisticsParts,
): string[] {
  const subscriptions = clients.consumersOf(group)?.subscriptions
  const topics = asked === undefined || asked === '' ? offsets.topicsOf(group) : [asked]
  if (subscriptions === undefined || subscriptions.size === 0) return topics
  return topics.filter((topic) => subscriptions.has(topic))
}

async function topicRow(
  topic: string,
  queueId: number,
  { brokerName, progress, store }: StatisticsParts,
): Promise<TopicQueueStats> {
  const { minOffset, maxOffset } = store.queueBounds(topic, queueId)
  return {
    queue: { topic, brokerName, queueId },
    minOffset,
    maxOffset,
    lastUpdateTimestamp: await progress.storeTimeOf(topic, queueId, maxOffset - 1),
  }
}

function connectionRow({ clientId, connection, language, version }: Member) {
  return { clientAddr: connection.remote, clientId, language: languageName(language), version }
}
