/** Who serves which topic: what a name server makes of the words and the silence of brokers. */
import {
  type DataVersion,
  permission,
  type TopicConfig,
  type TopicQueueMappingInfo,
  topicConfig,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Registration, RouteTable } from '../../packages/namesrv/src/route-table.ts'

/** Stands for a connection: only its identity matters. */
interface Link {
  readonly name: string
}

const link: Link = { name: 'first' }

type Told = Partial<Omit<Registration<Link>, 'body'>> & {
  readonly topics?: readonly (string | TopicConfig)[]
  readonly version?: Partial<DataVersion>
  readonly mappings?: readonly TopicQueueMappingInfo[]
  readonly filterServers?: readonly string[]
}

function told({ topics = ['A', 'B'], version, mappings = [], filterServers, ...rest }: Told = {}) {
  const configs = topics.map((topic) => (typeof topic === 'string' ? topicConfig(topic) : topic))
  const registration: Registration<Link> = {
    clusterName: 'cluster',
    brokerName: 'broker-a',
    brokerAddr: '10.0.0.1:10911',
    brokerId: 0,
    haServerAddr: '10.0.0.1:10912',
    timeoutMs: undefined,
    enableActingMaster: undefined,
    zoneName: undefined,
    link,
    ...rest,
    body: {
      dataVersion: { counter: 1, stateVersion: 0, timestamp: 1, ...version },
      filterServers,
      queueMappings: new Map(mappings.map((mapping) => [mapping.topic, mapping])),
      topics: new Map(configs.map((config) => [config.topicName, config])),
    },
  }
  return registration
}

const slave = { brokerId: 1, brokerAddr: '10.0.0.2:10911', haServerAddr: '10.0.0.2:10912' }

function tableWith(...registrations: Told[]): RouteTable<Link> {
  const table = new RouteTable<Link>()
  for (const registration of registrations) table.register(told(registration), 0)
  return table
}

function addressesOf(table: RouteTable<Link>, topic = 'A'): Record<number, string> {
  const broker = table.route(topic)?.brokerDatas.find(({ brokerName }) => brokerName === 'broker-a')
  return Object.fromEntries(broker?.brokerAddrs ?? [])
}

function permOf(table: RouteTable<Link>, topic = 'A'): number | undefined {
  return table.route(topic)?.queueDatas[0]?.perm
}

function mapping(topic: string, bname = 'broker-a'): TopicQueueMappingInfo {
  const currIdMap = new Map([[0, 0]])
  return { bname, currIdMap, dirty: false, epoch: 1, scope: '__global__', topic, totalQueues: 1 }
}

const SILENT_MS = 120_001

describe('a broker that registers', () => {
  it('gives its topics a route', () => {
    const table = new RouteTable<Link>()
    const config = topicConfig('A', { readQueueNums: 4, writeQueueNums: 8, topicSysFlag: 1 })
    const outcome = table.register(told({ topics: [config, 'B'] }), 0)
    expect(outcome).toEqual({ outcome: 'registered', isNew: true, master: undefined })
    expect(table.route('A')).toEqual({
      brokerDatas: [
        {
          brokerAddrs: new Map([[0, '10.0.0.1:10911']]),
          brokerName: 'broker-a',
          cluster: 'cluster',
          enableActingMaster: false,
        },
      ],
      filterServerTable: new Map(),
      queueDatas: [
        { brokerName: 'broker-a', perm: 6, readQueueNums: 4, topicSysFlag: 1, writeQueueNums: 8 },
      ],
    })
    expect(table.route('C')).toBeUndefined()
  })

  it('is not new the second time', () => {
    const table = tableWith({})
    expect(table.register(told(), 1)).toMatchObject({ outcome: 'registered', isNew: false })
  })

  it('with one topic only, and unknown, is refused and leaves no trace', () => {
    const table = new RouteTable<Link>()
    const outcome = table.register(told({ topics: ['A'] }), 0)
    expect(outcome).toEqual({ outcome: 'full-registration-first' })
    expect(table.clusterInfo()).toEqual({ brokerAddrTable: new Map(), clusterAddrTable: new Map() })
    expect(table.connectionClosed(link)).toEqual([])
  })

  it('without topics is taken', () => {
    const table = tableWith({ topics: [] })
    expect([...table.clusterInfo().brokerAddrTable.keys()]).toEqual(['broker-a'])
  })

  it('adds a topic by an incremental registration, and loses none', () => {
    const table = tableWith({}, { topics: ['C'], version: { counter: 2 } })
    expect(table.topicNames()).toEqual(['A', 'B', 'C'])
  })

  it('changes a topic only together with its data version', () => {
    const changed = topicConfig('A', { perm: 4 })
    const table = tableWith({}, { topics: [changed, 'B'] })
    expect(permOf(table)).toBe(6)
    table.register(told({ topics: [changed, 'B'], version: { timestamp: 2 } }), 0)
    expect(permOf(table)).toBe(4)
  })

  it('brings back a topic that was deleted here, even with the same data version', () => {
    const table = tableWith({})
    table.deleteTopic('A')
    expect(table.route('A')).toBeUndefined()
    table.register(told(), 0)
    expect(table.route('A')).toBeDefined()
  })

  it('loses the topics it no longer names only if it is told to', () => {
    const table = tableWith({})
    const fewer = told({ topics: ['B', 'C'], version: { counter: 2 } })
    table.register(fewer, 0)
    expect(table.topicNames()).toEqual(['A', 'B', 'C'])
    table.register(fewer, 0, true)
    expect(table.topicNames()).toEqual(['B', 'C'])
  })

  it('loses no topic by an incremental registration, whatever it is told', () => {
    const table = tableWith({})
    table.register(told({ topics: ['C'], version: { counter: 2 } }), 0, true)
    expect(table.topicNames()).toEqual(['A', 'B', 'C'])
  })

  it('under another id is not in two places', () => {
    const table = tableWith({}, slave, { ...slave, brokerId: 0, brokerAddr: '10.0.0.2:10911' })
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.2:10911' })
  })

  it('under another name is not in two places', () => {
    const table = tableWith({}, { brokerName: 'broker-b' })
    expect(table.route('A')?.brokerDatas.map(({ brokerName }) => brokerName)).toEqual(['broker-b'])
    expect(table.clusterInfo().clusterAddrTable).toEqual(new Map([['cluster', ['broker-b']]]))
  })

  it('in another cluster is not in two places, and stays when the old place would expire', () => {
    const table = tableWith({})
    table.register(told({ clusterName: 'other' }), 60_000)
    expect(table.expire(SILENT_MS)).toEqual([])
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.1:10911' })
    expect(table.clusterInfo().clusterAddrTable).toEqual(new Map([['other', ['broker-a']]]))
  })

  it('shares a name with a broker of another cluster, and the first names the cluster', () => {
    const table = tableWith({}, { ...slave, clusterName: 'other' })
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.1:10911', 1: '10.0.0.2:10911' })
    expect(table.route('A')?.brokerDatas[0]?.cluster).toBe('cluster')
    expect([...table.clusterInfo().clusterAddrTable.keys()]).toEqual(['cluster', 'other'])
  })

  it('tells its filter servers until it takes them back', () => {
    const table = tableWith({ filterServers: ['10.0.0.9:1'] })
    const servers = () => Object.fromEntries(table.route('A')?.filterServerTable ?? [])
    expect(servers()).toEqual({ '10.0.0.1:10911': ['10.0.0.9:1'] })
    table.register(told(), 0)
    expect(servers()).toEqual({ '10.0.0.1:10911': ['10.0.0.9:1'] })
    table.register(told({ filterServers: [] }), 0)
    expect(servers()).toEqual({})
  })

  it('shows its zone', () => {
    const table = tableWith({ zoneName: 'z1' })
    expect(table.route('A')?.brokerDatas[0]?.zoneName).toBe('z1')
  })

  it('tells the mapping of its static topics, which goes with the topic', () => {
    const table = tableWith({ mappings: [mapping('A')] })
    expect(table.route('A')?.topicQueueMappingByBroker).toEqual(
      new Map([['broker-a', mapping('A')]]),
    )
    expect(table.route('B')?.topicQueueMappingByBroker).toBeUndefined()
    table.deleteTopic('A')
    table.register(told(), 0)
    expect(table.route('A')?.topicQueueMappingByBroker).toBeUndefined()
  })
})

describe('a slave', () => {
  it('is told the address of its live master', () => {
    const table = tableWith({})
    expect(table.register(told(slave), 0)).toMatchObject({
      master: { brokerAddr: '10.0.0.1:10911', haServerAddr: '10.0.0.1:10912' },
    })
  })

  it('without a master is told nothing', () => {
    expect(tableWith().register(told(slave), 0)).toMatchObject({ master: undefined })
  })

  it('of 4.9 does not tell topics, not even alone', () => {
    const table = tableWith({ ...slave })
    expect(table.topicNames()).toEqual([])
  })

  it('of 5.x tells topics only when it is the first of its group', () => {
    const of5 = { enableActingMaster: false }
    expect(tableWith({ ...slave, ...of5 }).topicNames()).toEqual(['A', 'B'])
    const second = {
      ...slave,
      ...of5,
      brokerId: 2,
      brokerAddr: '10.0.0.3:10911',
      topics: ['C', 'D'],
    }
    expect(tableWith({ ...slave, ...of5 }, second).topicNames()).toEqual(['A', 'B'])
    expect(tableWith(of5, { ...slave, ...of5, topics: ['C', 'D'] }).topicNames()).toEqual([
      'A',
      'B',
    ])
  })

  it('that may act as master tells topics without the write permission', () => {
    expect(permOf(tableWith({ ...slave, enableActingMaster: false }))).toBe(6)
    expect(permOf(tableWith({ ...slave, enableActingMaster: true }))).toBe(permission.read)
  })

  it('keeps the topics readable when the master goes', () => {
    const table = tableWith({}, slave)
    table.unregister(told())
    expect(addressesOf(table)).toEqual({ 1: '10.0.0.2:10911' })
    expect(permOf(table)).toBe(6)
  })

  it('that may act as master keeps the topics readable only when the master goes', () => {
    const of5 = { enableActingMaster: true }
    const table = tableWith(of5, { ...slave, ...of5 })
    table.unregister(told())
    expect(permOf(table)).toBe(permission.read)
  })
})

describe('a master with two slaves', () => {
  const second = { brokerId: 2, brokerAddr: '10.0.0.3:10911', link: { name: 'third' } }
  const [one, other, third] = ['10.0.0.1:10911', '10.0.0.2:10911', '10.0.0.3:10911']

  it('are all in the route, and leave it one by one', () => {
    const table = tableWith({}, { ...slave, link: { name: 'second' } }, second)
    expect(addressesOf(table)).toEqual({ 0: one, 1: other, 2: third })
    table.unregister(told(slave))
    expect(addressesOf(table)).toEqual({ 0: one, 2: third })
    table.connectionClosed(link)
    expect(addressesOf(table)).toEqual({ 2: third })
    table.unregister(told(second))
    expect(table.route('A')).toBeUndefined()
    expect(table.clusterInfo().clusterAddrTable.size).toBe(0)
  })

  it('are dropped each for its own silence', () => {
    const table = tableWith({}, slave, second)
    table.heard('cluster', third, SILENT_MS)
    expect(table.expire(SILENT_MS)).toHaveLength(2)
    expect(addressesOf(table)).toEqual({ 2: third })
  })

  it('are told of the master again when it is back, at another address too', () => {
    const table = tableWith({}, slave)
    table.unregister(told())
    expect(table.register(told(slave), 0)).toMatchObject({ master: undefined })
    table.register(told({ brokerAddr: '10.0.0.9:10911', haServerAddr: '10.0.0.9:10912' }), 0)
    expect(table.register(told(slave), 0)).toMatchObject({
      master: { brokerAddr: '10.0.0.9:10911', haServerAddr: '10.0.0.9:10912' },
    })
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.9:10911', 1: other })
  })
})

describe('two addresses that claim the same id', () => {
  const other = { brokerAddr: '10.0.0.7:10911', link: { name: 'other' } }

  it('replace each other while their epochs are equal', () => {
    const table = tableWith({}, other)
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.7:10911' })
    table.register(told(), 0)
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.1:10911' })
  })

  it('are told apart by the newer epoch: the older one is forgotten', () => {
    const table = tableWith({ version: { stateVersion: 2 } })
    const outcome = table.register(told({ ...other, version: { stateVersion: 1 } }), 0)
    expect(outcome).toEqual({ outcome: 'superseded', holder: '10.0.0.1:10911' })
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.1:10911' })
    expect(table.dataVersionOf('cluster', '10.0.0.7:10911')).toBeUndefined()
  })

  it('leave no slave entry behind for the older one', () => {
    const table = tableWith({ version: { stateVersion: 2 } }, { ...other, brokerId: 3 })
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.1:10911', 3: '10.0.0.7:10911' })
    table.register(told({ ...other, version: { stateVersion: 1 } }), 0)
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.1:10911' })
  })

  it('let the older epoch in once the newer one is gone', () => {
    const table = tableWith({ version: { stateVersion: 2 } }, slave)
    table.unregister(told())
    expect(table.register(told(other), 0)).toMatchObject({ outcome: 'registered' })
    expect(addressesOf(table)[0]).toBe('10.0.0.7:10911')
  })

  it('do not harm the holder when the replaced one is lost', () => {
    const table = tableWith({}, other)
    table.connectionClosed(link)
    expect(addressesOf(table)).toEqual({ 0: '10.0.0.7:10911' })
  })
})

describe('a broker that goes', () => {
  it('takes its topics, its name and its cluster with it', () => {
    const table = tableWith({})
    table.unregister(told())
    expect(table.topicNames()).toEqual([])
    expect(table.clusterInfo()).toEqual({ brokerAddrTable: new Map(), clusterAddrTable: new Map() })
    expect(table.route('A')).toBeUndefined()
  })

  it('leaves the topics of others', () => {
    const table = tableWith({}, { brokerName: 'broker-b', brokerAddr: '10.0.0.5:10911' })
    table.unregister(told())
    expect(table.route('A')?.queueDatas.map(({ brokerName }) => brokerName)).toEqual(['broker-b'])
    expect(table.clusterInfo().clusterAddrTable).toEqual(new Map([['cluster', ['broker-b']]]))
  })

  it('twice, or unknown, does no harm', () => {
    const table = tableWith(slave)
    table.unregister(told())
    table.unregister(told({ brokerName: 'nobody' }))
    expect([...table.clusterInfo().brokerAddrTable.keys()]).toEqual(['broker-a'])
  })

  it('with its connection goes at once', () => {
    const table = tableWith({})
    expect(table.connectionClosed(link).map(({ brokerAddr }) => brokerAddr)).toEqual([
      '10.0.0.1:10911',
    ])
    expect(table.route('A')).toBeUndefined()
    expect(table.connectionClosed(link)).toEqual([])
  })

  it('stays when only an older connection of it closes', () => {
    const table = tableWith({}, { link: { name: 'second' } })
    expect(table.connectionClosed(link)).toEqual([])
    expect(table.route('A')).toBeDefined()
  })

  it('goes with all brokers of the same connection', () => {
    const table = tableWith({}, { brokerName: 'broker-b', brokerAddr: '10.0.0.5:10911' })
    expect(table.connectionClosed(link)).toHaveLength(2)
    expect(table.topicNames()).toEqual([])
  })
})

describe('a silent broker', () => {
  it('is dropped after 120 s, and not before', () => {
    const table = tableWith({})
    expect(table.expire(SILENT_MS - 1)).toEqual([])
    expect(table.expire(SILENT_MS)).toMatchObject([{ brokerAddr: '10.0.0.1:10911', link }])
    expect(table.route('A')).toBeUndefined()
  })

  it('is dropped after the time it named itself', () => {
    const table = tableWith({ timeoutMs: 10_000 })
    expect(table.expire(10_000)).toEqual([])
    expect(table.expire(10_001)).toHaveLength(1)
  })

  it('lives on by any sign of life', () => {
    const table = tableWith({})
    table.heard('cluster', '10.0.0.1:10911', 100_000)
    expect(table.expire(SILENT_MS)).toEqual([])
    expect(table.expire(100_000 + SILENT_MS)).toHaveLength(1)
  })

  it('cannot be called into life by a sign of life alone', () => {
    const table = tableWith()
    table.heard('cluster', '10.0.0.1:10911', 0)
    expect(table.dataVersionOf('cluster', '10.0.0.1:10911')).toBeUndefined()
  })
})

describe('write permission', () => {
  it('is wiped and given back for all topics of one broker', () => {
    const inherited = topicConfig('TBW102', { perm: 7 })
    const table = tableWith(
      { topics: ['A', inherited] },
      { brokerName: 'broker-b', brokerAddr: '10.0.0.5:10911' },
    )
    expect(table.wipeWritePermission('broker-a')).toBe(2)
    expect(table.route('A')?.queueDatas.map(({ perm }) => perm)).toEqual([4, 6])
    expect(permOf(table, 'TBW102')).toBe(5)
    expect(table.addWritePermission('broker-a')).toBe(2)
    expect(permOf(table, 'TBW102')).toBe(6)
  })

  it('stays wiped until the broker registers a changed table', () => {
    const table = tableWith({})
    table.wipeWritePermission('broker-a')
    table.register(told(), 0)
    expect(permOf(table)).toBe(4)
    table.register(told({ version: { counter: 2 } }), 0)
    expect(permOf(table)).toBe(6)
  })

  it('of an unknown broker concerns no topic', () => {
    expect(tableWith({}).wipeWritePermission('nobody')).toBe(0)
    expect(tableWith({}).addWritePermission('nobody')).toBe(0)
  })
})

describe('lists', () => {
  const other = {
    brokerName: 'b2',
    brokerAddr: '10.0.0.5:10911',
    clusterName: 'c2',
    topics: ['B', 'Z'],
  }

  it('name the topics of a cluster', () => {
    const table = tableWith({}, other)
    expect(table.topicNames()).toEqual(['A', 'B', 'Z'])
    expect(table.topicsOfCluster('cluster')).toEqual(['A', 'B'])
    expect(table.topicsOfCluster('c2')).toEqual(['B', 'Z'])
    expect(table.topicsOfCluster('nothing')).toEqual([])
  })

  it('name clusters and brokers as system topics, with a broker to ask', () => {
    expect(tableWith().systemTopics()).toEqual({ names: [], brokerAddr: undefined })
    expect(tableWith({}, other).systemTopics()).toEqual({
      names: ['cluster', 'c2', 'broker-a', 'b2'],
      brokerAddr: '10.0.0.1:10911',
    })
  })

  it('lose a topic in one cluster only', () => {
    const table = tableWith({}, other)
    table.deleteTopic('B', 'c2')
    expect(table.topicsOfCluster('c2')).toEqual(['Z'])
    expect(table.topicsOfCluster('cluster')).toEqual(['A', 'B'])
    table.deleteTopic('B', 'nothing')
    table.deleteTopic('B')
    expect(table.topicNames()).toEqual(['A', 'Z'])
  })
})

describe('a registration beyond all measure', () => {
  const long = 'x'.repeat(513)
  const refused: [string, Told][] = [
    ['a long cluster name', { clusterName: long }],
    ['a long broker name', { brokerName: long }],
    ['a long address', { brokerAddr: long }],
    ['a long topic', { topics: ['A', long] }],
    ['a long zone', { zoneName: long }],
    ['a long filter server', { filterServers: [long] }],
    ['many filter servers', { filterServers: Array(65).fill('10.0.0.9:1') }],
    ['a long mapping', { mappings: [{ ...mapping('A'), scope: long }] }],
  ]
  it.each(refused)('by %s is refused', (_what, registration) => {
    const table = new RouteTable<Link>()
    expect(table.register(told(registration), 0)).toEqual({ outcome: 'oversized' })
    expect(table.clusterInfo().brokerAddrTable.size).toBe(0)
  })

  it('by its brokers is refused, but those who are known go on', () => {
    const table = new RouteTable<Link>()
    const broker = (id: number) => told({ brokerName: `b${id}`, brokerAddr: `${id}:1`, topics: [] })
    for (let id = 0; id < 10_000; id++) table.register(broker(id), 0)
    expect(table.register(broker(10_000), 0)).toEqual({ outcome: 'too-many-brokers' })
    expect(table.register(broker(7), 0)).toMatchObject({ outcome: 'registered' })
  })

  it('by its topics is refused, and the queues of static topics count', () => {
    const currIdMap = new Map(Array.from({ length: 500_000 }, (_, id) => [id, id]))
    const big = (topic: string) => ({ mappings: [{ ...mapping(topic), currIdMap }] })
    const table = tableWith(big('A'))
    const version = { counter: 2 }
    expect(table.register(told({ ...big('B'), version }), 0)).toEqual({
      outcome: 'too-many-topics',
    })
    table.deleteTopic('A')
    expect(table.register(told({ ...big('B'), version }), 0)).toMatchObject({
      outcome: 'registered',
    })
  })
})

describe('whatever brokers do', () => {
  const address = fc.constantFrom('1:1', '2:2', '3:3')
  const place = fc.record({
    clusterName: fc.constantFrom('c1', 'c2'),
    brokerName: fc.constantFrom('a', 'b'),
    brokerAddr: address,
    brokerId: fc.nat(2),
    stateVersion: fc.nat(1),
    enableActingMaster: fc.constantFrom(undefined, true, false),
    link: fc.constantFrom<Link>({ name: 'x' }, { name: 'y' }),
    topics: fc.subarray(['A', 'B', 'C']),
  })
  const step = fc.oneof(
    place.map((each) => (table: RouteTable<Link>) => {
      const { stateVersion, ...rest } = each
      table.register(told({ ...rest, version: { stateVersion } }), 0, each.topics.length === 3)
    }),
    place.map((each) => (table: RouteTable<Link>) => {
      table.unregister(each)
    }),
    place.map(({ link: closed }) => (table: RouteTable<Link>) => {
      table.connectionClosed(closed)
    }),
  )

  it('whatever is shown is alive, and after the last one nothing is left', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const table = new RouteTable<Link>()
        for (const run of steps) run(table)
        const { brokerAddrTable, clusterAddrTable } = table.clusterInfo()
        for (const { brokerAddrs, brokerName } of brokerAddrTable.values()) {
          expect(brokerAddrs.size).toBeGreaterThan(0)
          for (const each of brokerAddrs.values()) {
            const alive = ['c1', 'c2'].filter((cluster) => table.dataVersionOf(cluster, each))
            expect(alive).not.toEqual([])
          }
          expect([...clusterAddrTable.values()].flat()).toContain(brokerName)
        }
        for (const topic of table.topicNames()) expect(table.route(topic)).toBeDefined()
        table.expire(SILENT_MS)
        expect(table.clusterInfo()).toEqual({
          brokerAddrTable: new Map(),
          clusterAddrTable: new Map(),
        })
        expect(table.topicNames()).toEqual([])
      }),
      { seed: 1, numRuns: 500 },
    )
  })
})
