/** The members of a group share the queues, and hand them over in order. */
import type { ConsumerOptions, PushConsumer } from '@rockhopper/client'
import { expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const QUEUES = 6

/** A member that notes what it got, and takes `workMs` for each message. */
async function join(
  scene: Scene,
  name: string,
  got: string[],
  workMs = 0,
  options: Partial<ConsumerOptions> = {},
): Promise<PushConsumer> {
  const consumer = scene.consumer(options, name).subscribe(TOPIC, '*', async ({ body }) => {
    if (workMs > 0) await scene.pause(name, workMs)
    got.push(body.toString())
  })
  await scene.run(consumer.start())
  return consumer
}

/** Puts messages on all queues in turn, one each `everyMs`. */
async function stream(scene: Scene, from: number, to: number, everyMs: number): Promise<void> {
  for (let i = from; i < to; i++) {
    scene.broker().put(TOPIC, i % QUEUES, `${i}`)
    await scene.world.clock.advance(everyMs)
  }
}

const sizes = (members: readonly PushConsumer[]): number[] =>
  members.map(({ queues }) => queues.length)

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

test('who joins gets a share at once, and who leaves gives it back', async () => {
  const scene = await Scene.open({ queues: QUEUES })
  const got: string[] = []
  const first = await join(scene, 'first', got)
  expect(sizes([first])).toEqual([6])
  const second = await join(scene, 'second', got)
  await scene.until(() => sizes([first, second]).join() === '3,3', 1000)
  const third = await join(scene, 'third', got)
  await scene.until(() => sizes([first, second, third]).join() === '2,2,2', 1000)
  await scene.run(second.close())
  await scene.until(() => sizes([first, third]).join() === '3,3', 2000)
})

test('members that start together share at once, and nothing comes twice', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const scene = await Scene.open({ queues: QUEUES, seed })
    const got: string[] = []
    for (let i = 0; i < 60; i++) scene.broker().put(TOPIC, i % QUEUES, `${i}`)
    const members = ['a', 'b', 'c'].map((name) =>
      scene.consumer({}, name).subscribe(TOPIC, '*', ({ body }) => {
        got.push(body.toString())
      }),
    )
    await scene.run(Promise.all(members.map((member) => member.start())))
    await scene.until(() => sizes(members).join() === '2,2,2', 200)
    await stream(scene, 60, 240, 5)
    await scene.world.clock.advance(2000)
    expect([...got].sort((a, b) => Number(a) - Number(b))).toEqual(numbers(240))
  }
})

test('nothing is lost and nothing comes twice while members come and go', async () => {
  const scene = await Scene.open({ queues: QUEUES })
  const got: string[] = []
  const first = await join(scene, 'first', got, 3)
  await stream(scene, 0, 300, 5)
  const second = await join(scene, 'second', got, 3)
  await stream(scene, 300, 600, 5)
  const third = await join(scene, 'third', got, 3)
  await stream(scene, 600, 900, 5)
  await scene.run(first.close())
  await stream(scene, 900, 1200, 5)
  await scene.run(Promise.all([second.close(), third.close()]))
  const last = await join(scene, 'last', got, 3)
  await scene.until(() => got.length >= 1200)
  await scene.run(last.close())
  expect([...got].sort((a, b) => Number(a) - Number(b))).toEqual(numbers(1200))
})

test('a queue is given up only after its handlers ended and its offset was committed', async () => {
  const scene = await Scene.open({ queues: 2 })
  for (let i = 0; i < 40; i++) scene.broker().put(TOPIC, i % 2, `${i}`)
  const got: string[] = []
  const slow = await join(scene, 'slow', got, 200, { concurrency: 4, pullBatchSize: 2 })
  await scene.world.clock.advance(900)
  const fast = await join(scene, 'fast', got)
  await scene.until(() => sizes([slow, fast]).join() === '1,1', 2000)
  const asked = scene.broker().pulls.length
  const moved = fast.queues[0]?.queueId ?? -1
  await scene.until(() => got.length === 40)
  await scene.world.clock.advance(5000)
  // Where the new member began is where the old one had come to.
  const first = scene
    .broker()
    .pulls.slice(asked)
    .find(({ queueId }) => queueId === moved)
  const key = `commit ${TOPIC} ${moved} ${first?.queueOffset}`
  expect(scene.broker().events).toContain(key)
  expect(first?.queueOffset).toBeGreaterThan(0)
  expect([...got].sort((a, b) => Number(a) - Number(b))).toEqual(numbers(40))
})

test('a queue that comes back while its handlers still run is read only after them', async () => {
  const scene = await Scene.open({ queues: 2 })
  for (let i = 0; i < 8; i++) scene.broker().put(TOPIC, i % 2, `${i}`)
  const got: string[] = []
  const slow = await join(scene, 'slow', got, 3000)
  await scene.world.clock.advance(100)
  const guest = await join(scene, 'guest', got, 0, { handoverMs: 10_000 })
  await scene.until(() => slow.queues.length === 1, 1000)
  await scene.run(guest.close())
  await scene.until(() => slow.queues.length === 2, 10_000)
  await scene.world.clock.advance(10_000)
  expect([...got].sort()).toEqual(numbers(8))
})

test('a message that fails after its queue was given away is left to the new member', async () => {
  const scene = await Scene.open({ queues: 2 })
  for (let i = 0; i < 2; i++) scene.broker().put(TOPIC, i, `${i}`)
  const late = scene.consumer({ drainTimeoutMs: 1000 }, 'late').subscribe(TOPIC, '*', async () => {
    await scene.pause('late', 5000)
    throw new Error('too late')
  })
  await scene.run(late.start())
  await scene.world.clock.advance(100)
  const got: string[] = []
  const next = await join(scene, 'next', got, 0, { handoverMs: 2000 })
  await scene.until(() => sizes([late, next]).join() === '1,1', 1000)
  await scene.world.clock.advance(8000)
  expect(got).toHaveLength(1)
  expect(scene.broker().sentBack).toHaveLength(1)
})

test('queues go to the members in the order of their ids', async () => {
  const scene = await Scene.open({ queues: QUEUES })
  const got: string[] = []
  const members: PushConsumer[] = []
  for (const name of ['c', 'a', 'b']) members.push(await join(scene, name, got))
  await scene.until(() => sizes(members).join() === '2,2,2', 2000)
  const ordered = [...members].sort((a, b) => (a.clientId < b.clientId ? -1 : 1))
  expect(ordered.map(({ queues }) => queues.map(({ queueId }) => queueId).sort())).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ])
})

test('a message whose handler still runs when the time is over comes to the next member', async () => {
  const scene = await Scene.open({ queues: 1 })
  for (let i = 0; i < 4; i++) scene.broker().put(TOPIC, 0, `${i}`)
  const stuck = scene
    .consumer({ drainTimeoutMs: 1000 }, 'stuck')
    .subscribe(TOPIC, '*', ({ body }) =>
      body.toString() === '2' ? new Promise<void>(() => {}) : undefined,
    )
  await scene.run(stuck.start())
  await scene.world.clock.advance(100)
  await scene.run(stuck.close())
  const got: string[] = []
  await join(scene, 'next', got)
  await scene.until(() => got.length === 2)
  expect(got).toEqual(['2', '3'])
})

test('a member that is killed is replaced, and its unfinished messages come again', async () => {
  const scene = await Scene.open({ queues: QUEUES })
  const got: string[] = []
  await join(scene, 'first', got, 50)
  await join(scene, 'second', got, 50)
  await scene.world.clock.advance(2000)
  await stream(scene, 0, 60, 1)
  scene.world.host('second').kill()
  await scene.until(() => new Set(got).size === 60, 30_000)
})

test('a member that the broker has forgotten makes itself known again', async () => {
  const scene = await Scene.open({ queues: QUEUES })
  const got: string[] = []
  const member = await join(scene, 'first', got)
  scene.broker().forget(GROUP)
  scene.broker().notify(GROUP)
  await scene.until(() => scene.broker().members(GROUP).length === 1, 25_000)
  await scene.until(() => member.queues.length === QUEUES, 5000)
})

test('a new queue of the topic is read by a member within 50 s', async () => {
  const scene = await Scene.open({ queues: 2 })
  const got: string[] = []
  const member = await join(scene, 'first', got)
  scene.routes.set(TOPIC, scene.routeOf(4))
  await scene.until(() => member.queues.length === 4, 32_000)
})
