/**
 * A failed message as a new one for the retry topic of its group: what a consumer sends itself when
 * no broker takes the old one back, or when an orderly consumer gives it up. Source: Apache methods
 * sendMessageBackAsNormalMessage and ConsumeMessageOrderlyService.sendMessageBack; `client.md`
 * sections 6.4 and 6.5. Pure: it owns nothing.
 */
import { encodeProperties, retryTopicOf } from '@rockhopper/protocol'
import { NEW_TOPIC_TEMPLATE } from '../cluster/routes.ts'
import type { Names } from '../namespace/names.ts'
import type { SendHeader } from '../produce/sender.ts'
import { CONSUME_ERROR, type ReceivedMessage } from '../pull/received-message.ts'

const MAX_ERROR_BYTES = 512

/** A message that fails for the first time comes again at this level (Apache: the same). */
const FIRST_DELAY_LEVEL = 3

/** Apache's own name for the producer within a consumer. */
const INNER_PRODUCER = 'CLIENT_INNER_PRODUCER'

export interface RetryTerms {
  readonly group: string
  /** As `ConsumeContext.delayLevelWhenNextConsume`. */
  readonly delayLevel: number
  /** Tries after which it becomes a dead letter; undefined leaves it to the settings of the group. */
  readonly maxReconsumeTimes: number | undefined
  readonly errorText: string
  readonly nowMs: number
  /** How brokers name topics. */
  readonly names: Names
}

/** The request that sends the copy; queue and broker are still to be filled in. */
export function retryHeader(message: ReceivedMessage, terms: RetryTerms): SendHeader {
  const { group, delayLevel, errorText, names, nowMs } = terms
  const reconsumeTimes = message.reconsumeTimes + 1
  // With a limit of 0 every further try is one too many: the broker lays the message aside.
  const maxReconsumeTimes = delayLevel < 0 ? 0 : terms.maxReconsumeTimes
  const level = delayLevel > 0 ? delayLevel : FIRST_DELAY_LEVEL + message.reconsumeTimes
  const { TRAN_MSG: _transaction, ...kept } = message.properties
  const properties = {
    ...kept,
    ORIGIN_MESSAGE_ID: kept['ORIGIN_MESSAGE_ID'] ?? message.msgId,
    RETRY_TOPIC: names.full(message.topic),
    RECONSUME_TIME: String(reconsumeTimes),
    ...(maxReconsumeTimes === undefined ? {} : { MAX_RECONSUME_TIMES: String(maxReconsumeTimes) }),
    DELAY: String(level),
    [CONSUME_ERROR]: errorText,
  }
  return {
    producerGroup: INNER_PRODUCER,
    topic: retryTopicOf(group),
    defaultTopic: NEW_TOPIC_TEMPLATE,
    defaultTopicQueueNums: 1,
    queueId: 0,
    sysFlag: message.stored.sysFlag,
    bornTimestamp: nowMs,
    flag: message.flag,
    properties: Buffer.from(encodeProperties(properties)),
    reconsumeTimes,
    unitMode: false,
    maxReconsumeTimes,
    batch: false,
    brokerName: '',
  }
}

/** An error as a short text without what would end a property. */
export function errorTextOf(error: unknown): string {
  const told = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const plain = told.replace(/\p{Cc}+/gu, ' ').trim()
  const bytes = Buffer.from(plain === '' ? 'an error without a message' : plain)
  if (bytes.length <= MAX_ERROR_BYTES) return bytes.toString()
  let end = MAX_ERROR_BYTES
  // A character that begins before the limit and ends behind it goes as a whole.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
