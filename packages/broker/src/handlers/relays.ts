/**
 * Passes an operator's questions on to a consumer and its answers back, as they are: their JSON has
 * keys that would not survive being read and written.
 * Source: Apache classes AdminBrokerProcessor, Broker2Client; `broker-api.md` sections 7 and 11.2.
 */

import type { Logger } from '@rockhopper/host'
import {
  CONSUME_MESSAGE_DIRECTLY,
  type Command,
  decodeClientOffsets,
  encodeConsumerStatus,
  type FieldTable,
  GET_CONSUMER_RUNNING_INFO,
  GET_CONSUMER_STATUS_FROM_CLIENT,
  type Header,
  INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
  parseOffsetMessageId,
  type QueueOffsets,
  responseCode,
  versionName,
} from '@rockhopper/protocol'
import { Refusal, type Reply, type Router, TimeoutError } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import { CLIENT_STATUS_TIMEOUT_MS, RELAY_TIMEOUT_MS } from '../limits.ts'
import type { ClientTable, ConsumerMember } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface RelayParts {
  readonly brokerName: string
  readonly clients: ClientTable
  readonly groups: GroupTable
  readonly logger: Logger
  readonly store: Store
  readonly topics: TopicTable
}

/** Versions from which clients answer. Source: Apache class MQVersion. */
const V3_0_7_SNAPSHOT = 28
const V3_1_8_SNAPSHOT = 62

export function handleRelays(router: Router, parts: RelayParts): void {
  router
    .on(GET_CONSUMER_RUNNING_INFO, (header) => {
      const { clientId, consumerGroup } = header
      const member = memberOf(consumerGroup, clientId, parts)
      return relay(member, consumerGroup, GET_CONSUMER_RUNNING_INFO, header)
    })
    .on(CONSUME_MESSAGE_DIRECTLY, async (header) => {
      const { clientId = '', consumerGroup } = header
      const member = memberOf(consumerGroup, clientId, parts)
      const told = {
        ...header,
        brokerName: parts.brokerName,
        topicSysFlag: parts.topics.get(header.topic ?? '')?.topicSysFlag ?? header.topicSysFlag,
        groupSysFlag: parts.groups.get(consumerGroup)?.groupSysFlag ?? header.groupSysFlag,
      }
      const record = await recordOf(header, parts)
      return relay(member, consumerGroup, CONSUME_MESSAGE_DIRECTLY, told, record)
    })
    .on(INVOKE_BROKER_TO_GET_CONSUMER_STATUS, async ({ clientAddr = '', group, topic }) => {
      const told = await statusOf(group, topic, clientAddr.trim(), parts)
      return { body: [encodeConsumerStatus(told)] }
    })
}

function memberOf(group: string, clientId: string, { clients }: RelayParts): ConsumerMember {
  const member = clients.consumer(group, clientId)
  if (member === undefined) {
    throw new Refusal(responseCode.SYSTEM_ERROR, `The Consumer <${group}> <${clientId}> not online`)
  }
  if (member.version >= V3_1_8_SNAPSHOT) return member
  throw new Refusal(
    responseCode.SYSTEM_ERROR,
    `The Consumer <${clientId}> Version <${versionName(member.version)}> too low to finish, ` +
      'please upgrade it to V3_1_8_SNAPSHOT',
  )
}

/** The client's answer, its code and its remark included. */
async function relay<Q extends FieldTable>(
  { clientId, connection }: ConsumerMember,
  group: string,
  command: Command<Q>,
  header: Header<Q>,
  record?: Buffer,
): Promise<Reply> {
  const body = record === undefined ? [] : [record]
  try {
    const options = { body, timeoutMs: RELAY_TIMEOUT_MS }
    const { body: answer, code, remark } = await connection.call(command, header, options)
    return { code, remark, body: [answer] }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (error instanceof TimeoutError) {
      throw new Refusal(
        responseCode.CONSUME_MSG_TIMEOUT,
        `consumer <${group}> <${clientId}> Timeout: ${reason}`,
      )
    }
    throw new Refusal(
      responseCode.SYSTEM_ERROR,
      `invoke consumer <${group}> <${clientId}> Exception: ${reason}`,
    )
  }
}

/**
 * The message by its offset id, or by its unique key. Both are hexadecimal, so that the place an id
 * seems to name must hold a message of the topic asked for.
 */
async function recordOf(
  { msgId = '', topic }: Header<typeof CONSUME_MESSAGE_DIRECTLY.tables.request>,
  { store }: RelayParts,
): Promise<Buffer> {
  const place = parseOffsetMessageId(msgId)
  const found = place === undefined ? undefined : await store.messageAt(place.logOffset)
  if (found !== undefined) return found
  if (topic !== undefined && topic !== '') {
    const everything = { beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER, maxMessages: 1 }
    const { records } = await store.queryByKey(topic, msgId, everything)
    const [newest] = records.slice(-1)
    if (newest !== undefined) return Buffer.from(newest)
  }
  throw new Refusal(
    responseCode.SYSTEM_ERROR,
    `there is no message with the id "${msgId}" at this broker: look it up with mqadmin ` +
      'queryMsgById, and ask the broker that has it',
  )
}

/** Offsets as each client of the group has them, or only the one named; silent ones are left out. */
async function statusOf(
  group: string,
  topic: string,
  clientId: string,
  { clients, logger }: RelayParts,
): Promise<Map<string, QueueOffsets>> {
  const members = [...(clients.consumersOf(group)?.members.values() ?? [])]
  if (members.length === 0) {
    throw new Refusal(
      responseCode.SYSTEM_ERROR,
      `No Any Consumer online in the consumer group: [${group}]`,
    )
  }
  const old = members.find(({ version }) => version < V3_0_7_SNAPSHOT)
  if (old !== undefined) {
    throw new Refusal(
      responseCode.SYSTEM_ERROR,
      `the client does not support this feature. version=${versionName(old.version)}`,
    )
  }
  const asked = members.filter((member) => clientId === '' || member.clientId === clientId)
  const rows = asked.map(async (member): Promise<[string, QueueOffsets][]> => {
    try {
      const options = { timeoutMs: CLIENT_STATUS_TIMEOUT_MS }
      const { connection } = member
      const header = { topic, group }
      const answer = await connection.call(GET_CONSUMER_STATUS_FROM_CLIENT, header, options)
      if (answer.code !== responseCode.SUCCESS) return []
      return [[member.clientId, decodeClientOffsets(answer.body)]]
    } catch (error) {
      logger.warn('A client did not tell its offsets.', { group, client: member.clientId, error })
      return []
    }
  })
  return new Map((await Promise.all(rows)).flat())
}
