/**
 * The first half of a transaction: a message that nobody sees until its producer says what becomes of
 * it. It waits under a topic of the broker's, and its properties say where it belongs. Each time
 * its producer is asked, or the time to ask is put off, a copy takes its place at the end of the queue.
 *
 * All copies are of one transaction, known by the queue offset of the first one. Apache's broker keeps
 * that offset only in copies of messages with a time of their own, and so takes the copies of others
 * for transactions by themselves.
 * Source: Apache classes TransactionalMessageBridge, TransactionalMessageServiceImpl,
 * EndTransactionProcessor; `scheduling-and-transactions.md` section 5.
 */
import {
  decodeProperties,
  encodeProperties,
  findProperty,
  propertyPair,
  type StoredRecord,
  sysFlag,
  tagsCodeOf,
  withTransaction,
} from '@rockhopper/protocol'
import type { MessageToStore } from '@rockhopper/store'
import { withoutChecksum } from './delayed-copy.ts'

export const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
export const HALF_QUEUE = 0
export const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC'
const GIVEN_UP_QUEUE = 0

const FIRST_OFFSET = 'TRAN_PREPARED_QUEUE_OFFSET'
const CHECKS = 'TRANSACTION_CHECK_TIMES'
const WHOLE_NUMBER = /^\d{1,15}$/

/** Where a copy of a half message lies. */
export interface HalfPlace {
  readonly queueOffset: number
  readonly logOffset: number
}

/** The properties that a half message has beside its own. */
export function halfProperties(uniqueKey: string, topic: string, queueId: number): Buffer[] {
  return [
    propertyPair('__transactionId__', uniqueKey),
    propertyPair('REAL_TOPIC', topic),
    propertyPair('REAL_QID', String(queueId)),
  ]
}

/** The flags of a half message: it must have a place in its queue. */
export function halfFlags(flags: number): number {
  return withTransaction(flags, 0)
}

/** What a half message says of its transaction. */
export interface Half {
  /** Queue offset of the first copy. */
  readonly first: number
  /** Undefined when it does not say who sent it. */
  readonly producerGroup: string | undefined
  /** Where it belongs; undefined when it does not say. */
  readonly topic: string | undefined
  readonly queueId: number
  readonly uniqueKey: string | undefined
  /** How often its producer was asked. */
  readonly checks: number
  /** So long after it was born its producer is not asked, in ms; undefined without a wish. */
  readonly immunityMs: number | undefined
}

/** What asks for no check is at the most so long immune; Apache has no limit. */
const MAX_IMMUNITY_S = 10 * 366 * 86_400

export function halfOf({ properties, queueOffset }: StoredRecord): Half {
  const find = (name: string): string | undefined => findProperty(properties, name)
  return {
    first: wholeNumber(find(FIRST_OFFSET)) ?? queueOffset,
    producerGroup: find('PGROUP'),
    topic: find('REAL_TOPIC'),
    queueId: wholeNumber(find('REAL_QID')) ?? 0,
    uniqueKey: find('UNIQ_KEY'),
    checks: wholeNumber(find(CHECKS)) ?? 0,
    immunityMs: immunityOf(find('CHECK_IMMUNITY_TIME_IN_SECONDS')),
  }
}

/** A wish that is no number counts as none. */
function immunityOf(text: string | undefined): number | undefined {
  const seconds = wholeNumber(text)
  return seconds === undefined ? undefined : Math.min(seconds, MAX_IMMUNITY_S) * 1_000
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && WHOLE_NUMBER.test(text) ? Number(text) : undefined
}

/**
 * The message that a commit makes visible; undefined when the half message does not say where it
 * belongs. `newestLogOffset` is that of the last copy of the half message.
 */
export function committedCopyOf(
  record: StoredRecord,
  { queueId, topic }: Half,
  newestLogOffset: number,
): MessageToStore | undefined {
  if (topic === undefined || topic === HALF_TOPIC) return undefined
  return {
    ...contentOf(record, withoutChecksum(record.properties)),
    topic,
    queueId,
    sysFlag: withTransaction(record.sysFlag, sysFlag.transactionCommit),
    preparedTransactionOffset: newestLogOffset,
  }
}

/** The copy that takes the place of a half message in its queue. */
export function nextCopyOf(record: StoredRecord, { first }: Half, checks: number): MessageToStore {
  const properties = decodeProperties(withoutChecksum(record.properties))
  properties.set(FIRST_OFFSET, String(first))
  if (checks > 0) properties.set(CHECKS, String(checks))
  return {
    ...contentOf(record, Buffer.from(encodeProperties(properties))),
    topic: HALF_TOPIC,
    queueId: HALF_QUEUE,
  }
}

/** What is kept, for an operator to look at, of a transaction that nobody ended. */
export function givenUpCopyOf(record: StoredRecord): MessageToStore {
  return {
    ...contentOf(record, withoutChecksum(record.properties)),
    topic: GIVEN_UP_TOPIC,
    queueId: GIVEN_UP_QUEUE,
    preparedTransactionOffset: record.logOffset,
  }
}

/** Apache's broker loses the flag of the application and the tries when it copies half messages. */
function contentOf(record: StoredRecord, properties: Buffer) {
  return {
    flag: record.flag,
    sysFlag: record.sysFlag,
    bornTimestamp: record.bornTimestamp,
    bornHost: record.bornHost,
    storeHost: record.storeHost,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: 0,
    body: record.body,
    properties: [properties],
    tagsCode: tagsCodeOf(properties),
    isTimed: true,
  }
}
