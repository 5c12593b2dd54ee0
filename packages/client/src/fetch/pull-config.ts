/**
 * The options of consumers that fetch messages themselves: what may be given, what holds when it is
 * not, and in what range. Defaults are Apache's; `client.md` sections 7 and 8. Owns nothing.
 */
import { type AllocationStrategy, allocateAveragely } from '../balance/allocate.ts'
import {
  type ClientConfig,
  type ClientOptions,
  type ConsumeFromWhere,
  type ConsumerOptions,
  clientConfig,
  modelOf,
  type Numbers,
  numbers,
  type Observed,
  type ObservedOptions,
  observedOf,
  startingPoint,
} from '../config.ts'
import { badOption } from '../errors.ts'
import type { ConsumerHook } from '../hooks/hook.ts'
import type { MessageFilter } from '../pull/message-filter.ts'

/** Options that mean the same to a `PushConsumer`. */
type SharedOptions = Pick<
  ConsumerOptions,
  | 'consumeFromWhere'
  | 'messageModel'
  | 'instanceName'
  | 'localOffsetStoreDir'
  | 'allocation'
  | 'maxCachedMessages'
  | 'maxCachedBytes'
  | 'maxCachedSpan'
  | 'maxCachedBytesInAll'
  | 'handoverMs'
  | 'hooks'
>

export interface LitePullOptions extends ClientOptions, ObservedOptions, SharedOptions {
  /**
   * Whether what counts as consumed is committed every `autoCommitIntervalMs`, when a queue is given
   * up and at the end (true, the default), or only what `commitSync` and `commitAsync` say.
   */
  readonly autoCommit?: boolean
  /** How often brokers are told how far the group is, in ms: 1000 … 2^31, default 5000. */
  readonly autoCommitIntervalMs?: number
  /** Messages asked for by one pull, and given by one poll: 1 … 1024, default 10. */
  readonly pullBatchSize?: number
  /** How long `poll` waits for messages, in ms: 0 … 2^31, default 5000. */
  readonly pollTimeoutMs?: number
  /** Messages held here over all queues, at which none is pulled: 1 … 6 553 500, default 10 000. */
  readonly maxCachedMessagesInAll?: number
  /**
   * Time without progress after which a queue is told of as stalled, in ms: 30 000 … 2^31, default
   * 120 000. Brokers may hold a pull for 20 s.
   */
  readonly stalledAfterMs?: number
  /**
   * How long `close` waits for loops to ask for their next message, and a rebalance for messages
   * that were fetched to count as consumed, in ms: 0 … 2^31, default 30 000.
   */
  readonly drainTimeoutMs?: number
}

export interface PullOptions
  extends ClientOptions,
    ObservedOptions,
    Pick<ConsumerOptions, 'hooks'> {
  /**
   * Topics by which brokers know this consumer as one of the group, with what it wants of them: `*`,
   * tags or what `bySql` gives. Pulling needs none of that.
   */
  readonly topics?: Readonly<Record<string, string | MessageFilter>>
  /** Failures after which a message becomes a dead letter: 0 … 2^31 − 1, default 16. */
  readonly maxReconsumeTimes?: number
  /** How long a broker may hold `pullBlockIfNotFound`, in ms: 1 … 2^31, default 20 000. */
  readonly suspendMs?: number
}

const MIB = 1024 * 1024
const MAX_INT = 2 ** 31 - 1

const litePullRanges = {
  autoCommitIntervalMs: { otherwise: 5000, min: 1000, max: 2 ** 31 },
  pullBatchSize: { otherwise: 10, min: 1, max: 1024 },
  pollTimeoutMs: { otherwise: 5000, min: 0, max: 2 ** 31 },
  maxCachedMessagesInAll: { otherwise: 10_000, min: 1, max: 6_553_500 },
  maxCachedMessages: { otherwise: 1000, min: 1, max: 65_535 },
  maxCachedBytes: { otherwise: 100 * MIB, min: 1, max: 2 ** 40 },
  maxCachedSpan: { otherwise: 2000, min: 1, max: 65_535 },
  maxCachedBytesInAll: { otherwise: 256 * MIB, min: 1, max: 2 ** 40 },
  stalledAfterMs: { otherwise: 120_000, min: 30_000, max: 2 ** 31 },
  handoverMs: { otherwise: 5000, min: 0, max: 60_000 },
  drainTimeoutMs: { otherwise: 30_000, min: 0, max: 2 ** 31 },
} as const

const pullRanges = {
  maxReconsumeTimes: { otherwise: 16, min: 0, max: MAX_INT },
  suspendMs: { otherwise: 20_000, min: 1, max: 2 ** 31 },
} as const

export interface LitePullConfig extends ClientConfig, Numbers<typeof litePullRanges>, Observed {
  readonly hooks: readonly ConsumerHook[]
  readonly consumeFromWhere: ConsumeFromWhere
  readonly messageModel: 'clustering' | 'broadcasting'
  readonly instanceName: string | undefined
  readonly localOffsetStoreDir: string
  readonly allocation: AllocationStrategy
  readonly autoCommit: boolean
}

export interface PullConfig extends ClientConfig, Numbers<typeof pullRanges>, Observed {
  readonly hooks: readonly ConsumerHook[]
  readonly topics: Readonly<Record<string, string | MessageFilter>>
}

/** Checks the options of a `LitePullConsumer`. Throws `ClientError` BAD_OPTION. */
export function litePullConfig(options: LitePullOptions): LitePullConfig {
  const { autoCommit = true, localOffsetStoreDir } = options
  if (typeof autoCommit !== 'boolean') {
    throw badOption(`autoCommit is "${String(autoCommit)}"`, 'use true or false')
  }
  const client = clientConfig(options)
  const { homeDirectory } = client.host.machine
  return {
    ...client,
    ...numbers(litePullRanges, options),
    ...modelOf(options),
    ...observedOf(options),
    hooks: options.hooks ?? [],
    consumeFromWhere: startingPoint(options),
    localOffsetStoreDir: localOffsetStoreDir ?? `${homeDirectory}/.rocketmq_offsets`,
    allocation: options.allocation ?? allocateAveragely,
    autoCommit,
  }
}

/** Checks the options of a `PullConsumer`. Throws `ClientError` BAD_OPTION. */
export function pullConfig(options: PullOptions): PullConfig {
  const { hooks = [], topics = {} } = options
  return {
    ...clientConfig(options),
    ...numbers(pullRanges, options),
    ...observedOf(options),
    hooks,
    topics,
  }
}
