/** A queue goes from one member to the next without a message that comes twice. */
import type { PushConsumer } from '@rockhopper/client'
import { Refusal } from '@rockhopper/remoting'
import { expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)
const sorted = (list: readonly string[]): string[] =>
  [...list].sort((a, b) => Number(a) - Number(b))

async function join(
  scene: Scene,
  name: string,
  got: string[],
  workMs: number,
  options: Parameters<Scene['consumer']>[0] = {},
): Promise<PushConsumer> {
  const consumer = scene.consumer(options, name).subscribe(TOPIC, '*', async ({ body }) => {
    if (workMs > 0) await scene.pause(name, workMs)
    got.push(body.toString())
  })
  await scene.run(consumer.start())
  return consumer
}

async function sceneWith(count: number, queues = 4): Promise<Scene> {
  const scene = await Scene.open({ queues })
  for (let i = 0; i < count; i++) scene.broker().put(TOPIC, i % queues, `${i}`)
  return scene
}

test('a member that joins waits for handlers that take seconds, and nothing comes twice', async () => {
  const scene = await sceneWith(40)
  const got: string[] = []
  await join(scene, 'first', got, 3000)
  await scene.world.clock.advance(1000)
  await join(scene, 'second', got, 3000)
  await scene.until(() => got.length >= 40)
  await scene.world.clock.advance(20_000)
  expect(sorted(got)).toEqual(numbers(40))
})

test('a member that leaves with slow handlers leaves nothing to do twice', async () => {
  const scene = await sceneWith(40)
  const got: string[] = []
  const first = await join(scene, 'first', got, 3000)
  await join(scene, 'second', got, 3000)
  await scene.world.clock.advance(2000)
  await scene.run(first.close())
  await scene.until(() => got.length >= 40)
  await scene.world.clock.advance(20_000)
  expect(sorted(got)).toEqual(numbers(40))
})

test('the new owner begins within a moment after the old one is done', async () => {
  const scene = await sceneWith(8, 2)
  const got: string[] = []
  await join(scene, 'first', got, 2000, { concurrency: 2 })
  await scene.world.clock.advance(500)
  const second = await join(scene, 'second', got, 0)
  await scene.until(() => second.queues.length === 1, 100)
  const [moved] = second.queues
  const before = scene.broker().pulls.length
  await scene.until(
    () =>
      scene
        .broker()
        .pulls.slice(before)
        .some(({ queueId, topic }) => topic === TOPIC && queueId === moved?.queueId),
    2000,
  )
})

test('a dead member does not keep its queues from the others for long', async () => {
  const scene = await sceneWith(0, 2)
  const got: string[] = []
  const members = [await join(scene, 'first', got, 0), await join(scene, 'second', got, 0)]
  await scene.until(() => members.every(({ queues }) => queues.length === 1), 2000)
  await scene.world.clock.advance(2000)
  scene.world.host('second').kill()
  for (let i = 0; i < 2; i++) scene.broker().put(TOPIC, i, `${i}`)
  await scene.until(() => got.length === 2, 7000)
})

test('a broker without locks costs half a second, and no more', async () => {
  const scene = await sceneWith(20, 2)
  scene.broker().script.onLock = () => {
    throw new Refusal(3, 'not supported')
  }
  const got: string[] = []
  await join(scene, 'first', got, 5)
  await scene.world.clock.advance(1000)
  const second = await join(scene, 'second', got, 5)
  await scene.until(() => second.queues.length === 1, 1000)
  const [moved] = second.queues
  scene.broker().put(TOPIC, moved?.queueId ?? 0, '20')
  await scene.until(() => got.includes('20'), 1000)
  expect(sorted(got)).toEqual(numbers(21))
})

test('locks of a concurrent group are no locks of the group: its failed messages stay retries', async () => {
  const scene = await sceneWith(2, 2)
  await join(scene, 'first', [], 0)
  await scene.world.clock.advance(1000)
  const groups = [...scene.broker().locks.keys()].map((key) => key.split(' ')[0])
  expect(groups).toEqual([`%HANDOVER%${GROUP}`, `%HANDOVER%${GROUP}`])
})
