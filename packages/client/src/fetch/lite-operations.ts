/**
 * What operators may see of a consumer that fetches messages and do with it, through the brokers.
 * Source: Apache class DefaultLitePullConsumerImpl (consumerRunningInfo); `client.md` sections 1.6
 * and 13.2. Owns nothing.
 */
import {
  type ConsumerRunningInfo,
  PROTOCOL_VERSION,
  type QueueOffsets,
  responseCode,
  type SubscriptionData,
  versionName,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { QueueLocks } from '../balance/queue-locks.ts'
import { queueInfo } from '../handle/running-info.ts'
import { serverRequests } from '../handle/server-requests.ts'
import { queueKey } from '../message-queue.ts'
import type { LitePullConfig } from './pull-config.ts'

const MIB = 1024 * 1024

/** The parts of a consumer that operators look at. */
export interface LiteOperatedParts {
  readonly subscriptions: readonly SubscriptionData[]
  readonly owned: readonly OwnedQueue[]
  readonly locks: QueueLocks
  /** Wall time of the start, in ms since 1970. */
  readonly startedAtMs: number
  /** What the consumer has to tell beside, as names and values. */
  readonly told: Readonly<Record<string, string>>
  /** The members of the group changed. */
  readonly wake: () => void
  /** A queue is to go on at another offset. */
  readonly move: (owned: OwnedQueue, to: number) => void
}

/** Takes what brokers ask. `parts` is called per request: what is built first asks for the router. */
export function liteOperations(config: LitePullConfig, parts: () => LiteOperatedParts): Router {
  const { host, group, names } = config
  return serverRequests({
    logger: host.logger,
    ...{ group, names },
    onGroupChanged: () => parts().wake(),
    onReset: (topic, offsets) => reset(parts(), topic, offsets),
    offsetsOf: (topic) =>
      parts().owned.flatMap(({ queue, commitOffset }) =>
        queue.topic === topic && commitOffset !== undefined ? [[queue, commitOffset]] : [],
      ),
    runningInfo: () => infoOf(config, parts()),
    consumeDirectly: async () => {
      const remark = `the consumer of the group "${group}" has no handler: it fetches messages`
      throw new Refusal(responseCode.SYSTEM_ERROR, remark)
    },
  })
}

function reset({ owned, move }: LiteOperatedParts, topic: string, offsets: QueueOffsets): void {
  const wanted = new Map(offsets.map(([queue, offset]) => [queueKey(queue), offset]))
  for (const each of owned) {
    const to = each.queue.topic === topic ? wanted.get(each.key) : undefined
    if (to !== undefined) move(each, to)
  }
}

function infoOf(config: LitePullConfig, parts: LiteOperatedParts): ConsumerRunningInfo {
  return {
    properties: propertiesOf(config, parts.startedAtMs),
    subscriptionSet: parts.subscriptions,
    mqTable: parts.owned.map((owned) => [owned.queue, queueInfo(parts.locks, owned)]),
    statusTable: {},
    userConsumerInfo: parts.told,
    jstack: undefined,
  }
}

/** Names and units are Apache's, for those who look for them. */
function propertiesOf(config: LitePullConfig, startedAtMs: number): Record<string, string> {
  const values = {
    PROP_CLIENT_VERSION: versionName(PROTOCOL_VERSION),
    PROP_CONSUMER_START_TIMESTAMP: startedAtMs,
    PROP_CONSUME_TYPE: 'CONSUME_ACTIVELY',
    PROP_NAMESERVER_ADDR: config.nameServers.map((address) => `${address};`).join(''),
    allocateMessageQueueStrategy: config.allocation.name,
    autoCommit: config.autoCommit,
    autoCommitIntervalMillis: config.autoCommitIntervalMs,
    consumeMaxSpan: config.maxCachedSpan,
    consumerGroup: config.group,
    messageModel: config.messageModel.toUpperCase(),
    pullBatchSize: config.pullBatchSize,
    pullThresholdForAll: config.maxCachedMessagesInAll,
    pullThresholdForQueue: config.maxCachedMessages,
    pullThresholdSizeForQueue: config.maxCachedBytes / MIB,
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
