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
  topicConfig,
} from '@rockhopper/protocol'
import { Refusal, type Reply, type RequestContext, type Router } from '@rockhopper/remoting'
import type { ReadOutcome, Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { MAX_HELD_PULLS, MAX_HOLD_MS, MAX_PULL_MESSAGES } from '../limits.ts'
import { isReadable } from '../rules/permission.ts'
import {
  codeOf,
  isAtEnd,
  isFarBehind,
  type PullOutcome,
  type PullRole,
  suggestedBroker,
  uncorrected,
} from '../rules/pull-answer.ts'
import type { Commits } from '../services/commits.ts'
import type { PullFilters, Wanted } from '../services/pull-filters.ts'
import type { ReaderAdmission } from '../services/reader-admission.ts'
import type { SlaveSync } from '../services/slave-sync.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface PullParts {
  readonly admission: ReaderAdmission
  readonly clock: Clock
  readonly commits: Commits
  readonly groups: GroupTable
  readonly config: BrokerConfig
  readonly filters: PullFilters
  readonly offsets: OffsetTable
  /** Undefined at a master. */
  readonly slaveSync: SlaveSync | undefined
  readonly topics: TopicTable
  readonly store: Store
  readonly traffic: TrafficCounters
  /** Part of the log that counts as read from memory: what is further back is old. */
  readonly memoryBytes: number
}

type PullHeader = Header<typeof PULL_MESSAGE.tables.request>
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
    const { admission, commits, filters, groups, offsets, traffic } = this.#parts
    const { consumerGroup, queueId, topic } = header
    const group = this.#admit(header, groups)
    admission.admit(consumerGroup, topic, context.connection)
    const config = this.#admitTopic(header)
    const wanted = filters.wantedBy(header)
    const { commitOffset, sysFlag } = header
    if ((sysFlag & pullFlag.commitOffset) !== 0 && commitOffset !== undefined) {
      commits.take(header, commitOffset, context.connection)
    }
    const read = await this.#readOrHold(header, wanted, context)
    const outcome = this.#unlessReset(header, read, context)
    const role = this.#role()
    offsets.notePull(consumerGroup, topic, queueId, outcome.nextOffset)
    traffic.noteGet(consumerGroup, outcome.messageCount)
    const limitBytes = this.#parts.memoryBytes
    const isOld = isFarBehind(outcome, this.#parts.store.marks.written.value, limitBytes)
    return {
      code: codeOf(outcome, header.queueOffset, role),
      remark: outcome.status,
      header: {
        suggestWhichBrokerId: suggestedBroker(group, isOld, role),
        nextBeginOffset: outcome.nextOffset,
        minOffset: outcome.minOffset,
        maxOffset: outcome.maxOffset,
        topicSysFlag: config.topicSysFlag,
        groupSysFlag: group.groupSysFlag,
      },
      body: outcome.slices,
    }
  }

  /** Who answers: of a slave it may change at any moment. */
  #role(): PullRole {
    const { config, slaveSync } = this.#parts
    const { brokerId, offsetCheckInSlave: correctsOffsets, slaveReadEnable } = config
    if (slaveSync === undefined) return { kind: 'master', sendsToSlaves: slaveReadEnable }
    return { kind: 'slave', brokerId, correctsOffsets, isMasterThere: slaveSync.isMasterThere }
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

  /**
   * Throws `Refusal`. A slave whose master was gone before it told of a topic still has its messages.
   */
  #admitTopic(header: PullHeader): TopicConfig {
    const { slaveSync, store, topics } = this.#parts
    const { queueId, topic } = header
    const config = topics.get(topic)
    const isCopied = slaveSync !== undefined && store.queueBounds(topic, queueId).maxOffset > 0
    if (config !== undefined || !isCopied) return readableTopic(config, header)
    return topicConfig(topic, { readQueueNums: queueId + 1 })
  }

  /** Reads at once; when the group is at the queue's end and may wait, again at each arrival. */
  async #readOrHold(
    header: PullHeader,
    wanted: Wanted,
    context: RequestContext,
  ): Promise<ReadOutcome> {
    const outcome = await this.#read(header, header.queueOffset, wanted)
    const holdMs = this.#holdMs(header)
    if (holdMs === 0 || this.#held >= MAX_HELD_PULLS) return outcome
    if (!isAtEnd(outcome, header.queueOffset, this.#role())) return outcome
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
    } while (
      outcome.status === 'NO_MATCHED_MESSAGE' ||
      isAtEnd(outcome, header.queueOffset, this.#role())
    )
    return outcome
  }

  /** False as soon as an operator resets the queue for the group, or the master of this slave comes. */
  #unlessWoken(
    { consumerGroup, queueId, topic }: PullHeader,
    arrived: true | Promise<boolean>,
  ): true | Promise<boolean> {
    if (arrived === true) return true
    const { offsets, slaveSync } = this.#parts
    return new Promise((resolve, reject) => {
      const wake = (): void => resolve(false)
      const forget = offsets.onReset(consumerGroup, topic, queueId, wake)
      const forgetMaster = slaveSync?.onMaster(wake)
      arrived.then(resolve, reject).finally(() => {
        forget()
        forgetMaster?.()
      })
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
    const read = this.#readStore(header, offset, wanted)
    if (this.#parts.slaveSync === undefined) return read
    const left = (outcome: ReadOutcome): ReadOutcome => uncorrected(outcome, offset, this.#role())
    return read instanceof Promise ? read.then(left) : left(read)
  }

  #readStore(
    header: PullHeader,
    offset: number,
    wanted: Wanted,
  ): ReadOutcome | Promise<ReadOutcome> {
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

/** Throws `Refusal` when the topic or the queue cannot be read. */
function readableTopic(
  config: TopicConfig | undefined,
  { queueId, topic }: PullHeader,
): TopicConfig {
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
  if (queueId >= 0 && queueId < config.readQueueNums) return config
  throw new Refusal(
    responseCode.INVALID_PARAMETER,
    `queue ${queueId} of topic "${topic}" cannot be read: it has ${config.readQueueNums} read queues`,
  )
}
