/**
 * Finds out why a topic has no route, by asking a name server, and says what to do about it.
 * Owns nothing.
 */
import {
  decodeClusterInfo,
  GET_BROKER_CLUSTER_INFO,
  permission,
  type TopicRouteData,
} from '@rockhopper/protocol'
import { ClientError, NoRouteError } from '../errors.ts'
import type { Cluster } from './cluster.ts'
import { NEW_TOPIC_TEMPLATE } from './routes.ts'

export type Role = 'producer' | 'consumer'

/** The error for a topic of which no name server knows a route. Never rejects. */
export async function missingRoute(
  cluster: Cluster,
  topic: string,
  role: Role,
): Promise<NoRouteError> {
  try {
    if (!(await hasBroker(cluster))) return noBroker(topic)
    const isCreated = (await cluster.askRoute(NEW_TOPIC_TEMPLATE)) !== undefined
    // The broker may have left between the two questions, and its topics with it.
    if (!isCreated && !(await hasBroker(cluster))) return noBroker(topic)
    return topicMissing(topic, role, isCreated)
  } catch (error) {
    return nobodyToAsk(topic, error)
  }
}

async function hasBroker({ nameServers }: Cluster): Promise<boolean> {
  const { body } = await nameServers.call(GET_BROKER_CLUSTER_INFO, {})
  return decodeClusterInfo(body).brokerAddrTable.size > 0
}

/** The error for a topic whose route could not be asked for. */
export function nobodyToAsk(topic: string, cause: unknown): NoRouteError {
  const hint = cause instanceof ClientError ? cause.hint : 'look at the cause'
  const why = cause instanceof Error ? cause.message : String(cause)
  return new NoRouteError(
    topic,
    'name-server-unreachable',
    `the route of the topic "${topic}" could not be asked for: ${why}`,
    { retryable: true, hint, cause },
  )
}

/** The error for a topic that exists, but cannot be used by this kind of client. */
export function unusableRoute(topic: string, role: Role, route: TopicRouteData): NoRouteError {
  const brokers = route.brokerDatas.map(({ brokerName }) => `"${brokerName}"`).join(', ')
  const bit = role === 'producer' ? permission.write : permission.read
  const isAllowed = route.queueDatas.some(({ perm }) => (perm & bit) !== 0)
  const verb = role === 'producer' ? 'written' : 'read'
  const [why, hint] = isAllowed
    ? [`none of its brokers (${brokers}) has a master at present`, 'start the master']
    : [
        `it may not be ${verb} on any of its brokers (${brokers})`,
        'allow it: mqadmin updateTopic -p 6',
      ]
  const sentence = `the topic "${topic}" exists, but ${why}`
  return new NoRouteError(topic, 'no-usable-queue', sentence, { retryable: isAllowed, hint })
}

function noBroker(topic: string): NoRouteError {
  return new NoRouteError(
    topic,
    'no-broker',
    `nobody takes messages of the topic "${topic}": the name server knows no broker`,
    { retryable: true, hint: "start one with this name server's address in its namesrvAddr" },
  )
}

function topicMissing(topic: string, role: Role, isCreated: boolean): NoRouteError {
  if (role === 'consumer') {
    const further = isCreated ? ', or send it a first message' : ''
    return new NoRouteError(topic, 'topic-missing', `the topic "${topic}" does not exist`, {
      retryable: true,
      hint: `create it with mqadmin updateTopic${further}`,
    })
  }
  if (isCreated) {
    // Its brokers registered between two questions, as after a restart of the name server.
    const sentence = `the topic "${topic}" had no route a moment ago, when its brokers registered`
    return new NoRouteError(topic, 'topic-missing', sentence, {
      retryable: true,
      hint: 'send again',
    })
  }
  return new NoRouteError(
    topic,
    'auto-creation-off',
    `the topic "${topic}" does not exist, and no broker creates topics on their first message`,
    {
      retryable: false,
      hint: 'create it with mqadmin updateTopic, or set autoCreateTopicEnable=true on a broker',
    },
  )
}
