/**
 * The tables of a slave are those of its master, whoever made the one, the other and the name server
 * between them.
 */
import { afterAll, describe, expect, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { apache, logDirOf, logText } from './apache.ts'
import { ours } from './ours.ts'
import { ask, makeTopic, poll } from './wire.ts'

const TOPIC = 'followed'
const GROUP = 'followers'
const QUEUE = { topic: TOPIC, queueId: '1' }
const PULL_MESSAGE = 11
const QUERY_CONSUMER_OFFSET = 14
const UPDATE_CONSUMER_OFFSET = 15
const GET_ALL_TOPIC_CONFIG = 21
const GET_ALL_DELAY_OFFSET = 45
const GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201

afterAll(endAll)

describe.each([
  ['an Apache slave', 'our master', ours, apache],
  ['our slave', 'an Apache master', apache, ours],
  ['our slave', 'our master', ours, ours],
] as const)('%s of %s', (_slave, _master, masterFamily, slaveFamily) => {
  test('has its topics, groups and offsets', async () => {
    const runDir = inject('runDir')
    const { addr: namesrv } = await masterFamily.startNameServer(runDir)
    const named = { namesrv, name: 'followed-a', clusterName: 'Followed' }
    const settings = { brokerRole: 'ASYNC_MASTER' }
    const { addr: broker } = await masterFamily.startBroker(runDir, { ...named, settings })
    await makeTopic({ namesrv, broker }, TOPIC, 3)
    await joinGroup(broker)
    const commit = { consumerGroup: GROUP, ...QUEUE, commitOffset: '7' }
    expect((await ask(broker, UPDATE_CONSUMER_OFFSET, commit)).code).toBe(0)

    const slave = await slaveFamily.startBroker(runDir, {
      ...named,
      settings: { brokerRole: 'SLAVE', brokerId: '1' },
    })
    const offset = { consumerGroup: GROUP, ...QUEUE, setZeroIfNotFound: 'false' }
    const isFollowing = async (): Promise<boolean> => {
      const topics = await ask(slave.addr, GET_ALL_TOPIC_CONFIG)
      const groups = await ask(slave.addr, GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
      const { code } = await ask(slave.addr, QUERY_CONSUMER_OFFSET, offset)
      return topics.body.includes(`"${TOPIC}"`) && groups.body.includes(`"${GROUP}"`) && code === 0
    }
    // Apache's slave asks ten seconds after its start.
    await poll('slave with the tables of its master', isFollowing)
    expect((await ask(slave.addr, GET_ALL_DELAY_OFFSET)).body).toContain('"offsetTable"')
    if (slaveFamily === apache) {
      // It gives up an answer after three seconds, and asks again: a machine may be busy.
      const failures = logText(logDirOf(slave.home)).match(/[Ss]ync\w* Exception.*\n.*/g) ?? []
      expect(failures.filter((text) => !text.includes('RemotingTimeoutException'))).toEqual([])
    }
  })
})

/** A group that has pulled is a group of the broker. */
async function joinGroup(broker: string): Promise<void> {
  const { code } = await ask(broker, PULL_MESSAGE, {
    ...{ consumerGroup: GROUP, ...QUEUE, queueOffset: '0', maxMsgNums: '1', sysFlag: '4' },
    ...{ commitOffset: '0', suspendTimeoutMillis: '0', subscription: '*', subVersion: '0' },
    expressionType: 'TAG',
  })
  expect([0, 19]).toContain(code)
}
