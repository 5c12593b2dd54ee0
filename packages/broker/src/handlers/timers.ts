/**
 * RECALL_MESSAGE: a producer calls a message off that waits for its time. And what operators and slaves
 * ask of such messages: GET_TIMER_CHECK_POINT, GET_TIMER_METRICS.
 *
 * What calls a message off is a message itself: it waits for the same slot, and is looked at first.
 * Source: Apache classes RecallMessageProcessor, AdminBrokerProcessor; `broker-api.md` 3.7 and 15.1.
 */
import type { Clock } from '@rockhopper/host'
import {
  decodeRecallHandle,
  GET_TIMER_CHECK_POINT,
  GET_TIMER_METRICS,
  type Header,
  type HostAddress,
  RECALL_MESSAGE,
  type RecallHandle,
  responseCode,
  writeInt64,
} from '@rockhopper/protocol'
import { Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { MessageToStore, Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { recallKey, type TimerRules, timedPlacementOf } from '../rules/timed.ts'
import type { TimedDelivery } from '../services/timed-delivery.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { PeerHosts } from '../tables/peer-hosts.ts'
import type { PendingTimers } from '../tables/pending-timers.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface TimerHandlerParts {
  readonly clock: Clock
  readonly config: BrokerConfig
  readonly store: Store
  readonly topics: TopicTable
  readonly traffic: TrafficCounters
  readonly peers: PeerHosts
  readonly storeHost: HostAddress
  readonly timers: PendingTimers
  readonly timerRules: TimerRules
  readonly timedDelivery: TimedDelivery
}

type RecallHeader = Header<typeof RECALL_MESSAGE.tables.request>

const BODY = Buffer.from('0')
const TAG = '_RECALL_TAG_'
const CHECK_POINT_BYTES = 56

export function handleTimers(router: Router, parts: TimerHandlerParts): void {
  router
    .on(RECALL_MESSAGE, (header, context) => recall(header, context, parts))
    .on(GET_TIMER_CHECK_POINT, () => ({ body: [checkPointOf(parts)] }))
    .on(GET_TIMER_METRICS, () => ({ body: [metricsOf(parts)] }))
}

async function recall(header: RecallHeader, context: RequestContext, parts: TimerHandlerParts) {
  const { config, store, topics, traffic } = parts
  if (!config.recallMessageEnable) {
    const sentence = 'recall failed, operation is forbidden: recallMessageEnable is false'
    throw new Refusal(responseCode.NO_PERMISSION, sentence)
  }
  if (topics.get(header.topic) === undefined) {
    const sentence = `recall failed, the topic[${header.topic}] not exist`
    throw new Refusal(responseCode.TOPIC_NOT_EXIST, sentence)
  }
  const handle = demandHandle(header, parts)
  const message = recallOf(header, handle, context, parts)
  const outcome = store.append(message)
  if (outcome.kind !== 'appended') refuse(responseCode.SYSTEM_ERROR, outcome.reason)
  traffic.notePut(message.topic, 1, BODY.length)
  // Who called a message off relies on it.
  const settled = await store.settled(outcome.endOffset, { waitForFlush: true })
  if (settled === 'failed') refuse(responseCode.SYSTEM_ERROR, 'the disk failed before it was safe')
  return { header: { msgId: handle.uniqueKey, regionId: config.regionId } }
}

function demandHandle(
  { recallHandle, topic }: RecallHeader,
  { clock, config, timerRules }: TimerHandlerParts,
): RecallHandle {
  const handle = decodeRecallHandle(recallHandle)
  if (handle === undefined) return refuseIllegal('recall handle is invalid')
  if (handle.topic !== topic) {
    return refuseIllegal(`topic not match: the message is of topic "${handle.topic}"`)
  }
  if (handle.brokerName !== config.brokerName) {
    return refuseIllegal(
      `broker service not available: the message is at broker "${handle.brokerName}", this is ` +
        `"${config.brokerName}"`,
    )
  }
  const restMs = handle.timestampMs - clock.nowMs()
  if (restMs > 0 && restMs < timerRules.maxDelayMs) return handle
  return refuseIllegal(`timestamp invalid: the message is due in ${restMs} ms`)
}

function recallOf(
  { producerGroup = '' }: RecallHeader,
  handle: RecallHandle,
  { connection }: RequestContext,
  { clock, peers, storeHost, timerRules }: TimerHandlerParts,
): MessageToStore {
  const { timestampMs, topic, uniqueKey } = handle
  const nowMs = clock.nowMs()
  const properties = new Map([
    ['TAGS', TAG],
    ['TIMER_DEL_UNIQKEY', recallKey(topic, uniqueKey)],
    ['UNIQ_KEY', uniqueKey],
    ['TIMER_DELIVER_MS', String(timestampMs)],
    ['BORN_TIMESTAMP', String(nowMs)],
    ['PGROUP', producerGroup],
  ])
  const placed = timedPlacementOf(topic, 0, properties, timerRules, nowMs)
  if (placed.kind === 'illegal') return refuseIllegal(placed.reason)
  if (placed.kind !== 'waits') return refuseIllegal('timed messages are switched off')
  return {
    ...placed.place,
    ...{ body: BODY, flag: 0, sysFlag: 0, reconsumeTimes: 0, preparedTransactionOffset: 0 },
    ...{ bornTimestamp: nowMs, bornHost: peers.of(connection), storeHost },
  }
}

function refuseIllegal(reason: string): never {
  throw new Refusal(responseCode.ILLEGAL_OPERATION, `recall failed, ${reason}`)
}

function refuse(code: typeof responseCode.SYSTEM_ERROR, reason: string): never {
  throw new Refusal(code, `recall failed, execute error: ${reason}`)
}

/** As Apache's file `timercheck`; what Apache's timer log would be at is 0 here. */
function checkPointOf({ clock, timedDelivery, timerRules, timers }: TimerHandlerParts): Buffer {
  const bytes = Buffer.alloc(CHECK_POINT_BYTES)
  const { queueOffset } = timedDelivery.figures()
  const nowMs = clock.nowMs()
  const readMs = Math.min(timers.firstWakeMs, nowMs)
  const { precisionMs } = timerRules
  const numbers = [Math.floor(readMs / precisionMs) * precisionMs, 0, queueOffset, queueOffset, 0]
  for (const [i, number] of [...numbers, nowMs, 1].entries()) writeInt64(bytes, number, 8 * i)
  return bytes
}

function metricsOf({ clock, timers }: TimerHandlerParts): Buffer {
  const timestamp = clock.nowMs()
  const counts = [...timers.countsByTopic()].map(([topic, count]) => {
    return [topic, { count, timeStamp: timestamp }]
  })
  const dataVersion = { stateVersion: 0, timestamp, counter: 1 }
  return Buffer.from(JSON.stringify({ dataVersion, timingCount: Object.fromEntries(counts) }))
}
