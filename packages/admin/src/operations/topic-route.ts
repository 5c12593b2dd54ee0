/** Where a topic lives, as the name servers tell it. */
import {
  decodeTopicRoute,
  GET_ROUTEINFO_BY_TOPIC,
  responseCode,
  type TopicRouteData,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError, hasCode } from '../errors.ts'

/** Rejects with `AdminError` when no broker serves the topic. */
export async function topicRoute(client: AdminClient, topic: string): Promise<TopicRouteData> {
  const route = await findRoute(client, topic)
  if (route !== undefined) return route
  throw new AdminError(
    `CODE: ${responseCode.TOPIC_NOT_EXIST}  DESC: No topic route info in name server for the ` +
      `topic: ${topic}. See the topics there are with mqadmin topicList, or create it with ` +
      `mqadmin updateTopic -t ${topic} -c CLUSTER.`,
  )
}

/** The same; undefined when no broker serves the topic. */
export async function findRoute(
  client: AdminClient,
  topic: string,
): Promise<TopicRouteData | undefined> {
  try {
    const answer = await client.askNameServer(GET_ROUTEINFO_BY_TOPIC, {
      topic,
      acceptStandardJsonOnly: true,
    })
    return decodeTopicRoute(answer.body)
  } catch (error) {
    if (hasCode(error, responseCode.TOPIC_NOT_EXIST)) return undefined
    throw error
  }
}

/** One address for each broker of a route: its master, or its first slave when it has none. */
export function addressesOf(route: TopicRouteData): { brokerName: string; address: string }[] {
  return route.brokerDatas.flatMap(({ brokerName, brokerAddrs }) => {
    const [first] = [...brokerAddrs].sort(([left], [right]) => left - right)
    return first === undefined ? [] : [{ brokerName, address: first[1] }]
  })
}
