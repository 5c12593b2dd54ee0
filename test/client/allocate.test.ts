/** Every queue goes to one member, in Apache's way. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { allocateAveragely } from '../../packages/client/src/balance/allocate.ts'

const queuesOf = (count: number) =>
  Array.from({ length: count }, (_, queueId) => ({ topic: 't', brokerName: 'b', queueId }))

const membersOf = (count: number) => Array.from({ length: count }, (_, i) => `member-${i}`)

/** Apache's formula, as `client.md` section 5.3 writes it. */
function apacheShare(queues: number, members: number, index: number): number[] {
  const mod = queues % members
  const isLonger = mod > 0 && index < mod
  const average = queues <= members ? 1 : Math.floor(queues / members) + (isLonger ? 1 : 0)
  const start = isLonger ? index * average : index * average + mod
  const range = Math.min(average, queues - start)
  return Array.from({ length: Math.max(0, range) }, (_, i) => (start + i) % queues)
}

test.each([
  [
    8,
    3,
    [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ],
  ],
  [4, 4, [[0], [1], [2], [3]]],
  [2, 3, [[0], [1], []]],
  [1, 1, [[0]]],
  [0, 2, [[], []]],
])('%i queues among %i members', (queues, members, shares) => {
  const ids = membersOf(members)
  const own = ids.map((id) =>
    allocateAveragely.allocate('g', id, queuesOf(queues), ids).map(({ queueId }) => queueId),
  )
  expect(own).toEqual(shares)
})

test('the shares are those of Apache, cover all queues and overlap nowhere', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 60 }), (n, c) => {
      const ids = membersOf(c)
      const shares = ids.map((id) =>
        allocateAveragely.allocate('g', id, queuesOf(n), ids).map(({ queueId }) => queueId),
      )
      expect(shares).toEqual(ids.map((_, index) => apacheShare(n, c, index)))
      expect(shares.flat()).toEqual(queuesOf(n).map(({ queueId }) => queueId))
    }),
    { seed: 1 },
  )
})

test('who is not a member gets nothing', () => {
  expect(allocateAveragely.allocate('g', 'stranger', queuesOf(4), membersOf(2))).toEqual([])
})
