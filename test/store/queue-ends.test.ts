/** What a store remembers of where its queues ended. */
import { expect, it } from 'vitest'
import { numbered, ROOT, StoreScene } from './scene.ts'

const ENDS = `${ROOT}/queueends`
const QUEUES = `${ROOT}/consumequeue`

async function checkpointed(scene: StoreScene): Promise<void> {
  await scene.settle(scene.store.checkpoint())
}

it('grows by the queues that have changed, not by all of them', async () => {
  const scene = await StoreScene.opened()
  for (let queueId = 0; queueId < 50; queueId++) await scene.put({ queueId })
  await checkpointed(scene)
  const { length } = scene.fileBytes(ENDS)
  await scene.put({ queueId: 7 })
  await checkpointed(scene)
  const grownBytes = scene.fileBytes(ENDS).length - length
  expect(grownBytes).toBeGreaterThan(0)
  expect(grownBytes).toBeLessThan(length / 20)
})

it('is shortened when most of it is out of date, and then says the same', async () => {
  const scene = await StoreScene.opened()
  const topic = 'T'.repeat(200)
  let longest = 0
  for (let round = 0; round < 30; round++) {
    for (let queueId = 0; queueId < 100; queueId++) await scene.put({ queueId, topic })
    await checkpointed(scene)
    longest = Math.max(longest, scene.fileBytes(ENDS).length)
  }
  expect(scene.fileBytes(ENDS).length).toBeLessThan(longest)
  expect(longest).toBeLessThan(400_000)
  await scene.close()
  scene.host.disk.remove(QUEUES)
  await scene.open()
  for (const queueId of [0, 50, 99]) {
    expect(scene.store.queueBounds(topic, queueId).maxOffset).toBe(30)
  }
})

it('is believed only as far as the checkpoint goes that was written last', async () => {
  const scene = await StoreScene.opened()
  await scene.putNumbered(0, 10)
  await checkpointed(scene)
  await scene.putNumbered(10, 20)
  // The ends of the next checkpoint are there, and the checkpoint is not.
  scene.host.disk.watch((operation, path) => {
    if (operation === 'write' && path === `${ROOT}/checkpoint`) scene.host.kill()
  })
  scene.store.checkpoint().catch(() => undefined)
  await scene.world.clock.advance(1_000)
  scene.host.disk.clearFaults()
  scene.host.restart()
  await scene.open()
  expect(await scene.bodies()).toEqual(numbered(0, 20))
  await scene.putNumbered(20, 25)
  await scene.reopenAfterKill()
  expect(await scene.bodies()).toEqual(numbered(0, 25))
})

it('is done without when it is damaged: then the files of the queues are believed', async () => {
  const scene = await StoreScene.opened()
  await scene.putNumbered(0, 70)
  await scene.close()
  const bytes = scene.fileBytes(ENDS)
  for (let bit = 0; bit < bytes.length * 8; bit += 13) {
    const changed = Buffer.from(bytes)
    changed[bit >>> 3] = (changed[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
    scene.putBytes(ENDS, changed)
    await scene.open()
    expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 0, maxOffset: 70 })
    await scene.close()
  }
})

it('forgets the queues of a deleted topic, also over a start', async () => {
  const scene = await StoreScene.opened()
  await scene.putNumbered(0, 10)
  await checkpointed(scene)
  await scene.settle(scene.store.deleteTopic('TopicTest'))
  await scene.reopenAfterKill()
  expect((await scene.put()).queueOffset).toBe(0)
  await scene.reopen()
  expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 0, maxOffset: 1 })
})
