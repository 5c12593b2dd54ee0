/**
 * Commands that bring messages to a broker. Source: `broker-api.md` section 3.
 */
import { command } from '../command.ts'
import { bool, bytes, int32, int64, name, optional, renamed, text } from '../field.ts'

const producerGroup = optional(name('group of the producer'))
const topic = name('topic of the message')
const defaultTopic = optional(name('topic whose settings a topic created by this send takes over'))
const defaultTopicQueueNums = optional(int32('queues of a topic created by this send'))
const queueId = int32('queue to store into; below 0 the broker picks one')
const sysFlag = optional(int32('bits of the system flag: compression, transaction, IPv6 hosts'))
const bornTimestamp = optional(int64('when the producer made the message, ms since 1970'))
const flag = optional(int32('flag of the application'))
const properties = optional(bytes('properties of the message, in their stored text form'))
const reconsumeTimes = optional(int32('how often the message was consumed before'))
const unitMode = optional(bool('whether the producer works in a unit'))
const maxReconsumeTimes = optional(int32('consume tries after which the message is a dead letter'))
const batch = optional(bool('whether the body holds several messages'))
const brokerName = optional(name('broker that the producer believes to talk to'))

const stored = {
  msgId: text('offset id of the message; of a batch, the ids joined by commas'),
  queueId: int32('queue the message was stored into'),
  queueOffset: int64('offset of the message, of a batch of its first message, in the queue'),
  transactionId: optional(text('unique key of the message')),
  batchUniqId: optional(text('unique key of a batch that was stored as one record')),
  regionId: renamed('MSG_REGION', optional(name('region of the broker, which traces carry'))),
  traceOn: renamed('TRACE_ON', optional(name('"true" or "false": whether sends may be traced'))),
  recallHandle: optional(text('by which a message that waits for its time can be called off')),
}

const longRequest = {
  producerGroup,
  topic,
  defaultTopic,
  defaultTopicQueueNums,
  queueId,
  sysFlag,
  bornTimestamp,
  flag,
  properties,
  reconsumeTimes,
  unitMode,
  maxReconsumeTimes,
  batch,
  brokerName: renamed('bname', brokerName),
}

export const SEND_MESSAGE = command(10, 'SEND_MESSAGE', { request: longRequest, answer: stored })

const shortRequest = {
  producerGroup: renamed('a', producerGroup),
  topic: renamed('b', topic),
  defaultTopic: renamed('c', defaultTopic),
  defaultTopicQueueNums: renamed('d', defaultTopicQueueNums),
  queueId: renamed('e', queueId),
  sysFlag: renamed('f', sysFlag),
  bornTimestamp: renamed('g', bornTimestamp),
  flag: renamed('h', flag),
  properties: renamed('i', properties),
  reconsumeTimes: renamed('j', reconsumeTimes),
  unitMode: renamed('k', unitMode),
  maxReconsumeTimes: renamed('l', maxReconsumeTimes),
  batch: renamed('m', batch),
  brokerName: renamed('n', brokerName),
}

/** The same request with one-letter keys. */
export const SEND_MESSAGE_V2 = command(310, 'SEND_MESSAGE_V2', {
  request: shortRequest,
  answer: stored,
})

export const SEND_BATCH_MESSAGE = command(320, 'SEND_BATCH_MESSAGE', {
  request: shortRequest,
  answer: stored,
})

/** The answer to a message that was sent as a request: the broker hands it to who waits for it. */
export const SEND_REPLY_MESSAGE = command(324, 'SEND_REPLY_MESSAGE', {
  request: longRequest,
  answer: stored,
})

/** The same request with one-letter keys. */
export const SEND_REPLY_MESSAGE_V2 = command(325, 'SEND_REPLY_MESSAGE_V2', {
  request: shortRequest,
  answer: stored,
})

/**
 * Broker to client: a reply to one of its requests. Body: that of the message, compressed as
 * `sysFlag` says. Source: Apache class ReplyMessageRequestHeader; `broker-api.md` section 7.7.
 */
export const PUSH_REPLY_MESSAGE_TO_CLIENT = command(326, 'PUSH_REPLY_MESSAGE_TO_CLIENT', {
  request: {
    producerGroup,
    topic,
    defaultTopic,
    defaultTopicQueueNums,
    queueId,
    sysFlag,
    bornTimestamp,
    flag,
    properties,
    reconsumeTimes,
    unitMode,
    bornHost: optional(text('address of who replied, `ip:port`')),
    storeHost: optional(text('address of the broker, `ip:port`')),
    storeTimestamp: optional(int64('when the broker got the reply, ms since 1970')),
  },
})

export const CONSUMER_SEND_MSG_BACK = command(36, 'CONSUMER_SEND_MSG_BACK', {
  request: {
    offset: int64('commit log offset of the message that could not be consumed'),
    group: name('group of the consumer'),
    delayLevel: int32('0: the broker decides; below 0: a dead letter at once; else this level'),
    originMsgId: optional(text('offset id of the first copy')),
    originTopic: optional(name('topic of the first copy')),
    unitMode: optional(bool('whether the consumer works in a unit')),
    maxReconsumeTimes: optional(int32('tries after which the message becomes a dead letter')),
    consumeError: optional(
      text(
        'why it failed, at most 512 bytes, for the property CONSUME_ERROR of the copy; ours only',
      ),
    ),
  },
})
