/** Asking for a route: what clients of each version and language are answered, and when nothing. */
import {
  decodeTopicRoute,
  GET_BROKER_CLUSTER_INFO,
  GET_ROUTEINFO_BY_TOPIC,
  PUT_KV_CONFIG,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { BROKER_ADDR, Cluster } from './cluster.ts'
import { GO_CLIENT, OK, outcome, V4_9_3, V4_9_4, V5_3_3 } from './peer.ts'

const PLAIN = `"brokerAddrs":{0:"${BROKER_ADDR}"}`
const STANDARD = `"brokerAddrs":{"0":"${BROKER_ADDR}"}`

describe('a client that asks for a route', () => {
  it.each([
    ['of Go', GO_CLIENT, {}, PLAIN],
    ['of 4.9.3', V4_9_3, {}, PLAIN],
    [
      'of 4.9.3 that insists on standard JSON',
      V4_9_3,
      { acceptStandardJsonOnly: 'true' },
      STANDARD,
    ],
    ['of 4.9.4', V4_9_4, {}, STANDARD],
    ['of 5.3', V5_3_3, {}, STANDARD],
  ])('%s is answered in its own dialect', async (_who, version, extra, addresses) => {
    const cluster = await Cluster.start()
    await cluster.broker()
    const client = await cluster.peer()
    const fields = { topic: 'TopicA', ...extra }
    const answer = await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, { version, fields })
    expect(outcome(answer)).toEqual(OK)
    expect(answer.text).toContain(addresses)
    expect(decodeTopicRoute(Buffer.from(answer.text)).queueDatas).toEqual([
      { brokerName: 'broker-a', perm: 6, readQueueNums: 4, topicSysFlag: 0, writeQueueNums: 4 },
    ])
  })

  it('of a topic that nobody has is told so, with a way out', async () => {
    const cluster = await Cluster.start()
    const client = await cluster.peer()
    const fields = { topic: 'Nothing' }
    const [code, remark] = outcome(await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, { fields }))
    expect(code).toBe(17)
    expect(remark).toMatch(/^No topic route info in name server for the topic: Nothing\. Create/)
  })

  it('is put off right after the start, if the name server shall wait for brokers', async () => {
    const cluster = await Cluster.start({ needWaitForService: true })
    await cluster.broker()
    const client = await cluster.peer()
    const fields = { topic: 'TopicA' }
    const [code, remark] = outcome(await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, { fields }))
    expect(code).toBe(1)
    expect(remark).toMatch(/^name server not ready/)
    await cluster.world.clock.advance(45_000)
    expect(outcome(await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, { fields }))).toEqual(OK)
  })

  it.each([
    [true, 'broker-a:4'],
    [false, undefined],
  ])('is told the order configuration when that is %s', async (orderMessageEnable, told) => {
    const cluster = await Cluster.start({ orderMessageEnable })
    await cluster.broker()
    const client = await cluster.peer()
    const setting = { namespace: 'ORDER_TOPIC_CONFIG', key: 'TopicA', value: 'broker-a:4' }
    await cluster.ask(client, PUT_KV_CONFIG, { fields: setting })
    const answer = await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, {
      fields: { topic: 'TopicA' },
    })
    expect(decodeTopicRoute(Buffer.from(answer.text)).orderTopicConf).toBe(told)
  })

  it('of a zone is shown the brokers of that zone only', async () => {
    const cluster = await Cluster.start()
    await cluster.broker({ fields: { __ZONE_NAME: 'z1' } })
    const client = await cluster.peer()
    const ask = async (zone: string): Promise<string[]> => {
      const fields = { topic: 'TopicA', __ZONE_MODE: 'true', __ZONE_NAME: zone }
      const answer = await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, { fields })
      const route = decodeTopicRoute(Buffer.from(answer.text))
      expect(route.queueDatas).toHaveLength(route.brokerDatas.length)
      return route.brokerDatas.map(({ brokerName }) => brokerName)
    }
    expect(await ask('Z1')).toEqual(['broker-a'])
    expect(await ask('z2')).toEqual([])
    expect(await ask(' ')).toEqual(['broker-a'])
  })

  it.each([
    [true, { 0: '10.9.0.2:10911', 2: '10.9.0.3:10911' }],
    [false, { 1: '10.9.0.2:10911', 2: '10.9.0.3:10911' }],
  ])('sees a slave as master when that is %s', async (supportActingMaster, addresses) => {
    const cluster = await Cluster.start({ supportActingMaster })
    for (const id of ['1', '2']) {
      const brokerAddr = `10.9.0.${Number(id) + 1}:10911`
      await cluster.broker({ fields: { brokerId: id, brokerAddr, enableActingMaster: 'true' } })
    }
    const client = await cluster.peer()
    const answer = await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, {
      fields: { topic: 'TopicA' },
    })
    const [broker] = decodeTopicRoute(Buffer.from(answer.text)).brokerDatas
    expect(Object.fromEntries(broker?.brokerAddrs ?? [])).toEqual(addresses)
  })
})

describe('whoever asks for the cluster', () => {
  it('gets all brokers, with bare numeric keys', async () => {
    const cluster = await Cluster.start()
    const client = await cluster.peer()
    const empty = await cluster.ask(client, GET_BROKER_CLUSTER_INFO)
    expect(empty.text).toBe('{"brokerAddrTable":{},"clusterAddrTable":{}}')
    await cluster.broker()
    expect((await cluster.ask(client, GET_BROKER_CLUSTER_INFO)).text).toBe(
      `{"brokerAddrTable":{"broker-a":{${PLAIN},"brokerName":"broker-a",` +
        '"cluster":"DefaultCluster","enableActingMaster":false}},' +
        '"clusterAddrTable":{"DefaultCluster":["broker-a"]}}',
    )
  })
})
