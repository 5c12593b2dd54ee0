/**
 * Reads records of a topic straight from its brokers: no offset of any group moves.
 */
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
  type StoredRecord,
  scanRecord,
  type TopicRouteData,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { addressesOf } from './topic-route.ts'

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

/** A queue and the address of its broker. */
export interface PlacedQueue extends MessageQueue {
  readonly address: string
}

/** The queues in a scope. Throws `AdminError` when there are none. */
export function queuesOf(route: TopicRouteData, scope: ReadScope): PlacedQueue[] {
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

/**
 * The records of a queue in a scope, batch by batch as brokers give them; `next` is the offset behind
 * the batch. Ends before the first record that is too young.
 */
export async function* recordsOf(
  client: AdminClient,
  placed: PlacedQueue,
  scope: ReadScope,
): AsyncGenerator<Batch & { readonly end: number }> {
  const [start, end] = await boundsOf(client, placed, scope)
  for (let next = start; next < end; ) {
    const batch = await pull(client, placed, next, scope)
    const young = batch.records.findIndex((record) => isBehind(record, scope))
    const known = young === -1 ? batch.records : batch.records.slice(0, young)
    const records = known.filter((record) => isWithin(record, scope))
    const isLast = young !== -1 || batch.next <= next
    yield { records, next: batch.next, end: isLast ? batch.next : end }
    if (isLast) return
    next = batch.next
  }
}

function isWithin({ storeTimestamp }: StoredRecord, { beginMs, endMs }: ReadScope): boolean {
  return storeTimestamp >= (beginMs ?? 0) && storeTimestamp <= (endMs ?? Number.POSITIVE_INFINITY)
}

function isBehind({ storeTimestamp }: StoredRecord, { endMs }: ReadScope): boolean {
  return storeTimestamp > (endMs ?? Number.POSITIVE_INFINITY)
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

export interface Batch {
  readonly records: readonly StoredRecord[]
  /** Offset behind the batch. */
  readonly next: number
}

async function pull(
  client: AdminClient,
  { address, topic, queueId }: PlacedQueue,
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
        records: recordsIn(answer.body),
        next: answer.header().nextBeginOffset,
      }
    case responseCode.PULL_NOT_FOUND:
    case responseCode.PULL_RETRY_IMMEDIATELY:
    case responseCode.PULL_OFFSET_MOVED:
      return { records: [], next: answer.header().nextBeginOffset }
    default:
      throw new AdminError(
        `The broker at ${address} refused: CODE: ${answer.code}  DESC: ${answer.remark ?? ''}`,
      )
  }
}

/** Records lie one behind the other in the body. */
export function recordsIn(body: Buffer): StoredRecord[] {
  const records: StoredRecord[] = []
  let at = 0
  while (at < body.length) {
    const scanned = scanRecord(body, at, false)
    if (scanned.kind !== 'record') break
    records.push(scanned.record)
    at += scanned.record.sizeBytes
  }
  return records
}
