/**
 * What a consumer wants of which topic, and who takes it. Source: `client.md` section 4. Owns the
 * subscriptions and the handlers.
 */
import {
  retryTopicOf,
  type SubscriptionData,
  sqlSubscription,
  tagSubscription,
  topicNameProblem,
} from '@rockhopper/protocol'
import { badOption } from '../errors.ts'
import type { BatchHandler, Handling, MessageHandler } from '../handle/handlers.ts'
import type { MessageFilter } from './message-filter.ts'
import type { ReceivedMessage } from './received-message.ts'

export interface Subscription {
  /** As brokers hear it. */
  readonly data: SubscriptionData
  /** The tags wanted; empty when the broker alone decides. */
  readonly tags: ReadonlySet<string>
  /** Takes the messages of this topic; without one the handler for batches does. */
  readonly handler: MessageHandler | undefined
}

export class Subscriptions {
  readonly #batchSize: number
  readonly #byTopic = new Map<string, Subscription>()
  readonly #retryTopic: string
  #batchHandler: BatchHandler | undefined

  /**
   * `batchSize`: messages for one call of the handler for batches. The retry topic of the group is
   * subscribed from the start, at `nowMs`, unless failed messages do not come again.
   */
  constructor(group: string, batchSize: number, nowMs: number, isRetried = true) {
    this.#batchSize = batchSize
    this.#retryTopic = retryTopicOf(group)
    if (isRetried) this.set(this.#retryTopic, '*', nowMs, undefined)
  }

  /** All subscribed topics. */
  get topics(): readonly string[] {
    return [...this.#byTopic.keys()]
  }

  /** Subscriptions as brokers hear them. */
  get data(): readonly SubscriptionData[] {
    return [...this.#byTopic.values()].map(({ data }) => data)
  }

  /** Whether the broker creates the topic by itself when the first member of the group appears. */
  isRetryTopic(topic: string): boolean {
    return topic === this.#retryTopic
  }

  get(topic: string): Subscription | undefined {
    return this.#byTopic.get(topic)
  }

  /**
   * `filter`: tags as `a || b`, `*` for all messages, or what `bySql` and `byTags` give. `nowMs`
   * becomes the version, of which brokers keep the newest. Throws BAD_OPTION.
   */
  set(
    topic: string,
    filter: string | MessageFilter,
    nowMs: number,
    handler: MessageHandler | undefined,
  ): void {
    const before = this.#byTopic.get(topic)?.data.subVersion ?? 0
    const subscription = subscriptionTo(topic, filter, Math.max(nowMs, before + 1))
    this.#byTopic.set(topic, { ...subscription, handler })
  }

  delete(topic: string): void {
    if (!this.isRetryTopic(topic)) this.#byTopic.delete(topic)
  }

  /** Names the handler of topics without one of their own. */
  setBatchHandler(handler: BatchHandler): void {
    this.#batchHandler = handler
  }

  /** Throws `ClientError` BAD_OPTION when the messages of a topic would be taken by nobody. */
  checkHandlers(): void {
    if (this.#batchHandler !== undefined) return
    for (const [topic, { handler }] of this.#byTopic) {
      if (handler !== undefined || this.isRetryTopic(topic)) continue
      const sentence = `nothing takes the messages of the topic "${topic}"`
      throw badOption(sentence, 'give subscribe a handler, or call onMessages')
    }
  }

  /** Who takes the messages of a topic; a message that nobody takes fails, and so is not lost. */
  handlingOf(topic: string): Handling {
    const handler = this.#byTopic.get(topic)?.handler
    if (handler !== undefined) return { kind: 'each', handle: handler }
    const handle = this.#batchHandler
    if (handle !== undefined) return { kind: 'batch', handle, maxSize: this.#batchSize }
    return { kind: 'each', handle: refuse }
  }
}

/** What is wanted of a topic, with nobody to take it. Throws `ClientError` BAD_OPTION. */
export function subscriptionTo(
  topic: string,
  filter: string | MessageFilter,
  subVersion: number,
): Subscription {
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw badOption(problem, 'subscribe to another topic')
  const data = dataOf(topic, filter, subVersion)
  return { data, tags: new Set(data.tagsSet), handler: undefined }
}

function dataOf(
  topic: string,
  filter: string | MessageFilter,
  subVersion: number,
): SubscriptionData {
  if (typeof filter === 'object' && filter.type === 'SQL92') {
    return sqlSubscription(topic, filter.expression, subVersion)
  }
  const expression = typeof filter === 'string' ? filter : filter.expression
  try {
    return tagSubscription(topic, expression, subVersion)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw badOption(error.message, 'correct the expression')
  }
}

/** Whether a message is wanted. Brokers compare hashes of tags only, so that others slip through. */
export function isWanted({ tags }: Subscription, message: ReceivedMessage): boolean {
  return tags.size === 0 || (message.tag !== undefined && tags.has(message.tag))
}

function refuse({ topic }: ReceivedMessage): void {
  throw new Error(`this consumer has no handler for the topic "${topic}" any more`)
}
