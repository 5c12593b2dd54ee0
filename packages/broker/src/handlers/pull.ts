/**
 * PULL_MESSAGE and LITE_PULL_MESSAGE: read a queue from an offset, filtered by tags or properties;
 * when there is nothing, hold the request until something arrives. There is no table of held
 * requests: the held request is this function, waiting for the queue's end to pass a point.
 * Source: Apache class PullMessageProcessor; `broker-api.md` section 4, `store-runtime.md` 8 and 9.
 */
import type { Clock } from '@rockhopper/host'
import {
  type Header,
  LITE_PULL_MESSAGE,
  PULL_MESSAGE,
  pullFlag,
  responseCode,
  type SubscriptionGroupConfig,
  type TopicConfig,
} from '@rockhopper/protocol'
import { Refusal, type Reply, type RequestContext, type Router } from '@rockhopper/remoting'
import type { ReadOutcome, Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { MAX_HELD_PULLS, MAX_HOLD_MS, MAX_PULL_MESSAGES } from '../limits.ts'
import { isReadable } from '../rules/permission.ts'
import type { PullFilters, Wanted } from '../services/pull-filters.ts'
import type { ReaderAdmission } from '../services/reader-admission.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface PullParts {
  readonly admission: ReaderAdmission
  readonly clock: Clock
  readonly groups: GroupTable
  readonly config: BrokerConfig
  readonly filters: PullFilters
  readonly offsets: OffsetTable
  readonly topics: TopicTable
  readonly store: Store
  readonly traffic: TrafficCounters
}

type PullHeader = Header<typeof PULL_MESSAGE.tables.request>
/** Beside what a store finds: the group was put to another offset. */
type PullOutcome = Omit<ReadOutcome, 'status'> & {
  readonly status: ReadOutcome['status'] | 'OFFSET_RESET'
}
type PullReply = Reply<typeof PULL_MESSAGE.tables.answer>

export function handlePulls(router: Router, parts: PullParts): void {
  const puller = new Puller(parts)
  const handle = (header: PullHeader, context: RequestContext): Promise<PullReply> =>
    puller.pull(header, context)
  router.on(PULL_MESSAGE, handle).on(LITE_PULL_MESSAGE, handle)
}

class Puller {
  readonly #parts: PullParts
  #held = 0

  constructor(parts: PullParts) {
    this.#parts = parts
  }

  async pull(header: PullHeader, context: RequestContext): Promise<PullReply> {
    const { admission, filters, groups, offsets, topics, traffic } = this.#parts
    const { consumerGroup, queueId, topic } = header
    const group = this.#admit(header, groups)
    admission.admit(consumerGroup, topic, context.connection)
    const config = topics.get(topic)
    admitTopic(config, header)
    const wanted = filters.wantedBy(header)
    if ((header.sysFlag & pullFlag.commitOffset) !== 0 && header.commitOffset !== undefined) {
      offsets.commit(consumerGroup, topic, queueId, header.commitOffset)
    }
    const read = await this.#readOrHold(header, wanted, context)
    const outcome = this.#unlessReset(header, read, context)
    offsets.notePull(consumerGroup, topic, queueId, outcome.nextOffset)
    traffic.noteGet(consumerGroup, outcome.messageCount)
    return reply(outcome, header, config, group)
  }

  #admit({ consumerGroup }: PullHeader, groups: GroupTable): SubscriptionGroupConfig {
    const { config } = this.#parts
    const noPermission = (why: string): never => {
      throw new Refusal(responseCode.NO_PERMISSION, why)
    }
    if (!isReadable(config.brokerPermission)) {
      noPermission(`the broker may not be read: its brokerPermission is ${config.brokerPermission}`)
    }
    const group = groups.obtain(consumerGroup, config.autoCreateSubscriptionGroup)
    if (group === undefined) {
      throw new Refusal(
        responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        `the group "${consumerGroup}" does not exist: create it with mqadmin updateSubGroup, ` +
          'or set autoCreateSubscriptionGroup=true',
      )
    }
    if (!group.consumeEnable) {
      noPermission(`the group "${consumerGroup}" may not consume: its consumeEnable is false`)
    }
    return group
  }

  /** Reads at once; when the group is at the queue's end and may wait, again at each arrival. */
  async #readOrHold(
    header: PullHeader,
    wanted: Wanted,
    context: RequestContext,
  ): Promise<ReadOutcome> {
    const outcome = await this.#read(header, header.queueOffset, wanted)
    const holdMs = this.#holdMs(header)
    if (holdMs === 0 || !isAtEnd(outcome, header) || this.#held >= MAX_HELD_PULLS) return outcome
    if (this.#parts.offsets.isReset(header.consumerGroup, header.topic, header.queueId))
      return outcome
    this.#held++
    try {
      return await context.hold(this.#untilFound(header, wanted, outcome, holdMs, context))
    } finally {
      this.#held--
    }
  }

  /** What was found when time is up or something matches; arrivals that do not match go by. */
  async #untilFound(
    header: PullHeader,
    wanted: Wanted,
    atEnd: ReadOutcome,
    holdMs: number,
    { connection }: RequestContext,
  ): Promise<ReadOutcome> {
    const { clock, store } = this.#parts
    const end = store.queueEnd(header.topic, header.queueId)
    const untilMs = clock.monotonicMs() + holdMs
    let outcome = atEnd
    do {
      const timeoutMs = Math.max(0, untilMs - clock.monotonicMs())
      const arrived = end.reached(outcome.nextOffset + 1, { timeoutMs, signal: connection.closed })
      if (!(await this.#unlessWoken(header, arrived))) return outcome
      outcome = await this.#read(header, outcome.nextOffset, wanted)
    } while (outcome.status === 'NO_MATCHED_MESSAGE' || isAtEnd(outcome, header))
    return outcome
  }

  /** False as soon as an operator resets the queue for the group. */
  #unlessWoken(
    { consumerGroup, queueId, topic }: PullHeader,
    arrived: true | Promise<boolean>,
  ): true | Promise<boolean> {
    if (arrived === true) return true
    return new Promise((resolve, reject) => {
      const wake = (): void => resolve(false)
      const forget = this.#parts.offsets.onReset(consumerGroup, topic, queueId, wake)
      arrived.then(resolve, reject).finally(forget)
    })
  }

  /** What was read, or where to go on when an operator put the group to another offset. */
  #unlessReset(
    { consumerGroup: group, queueId, queueOffset, topic }: PullHeader,
    outcome: ReadOutcome,
    { connection }: RequestContext,
  ): PullOutcome {
    const queue = { group, topic, queueId }
    const offset = this.#parts.offsets.takeReset(queue, connection, queueOffset)
    if (offset === undefined) return outcome
    const nothing = { slices: [], messageCount: 0, bytes: 0 }
    return { ...outcome, ...nothing, status: 'OFFSET_RESET', nextOffset: offset }
  }

  #read(header: PullHeader, offset: number, wanted: Wanted): ReadOutcome | Promise<ReadOutcome> {
    const { config, store } = this.#parts
    const asked = Math.min(Math.max(1, header.maxMsgNums), MAX_PULL_MESSAGES)
    return store.read({
      topic: header.topic,
      queueId: header.queueId,
      offset,
      maxMessages: Math.min(asked, config.maxTransferCountOnMessageInMemory),
      maxBytes: config.maxTransferBytesOnMessageInMemory,
      tagHashes: wanted.tagHashes,
      filter: wanted.newFilter?.(),
    })
  }

  /** How long the request may be held, 0 when not at all. */
  #holdMs({ suspendTimeoutMillis, sysFlag }: PullHeader): number {
    const { longPollingEnable, shortPollingTimeMills } = this.#parts.config
    if ((sysFlag & pullFlag.suspend) === 0) return 0
    const askedMs = Math.min(Math.max(0, suspendTimeoutMillis ?? 0), MAX_HOLD_MS)
    return longPollingEnable ? askedMs : Math.min(askedMs, shortPollingTimeMills)
  }
}

/** Whether the group has read all there is: the one state in which a request is held. */
function isAtEnd(outcome: ReadOutcome, { queueOffset }: PullHeader): boolean {
  switch (outcome.status) {
    case 'OFFSET_OVERFLOW_ONE':
    case 'OFFSET_FOUND_NULL':
      return true
    case 'NO_MATCHED_LOGIC_QUEUE':
    case 'NO_MESSAGE_IN_QUEUE':
      return queueOffset === 0
    default:
      return false
  }
}

function codeOf(outcome: PullOutcome, { queueOffset }: PullHeader): number {
  switch (outcome.status) {
    case 'FOUND':
      return responseCode.SUCCESS
    case 'NO_MATCHED_MESSAGE':
    case 'MESSAGE_WAS_REMOVING':
      return responseCode.PULL_RETRY_IMMEDIATELY
    case 'NO_MATCHED_LOGIC_QUEUE':
    case 'NO_MESSAGE_IN_QUEUE':
      return queueOffset === 0 ? responseCode.PULL_NOT_FOUND : responseCode.PULL_OFFSET_MOVED
    case 'OFFSET_FOUND_NULL':
    case 'OFFSET_OVERFLOW_ONE':
      return responseCode.PULL_NOT_FOUND
    case 'OFFSET_OVERFLOW_BADLY':
    case 'OFFSET_TOO_SMALL':
    case 'OFFSET_RESET':
      return responseCode.PULL_OFFSET_MOVED
  }
}

function reply(
  outcome: PullOutcome,
  header: PullHeader,
  topic: TopicConfig | undefined,
  group: SubscriptionGroupConfig,
): PullReply {
  return {
    code: codeOf(outcome, header),
    remark: outcome.status,
    header: {
      suggestWhichBrokerId: group.brokerId,
      nextBeginOffset: outcome.nextOffset,
      minOffset: outcome.minOffset,
      maxOffset: outcome.maxOffset,
      topicSysFlag: topic?.topicSysFlag ?? 0,
      groupSysFlag: group.groupSysFlag,
    },
    body: outcome.slices,
  }
}

/** Throws `Refusal` when the topic or the queue cannot be read. */
function admitTopic(config: TopicConfig | undefined, { queueId, topic }: PullHeader): void {
  if (config === undefined) {
    throw new Refusal(
      responseCode.TOPIC_NOT_EXIST,
      `topic "${topic}" does not exist: create it with mqadmin updateTopic -t ${topic}`,
    )
  }
  if (!isReadable(config.perm)) {
    throw new Refusal(
      responseCode.NO_PERMISSION,
      `topic "${topic}" may not be read: its perm is ${config.perm}`,
    )
  }
  if (queueId >= 0 && queueId < config.readQueueNums) return
  throw new Refusal(
    responseCode.INVALID_PARAMETER,
    `queue ${queueId} of topic "${topic}" cannot be read: it has ${config.readQueueNums} read queues`,
  )
}
