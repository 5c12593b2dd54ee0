/** Consumer groups at a broker: who is there, what it subscribes to, how far it is. */
import {
  decodeConsumerConnections,
  decodeConsumerIds,
  decodeConsumeStats,
  GET_CONSUME_STATS,
  GET_CONSUMER_CONNECTION_LIST,
  GET_CONSUMER_LIST_BY_GROUP,
  NOTIFY_CONSUMER_IDS_CHANGED,
  pullFlag,
  QUERY_CONSUMER_OFFSET,
  responseCode,
  retryTopicOf,
  UNREGISTER_CLIENT,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { expect, test } from 'vitest'
import { BrokerScene, bodiesOf, subscription, type TestClient, timeoutMs } from './scene.ts'

const GROUP = 'consumers'

/** A client that remembers which groups it was told have changed. */
function notified(scene: BrokerScene): { client: TestClient; told: string[] } {
  const told: string[] = []
  const router = new Router(scene.world.host('broker').doors.logger)
  router.on(NOTIFY_CONSUMER_IDS_CHANGED, ({ consumerGroup }) => {
    told.push(consumerGroup)
    return undefined
  })
  return { client: scene.client(router), told }
}

async function idsOf(scene: BrokerScene, client: TestClient): Promise<string[]> {
  const header = { consumerGroup: GROUP }
  const call = client.remoting.call(scene.address, GET_CONSUMER_LIST_BY_GROUP, header, {
    timeoutMs,
  })
  const answer = await scene.settle(call)
  return answer.code === responseCode.SUCCESS ? decodeConsumerIds(answer.body) : []
}

test('members are listed, and all are told at once when one comes, leaves or is cut off', async () => {
  const scene = await BrokerScene.started()
  const first = notified(scene)
  const second = notified(scene)
  await first.client.heartbeat(GROUP, [subscription('T')])
  expect(await idsOf(scene, first.client)).toEqual(['client-1'])
  first.told.length = 0
  await second.client.heartbeat(GROUP, [subscription('T')])
  await scene.world.clock.advance(50)
  expect(first.told).toEqual([GROUP])
  expect(await idsOf(scene, second.client)).toEqual(['client-1', 'client-2'])
  await second.client.heartbeat(GROUP, [subscription('T')])
  await scene.world.clock.advance(50)
  expect(first.told).toEqual([GROUP])
  const leave = { clientID: 'client-2', consumerGroup: GROUP, producerGroup: 'producers' }
  await scene.settle(
    second.client.remoting.call(scene.address, UNREGISTER_CLIENT, leave, { timeoutMs }),
  )
  await scene.world.clock.advance(50)
  expect(first.told).toEqual([GROUP, GROUP])
  expect(await idsOf(scene, first.client)).toEqual(['client-1'])
  await second.client.heartbeat(GROUP, [subscription('T')])
  second.client.remoting.close()
  await scene.world.clock.advance(50)
  expect(first.told).toHaveLength(4)
  expect(await idsOf(scene, first.client)).toEqual(['client-1'])
})

test('a client that falls silent is taken out after two minutes', async () => {
  const scene = await BrokerScene.started('serverChannelMaxIdleTimeSeconds=3600')
  const silent = scene.client()
  const watcher = scene.client()
  await silent.heartbeat(GROUP, [subscription('T')])
  for (let second = 0; second < 110; second += 10) {
    await watcher.heartbeat(GROUP, [subscription('T')])
    await scene.world.clock.advance(10_000)
  }
  expect(await idsOf(scene, watcher)).toEqual(['client-1', 'client-2'])
  await watcher.heartbeat(GROUP, [subscription('T')])
  await scene.world.clock.advance(21_000)
  expect(await idsOf(scene, watcher)).toEqual(['client-2'])
})

test('a heartbeat makes the group and its retry topic', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  await client.heartbeat(GROUP, [subscription('T')])
  const answer = await client.pull(retryTopicOf(GROUP), 0)
  expect(answer.code).toBe(responseCode.PULL_NOT_FOUND)
})

test('a pull without a subscription is filtered by the one that heartbeats announced', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  for (const tag of ['A', 'B']) await client.send('T', tag, {}, `TAGS\x01${tag}\x02`)
  await client.heartbeat(GROUP, [subscription('T', 'B', 7)])
  const plain = { sysFlag: 0, subVersion: 7 }
  expect(bodiesOf(await client.pull('T', 0, plain))).toEqual(['B'])
  const newer = await client.pull('T', 0, { ...plain, subVersion: 8 })
  expect(newer.code).toBe(responseCode.SUBSCRIPTION_NOT_LATEST)
  await client.heartbeat(GROUP, [subscription('T', 'A', 8)])
  expect(bodiesOf(await client.pull('T', 0, { ...plain, subVersion: 8 }))).toEqual(['A'])
  await client.heartbeat(GROUP, [subscription('U', '*', 9)])
  const gone = await client.pull('T', 0, plain)
  expect(gone.code).toBe(responseCode.SUBSCRIPTION_NOT_EXIST)
})

test('offsets are what was committed, and survive a kill once they were saved', async () => {
  const scene = await BrokerScene.started('flushConsumerOffsetInterval=1000')
  const client = scene.client()
  await client.send('T', 'x')
  const queue = { consumerGroup: GROUP, topic: 'T', queueId: 0 }
  const query = async (given = {}) => {
    const header = { ...queue, ...given }
    return scene.settle(
      scene.client().remoting.call(scene.address, QUERY_CONSUMER_OFFSET, header, { timeoutMs }),
    )
  }
  expect((await query({ setZeroIfNotFound: false })).code).toBe(responseCode.QUERY_NOT_FOUND)
  expect((await query()).header()).toEqual({ offset: 0 })
  const commit = { ...queue, commitOffset: 1 }
  const update = client.remoting.call(scene.address, UPDATE_CONSUMER_OFFSET, commit, { timeoutMs })
  expect((await scene.settle(update)).code).toBe(responseCode.SUCCESS)
  expect((await query()).header()).toEqual({ offset: 1 })
  await scene.world.clock.advance(1_500)
  await scene.killAndRestart()
  expect((await query({ setZeroIfNotFound: false })).header()).toEqual({ offset: 1 })
  await scene.stop()
  await scene.start()
  expect((await query({ setZeroIfNotFound: false })).header()).toEqual({ offset: 1 })
})

test('an offset that a pull carries is committed', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  await client.send('T', 'x')
  const sysFlag = pullFlag.subscription | pullFlag.commitOffset
  await client.pull('T', 1, { sysFlag, commitOffset: 1 })
  const header = { consumerGroup: GROUP, topic: 'T', queueId: 0 }
  const call = client.remoting.call(scene.address, QUERY_CONSUMER_OFFSET, header, { timeoutMs })
  expect((await scene.settle(call)).header()).toEqual({ offset: 1 })
})

test('operators see who is connected and how far the group is', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  for (let i = 0; i < 3; i++) await client.send('T', `m${i}`)
  const header = { consumerGroup: GROUP }
  const options = { timeoutMs }
  const connections = () =>
    scene.settle(client.remoting.call(scene.address, GET_CONSUMER_CONNECTION_LIST, header, options))
  expect((await connections()).code).toBe(responseCode.CONSUMER_NOT_ONLINE)
  await client.heartbeat(GROUP, [subscription('T', 'A || B')])
  const online = decodeConsumerConnections((await connections()).body)
  expect(online.connectionSet).toMatchObject([{ clientId: 'client-1', language: 'OTHER' }])
  expect(online.subscriptionTable['T']?.subString).toBe('A || B')
  const sysFlag = pullFlag.subscription | pullFlag.commitOffset
  await client.pull('T', 2, { sysFlag, commitOffset: 2 })
  const stats = await scene.settle(
    client.remoting.call(scene.address, GET_CONSUME_STATS, header, options),
  )
  const rows = decodeConsumeStats(stats.body).queues.filter(({ queue }) => queue.queueId === 0)
  expect(rows).toMatchObject([
    {
      queue: { topic: 'T', brokerName: 'broker-a' },
      brokerOffset: 3,
      consumerOffset: 2,
      pullOffset: 3,
    },
  ])
  expect(rows[0]?.lastTimestamp).toBeGreaterThan(0)
})
