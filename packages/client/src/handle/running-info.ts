/**
 * What a consumer tells operators of itself (mqadmin consumerStatus). Source: Apache methods
 * DefaultMQPushConsumerImpl.consumerRunningInfo and ProcessQueue.fillProcessQueueInfo; `client.md`
 * section 13.2. Owns nothing.
 */
import {
  type ConsumeFromWhere,
  type ConsumerRunningInfo,
  PROTOCOL_VERSION,
  type ProcessQueueInfo,
  type SubscriptionData,
  versionName,
} from '@rockhopper/protocol'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { QueueLocks } from '../balance/queue-locks.ts'
import type { ConsumerConfig } from '../config.ts'
import type { ConsumeStatistics } from './consume-statistics.ts'
import { type Task, topicOf } from './consumption.ts'

const MIB = 1024 * 1024

export interface RunningInfoParts {
  readonly config: ConsumerConfig
  readonly consumeFromWhere: ConsumeFromWhere
  /** Wall time of the start, in ms since 1970. */
  readonly startedAtMs: number
  readonly nameServers: readonly string[]
  readonly subscriptions: readonly SubscriptionData[]
  readonly owned: readonly OwnedQueue[]
  readonly locks: QueueLocks
  readonly statistics: ConsumeStatistics
  /** Handlers that run, where it is asked for. */
  readonly running: readonly Task[] | undefined
  /** What the consumer has to tell beside, as names and values. */
  readonly told: Readonly<Record<string, string>>
}

export function runningInfo(parts: RunningInfoParts): ConsumerRunningInfo {
  const { owned, statistics, subscriptions, running } = parts
  return {
    properties: propertiesOf(parts),
    subscriptionSet: subscriptions,
    mqTable: owned.map((each) => [each.queue, queueInfo(parts.locks, each)]),
    statusTable: Object.fromEntries(
      subscriptions.map(({ topic }) => [topic, statistics.of(topic)] as const),
    ),
    userConsumerInfo: parts.told,
    jstack: running === undefined ? undefined : stackText(parts, running),
  }
}

/** Names and units are Apache's, for those who look for them. */
function propertiesOf(parts: RunningInfoParts): Record<string, string> {
  const { config, startedAtMs, nameServers } = parts
  const { timestampMs } =
    typeof config.consumeFromWhere === 'object' ? config.consumeFromWhere : { timestampMs: 0 }
  const values = {
    PROP_CLIENT_VERSION: versionName(PROTOCOL_VERSION),
    PROP_CONSUMEORDERLY: config.orderly,
    PROP_CONSUMER_START_TIMESTAMP: startedAtMs,
    PROP_CONSUME_TYPE: 'CONSUME_PASSIVELY',
    PROP_NAMESERVER_ADDR: nameServers.map((address) => `${address};`).join(''),
    PROP_THREADPOOL_CORE_SIZE: config.concurrency,
    allocateMessageQueueStrategy: config.allocation.name,
    consumeConcurrentlyMaxSpan: config.maxCachedSpan,
    consumeFromWhere: parts.consumeFromWhere,
    consumeMessageBatchMaxSize: config.consumeMessageBatchMaxSize,
    consumeThreadMax: config.concurrency,
    consumeThreadMin: config.concurrency,
    consumeTimeout: config.consumeTimeoutMs / 60_000,
    consumeTimestampMs: timestampMs,
    consumerGroup: config.group,
    maxReconsumeTimes: config.maxReconsumeTimes,
    messageModel: config.messageModel.toUpperCase(),
    pullBatchSize: config.pullBatchSize,
    pullThresholdForQueue: config.maxCachedMessages,
    pullThresholdForTopic: config.maxCachedMessagesPerTopic,
    pullThresholdSizeForQueue: config.maxCachedBytes / MIB,
    pullThresholdSizeForTopic:
      config.maxCachedBytesPerTopic < 0 ? -1 : config.maxCachedBytesPerTopic / MIB,
    suspendCurrentQueueTimeMillis: config.suspendCurrentQueueTimeMs,
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}

/** One queue, for operators. */
export function queueInfo(locks: QueueLocks, owned: OwnedQueue): ProcessQueueInfo {
  const { count, sizeBytes, minOffset, maxOffset } = owned.cached
  return {
    commitOffset: owned.commitOffset ?? -1,
    cachedMsgMinOffset: minOffset,
    cachedMsgMaxOffset: maxOffset,
    cachedMsgCount: count,
    cachedMsgSizeInMiB: Math.floor(sizeBytes / MIB),
    transactionMsgMinOffset: 0,
    transactionMsgMaxOffset: 0,
    transactionMsgCount: 0,
    locked: locks.isHeld(owned),
    tryUnlockTimes: 0,
    lastLockTimestamp: locks.grantedAtMs(owned),
    droped: owned.isReleased,
    lastPullTimestamp: owned.lastPullAtMs,
    lastConsumeTimestamp: owned.lastDoneAtMs,
  }
}

/** In the place of the stacks of threads: there is one, and it is answering this question. */
function stackText({ config }: RunningInfoParts, running: readonly Task[]): string {
  const { clock, machine } = config.host
  const nowMs = clock.monotonicMs()
  const lines = running.map((task) => {
    const [first] = task.entries
    const { brokerName, queueId } = task.owned.queue
    const sinceMs = Math.round(nowMs - task.startMs)
    const rest = task.entries.length > 1 ? ` and ${task.entries.length - 1} more` : ''
    return (
      `handler of ${topicOf(task)} for ${sinceMs} ms: broker ${brokerName} queue ${queueId} ` +
      `offset ${first?.queueOffset} msgId ${first?.message.msgId}${rest}`
    )
  })
  const head =
    `Node.js process ${machine.pid}, ${Math.round(machine.residentBytes() / MIB)} MiB resident; ` +
    `${running.length} of ${config.concurrency} handlers run and wait for something`
  return [head, ...lines].join('\n')
}
