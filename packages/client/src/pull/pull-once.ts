/**
 * One pull: asks a broker for messages of a queue and reads what it answers. Source: Apache class
 * PullAPIWrapper; `client.md` section 6.2, `broker-api.md` section 4. Owns nothing.
 */
import {
  type Header,
  LITE_PULL_MESSAGE,
  type MessageQueue,
  PULL_MESSAGE,
  pullFlag,
  responseCode,
} from '@rockhopper/protocol'
import { type Answer, RemoteError } from '@rockhopper/remoting'
import type { Cluster } from '../cluster/cluster.ts'
import { MASTER_ID } from '../cluster/routes.ts'
import type { Names } from '../namespace/names.ts'
import { decodeMessages, type ReceivedMessage } from './received-message.ts'
import { isWanted, type Subscription } from './subscriptions.ts'

/** How much longer than it may be held a pull is waited for. */
const ANSWER_MS = 10_000

type PullHeader = Header<(typeof PULL_MESSAGE)['tables']['request']>
type PullAnswer = Answer<(typeof PULL_MESSAGE)['tables']['answer']>

/** What to ask for. */
export interface PullWish {
  readonly group: string
  readonly queue: MessageQueue
  /** First offset wanted. */
  readonly offset: number
  readonly maxMessages: number
  readonly subscription: Subscription
  /**
   * Whether the broker knows the subscription from heartbeats (`member`), or is told it with each
   * pull: by a consumer that is pushed nothing (`lite`), or by one that only pulls (`plain`).
   */
  readonly as: 'member' | 'lite' | 'plain'
  /** How long the broker may hold the pull when there is nothing to give, in ms; 0: not at all. */
  readonly holdMs: number
  /** Broker id to ask; another is asked where there is no such one. */
  readonly replica: number
  /** The broker notes that the group has consumed everything below; a slave is not told. */
  readonly commitOffset?: number | undefined
}

export interface PullResult {
  readonly kind: /** Messages, though perhaps none of the tags that are wanted. */
    | 'found'
    /** The offset is the end of the queue. */
    | 'nothing new'
    /** There are messages, and the broker's filter let none of them through. */
    | 'nothing wanted'
    /** The queue does not have the offset; `nextOffset` is the nearest that it has. */
    | 'offset moved'
  readonly messages: readonly ReceivedMessage[]
  /** Where to go on. */
  readonly nextOffset: number
  /** First offset that the queue still has. */
  readonly minOffset: number
  /** Offset that the next message of the queue will get. */
  readonly maxOffset: number
  /** Broker id that was asked. */
  readonly replica: number
  /** Broker id to ask next time. */
  readonly nextReplica: number
  /** What the broker noted as consumed; undefined when it was told nothing. */
  readonly committed: number | undefined
}

const KINDS: ReadonlyMap<number, PullResult['kind']> = new Map([
  [responseCode.SUCCESS, 'found'],
  [responseCode.PULL_NOT_FOUND, 'nothing new'],
  [responseCode.PULL_RETRY_IMMEDIATELY, 'nothing wanted'],
  [responseCode.PULL_OFFSET_MOVED, 'offset moved'],
])

/** Throws remoting errors; a `RemoteError` for every answer that is none of the four kinds. */
export async function pullOnce(cluster: Cluster, wish: PullWish): Promise<PullResult> {
  const { address, brokerId } = cluster.replica(wish.queue.brokerName, wish.replica)
  const command = wish.as === 'lite' ? LITE_PULL_MESSAGE : PULL_MESSAGE
  const header = headerOf(wish, brokerId)
  const timeoutMs = wish.holdMs + ANSWER_MS
  const answer = await cluster.remoting.call(address, command, header, { timeoutMs })
  const kind = KINDS.get(answer.code)
  if (kind === undefined) {
    throw new RemoteError(address, command.name, answer.code, answer.remark)
  }
  const { nextBeginOffset, minOffset, maxOffset, suggestWhichBrokerId } = answer.header()
  return {
    kind,
    messages: kind === 'found' ? wantedOf(wish, answer, cluster.names) : [],
    nextOffset: nextBeginOffset,
    minOffset,
    maxOffset,
    replica: brokerId,
    nextReplica: suggestWhichBrokerId,
    committed: (header.sysFlag & pullFlag.commitOffset) === 0 ? undefined : header.commitOffset,
  }
}

function headerOf(wish: PullWish, brokerId: number): PullHeader {
  const { queue, as, holdMs, commitOffset = 0 } = wish
  const { data } = wish.subscription
  const isCommit = brokerId === MASTER_ID && commitOffset > 0
  const isMember = as === 'member'
  const sysFlag =
    (isCommit ? pullFlag.commitOffset : 0) |
    (holdMs > 0 ? pullFlag.suspend : 0) |
    (isMember ? 0 : pullFlag.subscription) |
    (as === 'lite' ? pullFlag.litePull : 0)
  return {
    consumerGroup: wish.group,
    topic: queue.topic,
    queueId: queue.queueId,
    queueOffset: wish.offset,
    maxMsgNums: wish.maxMessages,
    sysFlag,
    commitOffset: isCommit ? commitOffset : 0,
    suspendTimeoutMillis: holdMs,
    ...(isMember ? {} : { subscription: data.subString }),
    // What comes with the pull itself is compared with nothing that the broker knows.
    subVersion: isMember || data.expressionType !== 'TAG' ? data.subVersion : 0,
    expressionType: data.expressionType,
  }
}

function wantedOf(
  { queue, subscription }: PullWish,
  answer: PullAnswer,
  names: Names,
): ReceivedMessage[] {
  // The bytes are a view into what was received together: messages live longer than that.
  const messages = decodeMessages(Buffer.from(answer.body), queue.brokerName, names)
  return messages.filter((message) => isWanted(subscription, message))
}
