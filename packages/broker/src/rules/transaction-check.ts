/**
 * What becomes of a transaction that was not ended in time, and the question to its producer.
 * Source: Apache classes TransactionalMessageServiceImpl, AbstractTransactionalMessageCheckListener;
 * `scheduling-and-transactions.md` sections 5.4 and 5.5.
 */
import {
  type CHECK_TRANSACTION_STATE,
  type Header,
  offsetIdPrefix,
  offsetMessageId,
  recordBytes,
  type StoredRecord,
  writeRecord,
} from '@rockhopper/protocol'
import type { MessageToStore } from '@rockhopper/store'
import { HALF_TOPIC, type Half, type HalfPlace } from './half-message.ts'

/** Its producer is asked; that is put off, as it wishes; or nobody is asked any more. */
export type CheckDecision = 'ask' | 'put-off' | 'too-often' | 'too-old'

export interface CheckRules {
  readonly maxChecks: number
  /** How long messages are kept, in ms. */
  readonly keptMs: number
}

export function decisionOn(half: Half, ageMs: number, rules: CheckRules): CheckDecision {
  if (half.checks >= rules.maxChecks) return 'too-often'
  if (ageMs > rules.keptMs) return 'too-old'
  const { immunityMs } = half
  return immunityMs !== undefined && ageMs >= 0 && ageMs < immunityMs ? 'put-off' : 'ask'
}

/** A request to a producer. */
export interface CheckRequest {
  readonly header: Header<typeof CHECK_TRANSACTION_STATE.tables.request>
  readonly body: Buffer
}

/** `place` is that of the copy whose content is `copy`; `record` is the one before it. */
export function checkRequestOf(
  record: StoredRecord,
  half: Half,
  copy: MessageToStore,
  place: HalfPlace,
  brokerName: string,
): CheckRequest {
  const { logOffset, queueOffset } = place
  const content = { ...copy, topic: Buffer.from(half.topic ?? ''), queueId: half.queueId }
  const body = Buffer.alloc(recordBytes(content))
  const { storeTimestamp } = record
  writeRecord(body, 0, body.length, content, { logOffset, queueOffset, storeTimestamp })
  return {
    header: {
      topic: HALF_TOPIC,
      tranStateTableOffset: queueOffset,
      commitLogOffset: logOffset,
      msgId: half.uniqueKey,
      transactionId: half.uniqueKey,
      offsetMsgId: offsetMessageId(offsetIdPrefix(record.storeHost), logOffset),
      brokerName,
    },
    body,
  }
}
