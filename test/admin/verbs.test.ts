/** What the verbs ask of name servers and brokers, and what they print; mostly when things go wrong. */
import {
  DELETE_TOPIC_IN_BROKER,
  DELETE_TOPIC_IN_NAMESRV,
  encodeConsumerConnections,
  encodeConsumeStats,
  encodeGroupList,
  encodeHaStatus,
  encodeKvTable,
  encodeTopicList,
  encodeTopicStats,
  GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
  GET_BROKER_HA_STATUS,
  GET_BROKER_RUNTIME_INFO,
  GET_CONSUME_STATS,
  GET_CONSUMER_CONNECTION_LIST,
  GET_KV_CONFIG,
  GET_TOPIC_STATS_INFO,
  PUT_KV_CONFIG,
  QUERY_TOPIC_CONSUME_BY_WHO,
  responseCode,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import { describe, expect, test } from 'vitest'
import { clusterListVerb } from '../../packages/admin/src/commands/cluster-list.ts'
import { consumerProgressVerb } from '../../packages/admin/src/commands/consumer-progress.ts'
import { deleteTopicVerb } from '../../packages/admin/src/commands/delete-topic.ts'
import { haStatusVerb } from '../../packages/admin/src/commands/ha-status.ts'
import { topicListVerb } from '../../packages/admin/src/commands/topic-list.ts'
import { topicRouteVerb } from '../../packages/admin/src/commands/topic-route.ts'
import { topicStatusVerb } from '../../packages/admin/src/commands/topic-status.ts'
import { updateTopicVerb } from '../../packages/admin/src/commands/update-topic.ts'
import { brokerOf, Scene } from './scene.ts'

/** Adds the broker `b2`, master of broker-b, and a slave of broker-a that cannot be reached. */
async function withSecondBroker(scene: Scene): Promise<void> {
  await scene.startBroker('b2')
  scene.clusters = {
    brokerAddrTable: new Map([
      [
        'broker-a',
        brokerOf('broker-a', [
          [1, '10.9.9.9:10911'],
          [0, scene.addressOf('b1')],
        ]),
      ],
      ['broker-b', brokerOf('broker-b', [[0, scene.addressOf('b2')]])],
    ]),
    clusterAddrTable: new Map([
      ['DefaultCluster', ['broker-a']],
      ['Other', ['broker-b']],
    ]),
  }
}

describe('name servers that cannot be asked', () => {
  test('a name server that does not run is named, and how to start one', async () => {
    const scene = new Scene()
    scene.world.host('ns')
    const { exitCode, out, errors } = await scene.run(topicListVerb)
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' })
    expect(errors).toMatch(
      /^The name server at 10\.0\.0\.1:9876 cannot be reached \(.+\): is it running\?/,
    )
    expect(errors).toContain('bin/mqnamesrv')
  })

  test('a name server that hears and does not answer is given 5 seconds', async () => {
    const scene = await Scene.withBroker()
    scene.on('ns', GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => undefined)
    const { exitCode, errors } = await scene.run(topicListVerb)
    expect(exitCode).toBe(1)
    expect(errors).toContain('did not answer within 5 s')
  })

  test('the second name server is asked when the first cannot be reached', async () => {
    const scene = await Scene.withBroker()
    scene.on('ns', GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => ({
      body: [encodeTopicList({ topicList: ['b', 'a'] })],
    }))
    const both = `10.9.9.9:9876;${scene.addressOf('ns')}`
    const { exitCode, out } = await scene.run(topicListVerb, '-n', both)
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: 'a\nb\n' })
  })
})

describe('updateTopic', () => {
  test('creates the topic on every master of the cluster with 8 queues that are read and written', async () => {
    const scene = await Scene.withBroker()
    scene.on('b1', UPDATE_AND_CREATE_TOPIC, () => ({}))
    const { exitCode, out } = await scene.run(updateTopicVerb, '-c', 'DefaultCluster', '-t', 'T')
    expect(exitCode).toBe(0)
    expect(out.split('\n')).toEqual([
      `create topic to ${scene.addressOf('b1')} success.`,
      'TopicConfig [topicName=T, readQueueNums=8, writeQueueNums=8, perm=RW-, ' +
        'topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]',
      '',
    ])
    expect(scene.asked.at(-1)?.header).toMatchObject({
      ...{ topic: 'T', readQueueNums: 8, writeQueueNums: 8, perm: 6, order: false },
      ...{ topicFilterType: 'SINGLE_TAG', topicSysFlag: 0 },
    })
  })

  test('passes on all that is said about the topic', async () => {
    const scene = await Scene.withBroker()
    scene.on('b1', UPDATE_AND_CREATE_TOPIC, () => ({}))
    const words = '-t T -r 3 -w 2 -p 4 -u true -s true -a +message.type=FIFO'.split(' ')
    const { exitCode } = await scene.run(updateTopicVerb, '-b', scene.addressOf('b1'), ...words)
    expect(exitCode).toBe(0)
    expect(scene.asked.at(-1)?.header).toMatchObject({
      ...{ readQueueNums: 3, writeQueueNums: 2, perm: 4, topicSysFlag: 3 },
      attributes: '+message.type=FIFO',
    })
  })

  test('stops at a cluster that is not there, and names those that are', async () => {
    const scene = await Scene.withBroker()
    await withSecondBroker(scene)
    const { exitCode, out, errors } = await scene.run(updateTopicVerb, '-c', 'Oter', '-t', 'T')
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' })
    expect(errors).toBe(
      `There is no cluster "Oter" at ${scene.addressOf('ns')}, which knows DefaultCluster, Other.\n`,
    )
    expect(scene.asked.map(({ command }) => command)).not.toContain('UPDATE_AND_CREATE_TOPIC')
  })

  test.each([
    [['-t', 'T'], 'Name either one broker with -b, or a whole cluster with -c'],
    [['-t', 'T', '-b', 'x:1', '-c', 'y'], 'Name either one broker with -b'],
    [['-t', 'a/b', '-b', '10.0.0.2:10911'], 'The topic was not created: '],
    [['-t', 'T', '-b', '10.9.9.9:1'], 'The broker at 10.9.9.9:1 cannot be reached'],
  ])('refuses %j with a sentence', async (words, sentence) => {
    const scene = await Scene.withBroker()
    const { exitCode, errors } = await scene.run(updateTopicVerb, ...words)
    expect(exitCode).toBe(1)
    expect(errors).toContain(sentence)
  })

  test('passes on why the broker refused', async () => {
    const scene = await Scene.withBroker()
    scene.on('b1', UPDATE_AND_CREATE_TOPIC, () => {
      throw new Refusal(responseCode.INVALID_PARAMETER, 'the topic TBW102 is a system topic')
    })
    const { exitCode, errors } = await scene.run(
      updateTopicVerb,
      ...['-b', scene.addressOf('b1'), '-t', 'TBW102'],
    )
    expect(exitCode).toBe(1)
    expect(errors).toBe(
      `The broker at ${scene.addressOf('b1')} refused: ` +
        'CODE: 29  DESC: the topic TBW102 is a system topic\n',
    )
  })

  test('tells every name server which brokers an ordered topic is spread over', async () => {
    const scene = await Scene.withBroker()
    await scene.startNameServer('ns2')
    for (const name of ['ns', 'ns2']) scene.on(name, PUT_KV_CONFIG, () => ({}))
    scene.on('b1', UPDATE_AND_CREATE_TOPIC, () => ({}))
    const both = `${scene.addressOf('ns')};${scene.addressOf('ns2')}`
    const words = ['-c', 'DefaultCluster', '-t', 'T', '-w', '4', '-o', 'true', '-n', both]
    const { out } = await scene.run(updateTopicVerb, ...words)
    expect(out).toContain('set cluster orderConf. isOrder=true, orderConf=[broker-a:4]')
    const told = scene.asked.filter(({ command }) => command === 'PUT_KV_CONFIG')
    expect(told).toEqual(
      ['ns', 'ns2'].map((host) => ({
        host,
        command: 'PUT_KV_CONFIG',
        header: { namespace: 'ORDER_TOPIC_CONFIG', key: 'T', value: 'broker-a:4' },
      })),
    )
  })

  test('adds one broker to those an ordered topic is spread over already', async () => {
    const scene = await Scene.withBroker()
    scene.on('ns', PUT_KV_CONFIG, () => ({}))
    scene.on('ns', GET_KV_CONFIG, () => ({ header: { value: 'broker-b:2;broker-a:9' } }))
    scene.on('b1', UPDATE_AND_CREATE_TOPIC, () => ({}))
    const words = ['-b', scene.addressOf('b1'), '-t', 'T', '-o', 'true']
    const { out } = await scene.run(updateTopicVerb, ...words)
    expect(out).toContain('set broker orderConf. isOrder=true, orderConf=[broker-b:2;broker-a:8]')
  })
})

describe('deleteTopic', () => {
  test('deletes on the masters first, then with the name servers', async () => {
    const scene = await Scene.withBroker()
    scene.on('b1', DELETE_TOPIC_IN_BROKER, () => ({}))
    scene.on('ns', DELETE_TOPIC_IN_NAMESRV, () => ({}))
    const { out } = await scene.run(deleteTopicVerb, '-c', 'DefaultCluster', '-t', 'T')
    expect(out).toBe(
      'delete topic [T] from cluster [DefaultCluster] success.\n' +
        'delete topic [T] from NameServer success.\n',
    )
    expect(scene.asked.slice(1)).toEqual([
      { host: 'b1', command: 'DELETE_TOPIC_IN_BROKER', header: { topic: 'T' } },
      {
        ...{ host: 'ns', command: 'DELETE_TOPIC_IN_NAMESRV' },
        header: { topic: 'T', clusterName: 'DefaultCluster' },
      },
    ])
  })

  test('says nothing of success for a cluster that is not there', async () => {
    const scene = await Scene.withBroker()
    const { exitCode, out, errors } = await scene.run(deleteTopicVerb, '-c', 'No', '-t', 'T')
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' })
    expect(errors).toContain('There is no cluster "No"')
  })
})

describe('topicList', () => {
  test('-c shows cluster and groups, without retry and dead letter topics', async () => {
    const scene = await Scene.withBroker()
    scene.route('T', { name: 'broker-a', host: 'b1', queues: 1 })
    scene.route('alone', { name: 'broker-a', host: 'b1', queues: 1 })
    const topicList = ['T', '%RETRY%g', '%DLQ%g', 'alone', 'gone']
    scene.on('ns', GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => ({
      body: [encodeTopicList({ topicList })],
    }))
    scene.on('b1', QUERY_TOPIC_CONSUME_BY_WHO, ({ topic }) => ({
      body: [encodeGroupList(topic === 'T' ? ['g2', 'g1'] : [])],
    }))
    const { out } = await scene.run(topicListVerb, '-c')
    const rows = out.trimEnd().split('\n')
    expect(rows.map((row) => row.split(/\s+/))).toEqual([
      ['#Cluster', 'Name', '#Topic', '#Consumer', 'Group'],
      ['DefaultCluster', 'T', 'g1'],
      ['DefaultCluster', 'T', 'g2'],
      ['DefaultCluster', 'alone'],
    ])
  })
})

describe('topicRoute', () => {
  test('prints the route as JSON, addresses under their broker ids', async () => {
    const scene = await Scene.withBroker()
    scene.route('T', { name: 'broker-a', host: 'b1', queues: 4 })
    const { out } = await scene.run(topicRouteVerb, '-t', 'T')
    expect(JSON.parse(out)).toMatchObject({
      brokerDatas: [{ brokerName: 'broker-a', brokerAddrs: { 0: scene.addressOf('b1') } }],
      queueDatas: [{ brokerName: 'broker-a', readQueueNums: 4 }],
    })
    expect((await scene.run(topicRouteVerb, '-t', 'T', '--json')).out).toBe(out)
  })

  test('-l prints a table with its sums', async () => {
    const scene = await Scene.withBroker()
    await scene.startBroker('b2')
    scene.route(
      'T',
      { name: 'broker-b', host: 'b2', queues: 3 },
      { name: 'broker-a', host: 'b1', queues: 4 },
    )
    const { out } = await scene.run(topicRouteVerb, '-t', 'T', '-l')
    const rows = out.trimEnd().split('\n')
    expect(rows[1]).toMatch(
      new RegExp(`^DefaultCluster {33}broker-a {26}\\{0=${scene.addressOf('b1')}\\}`),
    )
    expect(rows[2]).toContain('broker-b')
    expect(rows[3]).toBe('-'.repeat(158))
    expect(rows[4]?.split(/\s+/)).toEqual(['Total:', '2', '7', '7'])
  })

  test('a topic that is not there is reported with code 17 and what to do', async () => {
    const scene = await Scene.withBroker()
    const { exitCode, errors } = await scene.run(topicRouteVerb, '-t', 'nix')
    expect(exitCode).toBe(1)
    expect(errors).toMatch(/^CODE: 17 {2}DESC: No topic route info in name server/)
    expect(errors).toContain('mqadmin updateTopic -t nix')
  })
})

describe('topicStatus', () => {
  test('shows the queues of all brokers in order, and the rates summed up', async () => {
    const scene = await Scene.withBroker()
    await scene.startBroker('b2')
    scene.route(
      'T',
      { name: 'broker-b', host: 'b2', queues: 1 },
      { name: 'broker-a', host: 'b1', queues: 2 },
    )
    const row = (brokerName: string, queueId: number, lastUpdateTimestamp: number) => ({
      queue: { topic: 'T', brokerName, queueId },
      ...{ minOffset: 1, maxOffset: 9, lastUpdateTimestamp },
    })
    scene.on('b1', GET_TOPIC_STATS_INFO, () => ({
      body: [
        encodeTopicStats({
          queues: [row('broker-a', 1, 0), row('broker-a', 0, 5)],
          topicPutTps: 1.5,
        }),
      ],
    }))
    scene.on('b2', GET_TOPIC_STATS_INFO, () => ({
      body: [encodeTopicStats({ queues: [row('broker-b', 0, 7)], topicPutTps: 2 })],
    }))
    const { out } = await scene.run(topicStatusVerb, '-t', 'T')
    expect(out.split('\n').map((line) => line.split(/\s+/).filter(Boolean))).toEqual([
      ['#Broker', 'Name', '#QID', '#Min', 'Offset', '#Max', 'Offset', '#Last', 'Updated'],
      ['broker-a', '0', '1', '9', 'time', '5'],
      ['broker-a', '1', '1', '9'],
      ['broker-b', '0', '1', '9', 'time', '7'],
      [],
      ['Topic', 'Put', 'TPS:', '3.5'],
      [],
    ])
  })
})

describe('haStatus', () => {
  const slaveRow = {
    ...{ addr: '10.0.0.9:34567', slaveAckOffset: 900, diff: 100, inSync: true },
    ...{ transferredByteInSecond: 2_048, transferFromWhere: 1_000 },
  }

  test("of a master is a line for each slave, as Apache's tool prints them", async () => {
    const scene = await Scene.withBroker()
    const status = { role: 'master', logEndOffset: 1_000, inSyncSlaves: 1 } as const
    scene.on('b1', GET_BROKER_HA_STATUS, () => ({
      body: [encodeHaStatus({ ...status, slaves: [slaveRow] })],
    }))
    const { exitCode, out } = await scene.run(haStatusVerb, '-b', scene.addressOf('b1'))
    expect(exitCode).toBe(0)
    expect(out.split('\n')).toEqual([
      '',
      `#MasterAddr\t${scene.addressOf('b1')}`,
      '#MasterCommitLogMaxOffset\t1000',
      '#SlaveNum\t1',
      '#InSyncSlaveNum\t1',
      '#SlaveAddr                        #SlaveAckOffset             #Diff #TransferSpeed(KB/s)          #Status #TransferFromWhere',
      '10.0.0.9:34567                    900                           100             2.00               OK             1000',
      '',
    ])
  })

  test('of a slave is where it is', async () => {
    const scene = await Scene.withBroker()
    const times = { lastReadTimestamp: 0, lastWriteTimestamp: 0 }
    const numbers = { maxOffset: 77, masterFlushOffset: 0, transferredByteInSecond: 0 }
    scene.on('b1', GET_BROKER_HA_STATUS, () => ({
      body: [
        encodeHaStatus({
          role: 'slave',
          following: { ...times, ...numbers, masterAddr: '10.0.0.1:10912' },
        }),
      ],
    }))
    const { out } = await scene.run(haStatusVerb, '-b', scene.addressOf('b1'))
    expect(out).toMatch(/^\n#MasterAddr\t10\.0\.0\.1:10912\n#CommitLogMaxOffset\t77\n/)
  })
})

describe('clusterList', () => {
  test('lists a broker that cannot be reached with zeros, and says why at the end', async () => {
    const scene = await Scene.withBroker()
    await withSecondBroker(scene)
    const runtime = new Map([
      ['brokerVersionDesc', 'V5_3_3'],
      ['putTps', '12.345 1.0 1.0'],
      ['getTransferredTps', '6.0 1.0 1.0'],
      ['commitLogDiskRatio', '0.25'],
      ['earliestMessageTimeStamp', String(scene.operator.clock.nowMs() - 5_400_000)],
      ['brokerActive', 'true'],
    ])
    for (const name of ['b1', 'b2'])
      scene.on(name, GET_BROKER_RUNTIME_INFO, () => ({ body: [encodeKvTable(runtime)] }))
    const { exitCode, out } = await scene.run(clusterListVerb)
    expect(exitCode).toBe(0)
    const [titles = '', ...rows] = out.trimEnd().split('\n')
    expect(titles.split(/ +(?=#)/)).toHaveLength(12)
    expect(rows[0]?.split(/ {2,}/)).toEqual([
      ...['DefaultCluster', 'broker-a', '0', scene.addressOf('b1'), 'V5_3_3'],
      ...['12.35(0,0ms)', '6.00(0,0ms|0,0ms)', '0-0(0.0w, 0.0, 0.0)', '0', '1.50', '0.2500'],
      'true',
    ])
    expect(rows[1]).toMatch(/^DefaultCluster +broker-a +1 +10\.9\.9\.9:10911 .* false$/)
    expect(rows[2]).toMatch(/^Other +broker-b/)
    expect(rows[3]).toContain('The broker at 10.9.9.9:10911 cannot be reached')
  })

  test('-m prints what came and went, -c only one cluster', async () => {
    const scene = await Scene.withBroker()
    await withSecondBroker(scene)
    const runtime = new Map([
      ['msgPutTotalYesterdayMorning', '1'],
      ['msgPutTotalTodayMorning', '11'],
      ['msgPutTotalTodayNow', '111'],
      ['msgGetTotalTodayMorning', '5'],
      ['msgGetTotalTodayNow', '8'],
    ])
    scene.on('b2', GET_BROKER_RUNTIME_INFO, () => ({ body: [encodeKvTable(runtime)] }))
    const { out } = await scene.run(clusterListVerb, '-m', '-c', 'Other')
    const rows = out.trimEnd().split('\n')
    expect(rows).toHaveLength(2)
    expect(rows[1]?.split(/\s+/)).toEqual(['Other', 'broker-b', '10', '5', '100', '3'])
  })
})

describe('consumerProgress', () => {
  const queues = [
    {
      queue: { topic: 'T', brokerName: 'broker-a', queueId: 1 },
      ...{ brokerOffset: 10, consumerOffset: 4, pullOffset: 6, lastTimestamp: 5 },
    },
    {
      queue: { topic: 'T', brokerName: 'broker-a', queueId: 0 },
      ...{ brokerOffset: 3, consumerOffset: 3, pullOffset: 0, lastTimestamp: 0 },
    },
  ]

  async function sceneWithGroup(): Promise<Scene> {
    const scene = await Scene.withBroker()
    scene.route('%RETRY%g', { name: 'broker-a', host: 'b1', queues: 1 })
    scene.on('b1', GET_CONSUME_STATS, () => ({
      body: [encodeConsumeStats({ queues, consumeTps: 2.5 })],
    }))
    return scene
  }

  test('-g shows each queue, and the sums', async () => {
    const scene = await sceneWithGroup()
    const { out } = await scene.run(consumerProgressVerb, '-g', 'g')
    expect(out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      [
        ...['#Topic', '#Broker Name', '#QID', '#Broker Offset', '#Consumer Offset', '#Diff'],
        ...['#Inflight', '#LastTime'],
      ],
      ['T', 'broker-a', '0', '3', '3', '0', '0', 'N/A'],
      ['T', 'broker-a', '1', '10', '4', '6', '2', 'time 5'],
      [''],
      ['Consume TPS: 2.50'],
      ['Consume Diff Total: 6'],
      ['Consume Inflight Total: 2'],
      [''],
    ])
  })

  test('without a group it shows all groups, online or not, the busiest first', async () => {
    const scene = await sceneWithGroup()
    scene.route('%RETRY%idle', { name: 'broker-a', host: 'b1', queues: 1 })
    scene.on('ns', GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => ({
      body: [encodeTopicList({ topicList: ['T', '%RETRY%idle', '%RETRY%g'] })],
    }))
    scene.on('b1', GET_CONSUME_STATS, ({ consumerGroup }) => ({
      body: [
        encodeConsumeStats(
          consumerGroup === 'g' ? { queues, consumeTps: 2.5 } : { queues: [], consumeTps: 0 },
        ),
      ],
    }))
    const client = { clientId: 'c', clientAddr: '10.0.0.9:1', language: 'JAVA', version: 479 }
    scene.on('b1', GET_CONSUMER_CONNECTION_LIST, ({ consumerGroup }) => {
      if (consumerGroup === 'idle')
        throw new Refusal(responseCode.CONSUMER_NOT_ONLINE, 'not online')
      return {
        body: [
          encodeConsumerConnections({
            ...{ connectionSet: [client, client], subscriptionTable: {} },
            ...{ consumeType: 'CONSUME_PASSIVELY', messageModel: 'CLUSTERING' },
            consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
          }),
        ],
      }
    })
    const { out } = await scene.run(consumerProgressVerb)
    expect(out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['#Group', '#Count', '#Version', '#Type', '#Model', '#TPS', '#Diff Total'],
      ['g', '2', 'V5_3_3', 'PUSH', 'CLUSTERING', '2', '6'],
      ['idle', '0', 'OFFLINE', '0', '0'],
      [''],
    ])
  })

  test('a group that never subscribed is reported as such', async () => {
    const scene = await Scene.withBroker()
    const { exitCode, errors } = await scene.run(consumerProgressVerb, '-g', 'nix')
    expect(exitCode).toBe(1)
    expect(errors).toContain('There is no consumer group "nix"')
  })
})
