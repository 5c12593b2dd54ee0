/**
 * Writes down what a producer sends: a record for each message, also for those of a batch, so that
 * each is found by its own id, and one for each end of a transaction. Source: Apache classes
 * SendMessageTraceHookImpl and EndTransactionTraceHookImpl; `client.md` section 14. Owns nothing.
 */
import type { EndTransactionTrace, PubTrace, TracedState } from '@rockhopper/protocol'
import type { ProducerHook, SendEnd, Sending, TransactionEnd } from '../hooks/hook.ts'
import type { Message, SendResult } from '../produce/message.ts'
import type { LocalState } from '../produce/transactions.ts'
import type { TraceLog } from './trace-log.ts'

const STATES: Readonly<Record<LocalState, TracedState>> = {
  commit: 'COMMIT_MESSAGE',
  rollback: 'ROLLBACK_MESSAGE',
  unknown: 'UNKNOW',
}

/** What failed is not written down, and neither is what a broker does not want to be traced. */
export function producerTrace(log: Pick<TraceLog, 'add'>, traceTopic: string): ProducerHook {
  return {
    name: 'message trace',
    afterSend(sending, end) {
      if (sending.topic === traceTopic || end.kind !== 'sent') return
      const { result } = end
      if (result === undefined || !result.traceOn) return
      log.add(sending.topic, pubTraces(sending, end, result))
    },
    endTransaction(end) {
      log.add(end.message.topic, [endTrace(end)])
    },
  }
}

function pubTraces(
  sending: Sending,
  { brokerAddress, tookMs }: Extract<SendEnd, { kind: 'sent' }>,
  result: SendResult,
): PubTrace[] {
  const ids = result.msgId.split(',')
  const offsetIds = result.offsetMsgId.split(',')
  return sending.messages.map((message, at) => ({
    type: 'Pub',
    timestampMs: sending.startedAtMs,
    regionId: result.regionId,
    group: sending.group,
    topic: sending.topic,
    msgId: ids[at] ?? result.msgId,
    ...wordsOf(message),
    storeHost: brokerAddress ?? '',
    bodyLength: bytesOf(message),
    costMs: Math.round(tookMs),
    kind: sending.kind,
    offsetMsgId: offsetIds[at] ?? result.offsetMsgId,
    isSuccess: result.status === 'SEND_OK',
  }))
}

function endTrace(end: TransactionEnd): EndTransactionTrace {
  return {
    type: 'EndTransaction',
    timestampMs: end.endedAtMs,
    regionId: end.regionId,
    group: end.group,
    topic: end.message.topic,
    msgId: end.msgId,
    ...wordsOf(end.message),
    storeHost: end.brokerAddress ?? '',
    kind: 'committed',
    transactionId: end.transactionId,
    state: STATES[end.state],
    fromCheck: end.fromCheck,
  }
}

function wordsOf({ tag, keys }: TransactionEnd['message']): Pick<PubTrace, 'tags' | 'keys'> {
  const text = keys === undefined || typeof keys === 'string' ? keys : keys.join(' ')
  return { tags: tag, keys: text === '' ? undefined : text }
}

function bytesOf({ body }: Message): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length
}
