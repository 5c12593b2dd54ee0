/**
 * How a transaction ends: its producer says so, or is asked by the broker.
 * Source: `broker-api.md` sections 3.6 and 7.1.
 */
import { command } from '../command.ts'
import { bool, int32, int64, name, optional, renamed, text } from '../field.ts'

const topic = optional(name('topic of the message; when a broker asks, that of half messages'))
const halfOffset = int64('queue offset of the half message')
const commitLogOffset = int64('commit log offset of the half message')
const transactionId = optional(text('unique key of the message'))
const brokerName = renamed('bname', optional(name('broker that has the half message')))

/** Mostly sent one way; the remark may say what went wrong in the application. */
export const END_TRANSACTION = command(37, 'END_TRANSACTION', {
  request: {
    topic,
    producerGroup: name('group of the producer, as the half message has it'),
    tranStateTableOffset: halfOffset,
    commitLogOffset,
    commitOrRollback: int32('8: commit, 12: roll back, 0: the producer does not know'),
    fromTransactionCheck: optional(bool('whether the broker asked for it')),
    msgId: optional(text('unique key of the message')),
    transactionId,
    brokerName,
  },
})

/** Broker to client, one way. Body: the half message as a record, under its own topic and queue. */
export const CHECK_TRANSACTION_STATE = command(39, 'CHECK_TRANSACTION_STATE', {
  request: {
    topic,
    tranStateTableOffset: halfOffset,
    commitLogOffset,
    msgId: optional(text('unique key of the message')),
    transactionId,
    offsetMsgId: optional(text('offset id of the half message')),
    brokerName,
  },
})
