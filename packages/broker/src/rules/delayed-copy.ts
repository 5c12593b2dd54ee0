/**
 * What a delayed message becomes when it is due: a copy where it belongs. That the copy was made, and
 * of which message, can be seen in the log: it says where that message ends, in a field that otherwise
 * only committed transactions have a use for.
 * Source: Apache class ScheduleMessageService (messageTimeUp).
 */
import {
  DELAY_TOPIC,
  decodeProperties,
  encodeProperties,
  findProperty,
  type StoredRecord,
  tagsCodeOf,
} from '@rockhopper/protocol'
import type { MessageToStore } from '@rockhopper/store'

/** A half message would wait for the end of a transaction that is over. */
const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
const CRC_PROPERTY = '__CRC32#'
const WHOLE_NUMBER = /^\d{1,9}$/

/** The copy of a record that is due; undefined when it does not say where it belongs. */
export function dueCopyOf(record: StoredRecord): MessageToStore | undefined {
  const properties = withoutChecksum(record.properties)
  const topic = findProperty(properties, 'REAL_TOPIC')
  const queueId = findProperty(properties, 'REAL_QID')
  if (topic === undefined || topic === HALF_TOPIC || topic === DELAY_TOPIC) return undefined
  if (queueId === undefined || !WHOLE_NUMBER.test(queueId)) return undefined
  return {
    topic,
    queueId: Number(queueId),
    flag: record.flag,
    sysFlag: record.sysFlag,
    bornTimestamp: record.bornTimestamp,
    bornHost: record.bornHost,
    storeHost: record.storeHost,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.logOffset + record.sizeBytes,
    body: record.body,
    properties: [properties],
    tagsCode: tagsCodeOf(properties),
    isTimed: true,
  }
}

/** Which message a record is the copy of. */
export interface CopyOrigin {
  readonly level: number
  /** Log offset behind the delayed message. */
  readonly endOffset: number
}

/** Undefined when the record is no copy of a delayed message that this broker made. */
export function copyOriginOf(
  record: Pick<StoredRecord, 'topic' | 'properties' | 'preparedTransactionOffset'>,
): CopyOrigin | undefined {
  const { preparedTransactionOffset: endOffset, properties, topic } = record
  if (endOffset === 0 || topic === DELAY_TOPIC) return undefined
  if (findProperty(properties, 'REAL_TOPIC') !== topic) return undefined
  const level = Number.parseInt(findProperty(properties, 'DELAY') ?? '', 10)
  return level > 0 ? { level, endOffset } : undefined
}

/** A checksum of the whole record is that of another record. */
export function withoutChecksum(properties: Buffer): Buffer {
  if (!properties.includes(CRC_PROPERTY)) return properties
  const known = decodeProperties(properties)
  known.delete(CRC_PROPERTY)
  return Buffer.from(encodeProperties(known))
}
