/**
 * Puts groups to other offsets by an operator's word: by time, to one offset, to the end, or to where
 * another group is. Each change leaves a line in the log: who, which group and queue, from, to.
 * Source: Apache classes AdminBrokerProcessor, Broker2Client; `broker-api.md` section 11.
 */

import type { Logger } from '@rockhopper/host'
import {
  CLONE_GROUP_OFFSET,
  encodeCorrectionOffsets,
  encodeResetOffsets,
  encodeResetOffsetsForC,
  type Header,
  INVOKE_BROKER_TO_RESET_OFFSET,
  languageName,
  type MessageQueue,
  QUERY_CORRECTION_OFFSET,
  type QueueOffsets,
  RESET_CONSUMER_CLIENT_OFFSET,
  responseCode,
  type TopicConfig,
  versionName,
} from '@rockhopper/protocol'
import { Refusal, type Reply, type RequestContext, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import type { PeriodicallySavedTable } from '../services/table-files.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface ReplayParts {
  readonly clients: ClientTable
  readonly config: BrokerConfig
  readonly groups: GroupTable
  readonly logger: Logger
  readonly offsets: OffsetTable
  readonly saved: PeriodicallySavedTable
  readonly store: Store
  readonly topics: TopicTable
}

type ResetHeader = Header<typeof INVOKE_BROKER_TO_RESET_OFFSET.tables.request>
type CloneHeader = Header<typeof CLONE_GROUP_OFFSET.tables.request>
type CorrectionHeader = Header<typeof QUERY_CORRECTION_OFFSET.tables.request>

/** V3_0_7_SNAPSHOT: older clients know nothing of resets. Source: Apache class MQVersion. */
const FIRST_RESETTABLE_VERSION = 28

const CPP = 'CPP'

export function handleReplay(router: Router, parts: ReplayParts): void {
  router
    .on(INVOKE_BROKER_TO_RESET_OFFSET, (header, context) => {
      return parts.config.useServerSideResetOffset
        ? resetHere(header, context, parts)
        : resetAtClients(header, context, parts)
    })
    .on(CLONE_GROUP_OFFSET, (header, context) => clone(header, context, parts))
    .on(QUERY_CORRECTION_OFFSET, (header) => ({ body: [correctionsOf(header, parts)] }))
}

/** Resets the offsets at the broker: the next pull of each queue is told. */
async function resetHere(
  header: ResetHeader,
  context: RequestContext,
  parts: ReplayParts,
): Promise<Reply> {
  const { group, topic } = header
  const config = topicOf(topic, parts)
  if (parts.groups.get(group) === undefined) {
    throw new Refusal(
      responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
      `Group ${group} does not exist: no consumer of it was here, and nobody created it with ` +
        'mqadmin updateSubGroup',
    )
  }
  const targets = await targetsOf(header, config, parts)
  if (targets.length === 0) {
    throw new Refusal(responseCode.SYSTEM_ERROR, `No queues to reset: "${topic}" has none to read`)
  }
  for (const [{ queueId }, offset] of targets) {
    const from = parts.offsets.get(group, topic, queueId)
    parts.offsets.reset(group, topic, queueId, offset)
    audit('An offset was reset.', context, parts, { group, topic, queueId, from, to: offset })
  }
  await toDisk(parts)
  return { body: [encodeResetOffsets(targets)] }
}

/** The offsets asked for: of one queue, or of every queue that is read. */
async function targetsOf(
  { offset, queueId = -1, timestamp, topic }: ResetHeader,
  { readQueueNums }: TopicConfig,
  parts: ReplayParts,
): Promise<QueueOffsets> {
  const queueIds = queueId >= 0 ? [queueId] : Array.from({ length: readQueueNums }, (_, id) => id)
  const explicit = queueId >= 0 && offset !== undefined && offset !== -1 ? offset : undefined
  if (queueId >= 0) checkQueue(topic, queueId, readQueueNums)
  if (explicit !== undefined) checkOffset(topic, queueId, explicit, parts)
  const rows = queueIds.map(async (id) => {
    const target = explicit ?? (await offsetByTime(topic, id, timestamp, parts))
    return [queueOf(topic, id, parts), target] as const
  })
  return Promise.all(rows)
}

/** Below 0 stands for the end of the queue. */
async function offsetByTime(
  topic: string,
  queueId: number,
  timestamp: number,
  { store }: ReplayParts,
): Promise<number> {
  if (timestamp < 0) return store.queueBounds(topic, queueId).maxOffset
  return Math.max(0, await store.offsetByTime(topic, queueId, timestamp, 'lower'))
}

function checkQueue(topic: string, queueId: number, readQueues: number): void {
  if (queueId < readQueues) return
  throw new Refusal(
    responseCode.SYSTEM_ERROR,
    `queue ${queueId} of topic "${topic}" does not exist: it has ${readQueues} queues to read`,
  )
}

function checkOffset(topic: string, queueId: number, offset: number, { store }: ReplayParts): void {
  const { maxOffset, minOffset } = store.queueBounds(topic, queueId)
  if (offset >= minOffset && offset <= maxOffset + 1) return
  throw new Refusal(
    responseCode.SYSTEM_ERROR,
    `Target offset ${offset} not in consume queue range [${minOffset}-${maxOffset}]`,
  )
}

/** Tells the clients to go on elsewhere; they commit the offsets when they have stopped. */
async function resetAtClients(
  header: ResetHeader,
  context: RequestContext,
  parts: ReplayParts,
): Promise<Reply> {
  const { group, timestamp, topic } = header
  const targets = await clientTargetsOf(header, parts)
  const members = [...(parts.clients.consumersOf(group)?.members.values() ?? [])]
  if (members.length === 0) {
    throw new Refusal(
      responseCode.CONSUMER_NOT_ONLINE,
      `Consumer not online, so can not reset offset, Group: ${group} Topic: ${topic} ` +
        `Timestamp: ${timestamp}`,
    )
  }
  const old = members.find(({ version }) => version < FIRST_RESETTABLE_VERSION)
  if (old !== undefined) {
    throw new Refusal(
      responseCode.SYSTEM_ERROR,
      `the client does not support this feature. version=${versionName(old.version)}`,
    )
  }
  const forC = languageName(context.head.language) === CPP
  const body = [forC ? encodeResetOffsetsForC(targets) : encodeResetOffsets(targets)]
  const told = { topic, group, timestamp, queueId: -1, isForce: false }
  for (const { connection } of members) {
    connection.oneway(RESET_CONSUMER_CLIENT_OFFSET, told, body)
  }
  for (const [{ queueId }, to] of targets) {
    const from = parts.offsets.get(group, topic, queueId)
    const change = { group, topic, queueId, from, to, clients: members.length }
    audit('Clients were told to reset an offset.', context, parts, change)
  }
  return { body: [encodeResetOffsets(targets)] }
}

async function clientTargetsOf(
  { group, isForce, timestamp, topic }: ResetHeader,
  parts: ReplayParts,
): Promise<QueueOffsets> {
  const { writeQueueNums } = topicOf(topic, parts)
  const rows = Array.from({ length: writeQueueNums }, async (_, queueId) => {
    const present = parts.offsets.get(group, topic, queueId)
    if (present === undefined) {
      throw new Refusal(
        responseCode.SYSTEM_ERROR,
        `THe consumer group <${group}> not exist: it has no offset of queue ${queueId} of "${topic}"`,
      )
    }
    const target = await offsetByTime(topic, queueId, timestamp, parts)
    const offset = isForce === true ? target : Math.min(target, present)
    return [queueOf(topic, queueId, parts), offset] as const
  })
  return Promise.all(rows)
}

/** Always a success, as at Apache: what cannot be cloned is left out. */
async function clone(
  { destGroup, offline, srcGroup, topic = '' }: CloneHeader,
  context: RequestContext,
  parts: ReplayParts,
): Promise<Reply> {
  const { clients, offsets, topics } = parts
  const subscriptions = offline === true ? undefined : clients.consumersOf(srcGroup)?.subscriptions
  const wanted = topic.trim() === '' ? offsets.topicsOf(srcGroup) : [topic]
  for (const name of wanted) {
    if (topics.get(name) === undefined || subscriptions?.has(name) === false) continue
    for (const [queueId, to] of offsets.queuesOf(srcGroup, name)) {
      const from = offsets.get(destGroup, name, queueId)
      // Clients that are there would commit over it: they are told, as of a reset.
      if (clients.consumersOf(destGroup) === undefined) offsets.place(destGroup, name, queueId, to)
      else offsets.reset(destGroup, name, queueId, to)
      const change = { group: destGroup, topic: name, queueId, from, to, clonedFrom: srcGroup }
      audit('An offset was cloned.', context, parts, change)
    }
  }
  await toDisk(parts)
  return {}
}

/**
 * The least offset of any group in each queue; none where the compared group is behind it. Unlike
 * Apache's broker, this one does not forget the offsets of the groups that are left out.
 */
function correctionsOf(
  { compareGroup, filterGroups = '', topic }: CorrectionHeader,
  { offsets, store }: ReplayParts,
): Buffer {
  const leftOut = new Set(filterGroups.split(',').map((group) => group.trim()))
  const least = new Map<number, number | undefined>()
  for (const group of offsets.groupsOf(topic)) {
    if (leftOut.has(group)) continue
    for (const [queueId, offset] of offsets.queuesOf(group, topic)) {
      if (offset < store.queueBounds(topic, queueId).minOffset) continue
      least.set(queueId, Math.min(least.get(queueId) ?? offset, offset))
    }
  }
  for (const [queueId, offset] of offsets.queuesOf(compareGroup, topic)) {
    if ((least.get(queueId) ?? Number.POSITIVE_INFINITY) > offset) least.set(queueId, undefined)
  }
  return encodeCorrectionOffsets(least)
}

function topicOf(topic: string, { topics }: ReplayParts): TopicConfig {
  const config = topics.get(topic)
  if (config !== undefined) return config
  throw new Refusal(responseCode.TOPIC_NOT_EXIST, `Topic ${topic} does not exist`)
}

function queueOf(topic: string, queueId: number, { config }: ReplayParts): MessageQueue {
  return { topic, brokerName: config.brokerName, queueId }
}

/** A reset that was acknowledged survives the broker. */
async function toDisk({ saved }: ReplayParts): Promise<void> {
  try {
    await saved.save()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Refusal(
      responseCode.SERVICE_NOT_AVAILABLE,
      `the offsets are changed but not on disk (${reason}): make room or see to the disk, and ask ` +
        'again; no restart is needed',
    )
  }
}

/** The line's own time says when. */
function audit(
  sentence: string,
  { connection, head }: RequestContext,
  { clients, logger }: ReplayParts,
  change: Readonly<Record<string, unknown>>,
): void {
  const program = `${languageName(head.language)} ${versionName(head.version)}`
  const client = clients.idOf(connection)
  logger.info(sentence, { by: connection.remote, program, client, ...change })
}
