/** Routes and clusters as bytes: the two forms that peers expect, and the way back. */
import {
  type ClusterInfo,
  decodeClusterInfo,
  decodeTopicRoute,
  encodeClusterInfo,
  encodeTopicRoute,
  type TopicRouteData,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'

/** As Apache 5.3 answers it; source: `namesrv.md` section 5.1. */
const PLAIN =
  '{"brokerDatas":[{"brokerAddrs":{0:"192.168.1.5:10911",1:"192.168.1.6:10911"},' +
  '"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],' +
  '"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,' +
  '"topicSysFlag":0,"writeQueueNums":4}]}'

const route: TopicRouteData = {
  brokerDatas: [
    {
      brokerAddrs: new Map([
        [0, '192.168.1.5:10911'],
        [1, '192.168.1.6:10911'],
      ]),
      brokerName: 'broker-a',
      cluster: 'DefaultCluster',
      enableActingMaster: false,
    },
  ],
  filterServerTable: new Map(),
  queueDatas: [
    { brokerName: 'broker-a', perm: 6, readQueueNums: 4, topicSysFlag: 0, writeQueueNums: 4 },
  ],
}

const staticRoute: TopicRouteData = {
  ...route,
  filterServerTable: new Map([['1.2.3.4:1', ['5.6.7.8:2']]]),
  orderTopicConf: 'broker-a:4;broker-b:4',
  topicQueueMappingByBroker: new Map([
    [
      'broker-a',
      {
        bname: 'broker-a',
        currIdMap: new Map([
          [0, 0],
          [10, 1],
        ]),
        dirty: false,
        epoch: 1,
        scope: '__global__',
        topic: 'ST',
        totalQueues: 8,
      },
    ],
  ]),
}

describe('a route', () => {
  it('in the plain form is what Apache writes to peers before 4.9.4', () => {
    expect(encodeTopicRoute(route, 'plain').toString()).toBe(PLAIN)
  })

  it('in the standard form has quoted keys and no blank', () => {
    const text = encodeTopicRoute(route, 'standard').toString()
    expect(text).toContain('"brokerAddrs":{"0":"192.168.1.5:10911","1":"192.168.1.6:10911"}')
    expect(text).not.toContain(' ')
    expect(JSON.parse(text)).toBeTruthy()
  })

  it.each(['plain', 'standard'] as const)('in the %s form comes back as it went', (form) => {
    expect(decodeTopicRoute(encodeTopicRoute(route, form))).toEqual(route)
    expect(decodeTopicRoute(encodeTopicRoute(staticRoute, form))).toEqual(staticRoute)
  })

  it('in the standard form sorts ids by number and escapes all but ASCII', () => {
    const brokerAddrs = new Map([
      [10, 'c'],
      [2, 'b'],
      [0, 'ä/\u{1f600}'],
    ])
    const brokerDatas = [{ brokerAddrs, brokerName: 'b', cluster: 'c', enableActingMaster: true }]
    const text = encodeTopicRoute({ ...route, brokerDatas }, 'standard').toString()
    expect(text).toContain('{"0":"\\u00E4\\/\\uD83D\\uDE00","2":"b","10":"c"}')
    expect(decodeTopicRoute(Buffer.from(text)).brokerDatas).toEqual([
      { ...brokerDatas[0], brokerAddrs: new Map([...brokerAddrs].reverse()) },
    ])
  })

  it('may spell the flag of its queues the old way', () => {
    const old = decodeTopicRoute(Buffer.from(PLAIN.replace('topicSysFlag":0', 'topicSynFlag":2')))
    expect(old.queueDatas[0]?.topicSysFlag).toBe(2)
  })

  it('takes numbers for texts and texts for numbers', () => {
    const text = PLAIN.replace('"perm":6', '"perm":"6"').replace(
      '"broker-a","cluster"',
      '7,"cluster"',
    )
    const decoded = decodeTopicRoute(Buffer.from(text))
    expect(decoded.queueDatas[0]?.perm).toBe(6)
    expect(decoded.brokerDatas[0]?.brokerName).toBe('7')
  })
})

describe('the table of clusters', () => {
  const info: ClusterInfo = {
    brokerAddrTable: new Map(route.brokerDatas.map((broker) => [broker.brokerName, broker])),
    clusterAddrTable: new Map([['DefaultCluster', ['broker-a']]]),
  }

  it('has bare numeric keys', () => {
    expect(encodeClusterInfo(info).toString()).toBe(
      '{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"192.168.1.5:10911",' +
        '1:"192.168.1.6:10911"},"brokerName":"broker-a","cluster":"DefaultCluster",' +
        '"enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}',
    )
  })

  it('comes back as it went', () => {
    expect(decodeClusterInfo(encodeClusterInfo(info))).toEqual(info)
  })
})
