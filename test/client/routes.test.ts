/** What a route means to producers and consumers. */
import type { BrokerData, QueueData, TopicRouteData } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import {
  brokerAddresses,
  isSameRoute,
  newTopicRoute,
  publishQueues,
  replicaAddress,
  subscribeQueues,
} from '../../packages/client/src/cluster/routes.ts'

const broker = (brokerName: string, addresses: Record<number, string>): BrokerData => ({
  brokerAddrs: new Map(Object.entries(addresses).map(([id, address]) => [Number(id), address])),
  brokerName,
  cluster: 'c',
  enableActingMaster: false,
})

const data = (brokerName: string, perm: number, read: number, write: number): QueueData => ({
  brokerName,
  perm,
  readQueueNums: read,
  writeQueueNums: write,
  topicSysFlag: 0,
})

const route: TopicRouteData = {
  brokerDatas: [
    broker('b', { 0: 'b0', 1: 'b1' }),
    broker('a', { 0: 'a0' }),
    broker('slave', { 1: 's1', 3: 's3' }),
    broker('locked', { 0: 'l0' }),
  ],
  filterServerTable: new Map(),
  queueDatas: [
    data('b', 6, 1, 2),
    data('a', 2, 9, 1),
    data('slave', 6, 1, 1),
    data('locked', 4, 2, 2),
    data('nowhere', 6, 1, 1),
  ],
}

const short = (queues: readonly { brokerName: string; queueId: number }[]): string =>
  queues.map(({ brokerName, queueId }) => `${brokerName}${queueId}`).join(' ')

test('producers get the writable queues of brokers with a master, by broker name', () => {
  expect(short(publishQueues('t', route))).toBe('a0 b0 b1')
})

test('consumers get the readable queues, with a master or without', () => {
  expect(short(subscribeQueues('t', route))).toBe('b0 locked0 locked1 nowhere0 slave0')
})

test('an ordered topic names its queues and their order itself', () => {
  const ordered = { ...route, orderTopicConf: 'b:2;a:1;;broken' }
  expect(short(publishQueues('t', ordered))).toBe('b0 b1 a0')
})

test('a new topic gets at most the queues that its template has', () => {
  const made = newTopicRoute({ ...route, queueDatas: [data('a', 7, 8, 8), data('b', 7, 2, 2)] }, 4)
  expect(short(publishQueues('new', made))).toBe('a0 a1 a2 a3 b0 b1')
})

test('a route with a mad number of queues does not fill the memory', () => {
  const mad = { ...route, queueDatas: [data('a', 6, 2 ** 31 - 1, 2 ** 31 - 1)] }
  expect(publishQueues('t', mad)).toHaveLength(65_536)
  expect(publishQueues('t', { ...route, queueDatas: [data('a', 6, -1, -1)] })).toEqual([])
})

test('the order in which a name server lists things does not make another route', () => {
  const turned = {
    ...route,
    brokerDatas: [...route.brokerDatas].reverse(),
    queueDatas: [...route.queueDatas].reverse(),
  }
  expect(isSameRoute(route, turned)).toBe(true)
  expect(isSameRoute(route, { ...route, queueDatas: route.queueDatas.slice(1) })).toBe(false)
  const moved = { ...route, brokerDatas: [broker('a', { 0: 'elsewhere' })] }
  expect(isSameRoute(route, moved)).toBe(false)
})

describe('a replica', () => {
  const addresses = brokerAddresses([route])

  test.each<[string, number, string | undefined]>([
    ['b', 0, 'b0'],
    ['b', 1, 'b1'],
    ['b', 7, 'b0'],
    ['slave', 0, 's1'],
    ['slave', 2, 's3'],
    ['slave', 3, 's3'],
    ['unknown', 0, undefined],
  ])('of %s with id %i is read at %s', (brokerName, brokerId, address) => {
    expect(replicaAddress(addresses, brokerName, brokerId)?.address).toBe(address)
  })
})
