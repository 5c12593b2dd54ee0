/** What a delayed message becomes when it is due, and how its copy is known again. */
import { encodeProperties, hostAddress, type StoredRecord } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { copyOriginOf, dueCopyOf } from '../../packages/broker/src/rules/delayed-copy.ts'

const host = hostAddress('10.0.0.1', 1)
const usual = { DELAY: '3', REAL_TOPIC: 'orders', REAL_QID: '2', TAGS: 'red' }

function delayed(properties: Record<string, string> = usual): StoredRecord {
  return {
    ...{ sizeBytes: 200, bodyCrc: 0, queueId: 2, flag: 1, sysFlag: 8, queueOffset: 7 },
    ...{ logOffset: 0, bornTimestamp: 3, bornHost: host, storeTimestamp: 4, storeHost: host },
    ...{ reconsumeTimes: 5, preparedTransactionOffset: 0, body: Buffer.from('body') },
    ...{ topic: 'SCHEDULE_TOPIC_XXXX', properties: Buffer.from(encodeProperties(properties)) },
  }
}

test('a copy goes where the message belongs, and is known again, be it the first of the log', () => {
  const copy = dueCopyOf(delayed())
  expect(copy).toMatchObject({ topic: 'orders', queueId: 2, reconsumeTimes: 5, sysFlag: 8 })
  const record = { ...delayed(), ...copy, properties: Buffer.concat(copy?.properties ?? []) }
  expect(copyOriginOf(record)).toEqual({ level: 3, endOffset: 200 })
})

test('a delayed message, and a message that was never delayed, is nobody’s copy', () => {
  expect(copyOriginOf(delayed())).toBeUndefined()
  expect(copyOriginOf({ ...delayed(), topic: 'orders' })).toBeUndefined()
  const committed = delayed({ REAL_TOPIC: 'orders', REAL_QID: '2' })
  const record = { ...committed, topic: 'orders', preparedTransactionOffset: 100 }
  expect(copyOriginOf(record)).toBeUndefined()
})

test.each([
  ['no topic', { DELAY: '3', REAL_QID: '2' }],
  ['no queue', { DELAY: '3', REAL_TOPIC: 'orders' }],
  ['a queue that is no number', { ...usual, REAL_QID: 'x' }],
  ['the topic of half messages', { ...usual, REAL_TOPIC: 'RMQ_SYS_TRANS_HALF_TOPIC' }],
  ['the topic of delayed messages', { ...usual, REAL_TOPIC: 'SCHEDULE_TOPIC_XXXX' }],
])('a message that names %s has no copy', (_what, properties) => {
  expect(dueCopyOf(delayed(properties))).toBeUndefined()
})

test('a copy does not carry the checksum of the message it is of', () => {
  const copy = dueCopyOf(delayed({ ...usual, '__CRC32#': '0123456789' }))
  expect(Buffer.concat(copy?.properties ?? []).toString()).toBe(encodeProperties(usual))
})
