/**
 * What one asker is shown of a route: pure changes of a copy.
 * Source: `namesrv.md` sections 5.3 and 5.4.
 */
import { type BrokerData, permission, type TopicRouteData } from '@rockhopper/protocol'

const MASTER_ID = 0

/** Topics by which the brokers of a group find each other: their answers stay as they are. */
const MEMBER_SYNC_PREFIX = 'rmq_sys_SYNC_BROKER_MEMBER_'

/** Shows the first slave of a group that lost its master as the master, if the group wants it. */
export function withActingMasters(topic: string, route: TopicRouteData): TopicRouteData {
  if (topic.startsWith(MEMBER_SYNC_PREFIX)) return route
  const brokerDatas = route.brokerDatas.map((broker) =>
    needsActingMaster(broker, route) ? actingMaster(broker) : broker,
  )
  return { ...route, brokerDatas }
}

function needsActingMaster(broker: BrokerData, route: TopicRouteData): boolean {
  if (!broker.enableActingMaster || broker.brokerAddrs.has(MASTER_ID)) return false
  const queues = route.queueDatas.find(({ brokerName }) => brokerName === broker.brokerName)
  return queues !== undefined && (queues.perm & permission.write) === 0
}

function actingMaster(broker: BrokerData): BrokerData {
  const firstId = Math.min(...broker.brokerAddrs.keys())
  const entries = [...broker.brokerAddrs].map(
    ([id, address]) => [id === firstId ? MASTER_ID : id, address] as const,
  )
  return { ...broker, brokerAddrs: new Map(entries) }
}

/** Keeps the brokers of a zone, and those without a master, wherever they are. */
export function ofZone(zoneName: string, route: TopicRouteData): TopicRouteData {
  const brokerDatas = route.brokerDatas.filter(
    (broker) =>
      !broker.brokerAddrs.has(MASTER_ID) ||
      broker.zoneName?.toLowerCase() === zoneName.toLowerCase(),
  )
  const names = new Set(brokerDatas.map(({ brokerName }) => brokerName))
  const addresses = new Set(brokerDatas.flatMap(({ brokerAddrs }) => [...brokerAddrs.values()]))
  return {
    ...route,
    brokerDatas,
    queueDatas: route.queueDatas.filter(({ brokerName }) => names.has(brokerName)),
    filterServerTable: new Map(
      [...route.filterServerTable].filter(([address]) => addresses.has(address)),
    ),
  }
}
