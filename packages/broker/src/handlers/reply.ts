/**
 * SEND_REPLY_MESSAGE and SEND_REPLY_MESSAGE_V2: a consumer answers a message that was sent as a
 * request. The reply is pushed to the client that waits for it, and stored for those who look it up.
 * Source: Apache class ReplyMessageProcessor; `broker-api.md` sections 3.5 and 7.7.
 */
import type { Clock, Logger, Random } from '@rockhopper/host'
import {
  findProperty,
  type Header,
  type HostAddress,
  ipText,
  isSendForbidden,
  offsetMessageId,
  PUSH_REPLY_MESSAGE_TO_CLIENT,
  propertyPair,
  responseCode,
  SEND_REPLY_MESSAGE,
  SEND_REPLY_MESSAGE_V2,
  type TopicConfig,
} from '@rockhopper/protocol'
import { Refusal, type Reply, type RequestContext, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { RELAY_TIMEOUT_MS } from '../limits.ts'
import { demandTopicForSend } from '../rules/new-topic.ts'
import { queueFor } from '../rules/queue-choice.ts'
import { type SendProperties, walkSendProperties } from '../rules/send-properties.ts'
import { DEFAULT_TOPIC } from '../rules/system-topics.ts'
import type { SavedTable } from '../services/table-files.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { PeerHosts } from '../tables/peer-hosts.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface ReplyParts {
  readonly clients: ClientTable
  readonly clock: Clock
  readonly config: BrokerConfig
  readonly logger: Logger
  readonly offsetIdPrefix: string
  readonly peers: PeerHosts
  readonly random: Random
  readonly savedTopics: SavedTable
  readonly store: Store
  readonly storeHost: HostAddress
  readonly topics: TopicTable
  readonly traffic: TrafficCounters
}

type ReplyHeader = Header<typeof SEND_REPLY_MESSAGE.tables.request>
type ReplyAnswer = Reply<typeof SEND_REPLY_MESSAGE.tables.answer>
type PushHeader = Header<typeof PUSH_REPLY_MESSAGE_TO_CLIENT.tables.request>

/** What is answered where nothing was stored, as in Apache. */
const NOT_STORED = { msgId: '0', queueOffset: 0 }

const NO_PROPERTIES = Buffer.alloc(0)

export function handleReplies(router: Router, parts: ReplyParts): void {
  const handle = (header: ReplyHeader, context: RequestContext) => pass(header, context, parts)
  router.on(SEND_REPLY_MESSAGE, handle).on(SEND_REPLY_MESSAGE_V2, handle)
}

/** The answer tells of the push: a reply that reached nobody is stored all the same. */
async function pass(
  header: ReplyHeader,
  context: RequestContext,
  parts: ReplyParts,
): Promise<ReplyAnswer> {
  const { config, store } = parts
  const queueId = queueOf(header, parts)
  const sent = walkSendProperties(header.properties ?? NO_PROPERTIES)
  // A view into received bytes: the push outlives it.
  const body = Buffer.from(context.body)
  const pushing = push(header, body, sent, context, parts)
  const kept = config.storeReplyMessageEnable
    ? keep(header, queueId, body, sent, context, parts)
    : undefined
  if (kept !== undefined) await store.settled(kept.endOffset, { waitForFlush: sent.waitStored })
  if (!parts.savedTopics.isUpToDate) await parts.savedTopics.upToDate()
  const problem = await pushing
  const { brokerName, regionId, traceOn } = config
  const { msgId, queueOffset } = kept ?? NOT_STORED
  const answer = { msgId, queueId, queueOffset, regionId, traceOn: String(traceOn) }
  if (problem === undefined) return { header: answer }
  const { logger } = parts
  logger.debug('A reply did not reach who waits for it.', { brokerName, problem, msgId })
  return { code: responseCode.SYSTEM_ERROR, remark: problem, header: answer }
}

function queueOf(header: ReplyHeader, parts: ReplyParts): number {
  const { queueId, topic } = header
  const known = parts.topics.get(topic) ?? createTopic(header, parts)
  if (isSendForbidden(topic)) {
    const sentence = `Sending message to topic[${topic}] is forbidden: only the broker writes it`
    throw new Refusal(responseCode.NO_PERMISSION, sentence)
  }
  return queueFor(known, queueId, parts.random)
}

/** Replies in a namespace of Java have a topic of their own, which the first one makes. */
function createTopic(header: ReplyHeader, { config, topics }: ReplyParts): TopicConfig {
  const template = topics.get(header.defaultTopic ?? DEFAULT_TOPIC)
  const { autoCreateTopicEnable } = config
  const created = demandTopicForSend(header, template, topics.hasRoom, autoCreateTopicEnable)
  topics.put(created)
  return created
}

/** Hands the reply to the client that its request came from; the sentence says why it could not. */
async function push(
  header: ReplyHeader,
  body: Buffer,
  sent: SendProperties,
  { connection: from }: RequestContext,
  { clients, clock, peers, storeHost }: ReplyParts,
): Promise<string | undefined> {
  const clientId = findProperty(header.properties ?? NO_PROPERTIES, 'REPLY_TO_CLIENT')
  if (clientId === undefined) return 'reply message properties[REPLY_TO_CLIENT] is null'
  const connection = clients.producer(clientId)
  if (connection === undefined) {
    return `push reply message fail, channel of <${clientId}> not found.`
  }
  const pushed = propertyPair('PUSH_REPLY_TIME', String(clock.nowMs()))
  const told = {
    ...pushHeader(header),
    properties: Buffer.concat([...sent.kept, pushed]),
    bornHost: textOf(peers.of(from)),
    storeHost: textOf(storeHost),
    storeTimestamp: clock.nowMs(),
  }
  try {
    const options = { body: [body], timeoutMs: RELAY_TIMEOUT_MS }
    const { code, remark } = await connection.call(PUSH_REPLY_MESSAGE_TO_CLIENT, told, options)
    if (code === responseCode.SUCCESS) return undefined
    return `push reply message to ${clientId} fail. It answered code ${code}: ${remark ?? 'no word'}`
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return `push reply message to ${clientId} fail. ${reason}`
  }
}

/** Java's clients take no header in which one of these is missing. */
function pushHeader(header: ReplyHeader): PushHeader {
  const { defaultTopic, producerGroup, queueId, topic } = header
  return {
    ...{ producerGroup: producerGroup ?? '', topic, defaultTopic: defaultTopic ?? '', queueId },
    defaultTopicQueueNums: header.defaultTopicQueueNums ?? 0,
    sysFlag: header.sysFlag ?? 0,
    bornTimestamp: header.bornTimestamp ?? 0,
    flag: header.flag ?? 0,
    reconsumeTimes: header.reconsumeTimes ?? 0,
    unitMode: header.unitMode ?? false,
  }
}

function textOf({ ip, port }: HostAddress): string {
  return `${ipText(ip)}:${port}`
}

/** Stores the reply; undefined when the store does not take it, of which its sender is not told. */
function keep(
  header: ReplyHeader,
  queueId: number,
  body: Buffer,
  { kept, tagsCode }: SendProperties,
  { connection }: RequestContext,
  { logger, offsetIdPrefix, peers, store, storeHost, traffic }: ReplyParts,
):
  | { readonly endOffset: number; readonly msgId: string; readonly queueOffset: number }
  | undefined {
  const { topic } = header
  const outcome = store.append({
    ...{ topic, queueId, body, properties: kept, tagsCode, storeHost },
    sysFlag: header.sysFlag ?? 0,
    bornTimestamp: header.bornTimestamp ?? 0,
    bornHost: peers.of(connection),
    reconsumeTimes: header.reconsumeTimes ?? 0,
    preparedTransactionOffset: 0,
    flag: header.flag ?? 0,
  })
  if (outcome.kind !== 'appended') {
    logger.warn('A reply was not stored.', { topic, reason: outcome.reason })
    return undefined
  }
  traffic.notePut(topic, 1, body.length)
  const { endOffset, logOffset, queueOffset } = outcome
  return { endOffset, msgId: offsetMessageId(offsetIdPrefix, logOffset), queueOffset }
}
