/** Members of one group that subscribe differently: what the broker says, counts and refuses. */
import {
  type ConsumerData,
  decodeConsumerConnections,
  decodeConsumerIds,
  decodeKvTable,
  encodeHeartbeat,
  GET_BROKER_RUNTIME_INFO,
  GET_CONSUMER_CONNECTION_LIST,
  GET_CONSUMER_LIST_BY_GROUP,
  HEART_BEAT,
  responseCode,
  retryTopicOf,
  type SubscriptionData,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import {
  announcementKey,
  difference,
} from '../../packages/broker/src/rules/subscription-differences.ts'
import { BrokerScene, subscription, type TestClient, timeoutMs } from './scene.ts'

const GROUP = 'consumers'
const options = { timeoutMs }

function consumer(
  subscriptions: readonly SubscriptionData[],
  given: Partial<ConsumerData> = {},
): ConsumerData {
  return {
    groupName: GROUP,
    consumeType: 'CONSUME_PASSIVELY',
    messageModel: 'CLUSTERING',
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
    subscriptionDataSet: subscriptions,
    unitMode: false,
    ...given,
  }
}

function beat(scene: BrokerScene, client: TestClient, ...groups: readonly ConsumerData[]) {
  const body = encodeHeartbeat({
    clientID: client.clientId,
    producerDataSet: [],
    consumerDataSet: groups,
    heartbeatFingerprint: 0,
    withoutSub: false,
  })
  const call = client.remoting.call(scene.address, HEART_BEAT, {}, { body: [body], timeoutMs })
  return scene.settle(call)
}

function warningsOf(scene: BrokerScene): unknown[] {
  return scene.world.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
}

async function membersOf(scene: BrokerScene, client: TestClient): Promise<string[]> {
  const header = { consumerGroup: GROUP }
  const call = client.remoting.call(scene.address, GET_CONSUMER_LIST_BY_GROUP, header, options)
  return decodeConsumerIds((await scene.settle(call)).body)
}

async function figuresOf(scene: BrokerScene, client: TestClient): Promise<Record<string, string>> {
  const call = client.remoting.call(scene.address, GET_BROKER_RUNTIME_INFO, {}, options)
  const all = [...decodeKvTable((await scene.settle(call)).body)]
  return Object.fromEntries(all.filter(([key]) => key.startsWith('subscription')))
}

async function setAttributes(scene: BrokerScene, attributes: Record<string, string>) {
  const body = [Buffer.from(JSON.stringify({ groupName: GROUP, attributes }))]
  const call = scene
    .client()
    .remoting.call(scene.address, UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, { body, timeoutMs })
  expect((await scene.settle(call)).code).toBe(responseCode.SUCCESS)
}

const a = consumer([subscription('T', 'A')])
const b = consumer([subscription('T', 'B')])

describe('what counts as a difference', () => {
  test.each([
    ['another tag', a, b, '"x" filters "T" by TAG "A" and "y" by TAG "B"'],
    [
      'another topic',
      consumer([subscription('T'), subscription('U')]),
      consumer([subscription('T'), subscription('V')]),
      '"x" subscribes to "U" and "y" does not; "y" subscribes to "V" and "x" does not',
    ],
    [
      'another kind of filter',
      consumer([{ ...subscription('T'), subString: 'a > 1', expressionType: 'SQL92' }]),
      consumer([subscription('T')]),
      '"x" filters "T" by SQL92 "a > 1" and "y" by TAG "*"',
    ],
    [
      'another model',
      consumer([subscription('T')], { messageModel: 'BROADCASTING' }),
      consumer([subscription('T')]),
      '"x" says BROADCASTING and "y" says CLUSTERING',
    ],
    [
      'another place to begin',
      consumer([subscription('T')], { consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET' }),
      consumer([subscription('T')]),
      '"x" says CONSUME_FROM_FIRST_OFFSET and "y" says CONSUME_FROM_LAST_OFFSET',
    ],
  ])('%s', (_what, left, right, sentence) => {
    const said = difference({ clientId: 'x', data: left }, { clientId: 'y', data: right })
    expect(said).toBe(sentence)
    expect(announcementKey(left)).not.toBe(announcementKey(right))
  })

  test('not the order of tags and topics, versions, or the retry topic', () => {
    const left = consumer([subscription('T', 'A||B', 1), subscription('U', '*', 1)])
    const right = consumer([
      subscription(retryTopicOf(GROUP)),
      subscription('U', '*', 2),
      subscription('T', 'B || A', 2),
    ])
    expect(announcementKey(left)).toBe(announcementKey(right))
    expect(difference({ clientId: 'x', data: left }, { clientId: 'y', data: right })).toBe('')
  })
})

describe('at warn', () => {
  test('the log names both clients and the difference once, and everybody is a member', async () => {
    const scene = await BrokerScene.started()
    const [one, two] = [scene.client(), scene.client()]
    for (let round = 0; round < 3; round++) {
      expect((await beat(scene, one, a)).code).toBe(responseCode.SUCCESS)
      expect((await beat(scene, two, b)).code).toBe(responseCode.SUCCESS)
    }
    expect(warningsOf(scene)).toEqual([
      {
        group: GROUP,
        difference: '"client-2" filters "T" by TAG "B" and "client-1" by TAG "A"',
      },
    ])
    expect(await membersOf(scene, one)).toEqual(['client-1', 'client-2'])
  })

  test('a group that agreed again is warned of anew', async () => {
    const scene = await BrokerScene.started()
    const [one, two] = [scene.client(), scene.client()]
    await beat(scene, one, a)
    await beat(scene, two, b)
    await beat(scene, two, a)
    await beat(scene, two, b)
    expect(warningsOf(scene)).toHaveLength(2)
  })

  test('figures of the broker count it, and operators are told when they ask', async () => {
    const scene = await BrokerScene.started()
    const [one, two, three] = [scene.client(), scene.client(), scene.client()]
    await beat(scene, one, a)
    await beat(scene, two, b)
    await beat(scene, three, b)
    expect(await figuresOf(scene, one)).toEqual({
      subscriptionGuard: 'warn',
      subscriptionDifferentGroups: '1',
      subscriptionDifferencesTotal: '1',
      subscriptionRefusalsTotal: '0',
    })
    const ask = (explainDifferences?: boolean) => {
      const header = { consumerGroup: GROUP, explainDifferences }
      const call = one.remoting.call(scene.address, GET_CONSUMER_CONNECTION_LIST, header, options)
      return scene.settle(call)
    }
    expect(decodeConsumerConnections((await ask(true)).body).differences).toEqual([
      '"client-1" filters "T" by TAG "A" and "client-2" by TAG "B" ' +
        "(1 against 2 of the group's members)",
    ])
    expect((await ask()).body.toString()).not.toContain('differences')
  })
})

test('at off nothing is said', async () => {
  const scene = await BrokerScene.started('subscriptionGuard=off')
  await beat(scene, scene.client(), a)
  await beat(scene, scene.client(), b)
  expect(warningsOf(scene)).toEqual([])
})

test('tools that share a group of the system are left alone', async () => {
  const scene = await BrokerScene.started('subscriptionGuard=strict')
  await beat(scene, scene.client(), { ...a, groupName: 'TOOLS_CONSUMER' })
  const answer = await beat(scene, scene.client(), { ...b, groupName: 'TOOLS_CONSUMER' })
  expect(answer.code).toBe(responseCode.SUCCESS)
})

describe('at strict', () => {
  const strict = 'subscriptionGuard=strict'

  test('the newcomer that differs is refused, and its pulls, but not its other groups', async () => {
    const scene = await BrokerScene.started(strict)
    const [one, two] = [scene.client(), scene.client()]
    await one.send('T', 'x')
    await beat(scene, one, a)
    const refused = await beat(scene, two, b, { ...b, groupName: 'others' })
    expect(refused.code).toBe(responseCode.NO_PERMISSION)
    expect(refused.remark).toMatch(
      /^client "client-2" may not be a member of group "consumers".+TAG "B".+subscriptionTransition/,
    )
    expect(await membersOf(scene, one)).toEqual(['client-1'])
    expect((await two.pull('T', 0)).code).toBe(responseCode.NO_PERMISSION)
    expect((await two.pull('T', 0, { consumerGroup: 'others' })).code).toBe(responseCode.SUCCESS)
    expect((await one.pull('T', 0)).code).toBe(responseCode.SUCCESS)
    expect(await figuresOf(scene, one)).toMatchObject({ subscriptionRefusalsTotal: '1' })
  })

  test('it is let in when it subscribes as the others, or when they are gone', async () => {
    const scene = await BrokerScene.started(strict)
    const [one, two] = [scene.client(), scene.client()]
    await one.send('T', 'x')
    await beat(scene, one, a)
    await beat(scene, two, b)
    expect((await beat(scene, two, a)).code).toBe(responseCode.SUCCESS)
    expect((await two.pull('T', 0)).code).toBe(responseCode.SUCCESS)
    expect((await beat(scene, two, b)).code).toBe(responseCode.NO_PERMISSION)
    one.remoting.close()
    await scene.world.clock.advance(50)
    expect((await beat(scene, two, b)).code).toBe(responseCode.SUCCESS)
  })

  test('a member that changes its mind alone leaves the group', async () => {
    const scene = await BrokerScene.started(strict)
    const [one, two] = [scene.client(), scene.client()]
    await beat(scene, one, a)
    await beat(scene, two, a)
    await beat(scene, two, b)
    expect(await membersOf(scene, one)).toEqual(['client-1'])
  })

  test('a declared transition lets members differ until it ends', async () => {
    const scene = await BrokerScene.started(strict)
    const [one, two, three] = [scene.client(), scene.client(), scene.client()]
    await beat(scene, one, a)
    const untilMs = scene.world.clock.nowMs() + 60_000
    await setAttributes(scene, { '+subscription.transition.until': String(untilMs) })
    expect((await beat(scene, two, b)).code).toBe(responseCode.SUCCESS)
    expect((await beat(scene, three, b)).code).toBe(responseCode.SUCCESS)
    await scene.world.clock.advance(60_000)
    expect((await beat(scene, three, b)).code).toBe(responseCode.SUCCESS)
    expect((await beat(scene, one, a)).code).toBe(responseCode.NO_PERMISSION)
    expect(await membersOf(scene, two)).toEqual(['client-2', 'client-3'])
  })

  test('a group may have its own mode', async () => {
    const scene = await BrokerScene.started()
    await setAttributes(scene, { '+subscription.guard': 'strict' })
    await beat(scene, scene.client(), a)
    expect((await beat(scene, scene.client(), b)).code).toBe(responseCode.NO_PERMISSION)
  })
})
