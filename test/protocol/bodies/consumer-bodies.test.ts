/** Bodies about consumers and offsets, in the forms that Java, C++ and Go write and read. */
import { expect, test } from 'vitest'
import {
  decodeClientOffsets,
  decodeConsumeDirectlyResult,
  decodeConsumerRunningInfo,
  decodeConsumerStatus,
  decodeProducerTable,
  decodeResetOffsets,
  encodeClientOffsets,
  encodeConsumeDirectlyResult,
  encodeConsumerRunningInfo,
  encodeConsumerStatus,
  encodeCorrectionOffsets,
  encodeProducerTable,
  encodeResetOffsets,
  encodeResetOffsetsForC,
  type MessageQueue,
  tagSubscription,
} from '../../../packages/protocol/src/index.ts'

const queue: MessageQueue = { brokerName: 'broker-a', queueId: 0, topic: 'T' }
const KEY = '{"brokerName":"broker-a","queueId":0,"topic":"T"}'

test('offsets to reset have queues as keys, and for C++ a list; both are read', () => {
  const java = encodeResetOffsets([[queue, 5]])
  const cpp = encodeResetOffsetsForC([[queue, 5]])
  expect(java.toString()).toBe(`{"offsetTable":{${KEY}:5}}`)
  expect(cpp.toString()).toBe(
    '{"offsetTable":[{"brokerName":"broker-a","offset":5,"queueId":0,"topic":"T"}]}',
  )
  for (const body of [java, cpp]) expect(decodeResetOffsets(body)).toEqual([[queue, 5]])
  expect(decodeResetOffsets(Buffer.from('{}'))).toEqual([])
})

test('offsets of one client and of all clients stand in different tables', () => {
  const one = encodeClientOffsets([[queue, 7]])
  expect(one.toString()).toBe(`{"consumerTable":{},"messageQueueTable":{${KEY}:7}}`)
  expect(decodeClientOffsets(one)).toEqual([[queue, 7]])
  const all = encodeConsumerStatus(new Map([['c', [[queue, 7]]]]))
  expect(all.toString()).toBe(`{"consumerTable":{"c":{${KEY}:7}},"messageQueueTable":{}}`)
  expect(decodeConsumerStatus(all)).toEqual(new Map([['c', [[queue, 7]]]]))
})

test('a correction that is none is the largest number of Java', () => {
  const body = encodeCorrectionOffsets(new Map([[0, 5] as const, [1, undefined] as const]))
  expect(body.toString()).toBe('{"correctionOffsets":{0:5,1:9223372036854775807}}')
})

const state = {
  ...{ commitOffset: 1, cachedMsgMinOffset: 2, cachedMsgMaxOffset: 3, cachedMsgCount: 4 },
  ...{ cachedMsgSizeInMiB: 5, transactionMsgMinOffset: 0, transactionMsgMaxOffset: 0 },
  ...{ transactionMsgCount: 0, locked: true, tryUnlockTimes: 0, lastLockTimestamp: 6 },
  ...{ droped: false, lastPullTimestamp: 7, lastConsumeTimestamp: 8 },
}

test('what a consumer says of itself survives its way, with and without its threads', () => {
  const info = {
    properties: { PROP_CONSUME_TYPE: 'CONSUME_PASSIVELY', PROP_CONSUMER_START_TIMESTAMP: '1' },
    subscriptionSet: [tagSubscription('T', 'A', 3)],
    mqTable: [[queue, state] as const],
    statusTable: {
      T: { pullRT: 1, pullTPS: 2, consumeRT: 3, consumeOKTPS: 4, ...failures },
    },
    userConsumerInfo: { a: 'b' },
  }
  const body = encodeConsumerRunningInfo(info)
  expect(body.toString()).toContain(`"mqTable":{${KEY}:{"commitOffset":1,`)
  expect(decodeConsumerRunningInfo(body)).toEqual(info)
  const withThreads = { ...info, jstack: 'main\n  at x' }
  expect(decodeConsumerRunningInfo(encodeConsumerRunningInfo(withThreads))).toEqual(withThreads)
})

const failures = { consumeFailedTPS: 5, consumeFailedMsgs: 6 }

test('a Java consumer that never pulled has empty tables, and properties of other types', () => {
  const java =
    '{"mqPopTable":{},"mqTable":{},"properties":{"PROP_CONSUMER_START_TIMESTAMP":1700000000000},' +
    '"statusTable":{},"subscriptionSet":[],"userConsumerInfo":{}}'
  expect(decodeConsumerRunningInfo(Buffer.from(java))).toMatchObject({
    properties: { PROP_CONSUMER_START_TIMESTAMP: '1700000000000' },
    mqTable: [],
  })
})

test('the outcome of a direct consumption is a name, from Go clients its number', () => {
  const result = {
    ...({ autoCommit: true, consumeResult: 'CR_LATER', order: false } as const),
    ...{ remark: 'why', spentTimeMills: 3 },
  }
  expect(decodeConsumeDirectlyResult(encodeConsumeDirectlyResult(result))).toEqual(result)
  const go = '{"order":false,"autoCommit":true,"consumeResult":4,"remark":"","spentTimeMills":1}'
  expect(decodeConsumeDirectlyResult(Buffer.from(go)).consumeResult).toBe('CR_THROW_EXCEPTION')
})

test('producers stand under their groups', () => {
  const info = { clientId: 'c', language: 'JAVA', lastUpdateTimestamp: 1, remoteIP: '/1.2.3.4:5' }
  const groups = new Map([['pg', [{ ...info, version: 479 }]]])
  expect(encodeProducerTable(groups).toString()).toBe(
    '{"data":{"pg":[{"clientId":"c","language":"JAVA","lastUpdateTimestamp":1,' +
      '"remoteIP":"/1.2.3.4:5","version":479}]}}',
  )
  expect(decodeProducerTable(encodeProducerTable(groups))).toEqual(groups)
})
