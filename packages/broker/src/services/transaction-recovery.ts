/**
 * Finds out, at the start, which transactions are open: those of half messages that no op message
 * tells of. What was committed or given up shortly before the process was killed may not be told of
 * yet: then the copies that were made of it are in the log behind the last op message. Owns nothing.
 *
 *   half queue   ….h1 h2 h3 h4          op message: h1, h3        killed
 *   log          h1 h2 c1 h3 c3 h4 | op(h1 h3) | c4 …             ^        c4: committed copy of h4
 */
import type { Clock, Logger } from '@rockhopper/host'
import { isCommitted, type StoredRecord } from '@rockhopper/protocol'
import { CorruptionError, type Store } from '@rockhopper/store'
import {
  GIVEN_UP_TOPIC,
  HALF_QUEUE,
  HALF_TOPIC,
  type Half,
  type HalfPlace,
  halfOf,
} from '../rules/half-message.ts'
import { OP_QUEUE, OP_TOPIC, opOf } from '../rules/op-message.ts'
import { TRANSACTION_GROUP } from '../rules/system-topics.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { OpenTransactions } from '../tables/transactions.ts'
import type { OpLog } from './op-log.ts'
import { type QueueStretch, queueRecords } from './queue-records.ts'

export interface RecoveryParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Store
  readonly offsets: OffsetTable
  readonly transactions: OpenTransactions
  readonly ops: OpLog
  /** How long a transaction waits before its producer is first asked, and between two times. */
  readonly firstCheckMs: number
  readonly nextCheckMs: number
}

/** A transaction as the queue of half messages has it. */
interface Found {
  readonly first: number
  newest: HalfPlace
  storeTimestamp: number
}

/** What the queues tell. */
interface FoundAll {
  readonly open: Map<number, Found>
  /** Transactions by the log offsets of their copies. */
  readonly byLogOffset: ReadonlyMap<number, number>
  /** The log before it tells nothing that the queues do not. */
  readonly completeTo: number
}

/** Fills the tables; when the signal aborts, that was not done. Rejects with `DiskError`. */
export async function recoverTransactions(
  parts: RecoveryParts,
  signal: AbortSignal,
): Promise<void> {
  const halves = stretchOf(HALF_TOPIC, HALF_QUEUE, parts)
  const { completeTo, over } = await readOps(parts, signal)
  const found = await readHalves(halves, over, completeTo, parts, signal)
  await readLog(found, parts, signal)
  if (signal.aborted) return
  for (const transaction of byPlace(found.open)) open(transaction, parts)
  parts.transactions.beginAt(halves.to)
}

/** What the group of transactions has not consumed; an offset that its queue has not is corrected. */
function stretchOf(
  topic: string,
  queueId: number,
  { offsets, store }: RecoveryParts,
): QueueStretch {
  const { maxOffset, minOffset } = store.queueBounds(topic, queueId)
  const saved = offsets.get(TRANSACTION_GROUP, topic, queueId) ?? minOffset
  const from = Math.max(minOffset, Math.min(saved, maxOffset))
  return { topic, queueId, from, to: maxOffset }
}

async function readOps(
  parts: RecoveryParts,
  signal: AbortSignal,
): Promise<{ over: Set<number>; completeTo: number }> {
  const over = new Set<number>()
  let completeTo = 0
  for await (const record of queueRecords(stretchOf(OP_TOPIC, OP_QUEUE, parts), parts)) {
    if (signal.aborted) break
    const { halfOffsets, isComplete, isSuperseded } = opOf(record)
    if (!isSuperseded) for (const offset of halfOffsets) over.add(offset)
    parts.ops.found(record.queueOffset, halfOffsets)
    // Another broker's op message may leave something to tell to the next.
    completeTo = isComplete ? record.logOffset : 0
  }
  return { over, completeTo }
}

async function readHalves(
  stretch: QueueStretch,
  over: ReadonlySet<number>,
  completeTo: number,
  parts: RecoveryParts,
  signal: AbortSignal,
): Promise<FoundAll> {
  const open = new Map<number, Found>()
  const byLogOffset = new Map<number, number>()
  const ended = new Set<number>()
  for await (const record of queueRecords(stretch, parts)) {
    if (signal.aborted) break
    const { logOffset, queueOffset, storeTimestamp } = record
    const { first }: Half = halfOf(record)
    byLogOffset.set(logOffset, first)
    if (over.has(queueOffset)) ended.add(first)
    const known = open.get(first)
    const newest = { queueOffset, logOffset }
    if (known === undefined) open.set(first, { first, newest, storeTimestamp })
    else {
      parts.transactions.supersede(known.newest.queueOffset)
      known.newest = newest
      known.storeTimestamp = storeTimestamp
    }
  }
  for (const first of ended) open.delete(first)
  return { open, byLogOffset, completeTo }
}

/** Ends what the log says is over, and has it written down. */
async function readLog(
  { byLogOffset, completeTo, open }: FoundAll,
  { logger, ops, store }: RecoveryParts,
  signal: AbortSignal,
): Promise<void> {
  const [oldest] = byPlace(open)
  if (oldest === undefined) return
  try {
    for await (const record of store.records(Math.max(completeTo, oldest.newest.logOffset))) {
      if (signal.aborted) return
      const first = isEnd(record) ? byLogOffset.get(record.preparedTransactionOffset) : undefined
      const ended = first === undefined ? undefined : open.get(first)
      if (ended === undefined) continue
      open.delete(ended.first)
      ops.note(ended.newest.queueOffset)
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    const sentence =
      'The commit log is damaged behind the last note of which transactions are over: some may be ' +
      'committed twice.'
    logger.error(sentence, { error })
  }
}

/** Whether a record is what a transaction became in the end. */
function isEnd(record: Pick<StoredRecord, 'sysFlag' | 'topic'>): boolean {
  return isCommitted(record.sysFlag) || record.topic === GIVEN_UP_TOPIC
}

function open({ first, newest, storeTimestamp }: Found, parts: RecoveryParts): void {
  const { clock, firstCheckMs, nextCheckMs, transactions } = parts
  const waitsFor = (ms: number): number => {
    return Math.max(0, Math.min(ms, storeTimestamp + ms - clock.nowMs()))
  }
  if (first === newest.queueOffset) transactions.open(newest, waitsFor(firstCheckMs))
  else transactions.reopen(first, newest, waitsFor(nextCheckMs))
}

function byPlace(open: ReadonlyMap<number, Found>): Found[] {
  return [...open.values()].sort((one, other) => one.newest.queueOffset - other.newest.queueOffset)
}
