/** Requests for locks look as Apache writes them, and are read as all its versions write them. */
import {
  decodeLockedQueues,
  decodeQueueLockRequest,
  encodeLockedQueues,
  encodeQueueLockRequest,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'

const queue = { brokerName: 'broker-a', queueId: 1, topic: 'orders' }

test('a request survives its way', () => {
  const request = { clientId: 'c', consumerGroup: 'g', queues: [queue], onlyThisBroker: false }
  expect(decodeQueueLockRequest(encodeQueueLockRequest(request))).toEqual(request)
  expect(decodeLockedQueues(encodeLockedQueues([queue]))).toEqual([queue])
})

test('a request of a 4.9 client, which does not know onlyThisBroker, is read', () => {
  const text =
    '{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"b","queueId":3,"topic":"t"}]}'
  expect(decodeQueueLockRequest(Buffer.from(text))).toEqual({
    clientId: 'c',
    consumerGroup: 'g',
    queues: [{ brokerName: 'b', queueId: 3, topic: 't' }],
    onlyThisBroker: false,
  })
})
