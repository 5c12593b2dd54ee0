/**
 * The options of producers and consumers: what may be given, what holds when it is not, and in what
 * range. Defaults are Apache's unless said otherwise; `client.md` sections 3.1 and 6.1. Owns nothing.
 */
import { type Host, nodeHost } from '@rockhopper/host'
import {
  type Codec,
  groupNameProblem,
  type Serialization,
  serialization,
  TRACE_TOPIC,
  topicNameProblem,
} from '@rockhopper/protocol'
import { type AllocationStrategy, allocateAveragely } from './balance/allocate.ts'
import { nameServerAddresses } from './cluster/name-servers.ts'
import { NEW_TOPIC_TEMPLATE } from './cluster/routes.ts'
import { canWriteZstd } from './compression/zstd.ts'
import { badOption } from './errors.ts'
import type { ConsumerHook, ProducerHook } from './hooks/hook.ts'
import { Names } from './namespace/names.ts'

/** What producers and consumers have in common. */
export interface ClientOptions {
  /** Name of the group: shared by all producers (or consumers) that do the same work. */
  readonly group: string
  /**
   * Name servers: `host:port`, several as a list or joined by semicolons. The environment variable
   * NAMESRV_ADDR when absent.
   */
  readonly namesrvAddr?: string | readonly string[]
  /**
   * Namespace: brokers know the topic `orders` as `NAMESPACE%orders`, and groups likewise; the
   * application sees neither. Topics of the system are the same in all of them. Default: none.
   */
  readonly namespace?: string
  /** Namespace as servers from 5.2 on understand it: said beside the names, not in them. */
  readonly namespaceV2?: string
  /** Clock, network, chance and logger; the real ones with a silent logger when absent. */
  readonly host?: Host
  /**
   * How the first requests of a connection are written: `binary` (default) or `json`. With a broker
   * of this suite both sides change to a faster form after the first answer.
   */
  readonly serialization?: 'binary' | 'json'
}

/** What producers and consumers can write down of their messages. */
export interface ObservedOptions {
  /**
   * Whether what becomes of each message is written to the trace topic, where mqadmin
   * queryMsgTraceById finds it. Default false.
   */
  readonly messageTrace?: boolean
  /** The trace topic; default RMQ_SYS_TRACE_TOPIC. */
  readonly traceTopic?: string
  /**
   * Whether a producer counts its messages on each queue, and a consumer looks whether they are all
   * there, once each. Default false.
   */
  readonly sequenceAudit?: boolean
}

export interface ProducerOptions extends ClientOptions, ObservedOptions {
  /** Time for a send with all its attempts, in ms: 1 … 3 600 000, default 3000. */
  readonly sendTimeoutMs?: number
  /** Time for one attempt as long as another one may follow, in ms; default: all that is left. */
  readonly attemptTimeoutMs?: number
  /** Further attempts after a failed one, on another broker where there is one: 0 … 100, default 2. */
  readonly retries?: number
  /**
   * Whether a message that was stored with another status than SEND_OK is sent to a further broker,
   * as if the attempt had failed: then it is stored twice. Default false.
   */
  readonly retryLessSafe?: boolean
  /**
   * Answers of brokers, by their codes, after which a further attempt is made, beside 1, 2, 14, 16, 17,
   * 204, 205 and 1500. Default: none.
   */
  readonly retryResponseCodes?: readonly number[]
  /** Levels of delay that the brokers have, by their `messageDelayLevel`: 1 … 1000, default 18. */
  readonly delayLevels?: number
  /**
   * Whether brokers that were slow or failed get no messages for a while (2 to 30 s), as long as
   * others do better. Default false.
   */
  readonly avoidSlowBrokers?: boolean
  /**
   * Whether a broker that did not answer, or that refused, is asked every 3 s whether it is there;
   * until it is, it comes last. Only with `avoidSlowBrokers`. Default false.
   */
  readonly probeBrokers?: boolean
  /** Longest body in bytes: 1 … 16 MiB, default 4 MiB. The broker has a limit of its own. */
  readonly maxMessageBytes?: number
  /** Bodies from this size in bytes are compressed: 1 … 2^31, default 4096. */
  readonly compressFromBytes?: number
  /**
   * How they are compressed: `zlib` (default), which all consumers read, `lz4`, which is quick, or
   * `zstd`, which is small (from Node.js 22.15 on). Consumers before 5.0 read zlib only.
   */
  readonly compressType?: Codec
  /** How hard zlib (1 … 9) and zstd (1 … 22) try: default 5. */
  readonly compressLevel?: number
  /** Queues per broker of a topic that is created by its first message: 1 … 1024, default 4. */
  readonly newTopicQueues?: number
  /** The topic that such ones are made after, with its permissions (default TBW102). */
  readonly newTopicTemplate?: string
  /** Messages of `sendAsync` in flight: 1 … 65 535, default 1024. */
  readonly maxInFlight?: number
  /** Bytes of their bodies: 1 … 2^40, default 100 MiB. */
  readonly maxInFlightBytes?: number
  /** Requests that wait for their replies: 1 … 1 000 000, default 65 535. A further one fails. */
  readonly maxOpenRequests?: number
  /**
   * What `sendAsync` does when there is no room: `wait` (default) for at most the time of the send,
   * or `fail` at once with TOO_MANY_IN_FLIGHT.
   */
  readonly whenFull?: 'wait' | 'fail'
  /**
   * Whether `send` and `sendAsync` may share requests: messages of one topic that are sent in the
   * same turn, or while such a request is on its way, go with one. Nobody waits when there is
   * nothing to wait for. Messages with a delay and compressed ones go by themselves. Default false.
   */
  readonly autoBatch?: boolean
  /** Bytes at which a shared request goes at once: 1 … 2 MiB, default 32 KiB. */
  readonly autoBatchBytes?: number
  /** Longest wait behind a request that is on its way, in ms: 1 … 30 000, default 10. */
  readonly autoBatchHoldMs?: number
  /** What is told of each send, and may add to it or forbid it; called in this order. */
  readonly hooks?: readonly ProducerHook[]
}

/** Where a group begins on a queue of which it has consumed nothing yet. */
export type ConsumeFromWhere =
  /** After the messages that are there (on a queue younger than the broker's memory: at 0). */
  | 'last'
  /** With the oldest message. */
  | 'first'
  /** With the first message stored at or after this time. */
  | { readonly timestampMs: number }

export interface ConsumerOptions extends ClientOptions, ObservedOptions {
  /** Where to begin on a queue of which the group has consumed nothing; default `last`. */
  readonly consumeFromWhere?: ConsumeFromWhere
  /**
   * Who gets a message: one member of the group (`clustering`, the default), or every one of them
   * (`broadcasting`). With broadcasting offsets are kept in a local file, a message that fails does
   * not come again, and members must not share `instanceName` and machine.
   */
  readonly messageModel?: 'clustering' | 'broadcasting'
  /**
   * Whether the messages of a queue are handled in their order, one call of a handler at a time.
   * All members of a group must agree. A message that fails is tried again before any other of its
   * queue. Default false: queues are handled concurrently.
   */
  readonly orderly?: boolean
  /**
   * The part of the client id behind the address. Default: process and time; `DEFAULT` for
   * broadcasting, so that the path of the offsets stays the same.
   */
  readonly instanceName?: string
  /**
   * Folder for the offsets of broadcasting consumers; they are kept in
   * `<clientId>/<group>/offsets.json` below it. Default: `.rocketmq_offsets` in the home folder.
   */
  readonly localOffsetStoreDir?: string
  /** How the members of the group share the queues; all must use the same. Default: averagely. */
  readonly allocation?: AllocationStrategy
  /** Handlers that run at a time, over all queues: 1 … 10 000, default 20. */
  readonly concurrency?: number
  /** Messages for one call of the handler of `onMessages`: 1 … 1024, default 32. */
  readonly consumeMessageBatchMaxSize?: number
  /**
   * Time after which a handler is given up, in ms: 1000 … 2^31, default 15 minutes. Its messages
   * come again, its place is free for another, and whatever it still does is ignored.
   */
  readonly consumeTimeoutMs?: number
  /**
   * Failures after which a message becomes a dead letter: 0 … 2^31 − 1. Default (or −1): what the
   * settings of the group say (16 unless changed); in an orderly consumer there is no limit.
   */
  readonly maxReconsumeTimes?: number
  /**
   * How long a queue of an orderly consumer waits after a failure, in ms: 10 … 30 000, default
   * 1000. A handler may say otherwise.
   */
  readonly suspendCurrentQueueTimeMs?: number
  /**
   * Messages asked for by one pull, though no more than may be held: 1 … 1024, default 256 (Apache:
   * 32, which its brokers give at the most unless told otherwise).
   */
  readonly pullBatchSize?: number
  /** Pause of a queue after a pull that brought messages, in ms: 0 … 65 535, default 0. */
  readonly pullIntervalMs?: number
  /** Messages of a queue held here; at it the queue is not pulled: 1 … 65 535, default 1000. */
  readonly maxCachedMessages?: number
  /** Bytes of a queue held here; at it the queue is not pulled: 1 … 2^40, default 100 MiB. */
  readonly maxCachedBytes?: number
  /** From the oldest unfinished message of a queue to the newest: 1 … 65 535, default 2000. */
  readonly maxCachedSpan?: number
  /**
   * Messages of a topic held here, divided over the queues of it that this consumer has; then
   * `maxCachedMessages` does not count: 1 … 2^31 − 1, default none.
   */
  readonly maxCachedMessagesPerTopic?: number
  /** The same in bytes, in the place of `maxCachedBytes`: 1 … 2^40, default none. */
  readonly maxCachedBytesPerTopic?: number
  /**
   * Bytes held here over all queues: 1 … 2^40, default 256 MiB. At it only queues of which nothing
   * is held are pulled.
   */
  readonly maxCachedBytesInAll?: number
  /**
   * Time without progress after which a queue is told of as stalled, in ms: 30 000 … 2^31, default
   * 120 000. A broker may hold a pull for 15 s when there is nothing to give.
   */
  readonly stalledAfterMs?: number
  /**
   * Longest wait for another member to finish its handlers of a queue, in ms: 0 … 60 000, default
   * 5000. What it has not finished by then comes twice. An orderly consumer always waits.
   */
  readonly handoverMs?: number
  /** How long `close` and a rebalance wait for running handlers, in ms: 0 … 2^31, default 30 000. */
  readonly drainTimeoutMs?: number
  /** What is told of each call of a handler; called in this order. */
  readonly hooks?: readonly ConsumerHook[]
}

interface Range {
  readonly otherwise: number
  readonly min: number
  readonly max: number
}

type Ranges = Readonly<Record<string, Range>>

/** The numbers that come of ranges. */
export type Numbers<T extends Ranges> = { readonly [N in keyof T]: number }

const MIB = 1024 * 1024
const TERA = 2 ** 40
const MAX_INT = 2 ** 31 - 1
const MAX_ZLIB_LEVEL = 9

const producerRanges = {
  sendTimeoutMs: { otherwise: 3000, min: 1, max: 3_600_000 },
  attemptTimeoutMs: { otherwise: 3_600_000, min: 1, max: 3_600_000 },
  retries: { otherwise: 2, min: 0, max: 100 },
  maxMessageBytes: { otherwise: 4 * MIB, min: 1, max: 16 * MIB },
  compressFromBytes: { otherwise: 4096, min: 1, max: 2 ** 31 },
  compressLevel: { otherwise: 5, min: 1, max: 22 },
  delayLevels: { otherwise: 18, min: 1, max: 1000 },
  newTopicQueues: { otherwise: 4, min: 1, max: 1024 },
  maxInFlight: { otherwise: 1024, min: 1, max: 65_535 },
  maxInFlightBytes: { otherwise: 100 * MIB, min: 1, max: TERA },
  maxOpenRequests: { otherwise: 65_535, min: 1, max: 1_000_000 },
  autoBatchBytes: { otherwise: 32 * 1024, min: 1, max: 2 * MIB },
  autoBatchHoldMs: { otherwise: 10, min: 1, max: 30_000 },
} as const

const consumerRanges = {
  concurrency: { otherwise: 20, min: 1, max: 10_000 },
  consumeMessageBatchMaxSize: { otherwise: 32, min: 1, max: 1024 },
  consumeTimeoutMs: { otherwise: 900_000, min: 1000, max: 2 ** 31 },
  maxReconsumeTimes: { otherwise: -1, min: -1, max: MAX_INT },
  suspendCurrentQueueTimeMs: { otherwise: 1000, min: 10, max: 30_000 },
  pullBatchSize: { otherwise: 256, min: 1, max: 1024 },
  pullIntervalMs: { otherwise: 0, min: 0, max: 65_535 },
  maxCachedMessages: { otherwise: 1000, min: 1, max: 65_535 },
  maxCachedBytes: { otherwise: 100 * MIB, min: 1, max: TERA },
  maxCachedSpan: { otherwise: 2000, min: 1, max: 65_535 },
  maxCachedMessagesPerTopic: { otherwise: -1, min: -1, max: MAX_INT },
  maxCachedBytesPerTopic: { otherwise: -1, min: -1, max: TERA },
  maxCachedBytesInAll: { otherwise: 256 * MIB, min: 1, max: TERA },
  stalledAfterMs: { otherwise: 120_000, min: 30_000, max: 2 ** 31 },
  handoverMs: { otherwise: 5000, min: 0, max: 60_000 },
  drainTimeoutMs: { otherwise: 30_000, min: 0, max: 2 ** 31 },
} as const

/** What every client needs, checked. */
export interface ClientConfig {
  readonly group: string
  /** How the application and brokers name topics and groups. */
  readonly names: Names
  readonly namespaceV2: string | undefined
  readonly host: Host
  readonly nameServers: readonly string[]
  readonly serialization: Serialization
}

/** What is written down of messages, checked. */
export interface Observed {
  readonly messageTrace: boolean
  readonly traceTopic: string
  readonly sequenceAudit: boolean
}

export interface ProducerConfig extends ClientConfig, Numbers<typeof producerRanges>, Observed {
  readonly instanceId: string | undefined
  readonly hooks: readonly ProducerHook[]
  readonly newTopicTemplate: string
  readonly compressType: Codec
  readonly retryResponseCodes: ReadonlySet<number>
  readonly whenFull: 'wait' | 'fail'
  readonly autoBatch: boolean
  readonly retryLessSafe: boolean
  readonly avoidSlowBrokers: boolean
  readonly probeBrokers: boolean
}

export interface ConsumerConfig extends ClientConfig, Numbers<typeof consumerRanges>, Observed {
  readonly hooks: readonly ConsumerHook[]
  readonly consumeFromWhere: ConsumeFromWhere
  readonly allocation: AllocationStrategy
  readonly messageModel: 'clustering' | 'broadcasting'
  readonly orderly: boolean
  /** Undefined: process and time. */
  readonly instanceName: string | undefined
  readonly localOffsetStoreDir: string
}

/** Checks the options of a producer. Throws `ClientError` BAD_OPTION. */
export function producerConfig(options: ProducerOptions): ProducerConfig {
  const { whenFull = 'wait' } = options
  if (whenFull !== 'wait' && whenFull !== 'fail') {
    throw badOption(`whenFull is "${String(whenFull)}"`, 'use "wait" or "fail"')
  }
  const avoidSlowBrokers = switchOf('avoidSlowBrokers', options.avoidSlowBrokers)
  const probeBrokers = switchOf('probeBrokers', options.probeBrokers)
  if (probeBrokers && !avoidSlowBrokers) {
    throw badOption('probeBrokers is set without avoidSlowBrokers', 'set both, or neither')
  }
  return {
    ...clientConfig(options),
    ...numbers(producerRanges, options),
    ...observedOf(options),
    hooks: options.hooks ?? [],
    compressType: codecOf(options),
    newTopicTemplate: templateOf(options),
    retryResponseCodes: codesOf(options),
    instanceId: options.namespace === '' ? undefined : options.namespace,
    whenFull,
    autoBatch: switchOf('autoBatch', options.autoBatch),
    retryLessSafe: switchOf('retryLessSafe', options.retryLessSafe),
    avoidSlowBrokers,
    probeBrokers,
  }
}

/** Checks what is to be written down. Throws `ClientError` BAD_OPTION. */
export function observedOf(options: ObservedOptions): Observed {
  const { traceTopic = TRACE_TOPIC } = options
  const problem = topicNameProblem(traceTopic)
  if (problem !== undefined) throw badOption(problem, 'choose another name for traceTopic')
  return {
    messageTrace: switchOf('messageTrace', options.messageTrace),
    traceTopic,
    sequenceAudit: switchOf('sequenceAudit', options.sequenceAudit),
  }
}

const CODECS: ReadonlySet<unknown> = new Set<Codec>(['zlib', 'lz4', 'zstd'])

/** Checks how bodies are compressed. Throws `ClientError` BAD_OPTION. */
function codecOf({ compressLevel = 1, compressType = 'zlib' }: ProducerOptions): Codec {
  if (!CODECS.has(compressType)) {
    throw badOption(`compressType is "${String(compressType)}"`, 'use "zlib", "lz4" or "zstd"')
  }
  if (compressType === 'zstd' && !canWriteZstd) {
    const hint = 'run on Node.js 22.15 or later, or use "lz4" or "zlib"'
    throw badOption('compressType is "zstd", which this Node.js does not write', hint)
  }
  if (compressType === 'zlib' && compressLevel > MAX_ZLIB_LEVEL) {
    throw badOption(`compressLevel is ${compressLevel}`, 'use 1 to 9 with zlib')
  }
  return compressType
}

/** Checks what new topics are made after. Throws `ClientError` BAD_OPTION. */
function templateOf({ newTopicTemplate = NEW_TOPIC_TEMPLATE }: ProducerOptions): string {
  const problem = topicNameProblem(newTopicTemplate)
  if (problem === undefined) return newTopicTemplate
  throw badOption(problem, 'name an existing topic as newTopicTemplate')
}

/** Checks which answers are worth another attempt. Throws `ClientError` BAD_OPTION. */
function codesOf({ retryResponseCodes = [] }: ProducerOptions): ReadonlySet<number> {
  const wrong = retryResponseCodes.find((code) => !Number.isInteger(code) || code < 1)
  if (wrong === undefined) return new Set(retryResponseCodes)
  throw badOption(`retryResponseCodes has ${wrong}`, 'use codes of answers, whole numbers from 1')
}

/** An option that is off unless it is set. Throws `ClientError` BAD_OPTION. */
function switchOf(name: string, value: unknown): boolean {
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw badOption(`${name} is "${String(value)}"`, 'use true or false')
}

/** Checks the options of a consumer. Throws `ClientError` BAD_OPTION. */
export function consumerConfig(options: ConsumerOptions): ConsumerConfig {
  const client = clientConfig(options)
  const { localOffsetStoreDir } = options
  const { homeDirectory } = client.host.machine
  return {
    ...client,
    ...numbers(consumerRanges, options),
    ...modelOf(options),
    ...observedOf(options),
    hooks: options.hooks ?? [],
    consumeFromWhere: startingPoint(options),
    allocation: options.allocation ?? allocateAveragely,
    orderly: switchOf('orderly', options.orderly),
    localOffsetStoreDir: localOffsetStoreDir ?? `${homeDirectory}/.rocketmq_offsets`,
  }
}

/** Checks where a group begins. Throws `ClientError` BAD_OPTION. */
export function startingPoint({
  consumeFromWhere = 'last',
}: Pick<ConsumerOptions, 'consumeFromWhere'>): ConsumeFromWhere {
  const known =
    consumeFromWhere === 'last' ||
    consumeFromWhere === 'first' ||
    Number.isSafeInteger(consumeFromWhere.timestampMs)
  if (known) return consumeFromWhere
  throw badOption(
    `consumeFromWhere is ${JSON.stringify(consumeFromWhere)}`,
    'use "last", "first" or { timestampMs: <ms since 1970> }',
  )
}

/** What may stand in a client id, and in a path. */
const INSTANCE_NAME = /^[\w.#:-]+$/

/** Checks whom messages are for, and under which name. Throws `ClientError` BAD_OPTION. */
export function modelOf({
  messageModel = 'clustering',
  instanceName,
}: Pick<ConsumerOptions, 'messageModel' | 'instanceName'>): Pick<
  ConsumerConfig,
  'messageModel' | 'instanceName'
> {
  if (messageModel !== 'clustering' && messageModel !== 'broadcasting') {
    throw badOption(
      `messageModel is "${String(messageModel)}"`,
      'use "clustering" or "broadcasting"',
    )
  }
  if (instanceName !== undefined && !INSTANCE_NAME.test(instanceName)) {
    throw badOption(`instanceName is "${instanceName}"`, 'use letters, digits and . _ # : -')
  }
  const stable = messageModel === 'broadcasting' ? 'DEFAULT' : undefined
  return { messageModel, instanceName: instanceName ?? stable }
}

/** Checks what all clients have in common. Throws `ClientError` BAD_OPTION. */
export function clientConfig(options: ClientOptions): ClientConfig {
  const host = options.host ?? nodeHost()
  const problem =
    typeof options.group === 'string' ? groupNameProblem(options.group) : 'no group is given'
  if (problem !== undefined) throw badOption(problem, 'choose a name for the option group')
  if (options.group === 'DEFAULT_PRODUCER' || options.group === 'DEFAULT_CONSUMER') {
    throw badOption(`the group "${options.group}" is reserved`, 'choose another name')
  }
  const { serialization: form = 'binary' } = options
  if (form !== 'binary' && form !== 'json') {
    throw badOption(`serialization is "${String(form)}"`, 'use "binary" or "json"')
  }
  return {
    group: options.group,
    names: new Names(namespaceOf('namespace', options.namespace)),
    namespaceV2: namespaceOf('namespaceV2', options.namespaceV2),
    host,
    nameServers: nameServerAddresses(options.namesrvAddr, host.machine.environment),
    serialization: serialization[form],
  }
}

/** What may stand before the `%` that ends a namespace. */
const NAMESPACE = /^[\w|-]{1,100}$/

function namespaceOf(option: string, given: unknown): string | undefined {
  if (given === undefined || given === '') return undefined
  if (typeof given === 'string' && NAMESPACE.test(given)) return given
  throw badOption(`${option} is "${String(given)}"`, 'use letters, digits, | _ and -, at most 100')
}

/** The options of some ranges, or what holds without them. Throws `ClientError` BAD_OPTION. */
export function numbers<T extends Ranges>(ranges: T, options: object): Numbers<T> {
  const given = options as Readonly<Record<string, unknown>>
  const entries = Object.entries(ranges).map(([name, { otherwise, min, max }]) => {
    const value = given[name] ?? otherwise
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return [name, value] as const
    }
    throw badOption(`${name} is ${String(value)}`, `use a whole number from ${min} to ${max}`)
  })
  return Object.fromEntries(entries) as Numbers<T>
}
