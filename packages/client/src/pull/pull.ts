/**
 * The loop that reads one queue: asks the broker for messages, lets it hold the request while there
 * are none, and puts what comes into the window. Source: Apache class DefaultMQPushConsumerImpl;
 * `client.md` section 6.2, `broker-api.md` section 4. Owns nothing between two turns.
 */
import { type Host, pause } from '@rockhopper/host'
import { type MessageQueue, responseCode } from '@rockhopper/protocol'
import { ConnectionError, RemoteError, TimeoutError } from '@rockhopper/remoting'
import type { Cluster } from '../cluster/cluster.ts'
import { MASTER_ID } from '../cluster/routes.ts'
import { unlessAborted } from '../give-up.ts'
import { type PullResult, type PullWish, pullOnce } from './pull-once.ts'
import type { ReceivedMessage } from './received-message.ts'
import { ReplicaChoice } from './replica-choice.ts'
import type { Subscription } from './subscriptions.ts'
import type { Window, WindowEntry } from './window.ts'

/** Pause after the wire failed (Apache: pullTimeDelayMillsWhenException), or we were forgotten. */
const AFTER_WIRE_FAILURE_MS = 1_000
/** Pause after the broker refused. */
const AFTER_REFUSAL_MS = 3_000
/** Pause after the broker asked for one. */
const AFTER_FLOW_CONTROL_MS = 20

/** A queue that is to be read, from one offset on. */
export interface PullTarget {
  readonly queue: MessageQueue
  /** Aborts when it is not to be read any more. */
  readonly released: AbortSignal
  /** Whether the last pull failed: the first failure is reported, not each one. */
  isFailing: boolean
}

export interface PullerParts<T extends PullTarget> {
  readonly host: Host
  readonly cluster: Cluster
  readonly group: string
  readonly batchSize: number
  /** Whether brokers know the subscriptions, and hear with each pull how far the group is. */
  readonly as: 'member' | 'lite'
  /** How long a broker may hold a pull when there is nothing to give, in ms. */
  readonly holdMs: number
  /** Where to begin. Throws remoting errors: then it is asked again. */
  readonly startOffset: (target: T) => Promise<number>
  /** Makes the window that takes what comes. */
  readonly open: (target: T, startOffset: number) => Window<ReceivedMessage>
  /** Resolves when the next messages may come, or the queue is released. */
  readonly room: (target: T, window: Window<ReceivedMessage>) => Promise<void>
  readonly subscriptionTo: (topic: string) => Subscription | undefined
  /** Takes new messages. */
  readonly onMessages: (target: T, entries: readonly WindowEntry<ReceivedMessage>[]) => void
  /** Whether members tell the broker with pulls how far they are; they do when this is absent. */
  readonly isCommitted?: (target: T) => boolean
  /** A pull was answered: with how many messages, and after how long, in ms. */
  readonly onPulled?: (target: T, count: number, tookMs: number) => void
  /** The broker has noted the offset of the group that came with a pull. */
  readonly onCommitted: (target: T, commitOffset: number) => void
  /** The queue does not have the offset that was asked for: it is to begin anew at another. */
  readonly onOffsetMoved: (target: T, from: number, to: number) => void
  /** The broker does not know this group's subscriptions any more, as after its restart. */
  readonly onForgotten: () => void
  /** Told of the first failure of a queue, and again of the first after a success. */
  readonly onFailure: (target: T, error: unknown) => void
}

export class Puller<T extends PullTarget> {
  readonly #parts: PullerParts<T>

  constructor(parts: PullerParts<T>) {
    this.#parts = parts
  }

  /** Reads the queue until it is released. `delayMs`: pause before the first question. */
  async run(target: T, delayMs: number): Promise<void> {
    await pause(this.#parts.host.clock, delayMs, target.released)
    const window = await this.#open(target)
    const choice = new ReplicaChoice()
    while (window !== undefined && !target.released.aborted) {
      await this.#parts.room(target, window)
      if (target.released.aborted) return
      try {
        await this.#turn(target, window, choice)
        target.isFailing = false
      } catch (error) {
        if (!this.#hasAnother(target, error, choice)) await this.#afterFailure(target, error)
      }
    }
  }

  /** Asks where to begin, until there is an answer; undefined when the queue is released first. */
  async #open(target: T): Promise<Window<ReceivedMessage> | undefined> {
    const { startOffset, open } = this.#parts
    while (!target.released.aborted) {
      try {
        return open(target, await unlessAborted(startOffset(target), target.released))
      } catch (error) {
        await this.#afterFailure(target, error)
      }
    }
    return undefined
  }

  /** One pull. */
  async #turn(target: T, window: Window<ReceivedMessage>, choice: ReplicaChoice): Promise<void> {
    const { cluster, onCommitted, onMessages } = this.#parts
    const subscription = this.#parts.subscriptionTo(target.queue.topic)
    if (subscription === undefined) {
      await pause(this.#parts.host.clock, AFTER_WIRE_FAILURE_MS, target.released)
      return
    }
    const { clock } = this.#parts.host
    const startMs = clock.monotonicMs()
    const asked = pullOnce(cluster, this.#wish(target, window, subscription, choice.next))
    const result = await unlessAborted(asked, target.released)
    this.#parts.onPulled?.(target, result.messages.length, clock.monotonicMs() - startMs)
    if (result.committed !== undefined) onCommitted(target, result.committed)
    if (result.kind === 'offset moved') {
      await this.#move(target, window, result.nextOffset)
      return
    }
    const entries = window.add(result.messages, result.nextOffset, measure)
    if (entries.length > 0) onMessages(target, entries)
    await this.#follow(target, result, choice)
  }

  /** Reads on where the broker says; a broker it names that is in no route yet is looked for. */
  async #follow(
    { queue, released }: T,
    { kind, nextReplica: suggested, replica: asked }: PullResult,
    choice: ReplicaChoice,
  ): Promise<void> {
    const { cluster, host } = this.#parts
    const known = cluster.replicas(queue.brokerName).map(({ brokerId }) => brokerId)
    const told = { asked, suggested, isFound: kind === 'found' }
    if (choice.answered(told, known, host.clock.monotonicMs()) === 'at once') return
    cluster.renewRoutes()
    await pause(host.clock, AFTER_WIRE_FAILURE_MS, released)
  }

  /** Whether another broker of the name can be asked at once, as this one cannot be reached. */
  #hasAnother({ queue, released }: T, error: unknown, choice: ReplicaChoice): boolean {
    const { cluster, host } = this.#parts
    if (released.aborted) return false
    if (!(error instanceof ConnectionError) && !(error instanceof TimeoutError)) {
      choice.refused()
      return false
    }
    const replicas = cluster.replicas(queue.brokerName)
    const known = replicas.map(({ brokerId }) => brokerId)
    const asked = known.includes(choice.next) ? choice.next : (known[0] ?? MASTER_ID)
    return choice.failed(asked, known, host.clock.monotonicMs()) === 'at once'
  }

  #wish(
    target: T,
    window: Window<ReceivedMessage>,
    subscription: Subscription,
    replica: number,
  ): PullWish {
    const { group, batchSize, as, holdMs, isCommitted } = this.#parts
    const commits = as === 'member' && isCommitted?.(target) !== false
    const commitOffset = commits ? window.commitOffset : undefined
    const { queue } = target
    const offset = window.nextOffset
    const maxMessages = Math.min(batchSize, window.maxMessages)
    return { group, queue, offset, maxMessages, subscription, as, holdMs, replica, commitOffset }
  }

  /** An offset that moves to where it is already would be asked for again at once. */
  async #move(target: T, window: Window<ReceivedMessage>, to: number): Promise<void> {
    const from = window.nextOffset
    if (from === to) await pause(this.#parts.host.clock, AFTER_REFUSAL_MS, target.released)
    else this.#parts.onOffsetMoved(target, from, to)
  }

  async #afterFailure(target: T, error: unknown): Promise<void> {
    if (target.released.aborted) return
    if (!target.isFailing) this.#parts.onFailure(target, error)
    target.isFailing = true
    if (isForgotten(error)) this.#parts.onForgotten()
    await pause(this.#parts.host.clock, delayAfter(error), target.released)
  }
}

/** Whether a heartbeat would help. */
function isForgotten(error: unknown): boolean {
  if (!(error instanceof RemoteError)) return false
  const { SUBSCRIPTION_NOT_EXIST, SUBSCRIPTION_NOT_LATEST } = responseCode
  return error.code === SUBSCRIPTION_NOT_EXIST || error.code === SUBSCRIPTION_NOT_LATEST
}

function delayAfter(error: unknown): number {
  if (!(error instanceof RemoteError) || isForgotten(error)) return AFTER_WIRE_FAILURE_MS
  return error.code === responseCode.FLOW_CONTROL ? AFTER_FLOW_CONTROL_MS : AFTER_REFUSAL_MS
}

function measure({ queueOffset, body }: ReceivedMessage): {
  queueOffset: number
  sizeBytes: number
} {
  return { queueOffset, sizeBytes: body.length }
}
