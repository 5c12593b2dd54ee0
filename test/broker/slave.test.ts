/** A slave has its master's tables, as a whole and on disk, and writes nothing of its own. */
import {
  CONSUMER_SEND_MSG_BACK,
  type Command,
  DELETE_TOPIC_IN_BROKER,
  decodeTopicConfigs,
  END_TRANSACTION,
  encodeRegisterBroker,
  encodeTopicConfigs,
  type FieldTable,
  GET_ALL_CONSUMER_OFFSET,
  GET_ALL_DELAY_OFFSET,
  GET_ALL_MESSAGE_REQUEST_MODE,
  GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  GET_ALL_TOPIC_CONFIG,
  INVOKE_BROKER_TO_RESET_OFFSET,
  QUERY_CONSUMER_OFFSET,
  RECALL_MESSAGE,
  REGISTER_BROKER,
  responseCode,
  SEND_REPLY_MESSAGE,
  topicConfig,
  UPDATE_AND_CREATE_TOPIC,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { RemotingClient, RemotingServer, Router } from '@rockhopper/remoting'
import { readJsonFile } from '@rockhopper/store'
import { describe, expect, test } from 'vitest'
import { PORT, SlaveScene, timeoutMs } from './slave-scene.ts'

async function createTopic(scene: SlaveScene, address: string, topic: string) {
  const header = { topic, perm: 6, readQueueNums: 4, writeQueueNums: 4 }
  return scene.settle(scene.client.call(address, UPDATE_AND_CREATE_TOPIC, header, { timeoutMs }))
}

function commit(scene: SlaveScene, address: string, commitOffset: number) {
  const header = { consumerGroup: 'consumers', topic: 'orders', queueId: 0, commitOffset }
  return scene.settle(scene.client.call(address, UPDATE_CONSUMER_OFFSET, header, { timeoutMs }))
}

async function committed(scene: SlaveScene, address: string): Promise<number | undefined> {
  const header = {
    consumerGroup: 'consumers',
    topic: 'orders',
    queueId: 0,
    setZeroIfNotFound: false,
  }
  const call = scene.client.call(address, QUERY_CONSUMER_OFFSET, header, { timeoutMs })
  const answer = await scene.settle(call)
  return answer.code === responseCode.SUCCESS ? answer.header().offset : undefined
}

async function topicsOf(scene: SlaveScene, address: string) {
  const { body } = await scene.settle(
    scene.client.call(address, GET_ALL_TOPIC_CONFIG, {}, { timeoutMs }),
  )
  return decodeTopicConfigs(body)
}

/** What an Apache 5.3.3 master answers, byte for byte but for the names in it. */
const apacheAnswers = {
  topics:
    '{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1700000000000},' +
    '"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},' +
    '"topicConfigTable":{"orders":{"attributes":{},"order":false,"perm":6,"readQueueNums":4,' +
    '"topicFilterType":"SINGLE_TAG","topicName":"orders","topicSysFlag":0,"writeQueueNums":4}},' +
    '"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}',
  offsets:
    '{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},' +
    '"groupTopicMap":{},"offsetTable":{"orders@consumers":{0:5,1:7}}}',
  delays:
    '{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},"offsetTable":{1:4,3:9}}',
  groups:
    '{"dataVersion":{"counter":2,"stateVersion":0,"timestamp":1700000000000},"forbiddenTable":{},' +
    '"subscriptionGroupTable":{"consumers":{"attributes":{},"brokerId":0,' +
    '"consumeBroadcastEnable":true,"consumeEnable":false,"consumeFromMinEnable":true,' +
    '"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"consumers",' +
    '"groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,' +
    '"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,' +
    '"whichBrokerWhenConsumeSlowly":1}}}',
}

type AnyCommand = Command<FieldTable, FieldTable>

/** Registers as a master and answers as one of Apache's does. */
async function apacheMaster(scene: SlaveScene, answers: Partial<typeof apacheAnswers> = {}) {
  const { doors } = scene.master
  const told = { ...apacheAnswers, ...answers }
  const router = new Router(doors.logger)
  const body = (text: string) => () => ({ body: [Buffer.from(text)] })
  router.on(GET_ALL_TOPIC_CONFIG as AnyCommand, body(told.topics))
  router.on(GET_ALL_CONSUMER_OFFSET, body(told.offsets))
  router.on(GET_ALL_DELAY_OFFSET, body(told.delays))
  router.on(GET_ALL_SUBSCRIPTIONGROUP_CONFIG as AnyCommand, body(told.groups))
  const addresses = [{ host: scene.master.ip, port: PORT }]
  await scene.settle(RemotingServer.listen(doors, { addresses, router }))
  const identity = {
    brokerName: 'broker-a',
    brokerAddr: scene.masterAddress,
    clusterName: 'DefaultCluster',
    haServerAddr: `${scene.master.ip}:${PORT + 1}`,
    brokerId: 0,
  }
  const noTopics = { dataVersion: { counter: 0, stateVersion: 0, timestamp: 0 }, topics: new Map() }
  const options = { body: [encodeRegisterBroker(noTopics)], timeoutMs }
  const nameServer = `${scene.nameServer.ip}:9876`
  const remoting = new RemotingClient(doors)
  await scene.settle(remoting.request(nameServer, REGISTER_BROKER, identity, options))
}

async function started(): Promise<SlaveScene> {
  const scene = new SlaveScene()
  await scene.startNameServer()
  await scene.startMaster()
  await scene.startSlave()
  return scene
}

function fileOf(scene: SlaveScene, name: string): unknown {
  return readJsonFile(scene.slave.disk, `/store/config/${name}.json`)
}

describe('a slave', () => {
  test('has the topics, groups and offsets of its master within seconds, and on disk', async () => {
    const scene = await started()
    await createTopic(scene, scene.masterAddress, 'orders')
    await commit(scene, scene.masterAddress, 42)
    await scene.advance(13_000)
    expect(await topicsOf(scene, scene.slaveAddress)).toEqual(
      await topicsOf(scene, scene.masterAddress),
    )
    expect(await committed(scene, scene.slaveAddress)).toBe(42)
    scene.master.kill()
    scene.slave.crash()
    scene.client.disconnect(scene.slaveAddress, 'its machine is gone')
    await scene.startSlave()
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('orders')).toBe(true)
    expect(await committed(scene, scene.slaveAddress)).toBe(42)
  })

  test('forgets what its master has deleted', async () => {
    const scene = await started()
    await createTopic(scene, scene.masterAddress, 'orders')
    await scene.advance(13_000)
    const options = { timeoutMs }
    await scene.settle(
      scene.client.call(scene.masterAddress, DELETE_TOPIC_IN_BROKER, { topic: 'orders' }, options),
    )
    await scene.advance(13_000)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('orders')).toBe(false)
  })

  test('finds a master that is started after it', async () => {
    const scene = new SlaveScene()
    await scene.startNameServer()
    await scene.startSlave()
    await scene.startMaster()
    await createTopic(scene, scene.masterAddress, 'orders')
    await scene.advance(12_000)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('orders')).toBe(true)
  })

  test('keeps its tables while the master is gone, and follows it when it is back', async () => {
    const scene = await started()
    await createTopic(scene, scene.masterAddress, 'orders')
    await scene.advance(13_000)
    scene.master.kill()
    await scene.advance(30_000)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('orders')).toBe(true)
    await scene.startMaster()
    await createTopic(scene, scene.masterAddress, 'bills')
    await scene.advance(14_000)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('bills')).toBe(true)
  })

  test('keeps what it has of a master that lost its disk', async () => {
    const scene = new SlaveScene()
    await scene.startNameServer()
    await scene.fillSlave('orders', ['one', 'two'])
    await scene.startMaster()
    await scene.startSlave()
    await scene.advance(30_000)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('orders')).toBe(true)
    expect(scene.world.lines.map(({ fields }) => String(fields['error'])).join()).toMatch(
      /lost its disk/,
    )
  })

  test("reads the tables of Apache's master", async () => {
    const scene = new SlaveScene()
    await scene.startNameServer()
    await apacheMaster(scene)
    await scene.startSlave()
    await scene.advance(13_000)
    expect(fileOf(scene, 'topics')).toMatchObject({ topicConfigTable: { orders: { perm: 6 } } })
    expect(fileOf(scene, 'subscriptionGroup')).toMatchObject({
      dataVersion: { counter: 2 },
      subscriptionGroupTable: { consumers: { consumeEnable: false } },
    })
    expect(fileOf(scene, 'consumerOffset')).toMatchObject({
      offsetTable: { 'orders@consumers': { 0: 5, 1: 7 } },
    })
    expect(fileOf(scene, 'delayOffset')).toMatchObject({ offsetTable: { 1: 4, 3: 9 } })
  })

  test.each([
    ['topics', '{"dataVersion":{}}'],
    ['offsets', '{"offsetTable":'],
    ['groups', ''],
    ['delays', '{"offsetTable":[]}'],
  ] as const)('takes over nothing while the %s cannot be read', async (table, text) => {
    const scene = new SlaveScene()
    await scene.startNameServer()
    await apacheMaster(scene, { [table]: text })
    await scene.startSlave()
    await scene.advance(25_000)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('orders')).toBe(false)
    expect(await committed(scene, scene.slaveAddress)).toBeUndefined()
    expect(fileOf(scene, 'delayOffset')).toBeUndefined()
  })
})

describe('a request to a slave', () => {
  const offsets = { offset: 0, group: 'consumers', delayLevel: 1 }
  const end = {
    producerGroup: 'producers',
    tranStateTableOffset: 0,
    commitLogOffset: 0,
    commitOrRollback: 8,
  }
  test.each([
    ['gives back a message', CONSUMER_SEND_MSG_BACK, offsets, responseCode.SYSTEM_BUSY],
    [
      'replies to a request',
      SEND_REPLY_MESSAGE,
      { topic: 'DefaultCluster_REPLY_TOPIC', queueId: 0 },
      responseCode.SYSTEM_BUSY,
    ],
    ['ends a transaction', END_TRANSACTION, end, responseCode.SLAVE_NOT_AVAILABLE],
    [
      'recalls a message',
      RECALL_MESSAGE,
      { topic: 'orders', recallHandle: 'x' },
      responseCode.SLAVE_NOT_AVAILABLE,
    ],
    [
      'resets an offset',
      INVOKE_BROKER_TO_RESET_OFFSET,
      { topic: 'orders', group: 'consumers', timestamp: -1, isForce: true },
      responseCode.SYSTEM_ERROR,
    ],
    [
      'creates a topic',
      UPDATE_AND_CREATE_TOPIC,
      { topic: 'bills', perm: 6, readQueueNums: 1, writeQueueNums: 1 },
      responseCode.SYSTEM_ERROR,
    ],
  ])('that %s is refused as by Apache', async (_what, command, header, code) => {
    const scene = await started()
    const call = scene.client.call(scene.slaveAddress, command as AnyCommand, header, { timeoutMs })
    expect((await scene.settle(call)).code).toBe(code)
  })

  test('that sends is refused, and creates no topic', async () => {
    const scene = await started()
    const answer = await scene.send(scene.slaveAddress, 'bills', 'one')
    expect(answer.code).toBe(responseCode.SYSTEM_BUSY)
    expect(answer.remark).toMatch(/^\[REJECTREQUEST\]system busy, start flow control for a while/)
    expect((await topicsOf(scene, scene.slaveAddress)).topics.has('bills')).toBe(false)
  })
})

describe('the topics of a master', () => {
  test('come in parts to a slave that asks so, and none is missing', async () => {
    const scene = await started()
    for (const topic of ['a1', 'a2', 'a3', 'a4']) {
      await createTopic(scene, scene.masterAddress, topic)
    }
    const all = await topicsOf(scene, scene.masterAddress)
    const seen = new Set<string>()
    let version = ''
    for (let seq = 0; ; seq = seen.size) {
      const header = { topicSeq: seq, dataVersion: version, maxTopicNum: 3 }
      const call = scene.client.call(scene.masterAddress, GET_ALL_TOPIC_CONFIG, header, {
        timeoutMs,
      })
      const answer = await scene.settle(call)
      const { dataVersion, topics } = decodeTopicConfigs(answer.body)
      for (const topic of topics.keys()) seen.add(topic)
      version = JSON.stringify(dataVersion)
      expect(answer.header().totalTopicNum).toBe(all.topics.size)
      // Apache's slaves stop here.
      if (seen.size >= all.topics.size - 1) break
    }
    expect([...seen].sort()).toEqual([...all.topics.keys()].sort())
  })

  test('come from the beginning when they changed since the first part', async () => {
    const scene = await started()
    const header = { topicSeq: 5, dataVersion: '{"counter":1}', maxTopicNum: 2 }
    const call = scene.client.call(scene.masterAddress, GET_ALL_TOPIC_CONFIG, header, { timeoutMs })
    const { topics } = decodeTopicConfigs((await scene.settle(call)).body)
    const all = [...(await topicsOf(scene, scene.masterAddress)).topics.keys()].sort()
    expect([...topics.keys()]).toEqual(all.slice(0, 2))
  })

  test('come whole to who does not ask for parts, without a count', async () => {
    const scene = await started()
    const call = scene.client.call(scene.masterAddress, GET_ALL_TOPIC_CONFIG, {}, { timeoutMs })
    const answer = await scene.settle(call)
    expect(answer.header().totalTopicNum).toBeUndefined()
    const one = new Map([['orders', topicConfig('orders')]])
    expect(Object.keys(JSON.parse(answer.body.toString()))).toEqual(
      Object.keys(
        JSON.parse(
          encodeTopicConfigs({
            dataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
            topics: one,
          }).toString(),
        ),
      ),
    )
  })

  test("leave nothing to say of message request modes, in the words of Apache's", async () => {
    const scene = await started()
    const options = { timeoutMs }
    const call = scene.client.call(scene.masterAddress, GET_ALL_MESSAGE_REQUEST_MODE, {}, options)
    expect((await scene.settle(call)).body.toString()).toBe('{"messageRequestModeMap":{}}')
  })
})
