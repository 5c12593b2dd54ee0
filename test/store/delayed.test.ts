/** The queues of delayed messages keep when each is due, whoever writes their units. */
import { DELAY_TOPIC, propertyPair, type QueueUnit, writeUnit } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { ROOT, StoreScene } from './scene.ts'

const delays = [3_000, 90_000]
const queueFile = `${ROOT}/consumequeue/${DELAY_TOPIC}/1/00000000000000000000`

/** A message of level 2. */
const delayed = {
  topic: DELAY_TOPIC,
  queueId: 1,
  properties: [propertyPair('DELAY', '2')],
  tagsCode: 77,
  delayMs: 90_000,
}

function unitsOf({ store }: StoreScene, from = 0, count = 100): Promise<QueueUnit[]> {
  return store.units(DELAY_TOPIC, 1, from, count)
}

test('a delayed message is due so long after its store time, also late in a turn of the loop', async () => {
  const scene = await StoreScene.opened({ delays })
  const first = scene.append(delayed)
  scene.world.clock.jumpWall(40)
  const plain = scene.append({ topic: 'T' })
  const second = scene.append(delayed)
  const timed = scene.append({ topic: 'T', isTimed: true })
  expect(second.storeTimestamp).toBe(first.storeTimestamp + 40)
  expect(timed.storeTimestamp).toBe(second.storeTimestamp)
  expect(plain.storeTimestamp).toBe(first.storeTimestamp)
  await scene.settle(scene.store.checkpoint())
  const due = (await scene.settle(unitsOf(scene))).map(({ tagsCode }) => tagsCode)
  expect(due).toEqual([first.storeTimestamp + 90_000, second.storeTimestamp + 90_000])
})

test('units are given from files and from memory, and none outside of the queue', async () => {
  const scene = await StoreScene.opened({ delays })
  const appended = Array.from({ length: 60 }, () => scene.append(delayed))
  await scene.close()
  await scene.open()
  appended.push(scene.append(delayed))
  await scene.settle(scene.store.checkpoint())
  const offsets: number[] = []
  for (;;) {
    const units = await scene.settle(unitsOf(scene, offsets.length, 25))
    if (units.length === 0) break
    offsets.push(...units.map(({ logOffset }) => logOffset))
  }
  expect(offsets).toEqual(appended.map(({ logOffset }) => logOffset))
  expect(await scene.settle(unitsOf(scene, -1))).toEqual([])
  expect(await scene.settle(scene.store.units('none', 0, 0, 5))).toEqual([])
})

test('a queue that is made anew from the log has the times that it had', async () => {
  const scene = await StoreScene.opened({ delays })
  for (let i = 0; i < 5; i++) scene.append(delayed)
  await scene.settle(scene.store.checkpoint())
  const before = await scene.settle(unitsOf(scene))
  await scene.close()
  scene.host.doors.disk.remove(`${ROOT}/consumequeue`)
  await scene.open()
  expect(await scene.settle(unitsOf(scene))).toEqual(before)
})

test('a unit that was damaged gets its time back from the log', async () => {
  const scene = await StoreScene.opened({ delays })
  for (let i = 0; i < 5; i++) scene.append(delayed)
  await scene.settle(scene.store.checkpoint())
  const before = await scene.settle(unitsOf(scene))
  await scene.close()
  const wrong = Buffer.alloc(20)
  writeUnit(wrong, 0, { ...(before[2] ?? { logOffset: 0, sizeBytes: 0 }), tagsCode: 5 })
  scene.host.doors.disk.open(queueFile, 'update').writeSync([wrong], 40)
  await scene.open()
  expect(await scene.settle(unitsOf(scene))).toEqual(before)
})

test('the log is gone over from any record on', async () => {
  const scene = await StoreScene.opened()
  const appended = Array.from({ length: 300 }, (_, i) =>
    scene.append({ body: Buffer.alloc(i + 1) }),
  )
  await scene.settle(scene.store.checkpoint())
  const offsets: number[] = []
  const walk = async (): Promise<void> => {
    const from = appended[100]?.logOffset ?? 0
    for await (const { logOffset } of scene.store.records(from)) offsets.push(logOffset)
  }
  await scene.settle(walk())
  expect(offsets).toEqual(appended.slice(100).map(({ logOffset }) => logOffset))
})
