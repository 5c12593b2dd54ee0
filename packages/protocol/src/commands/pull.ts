/**
 * The commands that fetch messages. Source: `broker-api.md` section 4.
 */
import { command } from '../command.ts'
import { int32, int64, name, optional, text } from '../field.ts'

/** Bits of `sysFlag` of a pull. Source: Apache class PullSysFlag. */
export const pullFlag = {
  commitOffset: 1,
  suspend: 2,
  subscription: 4,
  classFilter: 8,
  litePull: 16,
} as const

const pull = {
  request: {
    consumerGroup: name('group of the consumer'),
    topic: name('topic to read'),
    queueId: int32('queue to read'),
    queueOffset: int64('next queue offset wanted'),
    maxMsgNums: int32('messages wanted at the most'),
    sysFlag: int32(
      'bits: 1 commitOffset is valid, 2 may be held, 4 subscription is given, 16 lite',
    ),
    commitOffset: optional(int64('offset up to which the group has consumed, if bit 1')),
    suspendTimeoutMillis: optional(int64('how long the broker may hold the request, if bit 2')),
    subscription: optional(text('filter expression, if bit 4')),
    subVersion: optional(int64('version of the subscription, ms since 1970')),
    expressionType: optional(text('TAG or SQL92; TAG when absent')),
    maxMsgBytes: optional(int32('bytes wanted at the most')),
  },
  answer: {
    suggestWhichBrokerId: int64('broker id to pull from next time'),
    nextBeginOffset: int64('queue offset to go on at'),
    minOffset: int64('first offset that the queue still has'),
    maxOffset: int64('offset that the next message will get'),
    offsetDelta: optional(int64('difference of logical and physical offsets of a static topic')),
    topicSysFlag: optional(int32('system flag of the topic')),
    groupSysFlag: optional(int32('system flag of the group')),
    forbiddenType: optional(int32('what forbids the pull, with code NO_PERMISSION')),
  },
}

export const PULL_MESSAGE = command(11, 'PULL_MESSAGE', pull)

export const LITE_PULL_MESSAGE = command(361, 'LITE_PULL_MESSAGE', pull)
