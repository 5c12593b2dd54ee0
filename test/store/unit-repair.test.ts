/** What a reader gets when a queue is wrong: the message, as the log is the truth. */
import { readUnit, writeUnit } from '@rockhopper/protocol'
import { CorruptionError, type Store } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { numbered, ROOT, recordsIn, StoreScene } from './scene.ts'

const QUEUE = `${ROOT}/consumequeue/TopicTest/0/00000000000000000000`
const LOG = `${ROOT}/commitlog/00000000000000000000`
const UNIT_BYTES = 20

/**
 * Messages of this queue, of 102 bytes each and from the tenth on 103, with those of another between, of
 * 105; nothing is in memory.
 */
async function coldScene(count = 30): Promise<StoreScene> {
  const scene = await StoreScene.opened()
  for (let i = 0; i < count; i++) {
    await scene.put({ body: Buffer.from(`m${i}`) })
    await scene.put({ topic: 'TopicElse', body: Buffer.from('other') })
  }
  await scene.reopen()
  // The queue is opened before somebody changes its file.
  scene.store.queueBounds('TopicTest', 0)
  return scene
}

function unit(logOffset: number, sizeBytes: number, tagsCode = 0): Buffer {
  const bytes = Buffer.alloc(UNIT_BYTES)
  writeUnit(bytes, 0, { logOffset, sizeBytes, tagsCode })
  return bytes
}

function warnings(scene: StoreScene): unknown[] {
  return scene.world.lines
    .filter(({ sentence }) => sentence.startsWith('A consume queue was wrong'))
    .map(({ fields }) => fields)
}

describe('a unit that is wrong', () => {
  it.each([
    ['zeros', () => Buffer.alloc(UNIT_BYTES)],
    ['a size of 1', () => unit(1_000, 1)],
    ['a size beyond the log', () => unit(1_000, 1 << 30)],
    ['a place behind the log', () => unit(1e12, 102)],
    ['a negative place', () => unit(-5, 102)],
    ['a place in the midst of a record', () => unit(1_001, 102)],
    ['the place of the message before', () => unit(4 * 207, 102)],
    ['the place of a message of another topic', () => unit(5 * 207 + 102, 105)],
    ['filling', () => unit(0, 0x7fffffff)],
  ])('is put right from the log: %s', async (_, wrong) => {
    for (const at of [0, 5, 29]) {
      const scene = await coldScene()
      const right = scene.fileBytes(QUEUE).subarray(at * UNIT_BYTES, (at + 1) * UNIT_BYTES)
      scene.putBytes(QUEUE, wrong(), at * UNIT_BYTES)
      if (wrong().equals(unit(0, 0x7fffffff)) && at === 0) continue
      expect(await scene.bodies()).toEqual(numbered(0, 30))
      const { logOffset } = readUnit(right, 0)
      const place = { path: QUEUE, byte: at * UNIT_BYTES, queueOffset: at, logOffset }
      expect(warnings(scene)).toEqual([place])
      expect(scene.fileBytes(QUEUE).subarray(at * UNIT_BYTES, (at + 1) * UNIT_BYTES)).toEqual(right)
    }
  })

  it('is found by the search by time, too', async () => {
    const scene = await coldScene()
    const time = (store: Store) => scene.settle(store.storeTimeOf('TopicTest', 0, 7))
    const expected = await time(scene.store)
    scene.putBytes(QUEUE, unit(1_001, 102), 7 * UNIT_BYTES)
    expect(await time(scene.store)).toBe(expected)
    expect(warnings(scene)).toHaveLength(1)
  })

  it('is put right with the tag of its message', async () => {
    const scene = await StoreScene.opened()
    const tag = { tagsCode: 2_598_919, properties: [Buffer.from('TAGS\x01TagA\x02')] }
    await scene.putNumbered(0, 10, tag)
    await scene.reopen()
    scene.store.queueBounds('TopicTest', 0)
    scene.putBytes(QUEUE, Buffer.alloc(UNIT_BYTES), 4 * UNIT_BYTES)
    const { slices } = await scene.read({ offset: 4, tagHashes: new Set([tag.tagsCode]) })
    expect(recordsIn(slices).map(({ body }) => body.toString())).toEqual(numbered(4, 10))
  })

  it('does not keep a reader from those before it', async () => {
    const scene = await coldScene()
    await scene.close()
    // Without checksums it is found when its turn comes.
    scene.host.disk.remove(`${ROOT}/queueends`)
    await scene.open()
    scene.putBytes(QUEUE, Buffer.alloc(UNIT_BYTES), 20 * UNIT_BYTES)
    expect(await scene.read()).toMatchObject({ status: 'FOUND', messageCount: 20, nextOffset: 20 })
  })

  it('is put right once for all who read it at the same time', async () => {
    const scene = await coldScene()
    scene.putBytes(QUEUE, Buffer.alloc(5 * UNIT_BYTES), 10 * UNIT_BYTES)
    const request = { topic: 'TopicTest', queueId: 0, maxMessages: 32, maxBytes: 1 << 20 }
    const reads = [10, 10, 12].map((offset) => scene.store.read({ ...request, offset }))
    const outcomes = await scene.settle(Promise.all(reads))
    expect(outcomes.map(({ status }) => status)).toEqual(['FOUND', 'FOUND', 'FOUND'])
    expect(await scene.bodies()).toEqual(numbered(0, 30))
    expect(warnings(scene)).toHaveLength(5)
  })

  it('is put right for good: the next start finds it so', async () => {
    const scene = await coldScene()
    scene.putBytes(QUEUE, Buffer.alloc(UNIT_BYTES), 3 * UNIT_BYTES)
    await scene.bodies()
    await scene.settle(scene.store.checkpoint())
    await scene.reopenAfterPowerCut()
    expect(await scene.bodies()).toEqual(numbered(0, 30))
    expect(warnings(scene)).toHaveLength(1)
  })
})

it('units that are all wrong are all made anew, and in no other order', async () => {
  const scene = await coldScene()
  for (let i = 0; i < 30; i++) {
    const wrong = scene.world.random.below(6_000)
    scene.putBytes(QUEUE, unit(wrong, 102), i * UNIT_BYTES)
  }
  expect(await scene.bodies()).toEqual(numbered(0, 30))
})

it('a message that the log does not have is an error that names the queue and the way out', async () => {
  const scene = await coldScene(10)
  // The queue has one more message than was ever stored.
  scene.putBytes(LOG, Buffer.from([9]), 5 * 207 + 27)
  scene.putBytes(`${ROOT}/logsums/00000000000000000000`, Buffer.alloc(8))
  for (let i = 0; i < 2; i++) {
    const error = await scene.read({ offset: 5 }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(CorruptionError)
    expect(error).toMatchObject({ path: QUEUE, offset: 100 })
    expect(String(error)).toContain(
      'The message with queue offset 5 of queue 0 of topic "TopicTest" is lost',
    )
  }
  const told = scene.world.lines.filter(({ sentence }) => sentence.includes('lacks a message'))
  expect(told).toHaveLength(1)
  expect((await scene.read({ offset: 6 })).messageCount).toBe(4)
})

it('where the log is damaged, too, the error names the place in the log', async () => {
  const scene = await coldScene(10)
  scene.putBytes(QUEUE, Buffer.alloc(UNIT_BYTES), 5 * UNIT_BYTES)
  scene.putBytes(LOG, Buffer.from([9]), 5 * 207 + 60)
  await expect(scene.read({ offset: 5 })).rejects.toThrow(`"${LOG}" is damaged at byte `)
})
