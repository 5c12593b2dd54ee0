/** Consumers get queues for themselves, and keep them for a minute after they last asked. */
import {
  decodeLockedQueues,
  encodeQueueLockRequest,
  LOCK_BATCH_MQ,
  responseCode,
  UNLOCK_BATCH_MQ,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, timeoutMs } from './scene.ts'

class Locks {
  readonly scene: BrokerScene
  readonly #client

  constructor(scene: BrokerScene) {
    this.scene = scene
    this.#client = scene.client()
  }

  static async started(settings = ''): Promise<Locks> {
    return new Locks(await BrokerScene.started(settings))
  }

  /** The numbers of the queues that the client has after it asked for these. */
  async lock(
    clientId: string,
    queueIds: readonly number[],
    group = 'orders',
    leaseMs?: number,
  ): Promise<number[]> {
    const { address } = this.scene
    const body = [requestOf(clientId, queueIds, group)]
    const { remoting } = this.#client
    const answer = await this.scene.settle(
      remoting.request(address, LOCK_BATCH_MQ, { leaseMs }, { body, timeoutMs }),
    )
    return decodeLockedQueues(answer.body).map(({ queueId }) => queueId)
  }

  async unlock(clientId: string, queueIds: readonly number[], group = 'orders'): Promise<void> {
    const { address } = this.scene
    const body = [requestOf(clientId, queueIds, group)]
    const { remoting } = this.#client
    await this.scene.settle(remoting.call(address, UNLOCK_BATCH_MQ, {}, { body, timeoutMs }))
  }

  /** The connection of all clients is gone; the next request makes a new one. */
  disconnect(): void {
    this.#client.remoting.disconnect(this.scene.address, 'a test')
  }

  pass(ms: number): Promise<void> {
    return this.scene.world.clock.advance(ms)
  }
}

function requestOf(clientId: string, queueIds: readonly number[], consumerGroup: string): Buffer {
  const queues = queueIds.map((queueId) => ({ topic: 'T', brokerName: 'broker-a', queueId }))
  return encodeQueueLockRequest({ clientId, consumerGroup, queues, onlyThisBroker: false })
}

test('a queue that one client has is not given to another of the group', async () => {
  const locks = await Locks.started()
  expect(await locks.lock('a', [0, 1])).toEqual([0, 1])
  expect(await locks.lock('b', [1, 2])).toEqual([2])
})

test('groups do not stand in the way of each other', async () => {
  const locks = await Locks.started()
  expect(await locks.lock('a', [0], 'one')).toEqual([0])
  expect(await locks.lock('b', [0], 'two')).toEqual([0])
})

test('a queue is free again a minute after its client last asked for it, and not before', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0])
  await locks.pass(40_000)
  expect(await locks.lock('a', [0])).toEqual([0])
  await locks.pass(59_000)
  expect(await locks.lock('b', [0])).toEqual([])
  await locks.pass(2_000)
  expect(await locks.lock('b', [0])).toEqual([0])
  expect(await locks.lock('a', [0])).toEqual([])
})

test('a step of the wall clock neither ends a lease nor prolongs it', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0])
  locks.scene.world.clock.jumpWall(3_600_000)
  expect(await locks.lock('b', [0])).toEqual([])
  locks.scene.world.clock.jumpWall(-7_200_000)
  await locks.pass(61_000)
  expect(await locks.lock('b', [0])).toEqual([0])
})

test('only the client that has a queue can give it back', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0, 1])
  await locks.unlock('b', [0])
  expect(await locks.lock('b', [0])).toEqual([])
  await locks.unlock('a', [0])
  expect(await locks.lock('b', [0, 1])).toEqual([0])
})

test('how long a queue is kept can be set', async () => {
  const locks = await Locks.started('rocketmq.broker.rebalance.lockMaxLiveTime=5000\n')
  await locks.lock('a', [0])
  await locks.pass(5_500)
  expect(await locks.lock('b', [0])).toEqual([0])
})

test('a client may want a queue for less time than usual, and not for more', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', 25_000)
  await locks.lock('a', [1], 'orders', 3_600_000)
  await locks.pass(26_000)
  expect(await locks.lock('b', [0, 1])).toEqual([0])
  await locks.pass(35_000)
  expect(await locks.lock('b', [1])).toEqual([1])
})

test('a client that asked for less time loses its queues soon after its connection', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', 25_000)
  await locks.lock('a', [1])
  locks.disconnect()
  await locks.pass(4_000)
  expect(await locks.lock('b', [0, 1])).toEqual([])
  await locks.pass(2_000)
  expect(await locks.lock('b', [0, 1])).toEqual([0])
})

test('a client that comes back at once keeps its queues', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', 25_000)
  locks.disconnect()
  await locks.pass(1_000)
  expect(await locks.lock('a', [0], 'orders', 25_000)).toEqual([0])
  await locks.pass(20_000)
  expect(await locks.lock('b', [0])).toEqual([])
})

test('a queue that another has meanwhile is not lost with the connection of the first', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', 25_000)
  await locks.unlock('a', [0])
  expect(await locks.lock('b', [0])).toEqual([0])
  locks.disconnect()
  await locks.pass(10_000)
  expect(await locks.lock('c', [0])).toEqual([])
})

test('a request that names no client is refused', async () => {
  const locks = await Locks.started()
  await expect(locks.lock('', [0])).rejects.toMatchObject({ code: responseCode.INVALID_PARAMETER })
})

/** As members of this suite ask. */
const wantedMs = 25_000

test('a queue that several wait for goes to the one that has waited longest', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', wantedMs)
  expect(await locks.lock('b', [0], 'orders', wantedMs)).toEqual([])
  expect(await locks.lock('c', [0], 'orders', wantedMs)).toEqual([])
  await locks.unlock('a', [0])
  expect(await locks.lock('c', [0], 'orders', wantedMs)).toEqual([])
  expect(await locks.lock('b', [0], 'orders', wantedMs)).toEqual([0])
})

test('a queue is not kept for one that asks no more, or has said that it waits no more', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0, 1], 'orders', wantedMs)
  expect(await locks.lock('b', [0, 1], 'orders', wantedMs)).toEqual([])
  await locks.unlock('a', [0, 1])
  await locks.unlock('b', [1])
  expect(await locks.lock('c', [0, 1], 'orders', wantedMs)).toEqual([1])
  await locks.pass(2_000)
  expect(await locks.lock('c', [0], 'orders', wantedMs)).toEqual([0])
})

test('a client of Apache, which asks again much later, keeps nobody waiting', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0])
  expect(await locks.lock('b', [0])).toEqual([])
  await locks.unlock('a', [0])
  expect(await locks.lock('c', [0])).toEqual([0])
})

for (const ending of ['killAndRestart', 'losePowerAndRestart', 'stopAndStart'] as const) {
  test(`a broker knows after ${ending} who has which queue`, async () => {
    const locks = await Locks.started()
    await locks.lock('a', [0, 1], 'orders', wantedMs)
    await locks.lock('b', [2])
    await locks.unlock('a', [1])
    await locks.pass(100)
    await locks.scene[ending]()
    locks.disconnect()
    expect(await locks.lock('c', [0, 1, 2], 'orders', wantedMs)).toEqual([1])
    expect(await locks.lock('a', [0], 'orders', wantedMs)).toEqual([0])
    expect(await locks.lock('b', [2])).toEqual([2])
  })
}

test('a client that does not come back after a restart loses its queues when its lease is over', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', wantedMs)
  await locks.lock('b', [1], 'orders', wantedMs)
  await locks.lock('java', [2])
  await locks.scene.killAndRestart()
  expect(await locks.lock('b', [1], 'orders', wantedMs)).toEqual([1])
  await locks.pass(20_000)
  expect(await locks.lock('b', [0, 1, 2], 'orders', wantedMs)).toEqual([1])
  await locks.pass(6_000)
  expect(await locks.lock('b', [0, 1, 2], 'orders', wantedMs)).toEqual([0, 1])
  await locks.pass(5_000)
  expect(await locks.lock('b', [2], 'orders', wantedMs)).toEqual([2])
})

test('a group that was started anew with the broker does not wait for its dead members', async () => {
  const locks = await Locks.started()
  await locks.lock('a', [0], 'orders', wantedMs)
  await locks.scene.killAndRestart()
  expect(await locks.lock('b', [0], 'orders', wantedMs)).toEqual([])
  await locks.pass(5_500)
  expect(await locks.lock('b', [0], 'orders', wantedMs)).toEqual([0])
})

test("leases that ended before a broker was stopped are nobody's after it", async () => {
  const locks = await Locks.started()
  await locks.lock('java', [0])
  await locks.pass(61_000)
  await locks.scene.stopAndStart()
  expect(await locks.lock('b', [0])).toEqual([0])
})
