/** Who is connected to the brokers of a group, and what consumers say of themselves. */
import {
  type ClientConnection,
  type ConsumerConnections,
  type ConsumerRunningInfo,
  decodeConsumerConnections,
  decodeConsumerRunningInfo,
  decodeProducerConnections,
  decodeProducerTable,
  GET_ALL_PRODUCER_INFO,
  GET_CONSUMER_CONNECTION_LIST,
  GET_CONSUMER_RUNNING_INFO,
  GET_PRODUCER_CONNECTION_LIST,
  type ProducerInfo,
  responseCode,
  retryTopicOf,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError, hasCode } from '../errors.ts'
import { addressesOf, findRoute, topicRoute } from './topic-route.ts'

/** A consumer has 10 s for its answer to the broker, which passes it on. */
const RELAY_TIMEOUT_MS = 15_000

/** The members of a group as one broker sees them. */
export interface GroupConnections extends ConsumerConnections {
  /** Address of the broker. */
  readonly address: string
}

/** Rejects with `AdminError` when nobody of the group is connected. */
export async function consumerConnections(
  client: AdminClient,
  group: string,
  brokerAddr?: string,
): Promise<GroupConnections> {
  const found = await findConsumerConnections(client, group, brokerAddr)
  if (found !== undefined) return found
  throw new AdminError(
    `CODE: ${responseCode.CONSUMER_NOT_ONLINE}  DESC: the consumer group[${group}] not online: ` +
      'nobody of it is connected at the moment. See all groups with mqadmin consumerProgress.',
  )
}

/** The same; undefined when nobody is connected. */
export async function findConsumerConnections(
  client: AdminClient,
  group: string,
  brokerAddr?: string,
): Promise<GroupConnections | undefined> {
  for (const address of await brokersOf(client, group, brokerAddr)) {
    try {
      const header = { consumerGroup: group, explainDifferences: true }
      const answer = await client.askBroker(address, GET_CONSUMER_CONNECTION_LIST, header)
      return { ...decodeConsumerConnections(answer.body), address }
    } catch (error) {
      if (!hasCode(error, responseCode.CONSUMER_NOT_ONLINE)) throw error
    }
  }
  return undefined
}

/** What a consumer says of itself, through a broker it is connected to. */
export async function runningInfo(
  client: AdminClient,
  address: string,
  group: string,
  clientId: string,
  jstackEnable = false,
): Promise<ConsumerRunningInfo> {
  const header = { consumerGroup: group, clientId, jstackEnable }
  const options = { timeoutMs: RELAY_TIMEOUT_MS }
  const answer = await client.askBroker(address, GET_CONSUMER_RUNNING_INFO, header, options)
  return decodeConsumerRunningInfo(answer.body)
}

/** The producers of a group that send to a topic. Rejects with `AdminError` when there are none. */
export async function producerConnections(
  client: AdminClient,
  producerGroup: string,
  topic: string,
): Promise<readonly ClientConnection[]> {
  let failure: unknown
  for (const { address } of addressesOf(await topicRoute(client, topic))) {
    try {
      const answer = await client.askBroker(address, GET_PRODUCER_CONNECTION_LIST, {
        producerGroup,
      })
      return decodeProducerConnections(answer.body)
    } catch (error) {
      failure = error
    }
  }
  throw failure ?? new AdminError(`No broker of the topic "${topic}" can be asked.`)
}

/** All producers of a broker, by their groups. */
export async function producers(
  client: AdminClient,
  address: string,
): Promise<ReadonlyMap<string, readonly ProducerInfo[]>> {
  const answer = await client.askBroker(address, GET_ALL_PRODUCER_INFO, {})
  return decodeProducerTable(answer.body)
}

/** A group's retry topic is where the group is. */
async function brokersOf(
  client: AdminClient,
  group: string,
  brokerAddr: string | undefined,
): Promise<string[]> {
  if (brokerAddr !== undefined) return [brokerAddr]
  const route = await findRoute(client, retryTopicOf(group))
  return route === undefined ? [] : addressesOf(route).map(({ address }) => address)
}
