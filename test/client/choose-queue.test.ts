/** Messages go round the queues, and after a failure round those of other brokers. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { QueueChooser } from '../../packages/client/src/produce/choose-queue.ts'

const queue = (brokerName: string, queueId: number) => ({ brokerName, queueId })

test('each queue gets its turn', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(2 ** 31 - 1), (count, start) => {
      const queues = Array.from({ length: count }, (_, i) => queue('a', i))
      const chooser = new QueueChooser(queues, start)
      const chosen = queues.map(() => chooser.next())
      expect(new Set(chosen).size).toBe(count)
    }),
    { seed: 1 },
  )
})

test('after a failure the next queue is on another broker', () => {
  const queues = [queue('a', 0), queue('a', 1), queue('a', 2), queue('b', 0), queue('c', 0)]
  for (let start = 0; start < 5; start++) {
    const chooser = new QueueChooser(queues, start)
    for (let i = 0; i < 10; i++) expect(chooser.nextAvoiding('a')?.brokerName).not.toBe('a')
  }
})

test('where there is no other broker, the same one is tried again', () => {
  const chooser = new QueueChooser([queue('a', 0), queue('a', 1)], 0)
  expect(chooser.nextAvoiding('a')?.brokerName).toBe('a')
})

test('without queues there is nothing to choose', () => {
  const chooser = new QueueChooser([], 0)
  expect(chooser.next()).toBeUndefined()
  expect(chooser.nextAvoiding('a')).toBeUndefined()
})
