/**
 * What a transaction is to an application, and to the wire: the first half of it, a message that
 * nobody sees, and the word that ends it. Source: Apache class DefaultMQProducerImpl; `client.md`
 * section 3.11. Owns nothing.
 */
import {
  type CHECK_TRANSACTION_STATE,
  type END_TRANSACTION,
  type Header,
  parseOffsetMessageId,
  propertyPair,
  sysFlag,
} from '@rockhopper/protocol'
import { badMessage } from '../errors.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { isDelayed } from './draft.ts'
import type { Message, SendOptions, SendResult } from './message.ts'
import { withPairs } from './parcel.ts'
import type { Parcel } from './sender.ts'

/** What became of a local transaction: its message is seen, is never seen, or nobody knows yet. */
export type LocalState = 'commit' | 'rollback' | 'unknown'

/**
 * The application's part of its transactions. Whatever throws counts as `unknown`: the broker asks
 * again, and gives up after many times.
 */
export interface TransactionListener<A = unknown> {
  /**
   * Does what belongs to the message, when the broker has it. `transactionId` is what it is known by,
   * later too: note it together with what is done.
   */
  executeLocalTransaction(
    message: Message,
    arg: A,
    transactionId: string,
  ): LocalState | Promise<LocalState>
  /**
   * Says what became of it, when the broker asks. It may ask any producer of the group, also one that
   * was started later, and more than once. `message.msgId` is the transaction's id.
   */
  checkLocalTransaction(message: ReceivedMessage): LocalState | Promise<LocalState>
}

export interface TransactionOptions extends SendOptions {
  /**
   * How long the broker does not ask, in seconds; its own time (6 s) when absent. When it is over, only
   * an answer to the broker's question ends the transaction.
   */
  readonly immunityS?: number
}

export interface TransactionResult extends SendResult {
  readonly transactionId: string
  readonly localState: LocalState
}

type EndHeader = Header<typeof END_TRANSACTION.tables.request>
type CheckHeader = Header<typeof CHECK_TRANSACTION_STATE.tables.request>

/** The request that begins a transaction. Throws `ClientError` BAD_MESSAGE. */
export function asHalf(
  parcel: Parcel,
  message: Message,
  group: string,
  { immunityS }: TransactionOptions,
): Parcel {
  if (isDelayed(message)) {
    const sentence = `a message to "${message.topic}" has a delay, and begins a transaction`
    throw badMessage(sentence, 'leave out one of them')
  }
  const pairs = [propertyPair('TRAN_MSG', 'true'), propertyPair('PGROUP', group)]
  if (immunityS !== undefined) pairs.push(immunityPair(message, immunityS))
  const half = withPairs(parcel, Buffer.concat(pairs))
  const flags = (half.header.sysFlag ?? 0) | sysFlag.transactionPrepared
  return { ...half, header: { ...half.header, sysFlag: flags } }
}

function immunityPair(message: Message, immunityS: number): Buffer {
  if (Number.isSafeInteger(immunityS) && immunityS > 0) {
    return propertyPair('CHECK_IMMUNITY_TIME_IN_SECONDS', String(immunityS))
  }
  const sentence = `a message to "${message.topic}" has immunityS ${immunityS}`
  throw badMessage(sentence, 'use whole seconds, 1 or more')
}

/** The word that ends a transaction; undefined while nobody knows how, for then it says nothing. */
export function endOf(group: string, result: SendResult, state: LocalState): EndHeader | undefined {
  const place = parseOffsetMessageId(result.offsetMsgId)
  if (place === undefined || state === 'unknown') return undefined
  return {
    topic: result.queue.topic,
    producerGroup: group,
    tranStateTableOffset: result.queueOffset,
    commitLogOffset: place.logOffset,
    commitOrRollback: bitsOf(state),
    fromTransactionCheck: false,
    msgId: result.msgId,
    transactionId: result.transactionId ?? result.msgId,
    brokerName: result.queue.brokerName,
  }
}

/** The answer to a question of the broker. */
export function answerOf(
  group: string,
  asked: CheckHeader,
  { topic, msgId }: ReceivedMessage,
  state: LocalState,
): EndHeader {
  const { brokerName, commitLogOffset, tranStateTableOffset, transactionId } = asked
  return {
    ...{ topic, producerGroup: group, tranStateTableOffset, commitLogOffset },
    ...{ commitOrRollback: bitsOf(state), fromTransactionCheck: true },
    ...{ msgId, transactionId, brokerName },
  }
}

function bitsOf(state: LocalState): number {
  switch (state) {
    case 'commit':
      return sysFlag.transactionCommit
    case 'rollback':
      return sysFlag.transactionRollback
    case 'unknown':
      return 0
  }
}

/** Whether a listener has answered with one of the three words. */
export function isLocalState(value: unknown): value is LocalState {
  return value === 'commit' || value === 'rollback' || value === 'unknown'
}
