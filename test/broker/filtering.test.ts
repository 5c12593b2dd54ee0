/** Which messages consumers get whose subscriptions filter by properties. */
import {
  CHECK_CLIENT_CONFIG,
  encodeClientCheck,
  LITE_PULL_MESSAGE,
  PULL_MESSAGE,
  pullFlag,
  responseCode,
  type SubscriptionData,
  sqlSubscription,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { BrokerScene, bodiesOf, type PullOptions, subscription, timeoutMs } from './scene.ts'

const sql = (tags: string, more: PullOptions = {}): PullOptions => {
  return { expressionType: 'SQL92', tags, ...more }
}

/** A topic with the messages 0, 1, 2 … of which each has its number as property `n`. */
async function withNumbers(count: number, settings = ''): Promise<BrokerScene> {
  const scene = await BrokerScene.started(settings)
  const client = scene.client()
  for (let n = 0; n < count; n++) await client.send('T', `${n}`, {}, `n\x01${n}\x02TAGS\x01A\x02`)
  return scene
}

function check(scene: BrokerScene, subscriptionData: SubscriptionData | undefined) {
  const request = { clientId: 'c', group: 'g', namespace: '', subscriptionData }
  const body = [encodeClientCheck(request)]
  const { remoting } = scene.client()
  const call = remoting.call(scene.address, CHECK_CLIENT_CONFIG, {}, { body, timeoutMs })
  return scene.settle(call)
}

describe('a pull that filters by SQL92', () => {
  test('gives what its expression wants, and says where to go on', async () => {
    const scene = await withNumbers(10)
    const client = scene.client()
    const answer = await client.pull('T', 0, sql('n BETWEEN 3 AND 8', { maxMsgNums: 4 }))
    expect(bodiesOf(answer)).toEqual(['3', '4', '5', '6'])
    expect(answer.header().nextBeginOffset).toBe(7)
    expect(bodiesOf(await client.pull('T', 7, sql("TAGS = 'A' AND n <> 7")))).toEqual(['8', '9'])
  })

  test('gives the same after a restart, from files', async () => {
    const scene = await withNumbers(10)
    await scene.stop()
    await scene.start()
    const answer = await scene.client().pull('T', 0, sql('n > 7'))
    expect(bodiesOf(answer)).toEqual(['8', '9'])
  })

  test('is answered by how far it looked when nothing matches', async () => {
    const scene = await withNumbers(100, 'maxFilterMessageSize=800')
    const answer = await scene.client().pull('T', 0, sql('n > 1000', { maxMsgNums: 5 }))
    expect([answer.code, answer.header().nextBeginOffset]).toEqual([20, 40])
  })

  test('takes a message on which the expression fails for one that is not wanted', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    for (const n of ['x', '5', '']) await client.send('T', `n=${n}`, {}, `n\x01${n}\x02`)
    expect(bodiesOf(await client.pull('T', 0, sql('n > 3 OR n IS NULL')))).toEqual(['n=5', 'n='])
  })

  test('goes by the subscription that the group announced, in its newest version', async () => {
    const scene = await withNumbers(5)
    const client = scene.client()
    await client.heartbeat('g', [sqlSubscription('T', 'n > 2', 7)])
    const announced = { consumerGroup: 'g', sysFlag: 0, expressionType: 'SQL92' }
    expect(bodiesOf(await client.pull('T', 0, { ...announced, subVersion: 7 }))).toEqual(['3', '4'])
    const newer = await client.pull('T', 0, { ...announced, subVersion: 8 })
    expect(newer.code).toBe(responseCode.SUBSCRIPTION_NOT_LATEST)
    await client.heartbeat('g', [sqlSubscription('T', 'n < 2', 8)])
    expect(bodiesOf(await client.pull('T', 0, { ...announced, subVersion: 8 }))).toEqual(['0', '1'])
    await client.heartbeat('g', [subscription('T', '*', 9)])
    const all = await client.pull('T', 0, { ...announced, subVersion: 9 })
    expect(bodiesOf(all)).toHaveLength(5)
  })

  test.each([
    ['a mistake in the request', sql('n >'), 23, /line 1, column 4: .* but the text ends$/],
    ['an empty expression', sql(''), 23, /line 1, column 1/],
    ['a type that nobody knows', { expressionType: 'SQL' }, 1, /message by SQL: .*TAG.*SQL92/],
    [
      'a class',
      { sysFlag: pullFlag.subscription | pullFlag.classFilter },
      1,
      /message by a class of its own: filter by tags \(TAG\) or by properties \(SQL92\)/,
    ],
  ])('is refused with a sentence for %s', async (_name, given, code, why) => {
    const scene = await withNumbers(1)
    const answer = await scene.client().pull('T', 0, given)
    expect(answer.code).toBe(code)
    expect(answer.remark).toMatch(why)
  })

  test('is refused with the place of a mistake that was announced', async () => {
    const scene = await withNumbers(1)
    const client = scene.client()
    await client.heartbeat('g', [sqlSubscription('T', "n > 'a'", 7)])
    const answer = await client.pull('T', 0, { consumerGroup: 'g', sysFlag: 0 })
    expect(answer.code).toBe(responseCode.FILTER_DATA_NOT_EXIST)
    expect(answer.remark).toMatch(/line 1, column 5/)
  })

  test('is refused with the way out when the broker filters by tags only', async () => {
    const scene = await withNumbers(1, 'enablePropertyFilter=false')
    const client = scene.client()
    await client.heartbeat('g', [sqlSubscription('T', 'n = 0', 7)])
    for (const given of [sql('n = 0'), { consumerGroup: 'g', sysFlag: 0 }]) {
      const answer = await client.pull('T', 0, given)
      expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
      expect(answer.remark).toBe(
        'The broker does not support consumer to filter message by SQL92: ' +
          'set enablePropertyFilter=true, or filter by tags',
      )
    }
  })

  test('is possible as a lite pull', async () => {
    const scene = await withNumbers(3)
    const { remoting } = scene.client()
    const header = {
      ...{ consumerGroup: 'g', topic: 'T', queueId: 0, queueOffset: 0, maxMsgNums: 32 },
      sysFlag: pullFlag.subscription | pullFlag.litePull,
      subscription: 'n = 1',
      expressionType: 'SQL92',
    }
    for (const command of [PULL_MESSAGE, LITE_PULL_MESSAGE]) {
      const call = remoting.call(scene.address, command, header, { timeoutMs })
      expect(bodiesOf(await scene.settle(call))).toEqual(['1'])
    }
  })

  test('is held until something arrives that it wants', async () => {
    const scene = await withNumbers(1)
    const held = scene.client().pulling('T', 1, sql('n > 5', { holdMs: 15_000 }))
    await scene.world.clock.advance(1_000)
    const sender = scene.client()
    for (const n of [2, 9]) await sender.send('T', `${n}`, {}, `n\x01${n}\x02`)
    const sentMs = scene.world.clock.monotonicMs()
    const answer = await scene.settle(held)
    expect(bodiesOf(answer)).toEqual(['9'])
    expect(answer.header().nextBeginOffset).toBe(3)
    expect(scene.world.clock.monotonicMs() - sentMs).toBeLessThan(100)
  })
})

describe('messages to be tried again', () => {
  const retry = '%RETRY%g'

  async function withRetries(settings: string): Promise<BrokerScene> {
    const scene = await BrokerScene.started(settings)
    const client = scene.client()
    await client.heartbeat('g', [sqlSubscription('T', 'n > 5', 7), subscription('U', '*', 7)])
    for (const [topic, n] of [
      ['T', 1],
      ['T', 9],
      ['U', 2],
    ] as const) {
      await client.send(retry, `${topic}${n}`, {}, `n\x01${n}\x02RETRY_TOPIC\x01${topic}\x02`)
    }
    return scene
  }

  test.each([
    ['by the expression of the retry topic itself', '', ['U2']],
    ['by that of the topic they came from, where so set', 'filterSupportRetry=true', ['T9', 'U2']],
  ])('are filtered %s', async (_name, settings, bodies) => {
    const scene = await withRetries(settings)
    expect(bodiesOf(await scene.client().pull(retry, 0, sql('n = 2')))).toEqual(bodies)
    const tagged = await scene.client().pull(retry, 0, { tags: '*' })
    expect(bodiesOf(tagged)).toEqual(['T1', 'T9', 'U2'])
  })
})

describe('a client that has its subscription checked', () => {
  test('hears that it is right', async () => {
    const scene = await BrokerScene.started()
    expect((await check(scene, sqlSubscription('T', 'a > 3', 1))).code).toBe(0)
    expect((await check(scene, subscription('T', 'a || b'))).code).toBe(0)
    expect((await check(scene, undefined)).code).toBe(0)
  })

  test('hears what is wrong, and where', async () => {
    const scene = await BrokerScene.started()
    const answer = await check(scene, sqlSubscription('T', "a > 3 AND\nb LIKE 'x%'", 1))
    expect(answer.code).toBe(responseCode.SUBSCRIPTION_PARSE_FAILED)
    expect(answer.remark).toMatch(/wrong at line 2, column 3: .* is expected, not LIKE$/)
  })

  test('hears that the broker has no such filters', async () => {
    const scene = await BrokerScene.started('enablePropertyFilter=false')
    const answer = await check(scene, sqlSubscription('T', 'a > 3', 1))
    expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
    expect(answer.remark).toMatch(/set enablePropertyFilter=true/)
  })
})
