/**
 * What a route means to a producer and to a consumer. Source: Apache class TopicRouteData and its
 * users in MQClientInstance; `client.md` sections 2.1 and 2.2. Pure: it owns nothing.
 */

import type { MessageQueue } from '@rockhopper/protocol'
import {
  type BrokerData,
  encodeTopicRoute,
  permission,
  type QueueData,
  type TopicRouteData,
} from '@rockhopper/protocol'

/** Broker id of a master. */
export const MASTER_ID = 0

/** The topic after which brokers model those that are created by their first message. */
export const NEW_TOPIC_TEMPLATE = 'TBW102'

/** Queues of a topic on one broker that are believed in; what goes beyond is a broken route. */
const MAX_QUEUES_PER_BROKER = 65_536

/** Broker id to address, by broker name. */
export type BrokerAddresses = ReadonlyMap<string, ReadonlyMap<number, string>>

/**
 * The queues that a producer may send to: of each writable broker that has a master. An ordered
 * topic names its queues itself.
 */
export function publishQueues(topic: string, route: TopicRouteData): readonly MessageQueue[] {
  if (route.orderTopicConf) return orderedQueues(topic, route.orderTopicConf)
  const withMaster = new Set(
    route.brokerDatas.filter(hasMaster).map(({ brokerName }) => brokerName),
  )
  return byBrokerName(route.queueDatas)
    .filter(({ perm, brokerName }) => (perm & permission.write) !== 0 && withMaster.has(brokerName))
    .flatMap(({ brokerName, writeQueueNums }) => queuesOf(topic, brokerName, writeQueueNums))
}

/** The queues that a consumer may read: of each readable broker, even without a master. */
export function subscribeQueues(topic: string, route: TopicRouteData): readonly MessageQueue[] {
  return byBrokerName(route.queueDatas)
    .filter(({ perm }) => (perm & permission.read) !== 0)
    .flatMap(({ brokerName, readQueueNums }) => queuesOf(topic, brokerName, readQueueNums))
}

/**
 * The route of a topic that does not exist yet, from the route of the topic that new ones are made
 * after: the broker will give it at most `queues` queues.
 */
export function newTopicRoute(template: TopicRouteData, queues: number): TopicRouteData {
  const queueDatas = template.queueDatas.map((data) => {
    const count = Math.min(queues, data.readQueueNums)
    return { ...data, readQueueNums: count, writeQueueNums: count }
  })
  return { ...template, queueDatas }
}

/** Whether two routes lead to the same queues at the same addresses. */
export function isSameRoute(one: TopicRouteData, other: TopicRouteData): boolean {
  return canonical(one).equals(canonical(other))
}

/** The addresses of all brokers in some routes. */
export function brokerAddresses(routes: Iterable<TopicRouteData>): BrokerAddresses {
  const addresses = new Map<string, ReadonlyMap<number, string>>()
  for (const { brokerDatas } of routes) {
    for (const { brokerName, brokerAddrs } of brokerDatas) addresses.set(brokerName, brokerAddrs)
  }
  return addresses
}

/** One of the brokers that share a name. */
export interface Replica {
  readonly address: string
  /** 0 is the master. */
  readonly brokerId: number
}

/** Where to read from: that replica, else its neighbour, else any; undefined when there is none. */
export function replicaAddress(
  addresses: BrokerAddresses,
  brokerName: string,
  brokerId: number,
): Replica | undefined {
  const replicas = addresses.get(brokerName)
  if (replicas === undefined) return undefined
  const candidates = brokerId === MASTER_ID ? [MASTER_ID] : [brokerId, brokerId + 1]
  for (const id of [...candidates, ...replicas.keys()]) {
    const address = replicas.get(id)
    if (address !== undefined) return { address, brokerId: id }
  }
  return undefined
}

/** All that there are, the master first. */
export function replicasOf(addresses: BrokerAddresses, brokerName: string): readonly Replica[] {
  const replicas = [...(addresses.get(brokerName) ?? [])].sort(([a], [b]) => a - b)
  return replicas.map(([brokerId, address]) => ({ address, brokerId }))
}

/** `broker-a:4;broker-b:4`: the queues 0 … 3 of each, in this order. */
function orderedQueues(topic: string, conf: string): readonly MessageQueue[] {
  return conf.split(';').flatMap((part) => {
    const [brokerName = '', count = ''] = part.split(':')
    return brokerName === '' ? [] : queuesOf(topic, brokerName, Number(count) || 0)
  })
}

function queuesOf(topic: string, brokerName: string, count: number): MessageQueue[] {
  const length = Math.min(count, MAX_QUEUES_PER_BROKER)
  return Array.from({ length }, (_, queueId) => ({ topic, brokerName, queueId }))
}

function hasMaster({ brokerAddrs }: BrokerData): boolean {
  return brokerAddrs.has(MASTER_ID)
}

function byBrokerName<T extends { readonly brokerName: string }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => compareText(a.brokerName, b.brokerName))
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Name servers promise no order: two answers are compared in one. */
function canonical(route: TopicRouteData): Buffer {
  const sorted = {
    ...route,
    queueDatas: byBrokerName<QueueData>(route.queueDatas),
    brokerDatas: byBrokerName<BrokerData>(route.brokerDatas).map((data) => ({
      ...data,
      brokerAddrs: new Map([...data.brokerAddrs].sort(([a], [b]) => a - b)),
    })),
  }
  return encodeTopicRoute(sorted, 'standard')
}
