/**
 * Answers messages that were sent as requests. Source: Apache class MessageUtil; `client.md` section
 * 3.10. Owns nothing but the unique keys of replies.
 */
import type { Host } from '@rockhopper/host'
import {
  propertyPair,
  replyTopicOf,
  responseCode,
  SEND_REPLY_MESSAGE_V2,
  type UniqueKeys,
} from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import { newUniqueKeys } from '../client-id.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { clientErrorOf, outOfTime } from '../cluster/retry-policy.ts'
import { NEW_TOPIC_TEMPLATE, publishQueues } from '../cluster/routes.ts'
import { badOption, ClientError } from '../errors.ts'
import { type Draft, type DraftRules, draftOf } from '../produce/draft.ts'
import type { Message } from '../produce/message.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'

/** Time for a reply with all its attempts, in ms, where nothing is said (Apache: sendMsgTimeout). */
const REPLY_TIMEOUT_MS = 3_000

/** Brokers that a reply is offered to (Apache: the producer's three attempts). */
const MAX_OFFERS = 3

/** A queue that the broker is to choose. */
const ANY_QUEUE = -1

/** Properties of a request without which nobody can reply to it. */
const OF_A_REQUEST = ['CLUSTER', 'REPLY_TO_CLIENT', 'CORRELATION_ID'] as const

/** What a reply may have beside its body. */
export interface ReplyOptions extends Pick<Message, 'tag' | 'keys' | 'properties' | 'flag'> {
  /** Time for the reply with all its attempts, in ms; 3000 when absent. */
  readonly timeoutMs?: number
}

/** Replies to a request; see `ConsumeContext.reply`. */
export type ReplyTo = (
  request: ReceivedMessage,
  body: Uint8Array | string,
  options?: ReplyOptions,
) => Promise<void>

const APACHE_RULES: DraftRules = {
  maxMessageBytes: 4 * 1024 * 1024,
  compressFromBytes: 4096,
  compressType: 'zlib',
  compressLevel: 5,
}

export interface ReplierParts {
  readonly host: Host
  readonly cluster: Cluster
  /** Under which brokers hear of the sender. */
  readonly group: string
  /** Apache's defaults when absent. */
  readonly rules?: DraftRules
}

export class Replier {
  readonly #parts: ReplierParts
  #keys: UniqueKeys | undefined

  constructor(parts: ReplierParts) {
    this.#parts = parts
  }

  /**
   * Sends a reply, and resolves when the client that asked has it. Rejects with `ClientError`
   * BAD_OPTION when the message is no request, and BROKER_REFUSED when that client is gone.
   */
  async reply(
    request: ReceivedMessage,
    body: Uint8Array | string,
    options: ReplyOptions = {},
  ): Promise<void> {
    const { host, rules = APACHE_RULES } = this.#parts
    const { clock } = host
    const topic = replyTopicOf(propertyOf(request, 'CLUSTER'))
    const pairs = pairsOf(request)
    this.#keys ??= newUniqueKeys(host)
    const draft = draftOf({ ...options, topic, body }, rules, this.#keys)
    const timeoutMs = options.timeoutMs ?? REPLY_TIMEOUT_MS
    const endMs = clock.monotonicMs() + timeoutMs
    let failure: unknown
    const brokers = await this.#brokers(request, topic)
    for (const [i, brokerName] of brokers.entries()) {
      // One that is silent leaves time for the others.
      const leftMs = (endMs - clock.monotonicMs()) / (brokers.length - i)
      if (leftMs <= 0) break
      try {
        return await this.#send(brokerName, topic, draft, pairs, leftMs)
      } catch (error) {
        failure = error
      }
    }
    if (failure === undefined) throw outOfTime(topic, timeoutMs)
    throw lost(request, failure)
  }

  /** The broker that the request came by knows who asked, for it was asked by it. */
  async #brokers({ queue }: ReceivedMessage, topic: string): Promise<string[]> {
    const { cluster } = this.#parts
    const route = cluster.route(topic) ?? (await cluster.findRoute(topic).catch(() => undefined))
    const queues = route === undefined ? [] : publishQueues(topic, route)
    const names = new Set([queue.brokerName, ...queues.map(({ brokerName }) => brokerName)])
    return [...names].slice(0, MAX_OFFERS)
  }

  async #send(
    brokerName: string,
    topic: string,
    draft: Draft,
    pairs: Buffer,
    timeoutMs: number,
  ): Promise<void> {
    const { cluster, group, host } = this.#parts
    const header = {
      ...{ producerGroup: group, topic, brokerName, queueId: ANY_QUEUE },
      defaultTopic: NEW_TOPIC_TEMPLATE,
      defaultTopicQueueNums: 1,
      sysFlag: draft.sysFlag,
      bornTimestamp: host.clock.nowMs(),
      flag: draft.flag,
      properties: Buffer.concat([draft.properties, pairs]),
      reconsumeTimes: 0,
      unitMode: false,
      batch: false,
    }
    const link = cluster.link(brokerName)
    const answer = await link.call(SEND_REPLY_MESSAGE_V2, header, { body: [draft.body], timeoutMs })
    if (answer.code === responseCode.SUCCESS) return
    const { name } = SEND_REPLY_MESSAGE_V2
    throw new RemoteError(link.address ?? brokerName, name, answer.code, answer.remark)
  }
}

function pairsOf(request: ReceivedMessage): Buffer {
  const { TTL: ttl } = request.properties
  return Buffer.concat([
    propertyPair('MSG_TYPE', 'reply'),
    propertyPair('CORRELATION_ID', propertyOf(request, 'CORRELATION_ID')),
    propertyPair('REPLY_TO_CLIENT', propertyOf(request, 'REPLY_TO_CLIENT')),
    ...(ttl === undefined ? [] : [propertyPair('TTL', ttl)]),
  ])
}

function propertyOf(
  { msgId, properties, topic }: ReceivedMessage,
  name: (typeof OF_A_REQUEST)[number],
): string {
  const value = properties[name]
  if (value !== undefined) return value
  throw badOption(
    `the message ${msgId} of "${topic}" is no request: it has no property ${name}`,
    'reply only to messages that were sent with request()',
  )
}

function lost({ properties, topic }: ReceivedMessage, failure: unknown): Error {
  const cause = clientErrorOf(failure)
  if (!(cause instanceof ClientError)) return cause
  if (cause.responseCode !== responseCode.SYSTEM_ERROR) return cause
  const client = properties['REPLY_TO_CLIENT']
  const sentence = `a reply to a request to "${topic}" did not reach its client "${client}"`
  const why = cause.cause instanceof Error ? ` (${cause.cause.message})` : ''
  const hint = 'it has left, or is not connected to the broker: nobody waits for this reply'
  const parts = { retryable: false, hint, responseCode: cause.responseCode, cause: failure }
  return new ClientError('BROKER_REFUSED', sentence + why, parts)
}
