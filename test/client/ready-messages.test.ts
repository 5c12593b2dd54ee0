/** What was read waits in order, queue by queue in turn, and of queues that are given up no more. */
import { NodeClock } from '@rockhopper/host'
import { expect, test } from 'vitest'
import { type Entry, OwnedQueue } from '../../packages/client/src/balance/owned-queue.ts'
import { PolledQueue, type Reading } from '../../packages/client/src/fetch/polled-queue.ts'
import { ReadyMessages } from '../../packages/client/src/fetch/ready-messages.ts'
import type { ReceivedMessage } from '../../packages/client/src/pull/received-message.ts'

const clock = new NodeClock()

function readingOf(queueId: number): Reading {
  const owned = new OwnedQueue({ topic: 't', brokerName: 'b', queueId })
  return new PolledQueue(owned, true).reading
}

const entriesOf = (...offsets: readonly number[]): Entry[] =>
  offsets.map((queueOffset) => ({
    message: {} as ReceivedMessage,
    queueOffset,
    sizeBytes: 1,
    finished: false,
  }))

const offsetsOf = (ready: ReadyMessages, max: number): number[] | undefined =>
  ready.take(max)?.entries.map(({ queueOffset }) => queueOffset)

test('of a queue that was given up nothing is given, and nothing is taken', () => {
  const ready = new ReadyMessages(clock, 3)
  const reading = readingOf(0)
  ready.put(reading, entriesOf(0, 1, 2))
  expect(ready.isFull).toBe(true)
  reading.polled.owned.release()
  expect(ready.take(10)).toBeUndefined()
  expect(ready.isFull).toBe(false)
  ready.put(reading, entriesOf(3, 4, 5))
  expect(ready.isFull).toBe(false)
  expect(ready.take(10)).toBeUndefined()
})

test('queues take turns of eight messages, each in its order', () => {
  const ready = new ReadyMessages(clock, 100)
  const rowOf = (from: number): number[] => Array.from({ length: 12 }, (_, i) => from + i)
  ready.put(readingOf(0), entriesOf(...rowOf(0)))
  ready.put(readingOf(1), entriesOf(...rowOf(100)))
  const batches = [6, 6, 10, 1, 6].map((max) => offsetsOf(ready, max))
  expect(batches).toEqual([
    [0, 1, 2, 3, 4, 5],
    [6, 7, 8, 9, 10, 11],
    [100, 101, 102, 103, 104, 105, 106, 107, 108, 109],
    [110],
    [111],
  ])
  expect(ready.take(1)).toBeUndefined()
})

test('a queue that has had its turn waits until the others have had theirs', () => {
  const ready = new ReadyMessages(clock, 100)
  for (const queueId of [0, 1]) {
    ready.put(readingOf(queueId), entriesOf(...Array.from({ length: 20 }, (_, i) => i)))
  }
  const queues: (number | undefined)[] = []
  for (let i = 0; i < 32; i++) queues.push(ready.take(1)?.reading.queue.queueId)
  expect(queues).toEqual([0, 1, 0, 1].flatMap((queueId) => Array(8).fill(queueId)))
})

test('what comes back is the first again', () => {
  const ready = new ReadyMessages(clock, 3)
  const reading = readingOf(0)
  ready.put(reading, entriesOf(0, 1, 2))
  const fetched = ready.take(1)
  if (fetched === undefined) throw new Error('nothing was ready')
  expect(ready.isFull).toBe(false)
  ready.putBack(fetched)
  expect(ready.isFull).toBe(true)
  expect(offsetsOf(ready, 3)).toEqual([0, 1, 2])
})

test('a long row is given in order, and forgotten as it is given', () => {
  const ready = new ReadyMessages(clock, 1_000_000)
  const reading = readingOf(0)
  const got: number[] = []
  let put = 0
  while (got.length < 10_000) {
    const fresh = Array.from({ length: 7 }, () => put++)
    ready.put(reading, entriesOf(...fresh))
    got.push(...(offsetsOf(ready, 5) ?? []))
  }
  expect(got).toEqual(got.map((_, i) => i))
})
