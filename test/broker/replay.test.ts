/** Offsets that an operator moves: what the group hears of it, and what the log keeps. */
import {
  CLONE_GROUP_OFFSET,
  type Command,
  decodeResetOffsets,
  type FieldTable,
  type Header,
  INVOKE_BROKER_TO_RESET_OFFSET,
  pullFlag,
  QUERY_CONSUMER_OFFSET,
  QUERY_CORRECTION_OFFSET,
  RESET_CONSUMER_CLIENT_OFFSET,
  responseCode,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { describe, expect, test } from 'vitest'
import {
  BrokerScene,
  bodiesOf,
  recordsOf,
  subscription,
  type TestClient,
  timeoutMs,
} from './scene.ts'

const GROUP = 'consumers'
const QUEUE = { consumerGroup: GROUP, topic: 'T', queueId: 0 }
const TO_END = -1

function ask<Q extends FieldTable, A extends FieldTable>(
  scene: BrokerScene,
  client: TestClient,
  command: Command<Q, A>,
  header: Header<Q>,
) {
  return scene.settle(client.remoting.call(scene.address, command, header, { timeoutMs }))
}

function reset(scene: BrokerScene, given: Partial<{ [key: string]: unknown }> = {}) {
  const header = { group: GROUP, topic: 'T', timestamp: TO_END, isForce: true, ...given }
  return ask(scene, scene.client(), INVOKE_BROKER_TO_RESET_OFFSET, header)
}

async function offsetOf(scene: BrokerScene, given = {}): Promise<number | undefined> {
  const header = { ...QUEUE, setZeroIfNotFound: false, ...given }
  const answer = await ask(scene, scene.client(), QUERY_CONSUMER_OFFSET, header)
  return answer.code === responseCode.SUCCESS ? answer.header().offset : undefined
}

function commit(scene: BrokerScene, client: TestClient, commitOffset: number) {
  return ask(scene, client, UPDATE_CONSUMER_OFFSET, { ...QUEUE, commitOffset })
}

/** Five messages in queue 0 of T, ten milliseconds apart; the group has consumed them all. */
async function consumed(settings = ''): Promise<{ scene: BrokerScene; client: TestClient }> {
  const scene = await BrokerScene.started(settings)
  const client = scene.client()
  for (let i = 0; i < 5; i++) {
    await client.send('T', `m${i}`)
    await scene.world.clock.advance(10)
  }
  await client.heartbeat(GROUP, [subscription('T')])
  await commit(scene, client, 5)
  return { scene, client }
}

function auditOf(scene: BrokerScene, sentence: string) {
  return scene.world.lines.filter((line) => line.sentence === sentence).map(({ fields }) => fields)
}

describe('a reset at the broker', () => {
  test('goes to the first message of a millisecond, and the next pull is told once', async () => {
    const { scene, client } = await consumed()
    const third = recordsOf(await client.pull('T', 2))[0]?.storeTimestamp ?? 0
    const answer = await reset(scene, { timestamp: third })
    expect(decodeResetOffsets(answer.body)[0]).toEqual([
      { brokerName: 'broker-a', queueId: 0, topic: 'T' },
      2,
    ])
    expect(await offsetOf(scene)).toBe(2)
    const told = await client.pull('T', 5)
    expect(told).toMatchObject({ code: responseCode.PULL_OFFSET_MOVED, remark: 'OFFSET_RESET' })
    expect(told.header()).toMatchObject({ nextBeginOffset: 2, minOffset: 0, maxOffset: 5 })
    expect(bodiesOf(await client.pull('T', 2))).toEqual(['m2', 'm3', 'm4'])
    await reset(scene, { timestamp: third + 1 })
    expect(await offsetOf(scene)).toBe(3)
  })

  test('is not undone by what the group commits before it has heard of it', async () => {
    const { scene, client } = await consumed()
    await reset(scene, { timestamp: 0 })
    const ignored = await commit(scene, client, 5)
    expect(ignored).toMatchObject({
      code: responseCode.SUCCESS,
      remark: 'Offset has been previously reset',
    })
    const sysFlag = pullFlag.subscription | pullFlag.commitOffset
    await client.pull('T', 5, { sysFlag, commitOffset: 5 })
    expect(await offsetOf(scene)).toBe(0)
    await commit(scene, client, 4)
    expect(await offsetOf(scene)).toBe(0)
    await client.pull('T', 0)
    await commit(scene, client, 1)
    expect(await offsetOf(scene)).toBe(1)
  })

  test('is told again to a client that lost the answer with its connection', async () => {
    const { scene, client } = await consumed()
    await reset(scene, { timestamp: 0 })
    await client.pull('T', 5)
    const again = scene.client()
    expect((await again.pull('T', 5)).header()).toMatchObject({ nextBeginOffset: 0 })
    expect((await again.pull('T', 0)).code).toBe(responseCode.SUCCESS)
    expect((await client.pull('T', 5)).code).toBe(responseCode.PULL_NOT_FOUND)
  })

  test('lets a client go that insists on another place', async () => {
    const { scene, client } = await consumed()
    await reset(scene, { timestamp: 0 })
    await client.pull('T', 4)
    expect(bodiesOf(await client.pull('T', 4))).toEqual(['m4'])
    await commit(scene, client, 5)
    expect(await offsetOf(scene)).toBe(5)
  })

  test('to where a client reads anyway is told all the same: it has messages in hand', async () => {
    const { scene, client } = await consumed()
    await reset(scene)
    expect((await client.pull('T', 5)).code).toBe(responseCode.PULL_OFFSET_MOVED)
  })

  test('wakes a pull that is held at the end of the queue', async () => {
    const { scene, client } = await consumed()
    const held = client.pulling('T', 5, { holdMs: 15_000 })
    await scene.world.clock.advance(100)
    const before = scene.world.clock.nowMs()
    await reset(scene, { timestamp: 0 })
    expect((await scene.settle(held)).header()).toMatchObject({ nextBeginOffset: 0 })
    expect(scene.world.clock.nowMs() - before).toBeLessThan(1_000)
  })

  test('does not touch a pull that another group holds', async () => {
    const { scene, client } = await consumed()
    const held = client.pulling('T', 5, { holdMs: 5_000, consumerGroup: 'others' })
    await scene.world.clock.advance(100)
    await reset(scene, { timestamp: 0 })
    expect((await scene.settle(held)).code).toBe(responseCode.PULL_NOT_FOUND)
  })

  test('works for a group that is offline, and survives a kill at once', async () => {
    const { scene, client } = await consumed('flushConsumerOffsetInterval=60000')
    client.remoting.close()
    await reset(scene, { timestamp: 0 })
    await scene.killAndRestart()
    expect(await offsetOf(scene)).toBe(0)
  })

  test('skips to the end of each queue for a time below 0', async () => {
    const { scene, client } = await consumed()
    await commit(scene, client, 1)
    const answer = await reset(scene)
    expect(decodeResetOffsets(answer.body).map(([, offset]) => offset)).toEqual([5, 0, 0, 0])
    expect(await offsetOf(scene)).toBe(5)
  })

  test('takes one queue, by time or to an offset', async () => {
    const { scene } = await consumed()
    const answer = await reset(scene, { queueId: 0, offset: 3 })
    expect(decodeResetOffsets(answer.body).map(([, offset]) => offset)).toEqual([3])
    expect(await offsetOf(scene)).toBe(3)
    await reset(scene, { queueId: 0, timestamp: 0 })
    expect(await offsetOf(scene)).toBe(0)
    expect(await offsetOf(scene, { queueId: 1 })).toBeUndefined()
  })

  test.each([
    ['a topic that is not there', { topic: 'nix' }, responseCode.TOPIC_NOT_EXIST],
    ['a group that is not there', { group: 'nix' }, responseCode.SUBSCRIPTION_GROUP_NOT_EXIST],
    ['an offset behind the end', { queueId: 0, offset: 7 }, responseCode.SYSTEM_ERROR],
    ['a queue that is not there', { queueId: 4, offset: 0 }, responseCode.SYSTEM_ERROR],
  ])('is refused for %s, and leaves no line in the log', async (_what, given, code) => {
    const { scene } = await consumed()
    const answer = await reset(scene, given)
    expect(answer.code).toBe(code)
    expect(answer.remark).toMatch(/^.{10,}/)
    expect(await offsetOf(scene)).toBe(5)
    expect(auditOf(scene, 'An offset was reset.')).toEqual([])
  })

  test('leaves a line for each queue: who, which, from and to', async () => {
    const { scene } = await consumed()
    await reset(scene, { queueId: 0, offset: 2 })
    expect(auditOf(scene, 'An offset was reset.')).toEqual([
      {
        by: expect.stringMatching(/^10\.0\.0\.\d+:\d+$/),
        program: 'OTHER V5_3_3',
        client: undefined,
        ...{ group: GROUP, topic: 'T', queueId: 0, from: 5, to: 2 },
      },
    ])
  })
})

describe('a reset at the clients', () => {
  const settings = 'useServerSideResetOffset=false'

  test('is told to every member, without those further than their group when not forced', async () => {
    const scene = await BrokerScene.started(settings)
    const told: unknown[] = []
    const router = new Router(scene.world.host('broker').doors.logger)
    router.on(RESET_CONSUMER_CLIENT_OFFSET, ({ group, topic }, { body }) => {
      told.push({ group, topic, offsets: decodeResetOffsets(body).map(([, offset]) => offset) })
      return undefined
    })
    const client = scene.client(router)
    await client.send('T', 'm', { defaultTopicQueueNums: 1 })
    await client.heartbeat(GROUP, [subscription('T')])
    await commit(scene, client, 0)
    const answer = await reset(scene, { isForce: false })
    expect(answer.code).toBe(responseCode.SUCCESS)
    await reset(scene)
    await scene.world.clock.advance(50)
    expect(told).toEqual([
      { group: GROUP, topic: 'T', offsets: [0] },
      { group: GROUP, topic: 'T', offsets: [1] },
    ])
    expect(await offsetOf(scene)).toBe(0)
    expect(auditOf(scene, 'Clients were told to reset an offset.')).toHaveLength(2)
  })

  test('is answered CONSUMER_NOT_ONLINE when nobody is there', async () => {
    const scene = await BrokerScene.started(settings)
    const client = scene.client()
    await client.send('T', 'm', { defaultTopicQueueNums: 1 })
    await commit(scene, client, 0)
    expect((await reset(scene)).code).toBe(responseCode.CONSUMER_NOT_ONLINE)
  })
})

describe('a clone of offsets', () => {
  test('puts a group where another one is, topic by topic, and leaves a line', async () => {
    const { scene, client } = await consumed()
    const header = { srcGroup: GROUP, destGroup: 'copy', topic: '' }
    const answer = await ask(scene, client, CLONE_GROUP_OFFSET, header)
    expect(answer.code).toBe(responseCode.SUCCESS)
    expect(await offsetOf(scene, { consumerGroup: 'copy' })).toBe(5)
    expect(auditOf(scene, 'An offset was cloned.')).toMatchObject([
      {
        client: 'client-1',
        ...{ group: 'copy', clonedFrom: GROUP, topic: 'T', queueId: 0, from: undefined, to: 5 },
      },
    ])
  })

  test('leaves out what the source no longer subscribes to, unless it is called offline', async () => {
    const { scene, client } = await consumed()
    await client.heartbeat(GROUP, [subscription('U')])
    const header = { srcGroup: GROUP, destGroup: 'copy', topic: 'T' }
    await ask(scene, client, CLONE_GROUP_OFFSET, header)
    expect(await offsetOf(scene, { consumerGroup: 'copy' })).toBeUndefined()
    await ask(scene, client, CLONE_GROUP_OFFSET, { ...header, offline: true })
    expect(await offsetOf(scene, { consumerGroup: 'copy' })).toBe(5)
  })
})

test('a correction is the least offset of the other groups, none where the compared one is behind', async () => {
  const { scene, client } = await consumed()
  const other = { ...QUEUE, consumerGroup: 'slow', commitOffset: 2 }
  await ask(scene, client, UPDATE_CONSUMER_OFFSET, other)
  const correction = async (compareGroup: string, filterGroups?: string) => {
    const header = { compareGroup, topic: 'T', filterGroups }
    return (await ask(scene, client, QUERY_CORRECTION_OFFSET, header)).body.toString()
  }
  expect(await correction(GROUP)).toBe('{"correctionOffsets":{0:2}}')
  expect(await correction('slow', 'slow')).toBe('{"correctionOffsets":{0:9223372036854775807}}')
  expect(await offsetOf(scene, { consumerGroup: 'slow' })).toBe(2)
})

test('a commit by somebody who is no member of the group is noted when it begins or moves back', async () => {
  const { scene, client } = await consumed()
  const stranger = scene.client()
  const said = () =>
    auditOf(scene, 'An offset was set by a client that is not a member of the group.')
  await commit(scene, stranger, 6)
  expect(said()).toEqual([])
  await commit(scene, stranger, 2)
  expect(said()).toMatchObject([{ group: GROUP, topic: 'T', queueId: 0, from: 6, to: 2 }])
  await commit(scene, client, 1)
  expect(said()).toHaveLength(1)
})
