/**
 * Finds out which messages of a queue a pull asks for: by the subscription in the request, or by the
 * one that the group's heartbeats announced. Owns nothing.
 * Source: Apache classes PullMessageProcessor, ExpressionMessageFilter,
 * ExpressionForRetryMessageFilter, ClientManageProcessor; `broker-api.md` sections 4 and 6.3.
 */
import {
  findProperty,
  type Header,
  isRetryTopic,
  type PULL_MESSAGE,
  propertiesAtOf,
  pullFlag,
  RETRY_PREFIX,
  responseCode,
  type SubscriptionData,
  sqlSubscription,
  tagSubscription,
} from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import type { RecordFilter } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { MAX_FILTER_WORK_PER_READ } from '../limits.ts'
import type { SqlFilter } from '../rules/sql/sql-filter.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { SqlFilters } from '../tables/sql-filters.ts'

type PullHeader = Header<typeof PULL_MESSAGE.tables.request>

/** What a pull asks for; all messages when both are undefined. */
export interface Wanted {
  readonly tagHashes: ReadonlySet<number> | undefined
  /** Makes the filter of one read. */
  readonly newFilter: (() => RecordFilter) | undefined
}

export interface PullFilterParts {
  readonly config: BrokerConfig
  readonly clients: ClientTable
  readonly sqlFilters: SqlFilters
}

export class PullFilters {
  readonly #parts: PullFilterParts

  constructor(parts: PullFilterParts) {
    this.#parts = parts
  }

  /** Throws `Refusal` when the subscription is unknown or outdated, or its filter is impossible. */
  wantedBy(header: PullHeader): Wanted {
    const isGiven = (header.sysFlag & pullFlag.subscription) !== 0
    const subscription = isGiven ? givenBy(header) : this.#announcedFor(header)
    const isByClass = (header.sysFlag & pullFlag.classFilter) !== 0
    if (isByClass || subscription.classFilterMode) throw unsupported('a class of its own')
    const { codeSet, expressionType } = subscription
    if (isTagType(expressionType)) {
      const tagHashes = codeSet.length === 0 ? undefined : new Set(codeSet)
      return { tagHashes, newFilter: undefined }
    }
    const { FILTER_DATA_NOT_EXIST, SUBSCRIPTION_PARSE_FAILED } = responseCode
    const whenWrong = isGiven ? SUBSCRIPTION_PARSE_FAILED : FILTER_DATA_NOT_EXIST
    return { tagHashes: undefined, newFilter: this.#filterMaker(subscription, whenWrong) }
  }

  /** Throws `Refusal` when the broker cannot filter by a subscription that a client will announce. */
  check(subscription: SubscriptionData): void {
    if (isTagType(subscription.expressionType)) return
    this.#filterMaker(subscription, responseCode.SUBSCRIPTION_PARSE_FAILED)
  }

  #announcedFor({ consumerGroup, subVersion = 0, topic }: PullHeader): SubscriptionData {
    const { clients } = this.#parts
    const announced = clients.consumersOf(consumerGroup)?.subscriptions.get(topic)
    if (announced === undefined) {
      throw new Refusal(
        responseCode.SUBSCRIPTION_NOT_EXIST,
        `the subscription of group "${consumerGroup}" to "${topic}" is unknown here: ` +
          'its members tell it with their heartbeats',
      )
    }
    if (announced.subVersion >= subVersion) return announced
    throw new Refusal(
      responseCode.SUBSCRIPTION_NOT_LATEST,
      `the subscription of group "${consumerGroup}" to "${topic}" is newer than the one known ` +
        'here: the next heartbeat tells it',
    )
  }

  #filterMaker(
    { expressionType, subString, topic }: SubscriptionData,
    codeWhenWrong: Refusal['code'],
  ): () => RecordFilter {
    const { config } = this.#parts
    if (expressionType !== 'SQL92' || !config.enablePropertyFilter) {
      throw unsupported(expressionType)
    }
    const compiled = this.#parts.sqlFilters.get(subString)
    if (compiled.kind === 'wrong') throw new Refusal(codeWhenWrong, compiled.problem)
    if (config.filterSupportRetry && isRetryTopic(topic)) {
      const group = topic.slice(RETRY_PREFIX.length)
      return () => new PropertyFilter((source, at) => this.#filterOfRetry(group, source, at))
    }
    return () => new PropertyFilter(() => compiled.filter)
  }

  /** A message to be tried again passes by the filter of the topic that it came from, if it has one. */
  #filterOfRetry(group: string, source: Buffer, at: number): SqlFilter | undefined {
    const end = at + source.readInt32BE(at)
    const topic = findProperty(source.subarray(propertiesAtOf(source, at), end), 'RETRY_TOPIC')
    const { subscriptions } = this.#parts.clients.consumersOf(group) ?? {}
    const original = topic === undefined ? undefined : subscriptions?.get(topic)
    if (original?.expressionType !== 'SQL92') return undefined
    const compiled = this.#parts.sqlFilters.get(original.subString)
    return compiled.kind === 'wrong' ? undefined : compiled.filter
  }
}

/** Applies SQL92 filters to the records of one read, until it has looked at enough. */
class PropertyFilter implements RecordFilter {
  readonly #filterOf: (source: Buffer, at: number) => SqlFilter | undefined
  #work = 0

  /** `filterOf`: the filter for a record; without one the record is wanted. */
  constructor(filterOf: (source: Buffer, at: number) => SqlFilter | undefined) {
    this.#filterOf = filterOf
  }

  get isSpent(): boolean {
    return this.#work >= MAX_FILTER_WORK_PER_READ
  }

  matches(source: Buffer, at: number): boolean {
    const filter = this.#filterOf(source, at)
    if (filter === undefined) return true
    const from = propertiesAtOf(source, at)
    const to = at + source.readInt32BE(at)
    this.#work += to - from + filter.work
    return filter.matches(source, from, to)
  }
}

/** The subscription in the request itself. */
function givenBy(header: PullHeader): SubscriptionData {
  const { expressionType = 'TAG', subVersion = 0, subscription = '*', topic } = header
  if (!isTagType(expressionType)) {
    return { ...sqlSubscription(topic, subscription, subVersion), expressionType }
  }
  try {
    return tagSubscription(topic, subscription, subVersion)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Refusal(responseCode.SUBSCRIPTION_PARSE_FAILED, error.message)
  }
}

function isTagType(expressionType: string): boolean {
  return expressionType === 'TAG' || expressionType === ''
}

/** The beginning is Apache's, of which clients know what it means. */
function unsupported(way: string): Refusal {
  const hint =
    way === 'SQL92'
      ? 'set enablePropertyFilter=true, or filter by tags'
      : 'filter by tags (TAG) or by properties (SQL92)'
  return new Refusal(
    responseCode.SYSTEM_ERROR,
    `The broker does not support consumer to filter message by ${way}: ${hint}`,
  )
}
