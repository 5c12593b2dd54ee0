/**
 * Gives a message that failed back to its broker, which delivers it again later or lays it aside as
 * a dead letter; where the broker does not take it, another one gets a copy for the retry topic of
 * the group. Source: Apache class DefaultMQPushConsumerImpl; `client.md` section 6.4,
 * `broker-api.md` section 3.4. Owns nothing.
 */
import type { Host } from '@rockhopper/host'
import {
  CONSUMER_SEND_MSG_BACK,
  type MessageQueue,
  responseCode,
  retryTopicOf,
  SEND_MESSAGE_V2,
} from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import type { Cluster } from '../cluster/cluster.ts'
import { MASTER_ID, publishQueues } from '../cluster/routes.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { AfterFailure } from './consumption.ts'
import { errorTextOf, type RetryTerms, retryHeader } from './retry-message.ts'

const SEND_BACK_TIMEOUT_MS = 5_000

/** Brokers that a copy is offered to before it is kept (Apache: the producer's three attempts). */
const MAX_OFFERS = 3

/** Answers that mean "stored", whatever they say of flushing and slaves. */
const STORED: ReadonlySet<number> = new Set([
  responseCode.SUCCESS,
  responseCode.FLUSH_DISK_TIMEOUT,
  responseCode.FLUSH_SLAVE_TIMEOUT,
  responseCode.SLAVE_NOT_AVAILABLE,
])

export interface SendBackParts {
  readonly host: Host
  readonly cluster: Cluster
  readonly group: string
  /** Tries after which a message becomes a dead letter; undefined: as the settings of the group. */
  readonly maxReconsumeTimes: number | undefined
}

/** Resolves when a broker has stored a copy. Throws remoting errors when none has. */
export async function giveBack(
  parts: SendBackParts,
  message: ReceivedMessage,
  delayLevel: number,
  error: unknown,
): Promise<AfterFailure> {
  try {
    await sendBack(parts, message, delayLevel, errorTextOf(error))
    return 'given back'
  } catch (refusal) {
    const { logger } = parts.host
    const { queue, queueOffset } = message
    logger.debug('A message was not taken back.', { queue, queueOffset, error: refusal })
    await sendAgain(parts, message, delayLevel, error)
    return 'sent again'
  }
}

/** Sends a copy to the retry topic. Resolves when a broker has it. Throws remoting errors. */
export async function sendAgain(
  parts: SendBackParts,
  message: ReceivedMessage,
  delayLevel: number,
  error: unknown,
): Promise<void> {
  const { cluster, host, group, maxReconsumeTimes } = parts
  const { names } = cluster
  const nowMs = host.clock.nowMs()
  const errorText = errorTextOf(error)
  const terms = { group, delayLevel, maxReconsumeTimes, errorText, names, nowMs }
  let failure: unknown
  for (const queue of retryQueues(parts, message.queue.brokerName)) {
    try {
      return await send(parts, message, queue, terms)
    } catch (refusal) {
      failure = refusal
    }
  }
  throw failure
}

async function sendBack(
  { cluster, group, maxReconsumeTimes }: SendBackParts,
  message: ReceivedMessage,
  delayLevel: number,
  consumeError: string,
): Promise<void> {
  const { address } = cluster.replica(message.queue.brokerName, MASTER_ID)
  const header = {
    offset: message.logOffset,
    group,
    delayLevel,
    originMsgId: message.msgId,
    originTopic: message.topic,
    unitMode: false,
    maxReconsumeTimes,
    consumeError,
  }
  const options = { timeoutMs: SEND_BACK_TIMEOUT_MS }
  await cluster.remoting.request(address, CONSUMER_SEND_MSG_BACK, header, options)
}

async function send(
  { cluster }: SendBackParts,
  message: ReceivedMessage,
  { brokerName, queueId }: MessageQueue,
  terms: RetryTerms,
): Promise<void> {
  const header = { ...retryHeader(message, terms), queueId, brokerName }
  const answer = await cluster.link(brokerName).call(SEND_MESSAGE_V2, header, {
    body: [message.stored.body],
    timeoutMs: SEND_BACK_TIMEOUT_MS,
  })
  if (STORED.has(answer.code)) return
  throw new RemoteError(brokerName, SEND_MESSAGE_V2.name, answer.code, answer.remark)
}

/** A queue that the broker is to choose. */
const ANY_QUEUE = -1

/** One queue of the retry topic for each of a few brokers, the one that refused last. */
function retryQueues({ host, cluster, group }: SendBackParts, refused: string): MessageQueue[] {
  const topic = retryTopicOf(group)
  const route = cluster.route(topic)
  const queues = route === undefined ? [] : publishQueues(topic, route)
  const others = queues.filter(({ brokerName }) => brokerName !== refused)
  const names = [...new Set(others.map(({ brokerName }) => brokerName))]
  const turn = host.random.below(Math.max(1, names.length))
  const turned = [...names.slice(turn), ...names.slice(0, turn)].slice(0, MAX_OFFERS - 1)
  const chosen = turned.flatMap((name) => {
    const own = others.filter(({ brokerName }) => brokerName === name)
    return own[host.random.below(own.length)] ?? []
  })
  // Brokers make the topic when it is needed: the name servers may not know of it yet.
  return [...chosen, { topic, brokerName: refused, queueId: ANY_QUEUE }]
}
