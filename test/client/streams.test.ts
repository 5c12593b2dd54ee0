/** Loops take messages one at a time, and what they do not finish comes again. */
import { describe, expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

async function sceneWith(count: number, queues = 1): Promise<Scene> {
  const scene = await Scene.open({ queues })
  for (let i = 0; i < count; i++) scene.broker().put(TOPIC, i % queues, `${i}`)
  return scene
}

const offset = (scene: Scene): number | undefined =>
  scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)

test('a loop gets all messages; each is done when the next one is asked for', async () => {
  const scene = await sceneWith(10)
  const consumer = scene.consumer()
  const messages = consumer.messages(TOPIC)
  await scene.run(consumer.start())
  const got: string[] = []
  const loop = (async () => {
    for await (const { body } of messages) {
      got.push(body.toString())
      await scene.pause('consumer', 1000)
    }
  })()
  await scene.world.clock.advance(6500)
  // The seventh is in hand.
  expect(got).toEqual(numbers(7))
  expect(offset(scene)).toBeLessThanOrEqual(6)
  await scene.until(() => got.length === 10)
  await scene.run(consumer.close())
  await scene.run(loop)
  expect(offset(scene)).toBe(10)
})

test('a loop that is left ends the stream, and the message in hand comes again', async () => {
  const scene = await sceneWith(5)
  const consumer = scene.consumer()
  const failed: string[] = []
  consumer.on('failed', ({ message, after }) => failed.push(`${message.body} ${after}`))
  const messages = consumer.messages(TOPIC)
  await scene.run(consumer.start())
  const loop = (async () => {
    for await (const { body } of messages) if (body.toString() === '2') break
  })()
  await scene.run(loop)
  await scene.world.clock.advance(10)
  expect(failed).toEqual(['2 given back'])
  expect(scene.broker().sentBack).toMatchObject([{ consumeError: expect.stringContaining('left') }])
  expect(await messages.next()).toEqual({ done: true, value: undefined })
  await scene.run(consumer.close())
  expect(offset(scene)).toBe(3)
})

test('a message that was acknowledged before the loop is left does not come again', async () => {
  const scene = await sceneWith(5)
  const consumer = scene.consumer()
  const messages = consumer.messages(TOPIC)
  await scene.run(consumer.start())
  await scene.run(
    (async () => {
      for await (const { body } of messages) {
        if (body.toString() !== '2') continue
        messages.ack()
        break
      }
    })(),
  )
  await scene.run(consumer.close())
  expect([scene.broker().sentBack, offset(scene)]).toEqual([[], 3])
})

test('an error in the loop reaches its caller, and the message comes again', async () => {
  const scene = await sceneWith(2)
  const consumer = scene.consumer()
  const messages = consumer.messages(TOPIC)
  await scene.run(consumer.start())
  const loop = (async () => {
    for await (const { body } of messages) throw new Error(`broken by ${body}`)
  })()
  await expect(scene.run(loop)).rejects.toThrow('broken by 0')
  await scene.world.clock.advance(10)
  expect(scene.broker().sentBack).toHaveLength(1)
})

test('a message can be sent back and the loop go on', async () => {
  const scene = await sceneWith(3)
  const consumer = scene.consumer()
  const messages = consumer.messages(TOPIC)
  await scene.run(consumer.start())
  const got: string[] = []
  const loop = (async () => {
    for await (const { body } of messages) {
      got.push(body.toString())
      if (body.toString() === '1') messages.retryLater(new RangeError('too soon'), 4)
    }
  })()
  await scene.until(() => got.length === 3)
  await scene.run(consumer.close())
  await scene.run(loop)
  expect(scene.broker().sentBack).toMatchObject([
    { offset: 1000, delayLevel: 4, consumeError: 'RangeError: too soon' },
  ])
  expect(offset(scene)).toBe(3)
})

test('while no loop asks, no more is held than the options allow', async () => {
  const scene = await sceneWith(200)
  const consumer = scene.consumer({ maxCachedMessages: 20, pullBatchSize: 10 })
  const messages = consumer.messages(TOPIC)
  await scene.run(consumer.start())
  await scene.world.clock.advance(60_000)
  const pulls = scene.broker().pulls.filter(({ topic }) => topic === TOPIC)
  expect(pulls.map(({ queueOffset }) => queueOffset)).toEqual([0, 10])
  const got: string[] = []
  const loop = (async () => {
    for await (const { body } of messages) got.push(body.toString())
  })()
  await scene.until(() => got.length === 200)
  await scene.run(consumer.close())
  await scene.run(loop)
  expect(got).toEqual(numbers(200))
})

test('a slow loop does not hold up the handlers of other topics', async () => {
  const scene = await sceneWith(50)
  scene.routes.set('payments', scene.routeOf(1))
  const got: string[] = []
  const consumer = scene
    .consumer({ concurrency: 1 })
    .subscribe('payments', '*', ({ body }) => void got.push(body.toString()))
  consumer.messages(TOPIC)
  await scene.run(consumer.start())
  await scene.world.clock.advance(1000)
  scene.broker().put('payments', 0, 'paid')
  await scene.until(() => got.length === 1, 1000)
})

test('several loops over one topic share its messages', async () => {
  const scene = await sceneWith(30, 2)
  const consumer = scene.consumer()
  const got = [0, 1, 2].map(() => [] as string[])
  const loops = got.map(async (own) => {
    for await (const { body } of consumer.messages(TOPIC)) {
      own.push(body.toString())
      await scene.pause('consumer', 10)
    }
  })
  await scene.run(consumer.start())
  await scene.until(() => got.flat().length === 30)
  await scene.run(consumer.close())
  await scene.run(Promise.all(loops))
  expect([...got.flat()].sort((a, b) => Number(a) - Number(b))).toEqual(numbers(30))
  for (const own of got) expect(own.length).toBeGreaterThan(5)
})

describe('in order', () => {
  test('a message that the loop refuses comes again before any other of its queue', async () => {
    const scene = await sceneWith(4)
    const consumer = scene.consumer({ orderly: true, suspendCurrentQueueTimeMs: 50 })
    const messages = consumer.messages(TOPIC)
    await scene.run(consumer.start())
    const got: string[] = []
    const loop = (async () => {
      for await (const { body, reconsumeTimes } of messages) {
        got.push(body.toString())
        if (body.toString() === '1' && reconsumeTimes < 2) messages.retryLater()
      }
    })()
    await scene.until(() => got.length === 6)
    await scene.run(consumer.close())
    await scene.run(loop)
    expect(got).toEqual(['0', '1', '1', '1', '2', '3'])
    expect(offset(scene)).toBe(4)
  })
})
