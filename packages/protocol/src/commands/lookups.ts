/**
 * The commands that look messages up, by key or by id. Source: `broker-api.md` section 5.
 */
import { command } from '../command.ts'
import { bool, int32, int64, name, optional, renamed, text } from '../field.ts'

export const QUERY_MESSAGE = command(12, 'QUERY_MESSAGE', {
  request: {
    topic: name('topic of the messages'),
    key: text('unique id of a message, or a word of its keys'),
    maxNum: int32('messages wanted at the most'),
    beginTimestamp: int64('stored at this time or later, ms since 1970'),
    endTimestamp: int64('stored at this time or earlier, ms since 1970'),
    uniqueKeyQuery: optional(
      renamed('_UNIQUE_KEY_QUERY', bool('whether the key is a unique id: maxNum is not looked at')),
    ),
  },
  answer: {
    indexLastUpdateTimestamp: int64('store time of the last message in the index, ms since 1970'),
    indexLastUpdatePhyoffset: int64('log offset of the last message in the index'),
  },
})

export const VIEW_MESSAGE_BY_ID = command(33, 'VIEW_MESSAGE_BY_ID', {
  request: {
    offset: int64('log offset of the message, from its offset id'),
    topic: optional(name('topic of the message; without effect')),
  },
})

/** Answer body: entries of a consume queue. */
export const QUERY_CONSUME_QUEUE = command(321, 'QUERY_CONSUME_QUEUE', {
  request: {
    topic: name('topic of the queue'),
    queueId: int32('number of the queue'),
    index: int64('queue offset of the first entry'),
    count: int32('entries wanted'),
    consumerGroup: optional(name('group whose subscription is to be shown')),
  },
})
