/**
 * GET_ROUTEINFO_BY_TOPIC and GET_BROKER_CLUSTER_INFO: where a topic lives, and who there is.
 * Source: Apache class ClientRequestProcessor; `namesrv.md` sections 5 and 6.
 */
import type { Clock } from '@rockhopper/host'
import {
  encodeClusterInfo,
  encodeTopicRoute,
  GET_BROKER_CLUSTER_INFO,
  GET_ROUTEINFO_BY_TOPIC,
  responseCode,
  type TopicRouteData,
} from '@rockhopper/protocol'
import { type Connection, Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { KvNamespaces } from '../kv-table.ts'
import type { LiveConfig } from '../live-config.ts'
import type { RouteTable } from '../route-table.ts'
import { ORDER_TOPIC_NAMESPACE } from '../rules/namespaces.ts'
import { ofZone, withActingMasters } from '../rules/route-view.ts'

/** From V4_9_4 on a peer reads standard JSON, and Apache writes it. */
const VERSION_WITH_STANDARD_JSON = 401

/** Ext fields by which a client asks for the brokers of its own zone. */
const ZONE_MODE = '__ZONE_MODE'
const ZONE_NAME = '__ZONE_NAME'

interface RouteParts {
  readonly clock: Clock
  readonly config: LiveConfig
  readonly routes: RouteTable<Connection>
  readonly settings: KvNamespaces
}

export function handleRoutes(router: Router, parts: RouteParts): void {
  const { clock, config, routes } = parts
  const startedMs = clock.monotonicMs()
  router
    .on(GET_ROUTEINFO_BY_TOPIC, ({ topic, acceptStandardJsonOnly }, context) => {
      demandReady(parts, startedMs)
      const route = routes.route(topic)
      if (route === undefined) throw noRoute(topic)
      const whole = { ...route, orderTopicConf: orderOf(topic, parts) }
      const shown = config.current.supportActingMaster ? withActingMasters(topic, whole) : whole
      const isStandard =
        context.head.version >= VERSION_WITH_STANDARD_JSON || acceptStandardJsonOnly === true
      const answer = zoneView(shown, context)
      return { body: [encodeTopicRoute(answer, isStandard ? 'standard' : 'plain')] }
    })
    .on(GET_BROKER_CLUSTER_INFO, () => ({ body: [encodeClusterInfo(routes.clusterInfo())] }))
}

/** Right after the start a topic would seem absent only because its broker has not come yet. */
function demandReady({ clock, config }: RouteParts, startedMs: number): void {
  const { needWaitForService, waitSecondsForService } = config.current
  if (!needWaitForService) return
  const leftMs = startedMs + waitSecondsForService * 1000 - clock.monotonicMs()
  if (leftMs <= 0) return
  const seconds = Math.ceil(leftMs / 1000)
  throw new Refusal(
    responseCode.SYSTEM_ERROR,
    `name server not ready: it waits for brokers to register, ${seconds} s more`,
  )
}

/** The remark begins as Apache's does, which people and programs look for. */
function noRoute(topic: string): Refusal {
  return new Refusal(
    responseCode.TOPIC_NOT_EXIST,
    `No topic route info in name server for the topic: ${topic}. ` +
      'Create the topic with mqadmin updateTopic, or see with mqadmin clusterList ' +
      'whether its broker is registered here.',
  )
}

function orderOf(topic: string, { config, settings }: RouteParts): string | undefined {
  if (!config.current.orderMessageEnable) return undefined
  return settings.get(ORDER_TOPIC_NAMESPACE, topic)
}

function zoneView(route: TopicRouteData, context: RequestContext): TopicRouteData {
  if (context.extra(ZONE_MODE)?.toLowerCase() !== 'true') return route
  const zoneName = context.extra(ZONE_NAME)?.trim() ?? ''
  return zoneName === '' ? route : ofZone(zoneName, route)
}
