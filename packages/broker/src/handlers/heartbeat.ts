/**
 * HEART_BEAT, UNREGISTER_CLIENT and GET_CONSUMER_LIST_BY_GROUP: clients make themselves known,
 * leave, and ask who else is there.
 * Source: Apache classes ClientManageProcessor, ConsumerManageProcessor; `broker-api.md` section 6.
 */
import {
  type ConsumerData,
  decodeHeartbeat,
  encodeConsumerIds,
  GET_CONSUMER_LIST_BY_GROUP,
  groupNameProblem,
  HEART_BEAT,
  type HeartbeatData,
  responseCode,
  retryTopicOf,
  UNREGISTER_CLIENT,
} from '@rockhopper/protocol'
import { Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { BrokerConfig } from '../config.ts'
import { MAX_GROUPS_PER_HEARTBEAT } from '../limits.ts'
import { shortBody } from '../rules/json-body.ts'
import { retryTopic } from '../rules/new-topic.ts'
import type { Membership } from '../services/membership.ts'
import type { SubscriptionGuard } from '../services/subscription-guard.ts'
import type { ClientTable, Identity } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface HeartbeatParts {
  readonly config: BrokerConfig
  readonly clients: ClientTable
  readonly groups: GroupTable
  readonly topics: TopicTable
  readonly membership: Membership
  readonly guard: SubscriptionGuard
}

export function handleHeartbeats(router: Router, parts: HeartbeatParts): void {
  const { clients, membership } = parts
  router
    .on(HEART_BEAT, (_header, context) => {
      register(decode(context.body), context, parts)
      return { extra: { IS_SUPPORT_HEART_BEAT_V2: 'false', IS_SUB_CHANGE: 'true' } }
    })
    .on(UNREGISTER_CLIENT, ({ producerGroup, consumerGroup }, { connection }) => {
      if (producerGroup !== undefined) clients.removeProducer(producerGroup, connection)
      if (consumerGroup !== undefined && clients.removeConsumer(consumerGroup, connection)) {
        membership.changed(consumerGroup)
      }
      return {}
    })
    .on(GET_CONSUMER_LIST_BY_GROUP, ({ consumerGroup }) => {
      const members = clients.consumersOf(consumerGroup)?.members
      if (members === undefined) {
        throw new Refusal(
          responseCode.SYSTEM_ERROR,
          `no consumer for this group, ${consumerGroup}: none has sent a heartbeat to this broker`,
        )
      }
      const ids = new Set([...members.values()].map(({ clientId }) => clientId))
      return { body: [encodeConsumerIds([...ids])] }
    })
}

function decode(body: Buffer): HeartbeatData {
  const heartbeat = decodeHeartbeat(shortBody(body))
  const count = heartbeat.consumerDataSet.length + heartbeat.producerDataSet.length
  if (heartbeat.clientID === '') {
    throw new Refusal(responseCode.INVALID_PARAMETER, 'the heartbeat has no clientID')
  }
  if (count <= MAX_GROUPS_PER_HEARTBEAT) return heartbeat
  throw new Refusal(
    responseCode.INVALID_PARAMETER,
    `the heartbeat names ${count} groups, ${MAX_GROUPS_PER_HEARTBEAT} are possible`,
  )
}

function register(heartbeat: HeartbeatData, context: RequestContext, parts: HeartbeatParts): void {
  const member = {
    clientId: heartbeat.clientID,
    connection: context.connection,
    language: context.head.language,
    version: context.head.version,
  }
  for (const { groupName } of heartbeat.producerDataSet) {
    parts.clients.putProducer(groupName, member)
  }
  const refusals = heartbeat.consumerDataSet.flatMap((consumer) => {
    return registerConsumer(consumer, member, !heartbeat.withoutSub, parts) ?? []
  })
  if (refusals.length > 0) throw new Refusal(responseCode.NO_PERMISSION, refusals.join('; '))
}

/**
 * A group that may not be created is left out without an error, as Apache does. The result says why
 * the client may not be a member of its group.
 */
function registerConsumer(
  consumer: ConsumerData,
  member: Identity,
  withSubscriptions: boolean,
  { clients, config, groups, guard, membership, topics }: HeartbeatParts,
): string | undefined {
  const { groupName } = consumer
  if (groupNameProblem(groupName) !== undefined) return undefined
  const group = groups.obtain(groupName, config.autoCreateSubscriptionGroup)
  if (group === undefined) return undefined
  const topic = retryTopicOf(groupName)
  if (topics.get(topic) === undefined && topics.hasRoom) {
    topics.put(retryTopic(topic, Math.max(1, group.retryQueueNums)))
  }
  const refusal = withSubscriptions ? guard.refusal(consumer, member) : undefined
  const changed =
    refusal === undefined
      ? clients.putConsumer(consumer, member, withSubscriptions)
      : clients.removeConsumer(groupName, member.connection)
  if (changed) membership.changed(groupName)
  return refusal
}
