/**
 * What becomes of a message that waited for its time: a copy where it belongs, or, while it is not
 * due yet, behind the others that wait, so that it does not age in the log. Each copy says where the
 * record ends that it is of, in a field that otherwise only transactions have a use for.
 * Source: Apache class TimerMessageStore (convert, convertMessage).
 */
import {
  decodeProperties,
  encodeProperties,
  findProperty,
  type StoredRecord,
  TIMER_TOPIC,
  tagsCodeOf,
} from '@rockhopper/protocol'
import type { MessageToStore } from '@rockhopper/store'

/** A half message would wait for the end of a transaction that is over. */
const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
const WHOLE_NUMBER = /^\d{1,9}$/

/** The copy of a record that is due; undefined when it does not say where it belongs. */
export function timedCopyOf(record: StoredRecord, nowMs: number): MessageToStore | undefined {
  const topic = findProperty(record.properties, 'REAL_TOPIC')
  const queueId = findProperty(record.properties, 'REAL_QID')
  if (topic === undefined || topic === HALF_TOPIC || topic === TIMER_TOPIC) return undefined
  if (queueId === undefined || !WHOLE_NUMBER.test(queueId)) return undefined
  const properties = withTimes(record, nowMs)
  return copyOf(record, topic, Number(queueId), properties)
}

/** The copy of a record that is to wait on. */
export function rolledCopyOf(record: StoredRecord, nowMs: number): MessageToStore {
  const properties = withTimes(record, nowMs)
  const times = properties.get('TIMER_ROLL_TIMES') ?? '0'
  properties.set('TIMER_ROLL_TIMES', String((WHOLE_NUMBER.test(times) ? Number(times) : 0) + 1))
  return copyOf(record, TIMER_TOPIC, 0, properties)
}

function withTimes({ properties, storeTimestamp }: StoredRecord, nowMs: number) {
  const known = decodeProperties(properties)
  // A checksum of the whole record is that of another record.
  known.delete('__CRC32#')
  known.set('TIMER_ENQUEUE_MS', String(storeTimestamp))
  known.set('TIMER_DEQUEUE_MS', String(nowMs))
  return known
}

function copyOf(
  record: StoredRecord,
  topic: string,
  queueId: number,
  properties: ReadonlyMap<string, string>,
): MessageToStore {
  const bytes = Buffer.from(encodeProperties(properties))
  return {
    topic,
    queueId,
    flag: record.flag,
    sysFlag: record.sysFlag,
    bornTimestamp: record.bornTimestamp,
    bornHost: record.bornHost,
    storeHost: record.storeHost,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.logOffset + record.sizeBytes,
    body: record.body,
    properties: [bytes],
    tagsCode: tagsCodeOf(bytes),
    isTimed: true,
  }
}

/**
 * Log offset behind the timed message that a record is the copy of; undefined when it is no copy that
 * this broker made.
 */
export function timedOriginOf(
  record: Pick<StoredRecord, 'topic' | 'properties' | 'preparedTransactionOffset'>,
): number | undefined {
  const { preparedTransactionOffset: endOffset, topic } = record
  if (endOffset === 0) return undefined
  const { properties } = record
  if (findProperty(properties, 'TIMER_DEQUEUE_MS') === undefined) return undefined
  if (topic === TIMER_TOPIC) {
    return findProperty(properties, 'TIMER_ROLL_TIMES') === undefined ? undefined : endOffset
  }
  // What is given back after it was delivered keeps these properties, and waits for a level then.
  if (Number.parseInt(findProperty(properties, 'DELAY') ?? '0', 10) > 0) return undefined
  return findProperty(properties, 'REAL_TOPIC') === topic ? endOffset : undefined
}
