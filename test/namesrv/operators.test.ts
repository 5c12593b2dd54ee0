/** What operators ask of a name server: lists, permissions, and its configuration. */
import {
  ADD_WRITE_PERM_OF_BROKER,
  DELETE_TOPIC_IN_NAMESRV,
  decodeTopicList,
  GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
  GET_NAMESRV_CONFIG,
  GET_SYSTEM_TOPIC_LIST_FROM_NS,
  GET_TOPICS_BY_CLUSTER,
  UPDATE_NAMESRV_CONFIG,
  WIPE_WRITE_PERM_OF_BROKER,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { DurableFiles } from '../../packages/namesrv/src/durable-files.ts'
import { BROKER_ADDR, Cluster } from './cluster.ts'
import { OK, outcome } from './peer.ts'

describe('lists of topics', () => {
  it('name all topics, those of a cluster, and the system ones', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker()
    const list = async (command: { code: number }, fields = {}) => {
      const answer = await cluster.ask(peer, command, { fields })
      return decodeTopicList(Buffer.from(answer.text))
    }
    const topicList = ['TopicA', 'TopicB']
    expect(await list(GET_ALL_TOPIC_LIST_FROM_NAMESERVER)).toEqual({ topicList })
    expect(await list(GET_TOPICS_BY_CLUSTER, { cluster: 'DefaultCluster' })).toEqual({ topicList })
    expect(await list(GET_TOPICS_BY_CLUSTER, { cluster: 'Other' })).toEqual({ topicList: [] })
    expect(await list(GET_SYSTEM_TOPIC_LIST_FROM_NS)).toEqual({
      brokerAddr: BROKER_ADDR,
      topicList: ['DefaultCluster', 'broker-a'],
    })
  })

  it('can be switched off', async () => {
    const cluster = await Cluster.start({ enableAllTopicList: false, enableTopicList: false })
    const peer = await cluster.peer()
    const fields = { cluster: 'DefaultCluster' }
    for (const command of [GET_ALL_TOPIC_LIST_FROM_NAMESERVER, GET_TOPICS_BY_CLUSTER]) {
      const answer = await cluster.ask(peer, command, { fields })
      expect(answer.code).toBe(1)
      expect(answer.remark).toMatch(/^disable/)
    }
  })

  it('lose a topic that is deleted', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker()
    const fields = { topic: 'TopicA', clusterName: '' }
    expect(outcome(await cluster.ask(peer, DELETE_TOPIC_IN_NAMESRV, { fields }))).toEqual(OK)
    const answer = await cluster.ask(peer, GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
    expect(answer.text).toBe('{"topicList":["TopicB"]}')
  })
})

describe('write permission', () => {
  it('is taken and given by broker name, and the topics are counted', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker()
    const fields = { brokerName: 'broker-a' }
    const wiped = await cluster.ask(peer, WIPE_WRITE_PERM_OF_BROKER, { fields })
    expect(wiped.fields).toEqual({ wipeTopicCount: '2' })
    const added = await cluster.ask(peer, ADD_WRITE_PERM_OF_BROKER, { fields })
    expect(added.fields).toEqual({ addTopicCount: '2' })
  })
})

describe('the configuration', () => {
  it('is told as sorted lines, with the paths as they are', async () => {
    const cluster = await Cluster.start()
    const lines = (await cluster.ask(await cluster.peer(), GET_NAMESRV_CONFIG)).text.split('\n')
    expect(lines.at(-1)).toBe('')
    expect(lines.slice(0, -1)).toEqual(lines.slice(0, -1).sort())
    expect(lines).toContain('listenPort=9876')
    expect(lines).toContain('kvConfigPath=/home/rockhopper/namesrv/kvConfig.json')
  })

  it('changes at run time, in force and in its file, which keeps its comments', async () => {
    const cluster = await Cluster.start({ configStorePath: '/etc/namesrv.conf' })
    const { disk } = cluster.server.doors
    disk.makeDirectory('/etc')
    const file = disk.open('/etc/namesrv.conf', 'create')
    file.writeSync([Buffer.from('# ours\nenableTopicList=true\n')], 0)
    cluster.server.disk.makeDurable()
    const peer = await cluster.peer()
    const body = 'enableTopicList=false\nsupportActingMaster=true\n'
    expect(outcome(await cluster.ask(peer, UPDATE_NAMESRV_CONFIG, { body }))).toEqual(OK)
    cluster.server.crash({ bytes: 'lost', names: 'lost' })
    expect(new DurableFiles(cluster.server.disk).read('/etc/namesrv.conf')?.toString()).toBe(
      '# ours\nenableTopicList=false\nsupportActingMaster=true\n',
    )
  })

  it('takes effect without a restart', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    await cluster.ask(peer, UPDATE_NAMESRV_CONFIG, { body: 'enableAllTopicList=false' })
    expect((await cluster.ask(peer, GET_ALL_TOPIC_LIST_FROM_NAMESERVER)).code).toBe(1)
    expect((await cluster.ask(peer, GET_NAMESRV_CONFIG)).text).toContain('enableAllTopicList=false')
  })

  it.each([
    ['kvConfigPath=/tmp/x', 16, /^Can not update config in black list/],
    ['rocketmqHome=/tmp/x', 16, /^Can not update config in black list/],
    ['enableTopicList=false', 16, /^Can not update config in black list/],
    ['listenPort=1', 1, /listenPort cannot change while the server runs/],
    ['suportActingMaster=true', 1, /did you mean "supportActingMaster"\?/],
    ['supportActingMaster=yes', 1, /must be true or false, not "yes"/],
    [`#${'x'.repeat(65_536)}`, 1, /65536 bytes at most/],
  ])('refuses %j', async (body, code, remark) => {
    const configBlackList = 'enableTopicList; other'
    const cluster = await Cluster.start({ configBlackList })
    const answer = await cluster.ask(await cluster.peer(), UPDATE_NAMESRV_CONFIG, { body })
    expect(answer.code).toBe(code)
    expect(answer.remark).toMatch(remark)
    expect(cluster.server.disk.list('/home/rockhopper/namesrv')).toEqual([])
  })

  it.each(['', 'listenPort=9876', 'clientRequestThreadPoolNums=9'])(
    'is left by %j',
    async (body) => {
      const cluster = await Cluster.start()
      const answer = await cluster.ask(await cluster.peer(), UPDATE_NAMESRV_CONFIG, { body })
      expect(outcome(answer)).toEqual(OK)
    },
  )

  it('stays as it is when its file cannot be written', async () => {
    const cluster = await Cluster.start()
    cluster.server.disk.fail({ operation: 'sync', code: 'EIO' })
    const peer = await cluster.peer()
    const body = 'enableTopicList=false'
    const answer = await cluster.ask(peer, UPDATE_NAMESRV_CONFIG, { body })
    expect(answer.code).toBe(1)
    expect(answer.remark).toMatch(/^the configuration could not be saved: /)
    expect((await cluster.ask(peer, GET_NAMESRV_CONFIG)).text).toContain('enableTopicList=true')
    expect(outcome(await cluster.ask(peer, UPDATE_NAMESRV_CONFIG, { body }))).toEqual(OK)
  })
})

describe('a request that is unknown', () => {
  it('is answered as such', async () => {
    const cluster = await Cluster.start()
    const answer = await cluster.ask(await cluster.peer(), { code: 4711 })
    expect(outcome(answer)).toEqual([3, ' request type 4711 not supported'])
  })
})
