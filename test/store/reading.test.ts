/** What readers get: from memory, from files, by tag, by time, and at the ends of a queue. */
import { describe, expect, it } from 'vitest'
import { numbered, ROOT, recordsIn, StoreScene } from './scene.ts'

/** So small that nearly all is read from files. */
const cold = { tailMemoryBytes: 1 } as const

describe('a read', () => {
  it.each([
    ['of a topic that is not there', { topic: 'None' }, 'NO_MATCHED_LOGIC_QUEUE', 0],
    ['of a queue that is not there', { queueId: 9 }, 'NO_MATCHED_LOGIC_QUEUE', 0],
    ['of a queue that was only waited for', { queueId: 8 }, 'NO_MESSAGE_IN_QUEUE', 0],
    ['at the end', { offset: 10 }, 'OFFSET_OVERFLOW_ONE', 10],
    ['behind the end', { offset: 11 }, 'OFFSET_OVERFLOW_BADLY', 10],
    ['before the beginning', { offset: -1 }, 'OFFSET_TOO_SMALL', 0],
    ['of tags that nobody sent', { tagHashes: new Set([7]) }, 'NO_MATCHED_MESSAGE', 10],
    ['of what is there', { offset: 4 }, 'FOUND', 10],
  ])('%s', async (_, request, status, nextOffset) => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 10)
    scene.store.queueEnd('TopicTest', 8)
    expect(await scene.read(request)).toMatchObject({ status, nextOffset })
  })

  it('gives as many messages and bytes as asked for, and one in any case', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 10; i++) await scene.put({ body: Buffer.alloc(900) })
    expect(await scene.read({ maxMessages: 3 })).toMatchObject({ messageCount: 3, bytes: 3_000 })
    expect(await scene.read({ maxBytes: 2_500 })).toMatchObject({ messageCount: 2, nextOffset: 2 })
    expect(await scene.read({ maxBytes: 1 })).toMatchObject({ messageCount: 1, nextOffset: 1 })
  })

  it('says where the queue begins and ends', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 5)
    expect(await scene.read()).toMatchObject({ minOffset: 0, maxOffset: 5 })
    expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 0, maxOffset: 5 })
  })

  it('shows nothing that is not confirmed', async () => {
    const scene = await StoreScene.opened({ flushDisk: 'sync' })
    await scene.put()
    const { endOffset, logOffset } = scene.append()
    await scene.world.clock.advance(0)
    expect(scene.store.marks.written.value).toBe(endOffset)
    expect(scene.store.queueBounds('TopicTest', 0).maxOffset).toBe(1)
    expect(scene.store.messageAt(logOffset)).toBeUndefined()
    await scene.world.clock.advance(5)
    expect(scene.store.queueBounds('TopicTest', 0).maxOffset).toBe(2)
  })

  it('is answered at once from memory, and later from files', async () => {
    const request = { topic: 'TopicTest', queueId: 0, offset: 0, maxMessages: 9, maxBytes: 999 }
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 5)
    expect(scene.store.read(request)).not.toBeInstanceOf(Promise)
    await scene.reopen()
    expect(scene.store.read(request)).toBeInstanceOf(Promise)
    expect(await scene.bodies()).toEqual(numbered(0, 5))
  })

  it('keeps no more in memory than it may', async () => {
    const MIB = 1 << 20
    const scene = await StoreScene.opened({
      commitLogSegmentBytes: 8 * MIB,
      maxMessageBytes: MIB,
      tailMemoryBytes: 2 * MIB,
    })
    for (let i = 0; i < 40; i++) await scene.put({ body: Buffer.alloc(100_000, i) })
    const request = { topic: 'TopicTest', queueId: 0, maxMessages: 1, maxBytes: 1 }
    expect(scene.store.read({ ...request, offset: 0 })).toBeInstanceOf(Promise)
    expect(scene.store.read({ ...request, offset: 30 })).not.toBeInstanceOf(Promise)
    await scene.settle(scene.store.checkpoint())
    const records = await scene.readAll()
    expect(records.map(({ body }) => body[0])).toEqual([...Array(40).keys()])
  })

  it('wakes up when the next message is visible', async () => {
    const scene = await StoreScene.opened()
    const waits = [1, 2].map((point) => scene.store.queueEnd('TopicTest', 0).reached(point))
    await scene.put()
    expect(await waits[0]).toBe(true)
    expect(await scene.bodies()).toEqual(['Hello'])
    await scene.put()
    expect(await waits[1]).toBe(true)
  })
})

describe('a read from files', () => {
  it('gives the same as one from memory, across segments of log and queue', async () => {
    const scene = await StoreScene.opened(cold)
    for (let i = 0; i < 160; i++) {
      await scene.put({ queueId: i % 2, body: Buffer.alloc(1_000 + i, i) })
    }
    await scene.reopen()
    await scene.put({ queueId: 0, body: Buffer.alloc(10, 200) })
    const records = await scene.readAll('TopicTest', 0)
    expect(records.map(({ queueOffset }) => queueOffset)).toEqual([...Array(81).keys()])
    const sizes = records.map(({ body }) => body.length)
    expect(sizes).toEqual([...Array.from({ length: 80 }, (_, i) => 1_000 + 2 * i), 10])
  })

  it('goes on in memory where that begins', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 5)
    await scene.reopen()
    await scene.putNumbered(5, 10)
    const first = await scene.read()
    expect(first.nextOffset).toBe(5)
    expect(await scene.bodies()).toEqual(numbered(0, 10))
  })

  it('takes records that lie close together in one call', async () => {
    const scene = await StoreScene.opened(cold)
    await scene.putNumbered(0, 40)
    await scene.reopen()
    let reads = 0
    scene.host.disk.watch((operation, path) => {
      if (operation === 'read' && path.includes('commitlog')) reads += 1
    })
    expect((await scene.read({ maxMessages: 40 })).messageCount).toBe(40)
    expect(reads).toBe(1)
  })

  it('filters by tag', async () => {
    const scene = await StoreScene.opened(cold)
    for (let i = 0; i < 30; i++) await scene.put({ tagsCode: i % 3 === 0 ? -392_709_271 : 5 })
    await scene.reopen()
    const { slices } = await scene.read({ tagHashes: new Set([-392_709_271]) })
    expect(recordsIn(slices).map(({ queueOffset }) => queueOffset % 3)).toEqual(Array(10).fill(0))
  })

  it('never gives what is not the message: a changed log is an error that says where', async () => {
    const scene = await StoreScene.opened(cold)
    await scene.putNumbered(0, 5)
    await scene.reopen()
    scene.putBytes(`${ROOT}/commitlog/00000000000000000000`, Buffer.alloc(30))
    await expect(scene.read()).rejects.toThrow('is damaged at byte 0')
  })

  it('gives no more messages and bytes than are set for files, and so from memory none less', async () => {
    const limits = { maxColdMessages: 3, maxColdBytes: 250 }
    for (const hot of [true, false]) {
      const scene = await StoreScene.opened(limits)
      await scene.putNumbered(0, 10)
      if (!hot) await scene.reopen()
      expect((await scene.read()).messageCount).toBe(hot ? 10 : 2)
      const { messageCount } = await scene.read({ maxMessages: 1 })
      expect(messageCount).toBe(1)
      expect(await scene.bodies()).toEqual(numbered(0, 10))
    }
  })

  it('looks through no more units for a tag than are set', async () => {
    const scene = await StoreScene.opened({ maxUnitsPerRead: 10 })
    for (let i = 0; i < 50; i++) await scene.put({ tagsCode: i === 40 ? 7 : 5 })
    const request = { tagHashes: new Set([7]), maxMessages: 5 }
    for (const cold of [false, true]) {
      if (cold) await scene.reopen()
      expect(await scene.read(request)).toMatchObject({
        status: 'NO_MATCHED_MESSAGE',
        nextOffset: 10,
      })
      expect(await scene.read({ ...request, offset: 35 })).toMatchObject({ messageCount: 1 })
    }
  })

  it('holds no more than a few files open, however many queues there are', async () => {
    const scene = await StoreScene.opened()
    let open = 0
    let most = 0
    scene.host.disk.watch((operation) => {
      if (operation === 'open') open += 1
      if (operation === 'close') open -= 1
      most = Math.max(most, open)
    })
    for (let queueId = 0; queueId < 600; queueId++) await scene.put({ queueId })
    await scene.settle(scene.store.checkpoint())
    for (let queueId = 0; queueId < 600; queueId++) await scene.put({ queueId })
    await scene.reopen()
    for (let queueId = 0; queueId < 600; queueId += 50) {
      expect(await scene.bodies('TopicTest', queueId)).toEqual(['Hello', 'Hello'])
    }
    expect(most).toBeLessThan(300)
  })
})

describe('the message at a log offset', () => {
  it.each(['memory', 'files'])('is found in %s, and only where one begins', async (where) => {
    const scene = await StoreScene.opened()
    await scene.put()
    const { logOffset, endOffset } = await scene.put({ body: Buffer.alloc(6_000, 1) })
    if (where === 'files') await scene.reopen()
    const at = (offset: number) => scene.settle(scene.store.messageAt(offset))
    expect(await at(logOffset)).toHaveLength(endOffset - logOffset)
    for (const offset of [logOffset + 1, logOffset - 4, endOffset, -1, 1e15]) {
      expect(await at(offset)).toBeUndefined()
    }
  })
})

describe('the search by time', () => {
  const start = 1_704_067_200_000

  /** Messages stored at 10, 20, 20, 20, 30 ms after the start. */
  async function timed(config = {}): Promise<StoreScene> {
    const scene = await StoreScene.opened(config)
    for (const at of [10, 20, 20, 20, 30]) {
      await scene.world.clock.run(at)
      scene.append()
    }
    await scene.world.clock.run(31)
    return scene
  }

  it.each([
    [9, 0, 0],
    [10, 0, 0],
    [15, 1, 0],
    [20, 1, 3],
    [25, 4, 3],
    [30, 4, 4],
    [31, 5, 4],
  ])('at %d ms finds %d as lower and %d as upper', async (at, lower, upper) => {
    for (const config of [{}, cold]) {
      const scene = await timed(config)
      const search = (boundary: 'lower' | 'upper') =>
        scene.settle(scene.store.offsetByTime('TopicTest', 0, start + at, boundary))
      expect([await search('lower'), await search('upper')]).toEqual([lower, upper])
    }
  })

  it('finds 0 in a queue without messages', async () => {
    const scene = await StoreScene.opened()
    expect(await scene.store.offsetByTime('None', 0, start, 'lower')).toBe(0)
    expect(await scene.store.storeTimeOf('None', 0, 0)).toBe(-1)
  })
})
