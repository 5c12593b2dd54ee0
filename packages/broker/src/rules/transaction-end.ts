/**
 * Whether a request may end a transaction. Source: Apache class EndTransactionProcessor;
 * `broker-api.md` section 3.6. The sentences begin as Apache's, which users look for.
 */
import {
  type END_TRANSACTION,
  type Header,
  type ResponseCode,
  responseCode,
  type StoredRecord,
} from '@rockhopper/protocol'
import type { Half } from './half-message.ts'

export type EndHeader = Header<typeof END_TRANSACTION.tables.request>

export interface EndRefusal {
  readonly kind: 'refused'
  readonly code: ResponseCode
  /** A whole sentence. */
  readonly reason: string
}

export function refusal(code: ResponseCode, reason: string): EndRefusal {
  return { kind: 'refused', code, reason }
}

/** Undefined when the request is about this half message, and in time. */
export function refusalOfEnd(
  header: EndHeader,
  record: StoredRecord,
  half: Half,
  nowMs: number,
): EndRefusal | undefined {
  const { immunityMs, producerGroup } = half
  const { commitLogOffset, fromTransactionCheck, tranStateTableOffset } = header
  const ageMs = nowMs - record.bornTimestamp
  if (fromTransactionCheck !== true && immunityMs !== undefined && ageMs > immunityMs) {
    const sentence =
      `the transaction was to end within ${immunityMs} ms of its message's birth, and it was born ` +
      `${ageMs} ms ago: its producer will be asked`
    return refusal(responseCode.ILLEGAL_OPERATION, sentence)
  }
  const problem =
    producerGroup !== header.producerGroup
      ? `The producer group wrong: it is "${producerGroup}", not "${header.producerGroup}"`
      : record.queueOffset !== tranStateTableOffset
        ? `The transaction state table offset wrong: it is ${record.queueOffset}, not ${tranStateTableOffset}`
        : record.logOffset !== commitLogOffset
          ? `The commit log offset wrong: it is ${record.logOffset}, not ${commitLogOffset}`
          : undefined
  return problem === undefined ? undefined : refusal(responseCode.SYSTEM_ERROR, problem)
}
