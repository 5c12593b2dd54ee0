/** Which topics there are, and who consumes them. */
import {
  decodeGroupList,
  decodeTopicList,
  GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
  isDeadLetterTopic,
  isRetryTopic,
  QUERY_TOPIC_CONSUME_BY_WHO,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { clusterInfo } from './clusters.ts'
import { addressesOf, findRoute } from './topic-route.ts'

/** A topic of a cluster, and one group that consumes it; an empty group when nobody does. */
export interface TopicConsumer {
  readonly clusterName: string
  readonly topic: string
  readonly group: string
}

/** The names of all topics, those of the system included, sorted. */
export async function topicList(client: AdminClient): Promise<string[]> {
  const answer = await client.askNameServer(GET_ALL_TOPIC_LIST_FROM_NAMESERVER, {})
  return [...decodeTopicList(answer.body).topicList].sort()
}

/** A row for each topic and each of its groups; retry and dead letter topics are left out. */
export async function topicConsumers(client: AdminClient): Promise<TopicConsumer[]> {
  const clusters = (await clusterInfo(client)).clusterAddrTable
  const rows: TopicConsumer[] = []
  for (const topic of await topicList(client)) {
    if (isRetryTopic(topic) || isDeadLetterTopic(topic)) continue
    const route = await findRoute(client, topic)
    const [broker] = route?.brokerDatas ?? []
    if (route === undefined || broker === undefined) continue
    const clusterName =
      [...clusters].find(([, names]) => names.includes(broker.brokerName))?.[0] ?? ''
    const groups = await groupsOf(client, addressesOf(route)[0]?.address, topic)
    for (const group of groups.length === 0 ? [''] : groups)
      rows.push({ clusterName, topic, group })
  }
  return rows
}

async function groupsOf(
  client: AdminClient,
  address: string | undefined,
  topic: string,
): Promise<string[]> {
  if (address === undefined) return []
  const answer = await client.askBroker(address, QUERY_TOPIC_CONSUME_BY_WHO, { topic })
  return decodeGroupList(answer.body).sort()
}
