/** How full the queues of a topic are. */
import {
  decodeTopicStats,
  GET_TOPIC_STATS_INFO,
  type TopicQueueStats,
  type TopicStats,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { byQueue } from './queues.ts'
import { addressesOf, findRoute, topicRoute } from './topic-route.ts'

/**
 * The bounds of each queue, over all brokers. `routeTopic` is the topic by whose route the brokers
 * are found when the topic has no route of its own.
 */
export async function topicStatus(
  client: AdminClient,
  topic: string,
  routeTopic: string = topic,
): Promise<TopicStats> {
  const route = (await findRoute(client, topic)) ?? (await topicRoute(client, routeTopic))
  const queues: TopicQueueStats[] = []
  let topicPutTps = 0
  for (const { address } of addressesOf(route)) {
    const answer = await client.askBroker(address, GET_TOPIC_STATS_INFO, { topic })
    const stats = decodeTopicStats(answer.body)
    queues.push(...stats.queues)
    topicPutTps += stats.topicPutTps
  }
  queues.sort((left, right) => byQueue(left.queue, right.queue))
  return { queues, topicPutTps }
}
