/** Messages in and out of a broker, request by request. */
import {
  encodeBatch,
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  parseOffsetMessageId,
  responseCode,
  SEND_BATCH_MESSAGE,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { BrokerScene, bodiesOf, recordsOf, timeoutMs } from './scene.ts'

describe('a send', () => {
  test('is answered with where the message lies, and can be read there', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    const properties = 'UNIQ_KEY\x01C0A8\x02TAGS\x01A\x02'
    const answer = await client.send('T', 'hello', { queueId: 2, flag: 9 }, properties)
    expect(answer.code).toBe(responseCode.SUCCESS)
    expect(answer.header()).toMatchObject({ queueId: 2, queueOffset: 0, transactionId: 'C0A8' })
    expect(answer.extra('MSG_REGION')).toBe('DefaultRegion')
    expect(answer.extra('TRACE_ON')).toBe('true')
    const [record] = recordsOf(await client.pull('T', 0, { queueId: 2 }))
    expect(record).toMatchObject({ topic: 'T', queueId: 2, queueOffset: 0, flag: 9 })
    expect(record?.body.toString()).toBe('hello')
    expect(record?.properties.toString()).toBe(
      `${properties}MSG_REGION\x01DefaultRegion\x02TRACE_ON\x01true\x02CLUSTER\x01DefaultCluster\x02`,
    )
    const id = parseOffsetMessageId(answer.header().msgId)
    expect(id?.logOffset).toBe(record?.logOffset)
    expect(id?.host).toEqual(record?.storeHost)
  })

  test('to an unknown topic creates it, on disk before the answer', async () => {
    const scene = await BrokerScene.started()
    await scene.client().send('New', 'first', { queueId: 3 })
    await scene.killAndRestart()
    const answer = await scene.client().pull('New', 0, { queueId: 3 })
    expect(bodiesOf(answer)).toEqual(['first'])
  })

  test('to an unknown topic is refused with the way out when topics are not created', async () => {
    const scene = await BrokerScene.started('autoCreateTopicEnable=false')
    const answer = await scene.client().send('New', 'first')
    expect(answer.code).toBe(responseCode.TOPIC_NOT_EXIST)
    expect(answer.remark).toMatch(/mqadmin updateTopic -t New, or set autoCreateTopicEnable=true/)
  })

  test.each([
    ['a queue that is not there', 'T', { queueId: 4 }, '', 'body', 29, /queue 4 .* has 4 queues/],
    ['a name with a blank', 'T x', {}, '', 'body', 29, /not allowed/],
    ['a topic of the system', 'SCHEDULE_TOPIC_XXXX', {}, '', 'body', 16, /forbidden/],
    ['no body', 'T', {}, '', '', 13, /no body/],
    ['too large a body', 'T', {}, '', 'x'.repeat(1_001), 13, /1001/],
  ])(
    'to %s is refused with a sentence',
    async (_name, topic, given, properties, body, code, why) => {
      const scene = await BrokerScene.started('maxMessageSize=1000')
      const answer = await scene.client().send(topic, body, given, properties)
      expect(answer.code).toBe(code)
      expect(answer.remark).toMatch(why)
    },
  )

  test('without a queue gets a random one', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    const queues = new Set<number>()
    for (let i = 0; i < 40; i++) {
      queues.add((await client.send('T', 'x', { queueId: -1 })).header().queueId)
    }
    expect([...queues].sort()).toEqual([0, 1, 2, 3])
  })

  test('of a batch stores each message, and the flag counts, not the code', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    const entries = ['a', 'b', 'c'].map((body, flag) => ({
      body: Buffer.from(body),
      flag,
      properties: Buffer.from(`TAGS\x01${body}\x02`),
    }))
    const header = { topic: 'T', queueId: 1, batch: true }
    const body = [encodeBatch(entries)]
    const call = client.remoting.call(scene.address, SEND_BATCH_MESSAGE, header, {
      body,
      timeoutMs,
    })
    const answer = await scene.settle(call)
    expect(answer.header()).toMatchObject({ queueId: 1, queueOffset: 0 })
    expect(answer.header().msgId.split(',')).toHaveLength(3)
    const records = recordsOf(await client.pull('T', 0, { queueId: 1, tags: 'a || c' }))
    expect(
      records.map((record) => [record.body.toString(), record.queueOffset, record.flag]),
    ).toEqual([
      ['a', 0, 0],
      ['c', 2, 2],
    ])
    const broken = client.remoting.call(scene.address, SEND_BATCH_MESSAGE, header, {
      body: [Buffer.from('nonsense')],
      timeoutMs,
    })
    expect((await scene.settle(broken)).code).toBe(responseCode.MESSAGE_ILLEGAL)
  })
})

describe('a pull', () => {
  test('gives messages in order from its offset, and says where to go on', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    for (const body of ['a', 'b', 'c']) await client.send('T', body)
    const answer = await client.pull('T', 1, { maxMsgNums: 1 })
    expect(bodiesOf(answer)).toEqual(['b'])
    expect(answer.header()).toMatchObject({ nextBeginOffset: 2, minOffset: 0, maxOffset: 3 })
    expect(bodiesOf(await client.pull('T', 2))).toEqual(['c'])
  })

  test('gives as many as it asks for, unless the broker is told to give fewer', async () => {
    const pulled = async (settings: string): Promise<number> => {
      const scene = await BrokerScene.started(settings)
      const client = scene.client()
      for (let i = 0; i < 50; i++) await client.send('T', `${i}`)
      return bodiesOf(await client.pull('T', 0, { maxMsgNums: 40 })).length
    }
    expect(await pulled('')).toBe(40)
    expect(await pulled('maxTransferCountOnMessageInMemory=32')).toBe(32)
  })

  test.each([
    ['at the end', 3, 19, 3],
    ['beyond the end', 9, 21, 3],
  ])('%s of a queue is answered with the right code and offset', async (...row) => {
    const [, offset, code, next] = row
    const scene = await BrokerScene.started()
    const client = scene.client()
    for (const body of ['a', 'b', 'c']) await client.send('T', body)
    const answer = await client.pull('T', offset)
    expect([answer.code, answer.header().nextBeginOffset]).toEqual([code, next])
  })

  test('of an empty queue is not found at 0 and moved to 0 elsewhere', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'x', { queueId: 1 })
    expect((await client.pull('T', 0)).code).toBe(responseCode.PULL_NOT_FOUND)
    const moved = await client.pull('T', 5)
    expect([moved.code, moved.header().nextBeginOffset]).toEqual([21, 0])
  })

  test('with tags passes by what does not match, and says so when nothing does', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    for (const tag of ['A', 'B', 'A']) await client.send('T', tag, {}, `TAGS\x01${tag}\x02`)
    expect(bodiesOf(await client.pull('T', 0, { tags: 'A || C' }))).toEqual(['A', 'A'])
    const none = await client.pull('T', 0, { tags: 'C' })
    expect([none.code, none.header().nextBeginOffset]).toEqual([20, 3])
  })

  test.each([
    ['an unknown topic', { topic: 'U' }, 17, /mqadmin updateTopic -t U/],
    ['a queue that is not there', { queueId: 9 }, 29, /queue 9 .* 4 read queues/],
    ['an empty expression', { tags: ' || ' }, 23, /names no tag/],
    ['no subscription', { sysFlag: 0 }, 24, /their heartbeats/],
  ])('with %s is refused with a sentence', async (_name, given, code, why) => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'x')
    const answer = await client.pull('T', 0, given)
    expect(answer.code).toBe(code)
    expect(answer.remark).toMatch(why)
  })
})

describe('a held pull', () => {
  test('is answered as soon as a message arrives, not when its time is up', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'a')
    const held = client.pulling('T', 1, { holdMs: 15_000 })
    await scene.world.clock.advance(3_000)
    const sentMs = scene.world.clock.monotonicMs()
    await scene.client().send('T', 'b')
    expect(bodiesOf(await scene.settle(held))).toEqual(['b'])
    expect(scene.world.clock.monotonicMs() - sentMs).toBeLessThan(100)
  })

  test('is answered as not found when its time is up, and not before', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'a')
    const startMs = scene.world.clock.monotonicMs()
    const answer = await client.pull('T', 1, { holdMs: 15_000 })
    expect(answer.code).toBe(responseCode.PULL_NOT_FOUND)
    const heldMs = scene.world.clock.monotonicMs() - startMs
    expect(heldMs).toBeGreaterThanOrEqual(15_000)
    expect(heldMs).toBeLessThan(15_200)
  })

  test('lets messages of other tags go by, and tells how far it looked', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'a', {}, 'TAGS\x01A\x02')
    const held = client.pulling('T', 1, { holdMs: 5_000, tags: 'A' })
    for (const tag of ['B', 'C']) await scene.client().send('T', tag, {}, `TAGS\x01${tag}\x02`)
    const answer = await scene.settle(held)
    expect([answer.code, answer.header().nextBeginOffset]).toEqual([20, 3])
    const second = client.pulling('T', 3, { holdMs: 5_000, tags: 'A' })
    await scene.client().send('T', 'B', {}, 'TAGS\x01B\x02')
    await scene.client().send('T', 'again', {}, 'TAGS\x01A\x02')
    expect(bodiesOf(await scene.settle(second))).toEqual(['again'])
  })

  test('on a queue that never had a message wakes with the first', async () => {
    const scene = await BrokerScene.started()
    const client = scene.client()
    await client.send('T', 'x', { queueId: 1 })
    const held = client.pulling('T', 0, { holdMs: 15_000 })
    await scene.client().send('T', 'first')
    expect(bodiesOf(await scene.settle(held))).toEqual(['first'])
  })
})

test('messages survive a stop and a kill, with their offsets', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  for (let i = 0; i < 300; i++) await client.send('T', `m${i}`, { queueId: i % 4 })
  await scene.stop()
  await scene.start()
  await scene.client().send('T', 'after the stop')
  await scene.killAndRestart()
  const later = scene.client()
  await later.send('T', 'after the kill')
  const queue = { topic: 'T', queueId: 0 }
  const max = later.remoting.call(scene.address, GET_MAX_OFFSET, queue, { timeoutMs })
  expect((await scene.settle(max)).header()).toEqual({ offset: 77 })
  const min = later.remoting.call(scene.address, GET_MIN_OFFSET, queue, { timeoutMs })
  expect((await scene.settle(min)).header()).toEqual({ offset: 0 })
  const found: string[] = []
  while (found.length < 3) found.push(...bodiesOf(await later.pull('T', 74 + found.length)))
  expect(found).toEqual(['m296', 'after the stop', 'after the kill'])
})
