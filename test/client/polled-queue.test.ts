/** What is held of a queue counts until it is consumed, forgotten by a seek, or given up. */
import { beforeEach, expect, test } from 'vitest'
import { type Entry, OwnedQueue } from '../../packages/client/src/balance/owned-queue.ts'
import { PolledQueue } from '../../packages/client/src/fetch/polled-queue.ts'
import { CacheBudget } from '../../packages/client/src/pull/cache-budget.ts'
import type { ReceivedMessage } from '../../packages/client/src/pull/received-message.ts'

const LIMITS = { maxMessages: 100, maxBytes: 10_000, maxSpan: 100 }

let budget: CacheBudget
let polled: PolledQueue

beforeEach(() => {
  budget = new CacheBudget(1000)
  const owned = new OwnedQueue({ topic: 't', brokerName: 'b', queueId: 0 })
  polled = new PolledQueue(owned, true)
})

/** Reads messages of ten bytes each. */
function read(from: number, count: number): Entry[] {
  const window = polled.reading.window ?? polled.reading.open(from, LIMITS, budget)
  const offsets = Array.from({ length: count }, (_, i) => from + i)
  const messages = offsets.map((queueOffset) => ({ queueOffset }) as ReceivedMessage)
  const entries = window.add(messages, from + count, ({ queueOffset }) => ({
    queueOffset,
    sizeBytes: 10,
  }))
  polled.owned.hold(entries)
  return entries
}

test('messages count until they are consumed', () => {
  const { reading } = polled
  const entries = read(0, 5)
  expect([budget.bytes, polled.position]).toEqual([50, 0])
  reading.lend()
  reading.finish(entries.slice(0, 2))
  expect([budget.bytes, polled.position]).toEqual([30, 2])
  reading.lend()
  reading.finish(entries.slice(0, 2))
  expect([budget.bytes, polled.position]).toEqual([30, 2])
})

test('a seek forgets all of them, those in the hands of the application too', () => {
  const before = polled.reading
  const entries = read(0, 5)
  before.lend()
  polled.restart(3)
  expect([budget.bytes, polled.position]).toEqual([0, 3])
  expect(before.released.aborted).toBe(true)
  read(3, 4)
  before.finish(entries)
  expect([budget.bytes, polled.position]).toEqual([40, 3])
})

test('a queue that is given up commits what is consumed by then, and counts no more', () => {
  const { reading } = polled
  const entries = read(0, 5)
  reading.lend()
  polled.owned.release()
  reading.finish(entries.slice(0, 3))
  expect(polled.owned.commitOffset).toBe(3)
  polled.owned.forsake()
  expect(budget.bytes).toBe(0)
})

test('a queue that is committed by hand commits the last word of the application', () => {
  const owned = new OwnedQueue({ topic: 't', brokerName: 'b', queueId: 0 })
  polled = new PolledQueue(owned, false)
  const entries = read(0, 5)
  expect(owned.commitOffset).toBeUndefined()
  polled.reading.lend()
  polled.reading.finish(entries)
  polled.note(2)
  owned.release()
  expect(owned.commitOffset).toBe(2)
})
