/**
 * REGISTER_BROKER, UNREGISTER_BROKER, QUERY_DATA_VERSION and BROKER_HEARTBEAT: brokers come, stay
 * and go. Source: Apache class DefaultRequestProcessor; `namesrv.md` sections 3 and 4.
 */
import type { Clock, Logger } from '@rockhopper/host'
import {
  BROKER_HEARTBEAT,
  decodeDataVersion,
  decodeRegisterBroker,
  encodeDataVersion,
  encodeKvTable,
  type Header,
  QUERY_DATA_VERSION,
  REGISTER_BROKER,
  registrationCrc32,
  responseCode,
  sameDataVersion,
  UNREGISTER_BROKER,
} from '@rockhopper/protocol'
import { type Connection, Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { KvNamespaces } from '../kv-table.ts'
import { MAX_BROKERS, MAX_FILTER_SERVERS, MAX_NAME_CHARS, MAX_TOPIC_ROWS } from '../limits.ts'
import type { LiveConfig } from '../live-config.ts'
import type { Refused, Registered, Registration, RouteTable } from '../route-table.ts'
import { ORDER_TOPIC_NAMESPACE } from '../rules/namespaces.ts'

/** Ext field by which a broker tells its zone. */
const ZONE_NAME = '__ZONE_NAME'

interface RegistrationParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly config: LiveConfig
  readonly routes: RouteTable<Connection>
  readonly settings: KvNamespaces
}

export function handleRegistrations(router: Router, parts: RegistrationParts): void {
  const { clock, logger, routes } = parts
  router
    .on(REGISTER_BROKER, (header, context) => {
      const registration = registrationOf(header, context)
      const dropMissingTopics = parts.config.current.deleteTopicWithBrokerRegistration
      const told = routes.register(registration, clock.monotonicMs(), dropMissingTopics)
      report(logger, header, told)
      return answerOf(told, header, parts)
    })
    .on(UNREGISTER_BROKER, (header) => {
      const known = routes.unregister(header)
      if (known !== undefined) {
        logger.info('A broker has left in order.', brokerFields(header))
      }
      return {}
    })
    .on(QUERY_DATA_VERSION, ({ clusterName, brokerAddr }, { body }) => {
      const given = decodeDataVersion(body)
      routes.heard(clusterName, brokerAddr, clock.monotonicMs())
      const known = routes.dataVersionOf(clusterName, brokerAddr)
      if (known === undefined) return { header: { changed: true } }
      const changed = !sameDataVersion(known, given)
      return { header: { changed }, body: [encodeDataVersion(known)] }
    })
    .on(BROKER_HEARTBEAT, ({ clusterName, brokerAddr }) => {
      routes.heard(clusterName, brokerAddr, clock.monotonicMs())
      return {}
    })
}

type RegisterHeader = Header<typeof REGISTER_BROKER.tables.request>

function registrationOf(header: RegisterHeader, context: RequestContext): Registration<Connection> {
  const { body, connection, head } = context
  const { bodyCrc32 = 0 } = header
  if (bodyCrc32 !== 0 && bodyCrc32 !== registrationCrc32(body)) {
    throw new Refusal(responseCode.SYSTEM_ERROR, 'crc32 not match')
  }
  return {
    clusterName: header.clusterName,
    brokerName: header.brokerName,
    brokerAddr: header.brokerAddr,
    brokerId: header.brokerId,
    haServerAddr: header.haServerAddr,
    timeoutMs: header.heartbeatTimeoutMillis,
    enableActingMaster: header.enableActingMaster,
    zoneName: context.extra(ZONE_NAME),
    body: decodeRegisterBroker(body, head.version),
    link: connection,
  }
}

function report(logger: Logger, header: RegisterHeader, told: Registered): void {
  if (told.outcome === 'registered') {
    if (told.isNew) logger.info('A broker has registered.', brokerFields(header))
  } else {
    logger.warn('The registration of a broker was refused.', {
      ...brokerFields(header),
      ...told,
    })
  }
}

function brokerFields(
  header: Pick<RegisterHeader, 'clusterName' | 'brokerName' | 'brokerAddr' | 'brokerId'>,
) {
  const { clusterName, brokerName, brokerAddr, brokerId } = header
  return { clusterName, brokerName, brokerAddr, brokerId }
}

/** A superseded broker is answered like one that registered, but told nothing, as Apache does. */
function answerOf(told: Registered, header: RegisterHeader, parts: RegistrationParts) {
  if (told.outcome === 'registered') {
    const { brokerAddr: masterAddr, haServerAddr } = told.master ?? {}
    return { header: { masterAddr, haServerAddr }, ...orderedTopics(parts) }
  }
  if (told.outcome === 'superseded') return orderedTopics(parts)
  throw new Refusal(responseCode.SYSTEM_ERROR, remarkOf(told.outcome, header))
}

function orderedTopics({ config, settings }: RegistrationParts): { body?: Buffer[] } {
  if (!config.current.returnOrderTopicConfigToBroker) return {}
  const table = settings.list(ORDER_TOPIC_NAMESPACE)
  return table === undefined ? {} : { body: [encodeKvTable(table)] }
}

/** The remarks begin as Apache's does. */
function remarkOf(outcome: Refused, { brokerName }: RegisterHeader): string {
  const start = 'register broker failed'
  switch (outcome) {
    case 'full-registration-first':
      return `${start}: "${brokerName}" is unknown, so its first registration must name all its topics`
    case 'oversized':
      return (
        `${start}: a name in it is longer than ${MAX_NAME_CHARS} characters, ` +
        `or it has more than ${MAX_FILTER_SERVERS} filter servers`
      )
    case 'too-many-brokers':
      return `${start}: this name server keeps no more than ${MAX_BROKERS} brokers`
    case 'too-many-topics':
      return `${start}: this name server keeps no more than ${MAX_TOPIC_ROWS} topics of brokers`
  }
}
