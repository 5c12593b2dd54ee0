/**
 * What brokers ask of a consumer, mostly on behalf of an operator. Source: Apache class
 * ClientRemotingProcessor; `client.md` sections 1.6, 6.8 and 13, `broker-api.md` section 7. Owns
 * nothing.
 */
import type { Logger } from '@rockhopper/host'
import {
  CONSUME_MESSAGE_DIRECTLY,
  type ConsumeMessageDirectlyResult,
  type ConsumerRunningInfo,
  decodeResetOffsets,
  encodeClientOffsets,
  encodeConsumeDirectlyResult,
  encodeConsumerRunningInfo,
  GET_CONSUMER_RUNNING_INFO,
  GET_CONSUMER_STATUS_FROM_CLIENT,
  NOTIFY_CONSUMER_IDS_CHANGED,
  type QueueOffsets,
  RESET_CONSUMER_CLIENT_OFFSET,
  responseCode,
} from '@rockhopper/protocol'
import { Refusal, Router } from '@rockhopper/remoting'
import type { Names } from '../namespace/names.ts'
import { fullJson } from '../namespace/translation.ts'
import { decodeMessages, type ReceivedMessage } from '../pull/received-message.ts'

export interface ServerRequestParts {
  readonly logger: Logger
  readonly group: string
  readonly names: Names
  /** The members of the group changed, or what they subscribe to. */
  readonly onGroupChanged: () => void
  /** Queues of a topic are to go on at other offsets. */
  readonly onReset: (topic: string, offsets: QueueOffsets) => void
  /** How far the consumer is with its queues of a topic. */
  readonly offsetsOf: (topic: string) => QueueOffsets
  /** `withStack`: with what it is doing at the moment. */
  readonly runningInfo: (withStack: boolean) => ConsumerRunningInfo
  readonly consumeDirectly: (message: ReceivedMessage) => Promise<ConsumeMessageDirectlyResult>
}

export function serverRequests(parts: ServerRequestParts): Router {
  const { logger, names } = parts
  const group = names.full(parts.group)
  return new Router(logger)
    .on(NOTIFY_CONSUMER_IDS_CHANGED, ({ consumerGroup }) => {
      if (consumerGroup === group) parts.onGroupChanged()
      return undefined
    })
    .on(RESET_CONSUMER_CLIENT_OFFSET, (header, { body }) => {
      if (header.group === group) parts.onReset(names.bare(header.topic), offsetsIn(body, names))
      return undefined
    })
    .on(GET_CONSUMER_STATUS_FROM_CLIENT, (header) => {
      check(parts, header.group)
      const offsets = parts.offsetsOf(names.bare(header.topic))
      return { body: [fullJson(names, encodeClientOffsets(offsets))] }
    })
    .on(GET_CONSUMER_RUNNING_INFO, ({ consumerGroup, jstackEnable = false }) => {
      check(parts, consumerGroup)
      const info = encodeConsumerRunningInfo(parts.runningInfo(jstackEnable))
      return { body: [fullJson(names, info)] }
    })
    .on(CONSUME_MESSAGE_DIRECTLY, async ({ consumerGroup, brokerName = '' }, { body }) => {
      check(parts, consumerGroup)
      // The bytes are a view into what was received together: a handler may keep the message.
      const [message] = decodeMessages(Buffer.from(body), brokerName, names)
      if (message === undefined) {
        throw new Refusal(responseCode.SYSTEM_ERROR, 'the request has no message in its body')
      }
      return { body: [encodeConsumeDirectlyResult(await parts.consumeDirectly(message))] }
    })
}

function offsetsIn(body: Buffer, names: Names): QueueOffsets {
  return decodeResetOffsets(body).map(([queue, offset]) => [names.bareQueue(queue), offset])
}

/** The sentence is Apache's, which tools look for. */
function check({ group, names }: ServerRequestParts, asked: string): void {
  if (asked === names.full(group)) return
  const sentence = `The Consumer Group <${asked}> not exist in this consumer`
  throw new Refusal(responseCode.SYSTEM_ERROR, sentence)
}
