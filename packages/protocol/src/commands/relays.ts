/**
 * What a broker asks of a consumer on behalf of an operator: its state, one message to consume, other
 * offsets to go on at. Codes 307 and 309 are the same on both legs of the way.
 * Source: `broker-api.md` sections 7 and 11.
 */
import { command } from '../command.ts'
import { bool, int32, int64, name, optional, text } from '../field.ts'

const group = name('group asked about')
const topic = name('topic asked about')

const reset = {
  topic: name('topic whose offsets change'),
  group: name('group whose offsets change'),
  timestamp: int64('store time to go on at, ms since 1970; below 0: the end of each queue'),
  isForce: optional(bool('whether offsets may move forward as well')),
  queueId: optional(int32('only this queue; −1 or absent: all of them')),
  offset: optional(int64('offset to go on at, of that one queue; −1 or absent: by time')),
}

/** Broker to client, one way. Body: `ResetOffsetBody`, for clients in C++ `ResetOffsetBodyForC`. */
export const RESET_CONSUMER_CLIENT_OFFSET = command(220, 'RESET_CONSUMER_CLIENT_OFFSET', {
  request: reset,
})

/** Broker to client. Answer body: `GetConsumerStatusBody`, its `messageQueueTable`. */
export const GET_CONSUMER_STATUS_FROM_CLIENT = command(221, 'GET_CONSUMER_STATUS_FROM_CLIENT', {
  request: { topic, group, clientAddr: optional(text('id of the client asked')) },
})

/** Answer body: `ResetOffsetBody`. */
export const INVOKE_BROKER_TO_RESET_OFFSET = command(222, 'INVOKE_BROKER_TO_RESET_OFFSET', {
  request: reset,
})

/** Answer body: `GetConsumerStatusBody`, its `consumerTable`. */
export const INVOKE_BROKER_TO_GET_CONSUMER_STATUS = command(
  223,
  'INVOKE_BROKER_TO_GET_CONSUMER_STATUS',
  { request: { topic, group, clientAddr: optional(text('id of the only client to ask')) } },
)

/** Answer body: `ConsumerRunningInfo`, as the client wrote it. */
export const GET_CONSUMER_RUNNING_INFO = command(307, 'GET_CONSUMER_RUNNING_INFO', {
  request: {
    consumerGroup: group,
    clientId: text('id of the client asked'),
    jstackEnable: optional(bool('whether the client tells what its threads are doing')),
  },
})

/** Answer body: `ConsumeMessageDirectlyResult`, as the client wrote it. */
export const CONSUME_MESSAGE_DIRECTLY = command(309, 'CONSUME_MESSAGE_DIRECTLY', {
  request: {
    consumerGroup: group,
    clientId: optional(text('id of the client that is to consume')),
    msgId: optional(text('offset id of the message, or its unique key')),
    brokerName: optional(name('broker that has the message')),
    topic: optional(name('topic of the message')),
    topicSysFlag: optional(int32('system flag of the topic')),
    groupSysFlag: optional(int32('system flag of the group')),
  },
})

/** Gives a group the offsets of another one. */
export const CLONE_GROUP_OFFSET = command(314, 'CLONE_GROUP_OFFSET', {
  request: {
    srcGroup: name('group whose offsets are taken'),
    destGroup: name('group that gets them'),
    topic: optional(name('only this topic')),
    offline: optional(
      bool('whether topics that the source no longer subscribes to are cloned too'),
    ),
  },
})

/** Answer body: `QueryCorrectionOffsetBody`. */
export const QUERY_CORRECTION_OFFSET = command(308, 'QUERY_CORRECTION_OFFSET', {
  request: {
    filterGroups: optional(text('groups to leave out, joined by commas')),
    compareGroup: name('group whose offsets are compared'),
    topic,
  },
})
