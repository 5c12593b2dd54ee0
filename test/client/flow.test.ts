/** What a consumer holds is bounded, and a queue that does not go on is told of. */
import type { MessageQueue, PushConsumer } from '@rockhopper/client'
import { describe, expect, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'
import { silence } from './scripted-broker.ts'

interface Stall {
  readonly queue: MessageQueue
  readonly reason: string
  readonly forMs: number
}

function stallsOf(consumer: PushConsumer): Stall[] {
  const stalls: Stall[] = []
  consumer.on('queueStalled', (stall) => stalls.push(stall))
  return stalls
}

async function held(scene: Scene, options: Parameters<Scene['consumer']>[0]): Promise<number[]> {
  const consumer = scene.consumer(options).subscribe(TOPIC, '*', () => new Promise<void>(() => {}))
  await scene.run(consumer.start())
  await scene.world.clock.advance(30_000)
  const ends = new Map<number, number>()
  for (const { topic, queueId, queueOffset, maxMsgNums } of scene.broker().pulls) {
    if (topic === TOPIC) ends.set(queueId, queueOffset + maxMsgNums)
  }
  return [...ends.values()]
}

describe('a limit', () => {
  test('for a queue bounds what one pull asks for', async () => {
    const scene = await Scene.open({ queues: 2 })
    for (let i = 0; i < 400; i++) scene.broker().put(TOPIC, i % 2, `${i}`)
    expect(await held(scene, { maxCachedMessages: 20 })).toEqual([20, 20])
  })

  test('for a topic is divided over the queues that this consumer has', async () => {
    const scene = await Scene.open({ queues: 4 })
    for (let i = 0; i < 400; i++) scene.broker().put(TOPIC, i % 4, `${i}`)
    const options = { maxCachedMessagesPerTopic: 40, pullBatchSize: 5 }
    expect(await held(scene, options)).toEqual([10, 10, 10, 10])
  })

  test('for a topic in bytes is divided as well', async () => {
    const scene = await Scene.open({ queues: 4 })
    for (let i = 0; i < 400; i++) scene.broker().put(TOPIC, i % 4, 'x'.repeat(100))
    const options = { maxCachedBytesPerTopic: 4000, pullBatchSize: 5 }
    expect(await held(scene, options)).toEqual([10, 10, 10, 10])
  })

  test('for a topic is divided anew when queues come and go', async () => {
    const scene = await Scene.open({ queues: 4 })
    for (let i = 0; i < 400; i++) scene.broker().put(TOPIC, i % 4, `${i}`)
    const options = { maxCachedMessagesPerTopic: 40, pullBatchSize: 5, drainTimeoutMs: 100 }
    await held(scene, options)
    const before = scene.broker().pulls.length
    const second = scene.consumer({}, 'second').subscribe(TOPIC, '*', () => {})
    await scene.run(second.start())
    await scene.world.clock.advance(10_000)
    const [client] = scene.broker().members('shop')
    expect(client).toBeDefined()
    const own = scene
      .broker()
      .pulls.slice(before)
      .filter((pull) => pull.maxMsgNums === 5)
    // With two queues instead of four each may hold twice as much.
    expect(own.map(({ queueOffset }) => queueOffset)).toEqual([10, 10, 15, 15])
  })

  test('for all queues leaves each queue one answer, and no more', async () => {
    const scene = await Scene.open({ queues: 4 })
    for (let i = 0; i < 400; i++) scene.broker().put(TOPIC, i % 4, 'x'.repeat(100))
    expect(await held(scene, { maxCachedBytesInAll: 1, pullBatchSize: 5 })).toEqual([5, 5, 5, 5])
  })

  test('for all queues is no hindrance when messages are done', async () => {
    const scene = await Scene.open({ queues: 4 })
    for (let i = 0; i < 400; i++) scene.broker().put(TOPIC, i % 4, 'x'.repeat(100))
    let done = 0
    const consumer = scene
      .consumer({ maxCachedBytesInAll: 1000, pullBatchSize: 5 })
      .subscribe(TOPIC, '*', async () => {
        await scene.pause('consumer', 1)
        done++
      })
    await scene.run(consumer.start())
    await scene.until(() => done === 400)
  })
})

describe('a consumer that is suspended', () => {
  test('pulls nothing more until it is resumed, and can be closed meanwhile', async () => {
    const scene = await Scene.open({ queues: 1 })
    const got: string[] = []
    const consumer = scene
      .consumer({ stalledAfterMs: 30_000 })
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    const stalls = stallsOf(consumer)
    await scene.run(consumer.start())
    await scene.world.clock.advance(100)
    consumer.suspend()
    // The pull that is held already is answered.
    scene.broker().put(TOPIC, 0, 'first')
    await scene.world.clock.advance(100)
    scene.broker().put(TOPIC, 0, 'second')
    await scene.world.clock.advance(60_000)
    expect([got, stalls]).toEqual([['first'], []])
    consumer.resume()
    await scene.until(() => got.length === 2, 1000)
    consumer.suspend()
    await scene.run(consumer.close())
  })

  test('waits after each pull that brought messages, if it is told to', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 30; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const consumer = scene
      .consumer({ pullIntervalMs: 1000, pullBatchSize: 10 })
      .subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.world.clock.advance(2500)
    const pulls = scene.broker().pulls.filter(({ topic }) => topic === TOPIC)
    expect(pulls.map(({ queueOffset }) => queueOffset)).toEqual([0, 10, 20])
    scene.broker().put(TOPIC, 0, 'late')
    await scene.world.clock.advance(5000)
    expect(scene.broker().offsets.get(`shop ${TOPIC} 0`)).toBe(31)
  })
})

describe('a queue that does not go on', () => {
  test('because no pull is answered is told of once, and pulled anew', async () => {
    const scene = await Scene.open({ queues: 1 })
    const consumer = scene.consumer({ stalledAfterMs: 30_000 }).subscribe(TOPIC, '*', () => {})
    const stalls = stallsOf(consumer)
    await scene.run(consumer.start())
    await scene.world.clock.advance(100)
    scene.broker().script.onPull = () => silence()
    scene.broker().put(TOPIC, 0, 'wakes the pull that is held')
    await scene.world.clock.advance(100)
    await scene.until(() => stalls.length > 0)
    const before = scene.broker().pulls.length
    // It is given up in order, and taken again at once or a second later.
    await scene.world.clock.advance(3_000)
    expect(stalls).toMatchObject([{ queue: { topic: TOPIC, queueId: 0 }, reason: 'pull' }])
    expect(stalls[0]?.forMs).toBeGreaterThanOrEqual(30_000)
    expect(scene.broker().pulls.length).toBe(before + 1)
  })

  test('because a handler does not finish is told of once, and again after it went on', async () => {
    const scene = await Scene.open({ queues: 1 })
    const open: (() => void)[] = []
    const consumer = scene
      .consumer({ stalledAfterMs: 30_000 })
      .subscribe(TOPIC, '*', () => new Promise<void>((resolve) => void open.push(resolve)))
    const stalls = stallsOf(consumer)
    await scene.run(consumer.start())
    scene.broker().put(TOPIC, 0, 'first')
    await scene.world.clock.advance(80_000)
    expect(stalls.map(({ reason }) => reason)).toEqual(['handling'])
    open.pop()?.()
    scene.broker().put(TOPIC, 0, 'second')
    await scene.world.clock.advance(80_000)
    expect(stalls.map(({ reason }) => reason)).toEqual(['handling', 'handling'])
  })

  test('because another member has its lock is told of', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().script.onLock = () => false
    const consumer = scene
      .consumer({ stalledAfterMs: 30_000, orderly: true })
      .subscribe(TOPIC, '*', () => {})
    const stalls = stallsOf(consumer)
    await scene.run(consumer.start())
    await scene.world.clock.advance(100_000)
    expect(stalls.map(({ reason }) => reason)).toEqual(['lock'])
  })

  test('because there is nothing to read is not told of', async () => {
    const scene = await Scene.open({ queues: 1 })
    const consumer = scene.consumer({ stalledAfterMs: 30_000 }).subscribe(TOPIC, '*', () => {})
    const stalls = stallsOf(consumer)
    await scene.run(consumer.start())
    await scene.world.clock.advance(200_000)
    expect(stalls).toEqual([])
  })
})
