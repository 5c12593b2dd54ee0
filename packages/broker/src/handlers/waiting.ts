/**
 * LIST_PENDING_TIMERS and LIST_OPEN_TRANSACTIONS: an operator looks at messages that nobody sees yet.
 * Nothing is changed. Ours only.
 */
import type { Clock } from '@rockhopper/host'
import {
  decodeProperties,
  encodeListedTimers,
  encodeListedTransactions,
  encodeRecallHandle,
  LIST_OPEN_TRANSACTIONS,
  LIST_PENDING_TIMERS,
  type ListedTimer,
  type ListedTransaction,
  readRecord,
  type StoredRecord,
} from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import { CorruptionError, type Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { MAX_LISTED, MAX_LOOKED_THROUGH } from '../limits.ts'
import { halfOf } from '../rules/half-message.ts'
import { recallKey, type TimerRules } from '../rules/timed.ts'
import type { Transactions } from '../services/transactions.ts'
import type { PendingTimer, PendingTimers } from '../tables/pending-timers.ts'

export interface WaitingParts {
  readonly clock: Clock
  readonly config: BrokerConfig
  readonly store: Store
  readonly timers: PendingTimers
  readonly timerRules: TimerRules
  readonly transactions: Transactions
}

const DEFAULT_COUNT = 100

export function handleWaiting(router: Router, parts: WaitingParts): void {
  router
    .on(LIST_PENDING_TIMERS, async ({ maxCount, topic = '' }) => {
      return { body: [encodeListedTimers(await timersOf(topic, countOf(maxCount), parts))] }
    })
    .on(LIST_OPEN_TRANSACTIONS, async ({ maxCount, producerGroup = '' }) => {
      const listed = await transactionsOf(producerGroup, countOf(maxCount), parts)
      return { body: [encodeListedTransactions(listed)] }
    })
}

function countOf(asked: number = DEFAULT_COUNT): number {
  return Math.max(1, Math.min(asked, MAX_LISTED))
}

async function timersOf(topic: string, maxCount: number, parts: WaitingParts) {
  const { store, timers } = parts
  const countsByTopic = Object.fromEntries(timers.countsByTopic())
  const { count } = timers
  const found: PendingTimer[] = []
  const recalls: PendingTimer[] = []
  let looks = 0
  for (const timer of timers.earliest()) {
    if (found.length >= maxCount || ++looks > MAX_LOOKED_THROUGH) break
    if (topic !== '' && timer.realTopic !== topic) continue
    const chosen = timer.isRecall ? recalls : found
    chosen.push(timer)
  }
  const hasMore = looks < count
  const calledOff = new Set<string>()
  for (const { logOffset } of recalls.slice(0, MAX_LISTED)) {
    const record = await recordAt(store, logOffset)
    const key = record && decodeProperties(record.properties).get('TIMER_DEL_UNIQKEY')
    if (key !== undefined) calledOff.add(key)
  }
  const listed: ListedTimer[] = []
  for (const { logOffset, wakeMs } of found) {
    const record = await recordAt(store, logOffset)
    if (record !== undefined) listed.push(timerOf(record, wakeMs, calledOff, parts))
  }
  return { count, countsByTopic, timers: listed, hasMore }
}

function timerOf(
  record: StoredRecord,
  wakeMs: number,
  calledOff: ReadonlySet<string>,
  { config: { brokerName }, timerRules }: WaitingParts,
): ListedTimer {
  const properties = decodeProperties(record.properties)
  const waiting = waitingOf(record, properties)
  const { topic, uniqueKey } = waiting
  const slotMs = Number(properties.get('TIMER_OUT_MS') ?? wakeMs)
  return {
    // What is due within a slot is delivered when the slot is over.
    dueTimestamp: slotMs + timerRules.precisionMs,
    ...waiting,
    isRecalled: calledOff.has(recallKey(topic, uniqueKey)),
    // The start of a slot belongs to the one before: what has this time comes into the same one.
    recallHandle: encodeRecallHandle({
      ...{ topic, brokerName, timestampMs: slotMs + 1, uniqueKey },
    }),
  }
}

async function transactionsOf(
  producerGroup: string,
  maxCount: number,
  { clock, config, store, transactions }: WaitingParts,
) {
  const listed: ListedTransaction[] = []
  const { openCount: count } = transactions
  let looks = 0
  for (const { newest } of transactions.open(MAX_LOOKED_THROUGH)) {
    if (listed.length >= maxCount) break
    looks++
    const record = await recordAt(store, newest.logOffset)
    if (record === undefined) continue
    const half = halfOf(record)
    if (producerGroup !== '' && half.producerGroup !== producerGroup) continue
    listed.push({
      producerGroup: half.producerGroup ?? '',
      ...waitingOf(record, decodeProperties(record.properties)),
      ageMs: Math.max(0, clock.nowMs() - record.bornTimestamp),
      checks: half.checks,
    })
  }
  const { transactionCheckMax: maxChecks } = config
  return { count, maxChecks, transactions: listed, hasMore: looks < count }
}

function waitingOf(record: StoredRecord, properties: ReadonlyMap<string, string>) {
  return {
    topic: properties.get('REAL_TOPIC') ?? '',
    queueId: Number(properties.get('REAL_QID') ?? 0),
    uniqueKey: properties.get('UNIQ_KEY') ?? '',
    keys: properties.get('KEYS') ?? '',
    tags: properties.get('TAGS') ?? '',
    bornTimestamp: record.bornTimestamp,
    storeTimestamp: record.storeTimestamp,
    commitLogOffset: record.logOffset,
  }
}

/** Undefined when the message is damaged, or went on meanwhile and is gone. */
async function recordAt(store: Store, logOffset: number): Promise<StoredRecord | undefined> {
  try {
    const bytes = await store.messageAt(logOffset)
    return bytes && readRecord(bytes, 0)
  } catch (error) {
    if (error instanceof CorruptionError) return undefined
    throw error
  }
}
