/**
 * Writes down what the handlers of a consumer get, and how they end: a record before and one after, for
 * each message. Source: Apache class ConsumeMessageTraceHookImpl; `client.md` section 14. Owns which
 * calls are under way.
 */
import type { SubAfterTrace, SubBeforeTrace, UniqueKeys } from '@rockhopper/protocol'
import type { ConsumeEnd, ConsumerHook, Consuming } from '../hooks/hook.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { TraceLog } from './trace-log.ts'

/** Region of a message that does not say: brokers leave it out of messages that came in batches. */
const DEFAULT_REGION = 'DefaultRegion'

/** A call of a handler of which a record was written. */
interface Call {
  /** The same in the records before and after. */
  readonly requestId: string
  readonly messages: readonly ReceivedMessage[]
}

export function consumerTrace(
  log: Pick<TraceLog, 'add'>,
  traceTopic: string,
  keys: Pick<UniqueKeys, 'next'>,
): ConsumerHook {
  const calls = new WeakMap<Consuming, Call>()
  const add = (messages: readonly ReceivedMessage[], recordOf: RecordOf): void => {
    const [first] = messages
    if (first !== undefined) log.add(first.topic, messages.map(recordOf))
  }
  return {
    name: 'message trace',
    beforeConsume(consuming) {
      const messages = consuming.messages.filter(
        ({ topic, properties }) => topic !== traceTopic && properties['TRACE_ON'] !== 'false',
      )
      const requestId = keys.next()
      calls.set(consuming, { requestId, messages })
      add(messages, (message) => beforeTrace(consuming, requestId, message))
    },
    afterConsume(consuming, end) {
      const call = calls.get(consuming)
      if (call === undefined) return
      add(call.messages, (message) => afterTrace(consuming, end, call.requestId, message))
    },
  }
}

type RecordOf = (message: ReceivedMessage) => SubBeforeTrace | SubAfterTrace

function beforeTrace(
  { group, startedAtMs }: Consuming,
  requestId: string,
  { msgId, properties, reconsumeTimes }: ReceivedMessage,
): SubBeforeTrace {
  return {
    type: 'SubBefore',
    timestampMs: startedAtMs,
    regionId: properties['MSG_REGION'] ?? DEFAULT_REGION,
    group,
    requestId,
    msgId,
    retryTimes: reconsumeTimes,
    keys: properties['KEYS'],
  }
}

function afterTrace(
  { group, messages, startedAtMs }: Consuming,
  { end, tookMs }: ConsumeEnd,
  requestId: string,
  { msgId, properties }: ReceivedMessage,
): SubAfterTrace {
  return {
    type: 'SubAfter',
    requestId,
    msgId,
    costMs: Math.round(tookMs / messages.length),
    isSuccess: end === 'success',
    keys: properties['KEYS'],
    end,
    timestampMs: Math.round(startedAtMs + tookMs),
    group,
  }
}
