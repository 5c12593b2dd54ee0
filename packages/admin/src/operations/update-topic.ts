/** Creates a topic, or changes one. */
import {
  GET_KV_CONFIG,
  PUT_KV_CONFIG,
  responseCode,
  type TopicConfig,
  topicNameProblem,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError, hasCode } from '../errors.ts'
import { mastersOfCluster, type Replica, replicas, type Target } from './clusters.ts'

/** Where name servers keep which brokers an ordered topic is spread over. */
const ORDER_NAMESPACE = 'ORDER_TOPIC_CONFIG'

export interface UpdatedTopic {
  /** Addresses of the masters that have the topic now. */
  readonly brokers: readonly string[]
  /** Of an ordered topic: what the name servers know of it, `broker-a:8;broker-b:8`. */
  readonly orderConf?: string
}

/** What is wanted of a topic; `attributes` in Apache's form `+key=value,-key`. */
export type WantedTopic = Omit<TopicConfig, 'attributes'> & { readonly attributes?: string }

/** Rejects with `AdminError` when the name is not allowed or a broker refuses. */
export async function updateTopic(
  client: AdminClient,
  target: Target,
  topic: WantedTopic,
): Promise<UpdatedTopic> {
  const problem = topicNameProblem(topic.topicName)
  if (problem !== undefined) throw new AdminError(`The topic was not created: ${problem}.`)
  const brokers = await brokersOf(client, target, topic.order)
  for (const { address } of brokers) await createOn(client, address, topic)
  const addresses = brokers.map(({ address }) => address)
  if (!topic.order) return { brokers: addresses }
  const orderConf = await spreadOrder(client, target, brokers, topic)
  return { brokers: addresses, orderConf }
}

type Broker = Pick<Replica, 'brokerName' | 'address'>

/** The name of a broker given by its address is asked for only where it is needed. */
async function brokersOf(
  client: AdminClient,
  target: Target,
  withName: boolean,
): Promise<readonly Broker[]> {
  if ('clusterName' in target) return mastersOfCluster(client, target.clusterName)
  const address = target.brokerAddr
  if (!withName) return [{ brokerName: '', address }]
  const known = await replicas(client)
  const broker = known.find((replica) => replica.address === address)
  if (broker !== undefined) return [broker]
  throw new AdminError(
    `No broker with the address ${address} is registered with the name server, so that an ` +
      'ordered topic cannot be spread over it. See the addresses with mqadmin clusterList.',
  )
}

async function createOn(client: AdminClient, address: string, topic: WantedTopic): Promise<void> {
  await client.askBroker(address, UPDATE_AND_CREATE_TOPIC, {
    topic: topic.topicName,
    defaultTopic: 'TBW102',
    readQueueNums: topic.readQueueNums,
    writeQueueNums: topic.writeQueueNums,
    perm: topic.perm,
    topicFilterType: topic.topicFilterType,
    topicSysFlag: topic.topicSysFlag,
    order: topic.order,
    attributes: topic.attributes,
  })
}

/** The setting of a whole cluster replaces the one before; that of a broker is added to it. */
async function spreadOrder(
  client: AdminClient,
  target: Target,
  brokers: readonly Broker[],
  topic: WantedTopic,
): Promise<string> {
  const wanted = brokers.map(({ brokerName }) => `${brokerName}:${topic.writeQueueNums}`)
  const namespace = ORDER_NAMESPACE
  const key = topic.topicName
  const present = 'clusterName' in target ? [] : await orderOf(client, key)
  const kept = present.filter((entry) => !brokers.some(({ brokerName }) => isOf(entry, brokerName)))
  const value = [...kept, ...wanted].join(';')
  await client.tellNameServers(PUT_KV_CONFIG, { namespace, key, value })
  return value
}

function isOf(entry: string, brokerName: string): boolean {
  return entry.startsWith(`${brokerName}:`)
}

async function orderOf(client: AdminClient, topic: string): Promise<string[]> {
  try {
    const answer = await client.askNameServer(GET_KV_CONFIG, {
      namespace: ORDER_NAMESPACE,
      key: topic,
    })
    return answer.header().value.split(';').filter(Boolean)
  } catch (error) {
    if (hasCode(error, responseCode.QUERY_NOT_FOUND)) return []
    throw error
  }
}
