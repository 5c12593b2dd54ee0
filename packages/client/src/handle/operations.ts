/**
 * What operators may see of a consumer and do with it, through the brokers: its state, its offsets,
 * one message to consume. Source: Apache classes MQClientInstance and DefaultMQPushConsumerImpl;
 * `client.md` sections 6.8 and 13. Owns nothing.
 */
import type {
  ConsumeFromWhere,
  ConsumerRunningInfo,
  MessageQueue,
  QueueOffsets,
} from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import type { QueueLocks } from '../balance/queue-locks.ts'
import type { Rebalance } from '../balance/rebalance.ts'
import type { ConsumerConfig } from '../config.ts'
import { queueKey } from '../message-queue.ts'
import type { Subscriptions } from '../pull/subscriptions.ts'
import type { ReplyTo } from '../request-reply/replier.ts'
import { consumeDirectly } from './consume-directly.ts'
import type { ConsumeStatistics } from './consume-statistics.ts'
import type { Listening } from './listening.ts'
import { runningInfo } from './running-info.ts'
import { serverRequests } from './server-requests.ts'

/** The parts of a consumer that operators look at. */
export interface OperatedParts {
  readonly config: ConsumerConfig
  readonly consumeFromWhere: ConsumeFromWhere
  readonly subscriptions: Subscriptions
  readonly rebalance: Rebalance
  readonly listening: Listening
  readonly locks: QueueLocks
  readonly statistics: ConsumeStatistics
  /** What the consumer has to tell beside, as names and values. */
  readonly told: Readonly<Record<string, string>>
  readonly reply: ReplyTo
  /** Wall time of the start, in ms since 1970. */
  readonly startedAtMs: number
  /** A queue is going to be moved. */
  readonly onMoved: (move: { queue: MessageQueue; from: number; to: number }) => void
}

/** Takes what brokers ask. `parts` is called per request: what is built first asks for the router. */
export function operations(config: ConsumerConfig, parts: () => OperatedParts): Router {
  const { host, group, names, orderly } = config
  return serverRequests({
    logger: host.logger,
    ...{ group, names },
    onGroupChanged: () => parts().rebalance.wake(),
    onReset: (topic, offsets) => reset(parts(), topic, offsets),
    offsetsOf: (topic) => offsetsOf(parts(), topic),
    runningInfo: (withStack) => infoOf(parts(), withStack),
    consumeDirectly: (message) => {
      const { reply, subscriptions } = parts()
      const handlingOf = subscriptions.handlingOf.bind(subscriptions)
      return consumeDirectly({ clock: host.clock, orderly, handlingOf, reply }, message)
    },
  })
}

/** The queues begin anew elsewhere as soon as their handlers have ended. */
function reset({ rebalance, onMoved }: OperatedParts, topic: string, offsets: QueueOffsets): void {
  const wanted = new Map(offsets.map(([queue, offset]) => [queueKey(queue), offset]))
  for (const owned of rebalance.owned) {
    const to = owned.queue.topic === topic ? wanted.get(owned.key) : undefined
    if (to === undefined) continue
    onMoved({ queue: owned.queue, from: owned.commitOffset ?? to, to })
    rebalance.move(owned, to)
  }
}

function offsetsOf({ rebalance }: OperatedParts, topic: string): QueueOffsets {
  return rebalance.owned.flatMap(({ queue, commitOffset }) =>
    queue.topic === topic && commitOffset !== undefined ? [[queue, commitOffset] as const] : [],
  )
}

function infoOf(parts: OperatedParts, withStack: boolean): ConsumerRunningInfo {
  const { config, rebalance, subscriptions, listening } = parts
  return runningInfo({
    ...parts,
    nameServers: config.nameServers,
    subscriptions: subscriptions.data,
    owned: rebalance.owned,
    running: withStack ? listening.running() : undefined,
  })
}
