/**
 * Queues are shared as Apache's classes share them: `golden/allocations.json` holds what those made
 * of random input (`golden/Allocations.java` wrote it).
 */
import { readFileSync } from 'node:fs'
import {
  type AllocationStrategy,
  allocateAveragely,
  allocateByCircle,
  allocateByConfiguration,
  allocateByConsistentHash,
  allocateByMachineRoom,
  allocateNearby,
  type MessageQueue,
} from '@rockhopper/client'
import { describe, expect, test } from 'vitest'
import { compareQueues } from '../../packages/client/src/message-queue.ts'

interface Golden {
  readonly brokers: readonly string[]
  readonly members: readonly string[]
  readonly cases: readonly GoldenCase[]
}

interface GoldenCase {
  /** 100 times the index of the broker, plus the number of the queue; in no order. */
  readonly queues: readonly number[]
  /** Indexes of members; in no order. */
  readonly members: readonly number[]
  readonly rooms: readonly string[]
  readonly places: number
  readonly configured: readonly number[]
  /** For each member, in their order, places in the sorted list of queues. */
  readonly shares: Readonly<Record<string, readonly (readonly number[])[]>>
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('golden/allocations.json', import.meta.url), 'utf8'),
)

const rooms = {
  ofBroker: ({ brokerName }: MessageQueue) => `${brokerName.length % 4}`,
  ofMember: (clientId: string) => `${clientId.length % 4}`,
}

const queuesOf = (codes: readonly number[]): MessageQueue[] =>
  codes.map((code) => ({
    topic: 'orders',
    brokerName: golden.brokers[Math.floor(code / 100)] ?? '',
    queueId: code % 100,
  }))

const strategies: Readonly<Record<string, (given: GoldenCase) => AllocationStrategy>> = {
  averagely: () => allocateAveragely,
  byCircle: () => allocateByCircle,
  byConfiguration: ({ configured }) => allocateByConfiguration(queuesOf(configured)),
  byMachineRoom: (given) => allocateByMachineRoom(given.rooms),
  nearbyAveragely: () => allocateNearby(allocateAveragely, rooms),
  nearbyByCircle: () => allocateNearby(allocateByCircle, rooms),
  byConsistentHash: () => allocateByConsistentHash(),
  byConsistentHashOfPlaces: ({ places }) => allocateByConsistentHash(places),
}

describe('in 250 cases of Apache', () => {
  test.each(Object.entries(strategies))('%s gives the same shares', (name, strategyOf) => {
    for (const given of golden.cases) {
      const queues = queuesOf(given.queues).sort(compareQueues)
      const members = given.members.map((index) => golden.members[index] ?? '').sort()
      const strategy = strategyOf(given)
      const shares = given.shares[name]?.map((_, index) =>
        strategy
          .allocate('group', members[index] ?? '', queues, members)
          .map((own) => queues.findIndex((queue) => compareQueues(queue, own) === 0)),
      )
      expect(shares, JSON.stringify(given)).toEqual(given.shares[name])
      expect(shares).toHaveLength(name === 'byConfiguration' ? 1 : members.length)
    }
    expect(golden.cases).toHaveLength(250)
  })

  test('each strategy has the name that Apache gives it', () => {
    const [given] = golden.cases
    if (given === undefined) throw new Error('there is no case')
    expect(Object.values(strategies).map((strategyOf) => strategyOf(given).name)).toEqual([
      'AVG',
      'AVG_BY_CIRCLE',
      'CONFIG',
      'MACHINE_ROOM',
      'MACHINE_ROOM_NEARBY-AVG',
      'MACHINE_ROOM_NEARBY-AVG_BY_CIRCLE',
      'CONSISTENT_HASH',
      'CONSISTENT_HASH',
    ])
  })
})

test('who is not a member gets nothing, save what is configured', () => {
  const [given] = golden.cases
  if (given === undefined) throw new Error('there is no case')
  const sizes = Object.values(strategies).map(
    (strategyOf) =>
      strategyOf(given).allocate('group', 'stranger', queuesOf(given.queues), ['somebody']).length,
  )
  expect(sizes).toEqual([0, 0, given.configured.length, 0, 0, 0, 0, 0])
})

test('the ring follows the members', () => {
  const strategy = allocateByConsistentHash()
  const queues = queuesOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const sharesAmong = (members: readonly string[]): number[] =>
    members.map((member) => strategy.allocate('group', member, queues, members).length)
  const fresh = (members: readonly string[]): number[] =>
    members.map(
      (member) => allocateByConsistentHash().allocate('group', member, queues, members).length,
    )
  for (const members of [['a'], ['a', 'b'], ['a', 'c'], ['a', 'b', 'c'], ['b']]) {
    expect(sharesAmong(members)).toEqual(fresh(members))
    expect(sharesAmong(members).reduce((sum, count) => sum + count, 0)).toBe(10)
  }
})

test('a queue or a member without a room is named', () => {
  const queues = queuesOf([0])
  const nowhere = allocateNearby(allocateAveragely, { ...rooms, ofBroker: () => '' })
  expect(() => nowhere.allocate('group', 'me', queues, ['me'])).toThrow(
    'no machine room is known for {"topic":"orders","brokerName":"broker-a","queueId":0}',
  )
  const lost = allocateNearby(allocateAveragely, { ...rooms, ofMember: () => '' })
  expect(() => lost.allocate('group', 'me', queues, ['me'])).toThrow('is known for "me"')
})

test('a ring without places is refused', () => {
  expect(() => allocateByConsistentHash(0)).toThrow('the places on the ring are 0')
})
