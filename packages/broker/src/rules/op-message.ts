/**
 * Messages of the broker to itself that tell which half messages are done with: their queue offsets.
 *
 *   tag d, body "17,18,25,"
 *
 * A broker of ours writes all it knows at a time, and says so in a property of the last of these
 * messages: what was committed and is not told of lies behind it in the log. When it leaves its store,
 * it also tells of copies of half messages that have newer ones: their transactions are not over, which
 * another property says. Apache's ignores both.
 * Source: Apache classes TransactionalMessageUtil, TransactionalMessageServiceImpl;
 * `scheduling-and-transactions.md` section 5.3.
 */
import { findProperty, javaHashCode, propertyPair, type StoredRecord } from '@rockhopper/protocol'
import type { MessageToStore } from '@rockhopper/store'

export const OP_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC'
export const OP_QUEUE = 0

const TAG = 'd'
const TAGS_CODE = javaHashCode(TAG)
const COMPLETE = 'TRAN_OP_COMPLETE'
const SUPERSEDED = 'TRAN_OP_SUPERSEDED'
const SEPARATOR = ','

/** So much of the body one half message takes. */
export function opTextOf(halfOffset: number): string {
  return halfOffset + SEPARATOR
}

export interface OpMessageParts {
  readonly text: string
  /** Whether nothing is left to tell. */
  readonly isComplete: boolean
  /** Whether it tells of copies that have newer ones. */
  readonly isSuperseded: boolean
  readonly uniqueKey: string
  readonly bornTimestamp: number
  readonly storeHost: StoredRecord['storeHost']
}

export function opMessageOf(parts: OpMessageParts): MessageToStore {
  const { bornTimestamp, isComplete, isSuperseded, storeHost, text, uniqueKey } = parts
  const properties = [propertyPair('TAGS', TAG), propertyPair('UNIQ_KEY', uniqueKey)]
  if (isComplete) properties.push(propertyPair(COMPLETE, 'true'))
  if (isSuperseded) properties.push(propertyPair(SUPERSEDED, 'true'))
  return {
    ...{ topic: OP_TOPIC, queueId: OP_QUEUE, flag: 0, sysFlag: 0, reconsumeTimes: 0 },
    ...{ bornTimestamp, bornHost: storeHost, storeHost, preparedTransactionOffset: 0 },
    ...{ body: Buffer.from(text), properties, tagsCode: TAGS_CODE },
  }
}

/** What an op message tells. */
export interface Op {
  readonly halfOffsets: readonly number[]
  readonly isComplete: boolean
  /** Whether the half messages have newer copies, and their transactions may be open. */
  readonly isSuperseded: boolean
}

export function opOf({ body, properties }: StoredRecord): Op {
  const isComplete = findProperty(properties, COMPLETE) === 'true'
  const isSuperseded = findProperty(properties, SUPERSEDED) === 'true'
  if (findProperty(properties, 'TAGS') !== TAG) return { halfOffsets: [], isComplete, isSuperseded }
  const halfOffsets = body
    .toString('latin1')
    .split(SEPARATOR)
    .filter((part) => /^\d{1,15}$/.test(part))
    .map(Number)
  return { halfOffsets, isComplete, isSuperseded }
}
