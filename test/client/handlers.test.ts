/** A message whose handler fails, or never ends, is not lost and holds nothing up for long. */
import type { ReceivedMessage } from '@rockhopper/client'
import { retryTopicOf } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const RETRY_TOPIC = retryTopicOf(GROUP)

describe('a handler that throws', () => {
  test('gives its message back, and the queue goes on', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`, { UNIQ_KEY: `id-${i}` })
    const failed: object[] = []
    const consumer = scene
      .consumer({ maxReconsumeTimes: 3 })
      .subscribe(TOPIC, '*', ({ body }, context) => {
        context.delayLevelWhenNextConsume = 2
        if (body.toString() === '1') throw new Error('no')
      })
      .on('failed', ({ message, error, after }) => {
        failed.push({ body: message.body.toString(), error, after })
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(6000)
    expect(failed).toEqual([{ body: '1', error: new Error('no'), after: 'given back' }])
    expect(scene.broker().sentBack).toEqual([
      expect.objectContaining({
        group: GROUP,
        offset: 1000,
        delayLevel: 2,
        originMsgId: 'id-1',
        originTopic: TOPIC,
        maxReconsumeTimes: 3,
      }),
    ])
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(3)
  })

  test('gets its message again after 5 s when the broker does not take it, uncommitted', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`)
    scene.broker().script.onSendBack = () => {
      throw new Error('not now')
    }
    scene.broker().script.onSend = () => ({ code: 14, remark: 'full' })
    const tries: number[] = []
    const counts: number[] = []
    const outcomes: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', async ({ body, reconsumeTimes }) => {
        if (body.toString() !== '1') return
        tries.push(scene.world.clock.monotonicMs())
        counts.push(reconsumeTimes)
        if (tries.length < 3) throw new Error('no')
      })
      .on('failed', ({ after }) => outcomes.push(after))
    await scene.run(consumer.start())
    await scene.world.clock.advance(9000)
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(1)
    await scene.world.clock.advance(9000)
    const [first = 0, second = 0, third = 0] = tries
    expect(tries).toHaveLength(3)
    expect(second - first).toBeCloseTo(5000, -2)
    expect(third - second).toBeCloseTo(5000, -2)
    expect(counts).toEqual([0, 1, 2])
    expect(outcomes).toEqual(['kept here', 'kept here'])
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(3)
  })

  test('fails the rest of a batch behind the index that it left', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 5; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const consumer = scene
      .consumer()
      .subscribe(TOPIC)
      .onMessages((_messages, context) => {
        context.ackIndex = 2
      })
    const failed: string[] = []
    consumer.on('failed', ({ message }) => failed.push(message.body.toString()))
    await scene.run(consumer.start())
    await scene.until(() => failed.length === 2)
    expect(failed).toEqual(['3', '4'])
    expect(scene.broker().sentBack.map(({ offset }) => offset)).toEqual([3000, 4000])
  })

  test('sees its message again under the topic it was sent to', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.routes.set(RETRY_TOPIC, scene.routeOf(1))
    scene.broker().put(RETRY_TOPIC, 0, 'again', { RETRY_TOPIC: TOPIC, TAGS: 'x' })
    const got: ReceivedMessage[] = []
    const consumer = scene.consumer().subscribe(TOPIC, 'x', (message) => void got.push(message))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 1)
    expect(got[0]).toMatchObject({ topic: TOPIC, queue: { topic: RETRY_TOPIC } })
  })
})

describe('a handler that never ends', () => {
  test('is given up after its time: the message is given back, the place is free', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const done: string[] = []
    const failed: string[] = []
    const consumer = scene
      .consumer({ consumeTimeoutMs: 60_000, concurrency: 1 })
      .subscribe(TOPIC, '*', ({ body }) => {
        if (body.toString() === '0') return new Promise<void>(() => {})
        done.push(body.toString())
        return undefined
      })
      .on('failed', ({ error, after }) => failed.push(`${error} ${after}`))
    await scene.run(consumer.start())
    await scene.world.clock.advance(59_000)
    expect(done).toEqual([])
    await scene.world.clock.advance(8000)
    expect(done).toEqual(['1', '2'])
    expect(failed).toEqual([
      'ClientError: a handler of the topic "orders" was not done after 60000 ms: ' +
        'see what it waits for, or raise consumeTimeoutMs given back',
    ])
    expect(scene.broker().sentBack).toMatchObject([{ offset: 0, delayLevel: 3 }])
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(3)
  })

  test('counts for nothing when it ends after all', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'slow')
    const consumer = scene.consumer({ consumeTimeoutMs: 1000 }).subscribe(TOPIC, '*', async () => {
      await scene.pause('consumer', 3000)
      throw new Error('too late to matter')
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(6000)
    expect(scene.broker().sentBack).toHaveLength(1)
    await scene.run(consumer.close())
  })
})
