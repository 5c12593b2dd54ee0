/** Reads messages of a topic without consuming them: no offset of any group moves. */
import {
  type Command,
  type FieldTable,
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  type Header,
  type MessageQueue,
  PULL_MESSAGE,
  pullFlag,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
  scanRecord,
  type TopicRouteData,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { type SeenMessage, seenMessage } from './message.ts'
import { addressesOf, topicRoute } from './topic-route.ts'

/** Messages asked for by one pull. */
const PULL_MESSAGES = 32

export interface ReadScope {
  readonly topic: string
  /** Only this broker. */
  readonly brokerName?: string | undefined
  /** Only this queue of the broker. */
  readonly queueId?: number | undefined
  /** Start here in the queue. */
  readonly offset?: number | undefined
  /** Only messages stored at or after this time, ms since 1970. */
  readonly beginMs?: number | undefined
  /** Only messages stored at or before this time, ms since 1970. */
  readonly endMs?: number | undefined
  /** Most messages of each queue. */
  readonly count: number
  /** Group in whose name is read. */
  readonly group: string
}

/** What was read of one queue. */
export interface ReadQueue {
  readonly queue: MessageQueue
  /** Whether the queue has more messages in the scope than were asked for. */
  readonly more: boolean
  readonly messages: readonly SeenMessage[]
}

/** Rejects with `AdminError` when there is no such topic, broker or queue. */
export async function readMessages(client: AdminClient, scope: ReadScope): Promise<ReadQueue[]> {
  const queues = queuesOf(await topicRoute(client, scope.topic), scope)
  const read: ReadQueue[] = []
  for (const queue of queues) read.push(await readQueue(client, queue, scope))
  return read
}

interface PlacedQueue extends MessageQueue {
  readonly address: string
}

function queuesOf(route: TopicRouteData, scope: ReadScope): PlacedQueue[] {
  const { topic, brokerName, queueId } = scope
  const all = addressesOf(route).flatMap(({ brokerName: name, address }) => {
    const data = route.queueDatas.find((queue) => queue.brokerName === name)
    return Array.from({ length: data?.readQueueNums ?? 0 }, (_, id) => ({
      ...{ topic, brokerName: name, queueId: id, address },
    }))
  })
  const wanted = all.filter(
    (queue) =>
      (brokerName === undefined || queue.brokerName === brokerName) &&
      (queueId === undefined || queue.queueId === queueId),
  )
  if (wanted.length > 0) return wanted
  const known = [...new Set(all.map((queue) => queue.brokerName))]
    .map((name) => `${all.filter((queue) => queue.brokerName === name).length} on ${name}`)
    .join(', ')
  throw new AdminError(`The topic "${topic}" has no such queue: it has ${known || 'none'}.`)
}

async function readQueue(
  client: AdminClient,
  placed: PlacedQueue,
  scope: ReadScope,
): Promise<ReadQueue> {
  const { address, ...queue } = placed
  const [start, end] = await boundsOf(client, placed, scope)
  const messages: SeenMessage[] = []
  let next = start
  while (next < end && messages.length < scope.count) {
    const batch = await pull(client, placed, next, scope)
    if (batch.messages.some((message) => isBehind(message, scope))) {
      messages.push(...batch.messages.filter((message) => isWithin(message, scope)))
      return { queue, more: false, messages: messages.slice(0, scope.count) }
    }
    messages.push(...batch.messages.filter((message) => isWithin(message, scope)))
    if (batch.nextOffset <= next) break
    next = batch.nextOffset
  }
  const more = messages.length > scope.count || (messages.length === scope.count && next < end)
  return { queue, more, messages: messages.slice(0, scope.count) }
}

function isWithin(message: SeenMessage, { beginMs, endMs }: ReadScope): boolean {
  return message.storeTimestamp >= (beginMs ?? 0) && message.storeTimestamp <= (endMs ?? Infinity)
}

function isBehind(message: SeenMessage, { endMs }: ReadScope): boolean {
  return message.storeTimestamp > (endMs ?? Infinity)
}

/** First offset to read, and the one behind the last. */
async function boundsOf(
  client: AdminClient,
  { address, topic, queueId }: PlacedQueue,
  { offset, beginMs }: ReadScope,
): Promise<[number, number]> {
  const ask = async <Q extends FieldTable>(
    command: Command<Q, { offset: FieldTable[string] }>,
    header: Header<Q>,
  ): Promise<number> => Number((await client.askBroker(address, command, header)).header().offset)
  const end = await ask(GET_MAX_OFFSET, { topic, queueId })
  if (offset !== undefined) return [offset, end]
  if (beginMs === undefined) return [await ask(GET_MIN_OFFSET, { topic, queueId }), end]
  return [await ask(SEARCH_OFFSET_BY_TIMESTAMP, { topic, queueId, timestamp: beginMs }), end]
}

interface Batch {
  readonly messages: readonly SeenMessage[]
  readonly nextOffset: number
}

async function pull(
  client: AdminClient,
  { address, brokerName, topic, queueId }: PlacedQueue,
  queueOffset: number,
  { group, count }: ReadScope,
): Promise<Batch> {
  const answer = await client.callBroker(address, PULL_MESSAGE, {
    consumerGroup: group,
    topic,
    queueId,
    queueOffset,
    maxMsgNums: Math.min(PULL_MESSAGES, count),
    sysFlag: pullFlag.subscription,
    commitOffset: 0,
    suspendTimeoutMillis: 0,
    subscription: '*',
    subVersion: client.host.clock.nowMs(),
    expressionType: 'TAG',
  })
  switch (answer.code) {
    case responseCode.SUCCESS:
      return {
        messages: messagesIn(answer.body, brokerName),
        nextOffset: answer.header().nextBeginOffset,
      }
    case responseCode.PULL_NOT_FOUND:
    case responseCode.PULL_RETRY_IMMEDIATELY:
    case responseCode.PULL_OFFSET_MOVED:
      return { messages: [], nextOffset: answer.header().nextBeginOffset }
    default:
      throw new AdminError(
        `The broker at ${address} refused: CODE: ${answer.code}  DESC: ${answer.remark ?? ''}`,
      )
  }
}

/** Records lie one behind the other in the body. */
function messagesIn(body: Buffer, brokerName: string): SeenMessage[] {
  const messages: SeenMessage[] = []
  let at = 0
  while (at < body.length) {
    const scanned = scanRecord(body, at, false)
    if (scanned.kind !== 'record') break
    messages.push(seenMessage(scanned.record, brokerName))
    at += scanned.record.sizeBytes
  }
  return messages
}
