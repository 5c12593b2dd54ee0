/** How readers of files share what is in memory, and read ahead. */
import { CorruptionError } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { ROOT, recordsIn, StoreScene } from './scene.ts'

const MIB = 1 << 20
const LOG = `${ROOT}/commitlog/00000000000000000000`
const BODY_BYTES = 100_000
const config = {
  commitLogSegmentBytes: 4 * MIB,
  consumeQueueSegmentBytes: 6_000_000,
  maxMessageBytes: MIB,
}

/** Messages of 100,000 bytes in two queues in turn, in files only, and the calls that read the log. */
async function coldScene(count: number): Promise<{ scene: StoreScene; reads: () => number }> {
  const scene = await StoreScene.opened(config)
  let end = { endOffset: 0 }
  for (let i = 0; i < count; i++) end = scene.append({ queueId: i % 2, body: bodyOf(i) })
  await scene.settled(end)
  await scene.reopen()
  let reads = 0
  scene.host.disk.watch((operation, path) => {
    if (operation === 'read' && path.includes('commitlog')) reads += 1
  })
  return { scene, reads: () => reads }
}

function bodyOf(i: number): Buffer {
  const body = Buffer.alloc(BODY_BYTES, i)
  body.writeInt32BE(i)
  return body
}

/** Reads a queue with one message for each pull; how many of the answers had to be waited for. */
async function readOneByOne(scene: StoreScene, queueId: number): Promise<number> {
  const { maxOffset } = scene.store.queueBounds('TopicTest', queueId)
  let waits = 0
  for (let offset = 0; offset < maxOffset; offset++) {
    const request = { topic: 'TopicTest', queueId, offset, maxMessages: 1, maxBytes: MIB }
    const outcome = scene.store.read(request)
    if (outcome instanceof Promise) waits += 1
    const { slices } = await scene.settle(outcome)
    const [record] = recordsIn(slices)
    expect(record?.body.equals(bodyOf(2 * offset + queueId))).toBe(true)
  }
  return waits
}

describe('a consumer that reads on through files', () => {
  it('waits for few of its pulls, and takes the log window by window', async () => {
    const { scene, reads } = await coldScene(100)
    // 10 MB in 3 segments of 4 windows each.
    expect(await readOneByOne(scene, 0)).toBeLessThan(20)
    expect(reads()).toBeLessThan(20)
  })

  it('leaves the windows to who reads another queue of the same stretch', async () => {
    const { scene, reads } = await coldScene(100)
    await readOneByOne(scene, 0)
    const before = reads()
    expect(await readOneByOne(scene, 1)).toBeLessThan(5)
    expect(reads() - before).toBeLessThan(3)
  })

  it('gets large messages and those on the border of two windows whole', async () => {
    const scene = await StoreScene.opened(config)
    const sizes = [1_000_000, 70_000, 300_000, 1_040_000, 5, 900_000, 400_000]
    let end = { endOffset: 0 }
    for (let i = 0; i < 21; i++) end = scene.append({ body: Buffer.alloc(sizes[i % 7] ?? 0, i) })
    await scene.settled(end)
    await scene.reopen()
    for (let round = 0; round < 3; round++) {
      const records = await scene.readAll()
      expect(records.map(({ body }) => body.length)).toEqual([...sizes, ...sizes, ...sizes])
      expect(records.every(({ body }, i) => body.equals(Buffer.alloc(body.length, i)))).toBe(true)
    }
  })
})

it('who jumps about reads no more than what is asked for', async () => {
  const { scene, reads } = await coldScene(100)
  for (const offset of [45, 3, 30, 16]) await scene.read({ offset, maxMessages: 1 })
  expect(reads()).toBe(4)
})

it('what is kept is bounded: who begins anew behind much reads it again', async () => {
  const { scene, reads } = await coldScene(400)
  await readOneByOne(scene, 0)
  const once = reads()
  await readOneByOne(scene, 0)
  expect(reads()).toBeGreaterThan(once * 1.8)
})

describe('damage in a window', () => {
  it('keeps nobody from the messages beside it', async () => {
    const { scene } = await coldScene(60)
    scene.putBytes(LOG, Buffer.from([1, 2, 3]), 10 * 100_100 + 20_000)
    const failed: number[] = []
    for (let offset = 0; offset < 30; offset++) {
      await scene.read({ offset, maxMessages: 1 }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(CorruptionError)
        failed.push(offset)
      })
    }
    expect(failed).toEqual([5])
  })

  it('that the device reports is met only by who asks for it, or by nobody', async () => {
    const { scene } = await coldScene(100)
    for (let offset = 0; offset < 50; offset++) {
      if (offset % 10 === 5) {
        // Of the calls for a window whole, or ahead, one fails.
        scene.host.disk.fail({ operation: 'read', pathIncludes: 'commitlog', code: 'EIO' })
      }
      const read = scene.read({ offset, maxMessages: 1 })
      const { messageCount } = await read.catch(() => scene.read({ offset, maxMessages: 1 }))
      expect(messageCount).toBe(1)
    }
  })
})
