/**
 * What a consumer says of itself as text, section by section as Apache's tools print it, and what is
 * conspicuous about it. Owns nothing. Source: Apache class ConsumerRunningInfo; `client.md` 13.2.
 */
import type {
  ConsumerRunningInfo,
  ConsumeStatus,
  MessageQueue,
  ProcessQueueInfo,
  SubscriptionData,
} from '@rockhopper/protocol'
import { type Column, formatTable } from './table.ts'

/** Time without consuming after which a queue that has messages is called blocked. */
const BLOCKED_MS = 60_000

type TimeText = (timeMs: number) => string
type QueueRow = readonly [MessageQueue, ProcessQueueInfo]
type StatusRow = readonly [string, ConsumeStatus]

/** All sections, as lines. */
export function runningInfoLines(info: ConsumerRunningInfo, timeText: TimeText): string[] {
  return [
    '#Consumer Properties#',
    ...pairs(info.properties),
    ...section('Consumer Subscription', info.subscriptionSet.map(subscriptionLine)),
    ...section('Consumer Offset', formatTable(offsetColumns, info.mqTable)),
    ...section('Consumer MQ Detail', formatTable(detailColumns(timeText), info.mqTable)),
    ...section('Consumer Pop Detail', formatTable(detailColumns(timeText), [])),
    ...section('Consumer RT&TPS', formatTable(statusColumns, Object.entries(info.statusTable))),
    ...section('User Consume Info', pairs(info.userConsumerInfo)),
    ...(info.jstack === undefined ? [] : section('Consumer jstack', info.jstack.split('\n'))),
  ]
}

/** Queues of a push consumer that stand still, each in a sentence. */
export function queueProblems(
  clientId: string,
  info: ConsumerRunningInfo,
  nowMs: number,
): string[] {
  if (info.properties['PROP_CONSUME_TYPE'] === 'CONSUME_ACTIVELY') return []
  const orderly = info.properties['PROP_CONSUMEORDERLY'] === 'true'
  return info.mqTable.flatMap(([queue, state]) => {
    const problem = orderly ? lockProblem(state, nowMs) : standstill(state, nowMs)
    return problem === undefined ? [] : [`${clientId} ${queueText(queue)} ${problem}`]
  })
}

function lockProblem(state: ProcessQueueInfo, nowMs: number): string | undefined {
  if (!state.locked) return `can't lock for a while, ${nowMs - state.lastLockTimestamp}ms`
  if (!state.droped || state.tryUnlockTimes === 0) return undefined
  return `unlock ${state.tryUnlockTimes} times, still failed`
}

function standstill(state: ProcessQueueInfo, nowMs: number): string | undefined {
  const silentMs = nowMs - state.lastConsumeTimestamp
  if (silentMs <= BLOCKED_MS || state.cachedMsgCount === 0) return undefined
  return `can't consume for a while, maybe blocked, ${silentMs}ms`
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', '', `#${title}#`, ...lines]
}

function pairs(table: Readonly<Record<string, string>>): string[] {
  return Object.entries(table).map(([key, value]) => `${key.padEnd(40)}: ${value}`)
}

function subscriptionLine(subscription: SubscriptionData, index: number): string {
  const { classFilterMode, subString, topic } = subscription
  return (
    `${String(index + 1).padStart(3, '0')} Topic: ${topic.padEnd(40)} ` +
    `ClassFilter: ${String(classFilterMode).padEnd(8)} SubExpression: ${subString}`
  )
}

const queueColumns: readonly Column<QueueRow>[] = [
  { title: '#Topic', width: 64, cell: ([queue]) => queue.topic },
  { title: '#Broker Name', width: 32, cell: ([queue]) => queue.brokerName },
  { title: '#QID', width: 4, cell: ([queue]) => queue.queueId },
]

const offsetColumns: readonly Column<QueueRow>[] = [
  ...queueColumns,
  { title: '#Consumer Offset', width: 20, cell: ([, state]) => state.commitOffset },
]

function detailColumns(timeText: TimeText): readonly Column<QueueRow>[] {
  const title = '#ProcessQueueInfo'
  return [...queueColumns, { title, width: 20, cell: ([, state]) => stateText(state, timeText) }]
}

const statusColumns: readonly Column<StatusRow>[] = [
  { title: '#Topic', width: 64, cell: ([topic]) => topic },
  ...rates('#Pull RT', 14, (status) => status.pullRT),
  ...rates('#Pull TPS', 14, (status) => status.pullTPS),
  ...rates('#Consume RT', 14, (status) => status.consumeRT),
  ...rates('#ConsumeOK TPS', 14, (status) => status.consumeOKTPS),
  ...rates('#ConsumeFailed TPS', 18, (status) => status.consumeFailedTPS),
  {
    ...{ title: '#ConsumeFailedMsgsInHour', width: 25, align: 'right' },
    cell: ([, status]) => status.consumeFailedMsgs,
  },
]

function rates(
  title: string,
  width: number,
  of: (status: ConsumeStatus) => number,
): Column<StatusRow>[] {
  return [{ title, width, align: 'right', cell: ([, status]) => of(status).toFixed(2) }]
}

function stateText(state: ProcessQueueInfo, timeText: TimeText): string {
  const at = (timeMs: number): string => (timeMs > 0 ? timeText(timeMs) : 'never')
  const fields = [
    `commitOffset=${state.commitOffset}`,
    `cachedMsgMinOffset=${state.cachedMsgMinOffset}`,
    `cachedMsgMaxOffset=${state.cachedMsgMaxOffset}`,
    `cachedMsgCount=${state.cachedMsgCount}`,
    `cachedMsgSizeInMiB=${state.cachedMsgSizeInMiB}`,
    `transactionMsgMinOffset=${state.transactionMsgMinOffset}`,
    `transactionMsgMaxOffset=${state.transactionMsgMaxOffset}`,
    `transactionMsgCount=${state.transactionMsgCount}`,
    `locked=${state.locked}`,
    `tryUnlockTimes=${state.tryUnlockTimes}`,
    `lastLockTimestamp=${at(state.lastLockTimestamp)}`,
    `droped=${state.droped}`,
    `lastPullTimestamp=${at(state.lastPullTimestamp)}`,
    `lastConsumeTimestamp=${at(state.lastConsumeTimestamp)}`,
  ]
  return `ProcessQueueInfo [${fields.join(', ')}]`
}

function queueText({ brokerName, queueId, topic }: MessageQueue): string {
  return `MessageQueue [topic=${topic}, brokerName=${brokerName}, queueId=${queueId}]`
}
