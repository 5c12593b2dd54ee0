/**
 * The loop that reads one queue: asks the broker for messages, lets it hold the request while there
 * are none, and puts what comes into the window. Source: Apache class DefaultMQPushConsumerImpl;
 * `client.md` section 6.2, `broker-api.md` section 4. Owns nothing between two turns.
 */
import { type Host, pause } from '@rockhopper/host'
import { type Header, PULL_MESSAGE, pullFlag, responseCode } from '@rockhopper/protocol'
import { type Answer, RemoteError } from '@rockhopper/remoting'
import type { Cluster } from './cluster.ts'
import { unlessAborted } from './give-up.ts'
import type { Offsets } from './offsets.ts'
import type { Entry, OwnedQueue } from './owned-queue.ts'
import { decodeMessages, type ReceivedMessage } from './received-message.ts'
import { MASTER_ID } from './routes.ts'
import { isWanted, type Subscription } from './subscriptions.ts'
import type { Window, WindowLimits } from './window.ts'

/** How long a broker may hold a pull when there is nothing to give (Apache: the same). */
const HOLD_MS = 15_000
const PULL_TIMEOUT_MS = 30_000

/** Pause after the wire failed (Apache: pullTimeDelayMillsWhenException), or we were forgotten. */
const AFTER_WIRE_FAILURE_MS = 1_000
/** Pause after the broker refused. */
const AFTER_REFUSAL_MS = 3_000
/** Pause after the broker asked for one. */
const AFTER_FLOW_CONTROL_MS = 20

type PullRequest = (typeof PULL_MESSAGE)['tables']['request']
type PullAnswer = Answer<(typeof PULL_MESSAGE)['tables']['answer']>

export interface PullerParts {
  readonly host: Host
  readonly cluster: Cluster
  readonly offsets: Offsets
  readonly group: string
  readonly batchSize: number
  readonly limits: WindowLimits
  readonly subscriptionTo: (topic: string) => Subscription | undefined
  /** Takes new messages. */
  readonly onMessages: (owned: OwnedQueue, entries: readonly Entry[]) => void
  /** The queue does not have the offset that was asked for: it is to begin anew at another. */
  readonly onOffsetMoved: (owned: OwnedQueue, from: number, to: number) => void
  /** The broker does not know this group's subscriptions any more, as after its restart. */
  readonly onForgotten: () => void
  /** Told of the first failure of a queue, and again of the first after a success. */
  readonly onFailure: (owned: OwnedQueue, error: unknown) => void
}

export class Puller {
  readonly #parts: PullerParts

  constructor(parts: PullerParts) {
    this.#parts = parts
  }

  /** Reads the queue until it is released. `delayMs`: pause before the first question. */
  async run(owned: OwnedQueue, delayMs: number): Promise<void> {
    await pause(this.#parts.host.clock, delayMs, owned.released)
    const window = await this.#open(owned)
    let replica = MASTER_ID
    while (window !== undefined && !owned.isReleased) {
      await window.room()
      if (owned.isReleased) return
      try {
        replica = await this.#turn(owned, window, replica)
        owned.isFailing = false
      } catch (error) {
        await this.#afterFailure(owned, error)
      }
    }
  }

  /** Asks where to begin, until there is an answer; undefined when the queue is released first. */
  async #open(owned: OwnedQueue): Promise<Window<ReceivedMessage> | undefined> {
    while (!owned.isReleased) {
      try {
        const offset = await unlessAborted(this.#parts.offsets.startOffset(owned), owned.released)
        return owned.open(offset, this.#parts.limits)
      } catch (error) {
        await this.#afterFailure(owned, error)
      }
    }
    return undefined
  }

  /** One pull; gives back the replica to ask next. */
  async #turn(
    owned: OwnedQueue,
    window: Window<ReceivedMessage>,
    wantedReplica: number,
  ): Promise<number> {
    const { cluster } = this.#parts
    const subscription = this.#parts.subscriptionTo(owned.queue.topic)
    if (subscription === undefined) {
      await pause(this.#parts.host.clock, AFTER_WIRE_FAILURE_MS, owned.released)
      return wantedReplica
    }
    const { address, brokerId } = cluster.replica(owned.queue.brokerName, wantedReplica)
    const header = this.#request(owned, window, subscription, brokerId)
    const asked = cluster.remoting.call(address, PULL_MESSAGE, header, {
      timeoutMs: PULL_TIMEOUT_MS,
    })
    const answer = await unlessAborted(asked, owned.released)
    switch (answer.code) {
      case responseCode.SUCCESS:
      case responseCode.PULL_NOT_FOUND:
      case responseCode.PULL_RETRY_IMMEDIATELY: {
        if ((header.sysFlag & pullFlag.commitOffset) !== 0) owned.storedOffset = header.commitOffset
        this.#take(owned, window, subscription, answer)
        return answer.header().suggestWhichBrokerId
      }
      case responseCode.PULL_OFFSET_MOVED:
        await this.#move(owned, window, answer.header().nextBeginOffset)
        return wantedReplica
      default:
        throw new RemoteError(address, PULL_MESSAGE.name, answer.code, answer.remark)
    }
  }

  #request(
    { queue }: OwnedQueue,
    window: Window<ReceivedMessage>,
    { data }: Subscription,
    brokerId: number,
  ): Header<PullRequest> {
    const { commitOffset } = window
    const isCommit = brokerId === MASTER_ID && commitOffset > 0
    return {
      consumerGroup: this.#parts.group,
      topic: queue.topic,
      queueId: queue.queueId,
      queueOffset: window.nextOffset,
      maxMsgNums: this.#parts.batchSize,
      sysFlag: pullFlag.suspend | (isCommit ? pullFlag.commitOffset : 0),
      commitOffset: isCommit ? commitOffset : 0,
      suspendTimeoutMillis: HOLD_MS,
      subVersion: data.subVersion,
      expressionType: data.expressionType,
    }
  }

  #take(
    owned: OwnedQueue,
    window: Window<ReceivedMessage>,
    subscription: Subscription,
    answer: PullAnswer,
  ): void {
    const found = answer.code === responseCode.SUCCESS
    // The bytes are a view into what was received together: messages live longer than that.
    const body = found ? Buffer.from(answer.body) : answer.body
    const messages = found ? decodeMessages(body, owned.queue.brokerName) : []
    const wanted = messages.filter((message) => isWanted(subscription, message))
    const entries = window.add(wanted, answer.header().nextBeginOffset, measure)
    if (entries.length > 0) this.#parts.onMessages(owned, entries)
  }

  /** An offset that moves to where it is already would be asked for again at once. */
  async #move(owned: OwnedQueue, window: Window<ReceivedMessage>, to: number): Promise<void> {
    const from = window.nextOffset
    if (from === to) await pause(this.#parts.host.clock, AFTER_REFUSAL_MS, owned.released)
    else this.#parts.onOffsetMoved(owned, from, to)
  }

  async #afterFailure(owned: OwnedQueue, error: unknown): Promise<void> {
    if (owned.isReleased) return
    if (!owned.isFailing) this.#parts.onFailure(owned, error)
    owned.isFailing = true
    if (isForgotten(error)) this.#parts.onForgotten()
    await pause(this.#parts.host.clock, delayAfter(error), owned.released)
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
