/**
 * Offsets of groups, and the bounds of queues. Source: `broker-api.md` sections 4.6 and 4.7.
 */
import { command } from '../command.ts'
import { bool, int32, int64, name, optional, text } from '../field.ts'

const queue = { topic: name('topic of the queue'), queueId: int32('number of the queue') }
const groupQueue = { consumerGroup: name('group of the consumer'), ...queue }

export const QUERY_CONSUMER_OFFSET = command(14, 'QUERY_CONSUMER_OFFSET', {
  request: {
    ...groupQueue,
    setZeroIfNotFound: optional(bool('whether a young queue may answer 0 for a new group')),
  },
  answer: { offset: int64('next offset that the group will consume') },
})

export const UPDATE_CONSUMER_OFFSET = command(15, 'UPDATE_CONSUMER_OFFSET', {
  request: { ...groupQueue, commitOffset: int64('next offset that the group will consume') },
})

export const SEARCH_OFFSET_BY_TIMESTAMP = command(29, 'SEARCH_OFFSET_BY_TIMESTAMP', {
  request: {
    ...queue,
    timestamp: int64('store time looked for, ms since 1970'),
    boundaryType: optional(text('LOWER (first at or after it) or UPPER (last at or before it)')),
  },
  answer: { offset: int64('the offset found') },
})

export const GET_MAX_OFFSET = command(30, 'GET_MAX_OFFSET', {
  request: { ...queue, committed: optional(bool('without effect')) },
  answer: { offset: int64('offset that the next message will get') },
})

export const GET_MIN_OFFSET = command(31, 'GET_MIN_OFFSET', {
  request: queue,
  answer: { offset: int64('first offset that the queue still has') },
})

export const GET_EARLIEST_MSG_STORETIME = command(32, 'GET_EARLIEST_MSG_STORETIME', {
  request: queue,
  answer: { timestamp: int64('store time of the first message, ms since 1970; −1 if none') },
})

/** Answer body: the offsets of all groups, as they are in `consumerOffset.json`. */
export const GET_ALL_CONSUMER_OFFSET = command(43, 'GET_ALL_CONSUMER_OFFSET')

/** Answer body: how far each delay level is delivered, as in `delayOffset.json`. */
export const GET_ALL_DELAY_OFFSET = command(45, 'GET_ALL_DELAY_OFFSET')
