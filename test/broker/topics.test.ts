/** Topics of a broker: made, changed and deleted by operators, and told to name servers. */
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import {
  DELETE_TOPIC_IN_BROKER,
  decodeTopicConfig,
  decodeTopicRoute,
  decodeTopicStats,
  defaultConfig,
  GET_ROUTEINFO_BY_TOPIC,
  GET_TOPIC_CONFIG,
  GET_TOPIC_STATS_INFO,
  responseCode,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, timeoutMs } from './scene.ts'

const options = { timeoutMs }
const request = { topic: 'T', readQueueNums: 2, writeQueueNums: 2, perm: 6, order: false }

test('a topic that was created is on disk when that is answered', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  const header = { ...request, attributes: '+message.type=FIFO' }
  const create = client.remoting.call(scene.address, UPDATE_AND_CREATE_TOPIC, header, options)
  expect((await scene.settle(create)).code).toBe(responseCode.SUCCESS)
  await scene.killAndRestart()
  const get = scene.client().remoting.call(scene.address, GET_TOPIC_CONFIG, { topic: 'T' }, options)
  expect(decodeTopicConfig((await scene.settle(get)).body)).toMatchObject({
    topicName: 'T',
    readQueueNums: 2,
    attributes: { 'message.type': 'FIFO' },
  })
})

test.each([
  ['a topic of the system', { topic: 'SCHEDULE_TOPIC_XXXX' }, 29, /belongs to the system/],
  ['the topic named after the broker', { topic: 'broker-a' }, 29, /belongs to the system/],
  ['a name with a blank', { topic: 'a b' }, 29, /not allowed/],
  ['a million queues', { writeQueueNums: 1_000_000 }, 29, /from 0 to 16384 queues/],
  ['a broken attribute', { attributes: 'x=y' }, 1, /neither \+key=value nor -key/],
])('%s is refused with a sentence', async (_name, given, code, why) => {
  const scene = await BrokerScene.started()
  const header = { ...request, ...given }
  const call = scene.client().remoting.call(scene.address, UPDATE_AND_CREATE_TOPIC, header, options)
  const answer = await scene.settle(call)
  expect(answer.code).toBe(code)
  expect(answer.remark).toMatch(why)
})

test('a deleted topic is gone with its messages, and a new one of its name begins at 0', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  await client.send('T', 'old')
  const remove = client.remoting.call(
    scene.address,
    DELETE_TOPIC_IN_BROKER,
    { topic: 'T' },
    options,
  )
  expect((await scene.settle(remove)).code).toBe(responseCode.SUCCESS)
  expect((await client.pull('T', 0)).code).toBe(responseCode.TOPIC_NOT_EXIST)
  expect((await client.send('T', 'new')).header().queueOffset).toBe(0)
})

test('the figures of a topic show each queue', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  for (const queueId of [0, 0, 3]) await client.send('T', 'x', { queueId })
  const call = client.remoting.call(scene.address, GET_TOPIC_STATS_INFO, { topic: 'T' }, options)
  const { queues } = decodeTopicStats((await scene.settle(call)).body)
  expect(queues.map(({ queue, maxOffset }) => [queue.queueId, maxOffset])).toEqual([
    [0, 2],
    [1, 0],
    [2, 0],
    [3, 1],
  ])
  expect(queues[0]?.lastUpdateTimestamp).toBeGreaterThan(0)
  expect(queues[1]?.lastUpdateTimestamp).toBe(0)
})

test('name servers know a new topic at once, and the broker no more once it has left', async () => {
  const scene = new BrokerScene('namesrvAddr=10.0.0.2:9876')
  const nameServer = scene.world.host('namesrv')
  expect(nameServer.ip).toBe('10.0.0.2')
  await scene.settle(
    startNamesrv(nameServer.doors, {
      ...defaultConfig(namesrvConfigTable),
      bindAddress: nameServer.ip,
      listenPort: 9_876,
      kvConfigPath: '/kv.json',
    }),
  )
  await scene.start()
  const client = scene.client()
  const route = async (topic: string) => {
    const call = client.remoting.call('10.0.0.2:9876', GET_ROUTEINFO_BY_TOPIC, { topic }, options)
    const { body, code } = await scene.settle(call)
    return code === responseCode.SUCCESS ? decodeTopicRoute(body) : undefined
  }
  expect((await route('TBW102'))?.brokerDatas[0]?.brokerAddrs.get(0)).toBe(scene.address)
  expect(await route('T')).toBeUndefined()
  await client.send('T', 'x')
  await scene.world.clock.advance(100)
  expect((await route('T'))?.queueDatas).toMatchObject([{ brokerName: 'broker-a', perm: 6 }])
  await scene.stop()
  expect(await route('TBW102')).toBeUndefined()
})

test('a name server that starts late gets everything within the period', async () => {
  const scene = new BrokerScene('namesrvAddr=10.0.0.2:9876')
  const nameServer = scene.world.host('namesrv')
  await scene.start()
  await scene.client().send('T', 'x')
  await scene.settle(
    startNamesrv(nameServer.doors, {
      ...defaultConfig(namesrvConfigTable),
      bindAddress: nameServer.ip,
      listenPort: 9_876,
      kvConfigPath: '/kv.json',
    }),
  )
  await scene.world.clock.advance(40_000)
  const header = { topic: 'T' }
  const call = scene
    .client()
    .remoting.call('10.0.0.2:9876', GET_ROUTEINFO_BY_TOPIC, header, options)
  expect((await scene.settle(call)).code).toBe(responseCode.SUCCESS)
  const warnings = scene.world.lines.filter(({ level }) => level === 'warn')
  expect(warnings).toHaveLength(1)
})
