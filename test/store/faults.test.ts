/** What the store promises when the disk, the machine or the process fails. */
import { openStore, type Store } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { message, numbered, ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const sync = { flushDisk: 'sync' } as const
const LOG = `${ROOT}/commitlog/00000000000000000000`

describe('a name that could not be made durable', () => {
  it.each([
    ['a flush', 0],
    ['a checkpoint', 1],
  ])('is called so by nobody, when %s asked for it first', async (_, checkpoints) => {
    const scene = await StoreScene.opened({ ...sync, syncFlushTimeoutMs: 60_000 })
    for (let i = 0; i < checkpoints; i++) await scene.settle(scene.store.checkpoint())
    scene.host.disk.syncDelay = [50, 50]
    scene.host.disk.fail({ operation: 'syncDirectory', pathIncludes: 'commitlog', code: 'EIO' })
    const { endOffset } = scene.append()
    const checkpoint = scene.store.checkpoint().catch(() => 'failed')
    const settled = scene.store.settled(endOffset, { waitForFlush: true })
    expect(await scene.settle(Promise.all([settled, checkpoint]))).toEqual(['failed', 'failed'])
    await scene.settle(scene.store.checkpoint().catch(() => undefined))
    scene.host.crash({ bytes: 'lost', names: 'lost' })
    scene.host.restart()
    await scene.open()
    expect(scene.store.runtime().appendedOffset).toBe(0)
  })
})

describe('a store whose process is killed', () => {
  it('keeps every message that was acknowledged, with asynchronous flush, too', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(0, 30))
  })

  it('goes on with the next offsets', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 5)
    const before = await scene.put()
    await scene.reopenAfterKill()
    const after = await scene.put()
    expect(after.queueOffset).toBe(before.queueOffset + 1)
    expect(after.logOffset).toBe(before.endOffset)
  })

  it('forgets what was appended in the turn of its death', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    scene.append({ body: Buffer.from('never written') })
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(0, 3))
  })

  it('keeps messages of many segments and of many queues', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 120; i++) {
      await scene.put({ queueId: i % 3, body: Buffer.alloc(1000, i) })
    }
    await scene.reopenAfterKill()
    for (let queueId = 0; queueId < 3; queueId++) {
      const records = await scene.readAll('TopicTest', queueId)
      expect(records.map(({ queueOffset }) => queueOffset)).toEqual([...Array(40).keys()])
      expect(records.every(({ body }, i) => body[0] === i * 3 + queueId)).toBe(true)
    }
  })

  it('can be killed again at any call of the recovery, and recovers the same', async () => {
    for (let dieAt = 1; ; dieAt++) {
      const scene = await StoreScene.opened()
      await scene.putNumbered(0, 40)
      await scene.world.clock.advance(1_500)
      await scene.putNumbered(40, 60)
      scene.append({ body: Buffer.from('torn') })
      scene.host.kill()
      let calls = 0
      let died = false
      scene.host.restart()
      scene.host.disk.watch(() => {
        calls += 1
        if (calls !== dieAt) return
        died = true
        scene.host.kill()
      })
      const opening = openStore(scene.host.doors, scene.config).catch(() => undefined)
      await scene.world.clock.advance(1_000)
      scene.host.disk.clearFaults()
      if (!died) {
        await opening
        expect(dieAt).toBeGreaterThan(10)
        return
      }
      scene.host.restart()
      await scene.open()
      expect(await scene.bodies()).toEqual(numbered(0, 60))
      expect((await scene.put()).queueOffset).toBe(60)
    }
  })
})

describe('a store whose machine loses power', () => {
  it('keeps every message that was acknowledged with synchronous flush', async () => {
    const scene = await StoreScene.opened(sync)
    await scene.putNumbered(0, 30)
    await scene.reopenAfterPowerCut()
    expect(await scene.bodies()).toEqual(numbered(0, 30))
  })

  it('keeps what was flushed by time with asynchronous flush', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 20)
    await scene.world.clock.advance(600)
    await scene.putNumbered(20, 25)
    await scene.reopenAfterPowerCut()
    expect(await scene.bodies()).toEqual(numbered(0, 20))
    expect((await scene.put()).queueOffset).toBe(20)
  })

  it('keeps queues and log in agreement, whatever of them survives', async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const scene = await StoreScene.opened(sync, seed)
      await scene.putNumbered(0, 70)
      await scene.world.clock.advance(1_200)
      await scene.putNumbered(70, 90)
      for (let i = 0; i < 20; i++) scene.append({ body: Buffer.from('not acknowledged') })
      await scene.world.clock.advance(scene.world.random.below(3) / 5)
      await scene.reopenAfterPowerCut('random')
      const bodies = await scene.bodies()
      expect(bodies.slice(0, 90)).toEqual(numbered(0, 90))
      expect(new Set(bodies.slice(90))).toEqual(new Set(bodies.slice(90).fill('not acknowledged')))
      expect((await scene.put()).queueOffset).toBe(bodies.length)
    }
  })

  it('never takes an old record behind the end for a new one after the next crash', async () => {
    const scene = await StoreScene.opened(sync)
    await scene.putNumbered(0, 2)
    // Both are written, the first of them is lost with its page, the second survives.
    const first = scene.append({ body: Buffer.alloc(5_000, 1) })
    scene.append({ body: Buffer.alloc(5_000, 2) })
    await scene.world.clock.advance(0)
    scene.crashWithout(LOG, first.logOffset, 512)
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 2))
    // The new record has the size of the lost one: behind it lay the second.
    expect((await scene.put({ body: Buffer.alloc(5_000, 3) })).logOffset).toBe(first.logOffset)
    await scene.reopenAfterKill()
    expect((await scene.readAll()).map(({ body }) => body.length)).toEqual([2, 2, 5_000])
  })
})

describe('a store whose disk takes fewer bytes than offered', () => {
  it('writes the rest, too', async () => {
    const scene = new StoreScene({}, 7, { disk: { shortCallChance: 0.5 } })
    await scene.open()
    await scene.putNumbered(0, 60)
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(0, 60))
    await scene.reopen()
    expect(await scene.bodies()).toEqual(numbered(0, 60))
  })
})

describe('a store whose device fails', () => {
  it('stops for good when a sync fails: nobody is told that his message is safe', async () => {
    const scene = await StoreScene.opened(sync)
    await scene.putNumbered(0, 3)
    scene.host.disk.fail({ operation: 'sync', pathIncludes: 'commitlog', code: 'EIO' })
    const [one, two] = [scene.append(), scene.append()]
    expect(await scene.settled(one)).toBe('failed')
    expect(await scene.settled(two)).toBe('failed')
    const refused = scene.store.append(message())
    expect(refused.kind).toBe('not-writable')
    expect(refused.kind === 'not-writable' && refused.reason).toMatch(
      /since its disk failed: .*EIO/,
    )
    expect((await scene.settle(scene.store.failed)).message).toContain('EIO')
    expect(scene.world.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
  })

  it('does not try a failed sync again, and still serves readers', async () => {
    const scene = await StoreScene.opened(sync)
    await scene.putNumbered(0, 3)
    scene.host.disk.fail({ operation: 'sync', pathIncludes: 'commitlog', code: 'EIO' })
    const lost = scene.append()
    await scene.settled(lost)
    let syncs = 0
    scene.host.disk.watch((operation) => {
      if (operation === 'sync') syncs += 1
    })
    await scene.world.clock.advance(60_000)
    expect(syncs).toBe(0)
    expect(scene.store.marks.flushed.value).toBe(lost.logOffset)
    expect(await scene.bodies()).toEqual(numbered(0, 3))
  })

  it('keeps what the next process acknowledges, though the device lost what was before', async () => {
    const scene = await StoreScene.opened(sync)
    await scene.putNumbered(0, 3)
    scene.host.disk.fail({ operation: 'sync', pathIncludes: 'commitlog', code: 'EIO' })
    // Several pages: the system takes them for clean from now on, and never writes them again.
    const lost = Array.from({ length: 4 }, (_, i) => scene.append({ body: Buffer.alloc(5_000, i) }))
    for (const each of lost) expect(await scene.settled(each)).toBe('failed')
    await scene.reopenAfterKill()
    await scene.putNumbered(3, 5)
    await scene.reopenAfterPowerCut()
    expect(await scene.bodies()).toEqual(expect.arrayContaining(numbered(0, 5)))
  })

  it('stops when the log cannot be written', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    scene.host.disk.fail({ operation: 'write', pathIncludes: 'commitlog', code: 'EIO' })
    const lost = scene.append()
    expect(await scene.settled(lost)).toBe('failed')
    expect(scene.store.append(message()).kind).toBe('not-writable')
    scene.host.disk.clearFaults()
    await scene.close()
    await scene.open()
    expect(await scene.bodies()).toEqual(['Hello'])
  })

  it('ends the waits for a message when it fails', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    const wait = scene.store.queueEnd('TopicTest', 0).reached(2)
    scene.host.disk.fail({ operation: 'sync', pathIncludes: 'commitlog', code: 'EIO' })
    await scene.world.clock.advance(1_000)
    await scene.close()
    expect(await wait).toBe(false)
  })
})

describe('a store whose volume is full', () => {
  const big = { body: Buffer.alloc(4_000) }

  function fill(store: Store): { accepted: number; reason: string } {
    for (let accepted = 0; ; accepted++) {
      const outcome = store.append(message(big))
      if (outcome.kind !== 'appended') return { accepted, reason: outcome.reason }
    }
  }

  it('refuses messages before it accepts them, and says which volume is full', async () => {
    const scene = new StoreScene({}, 1, { disk: { capacityBytes: 3 * SEGMENT_BYTES } })
    const store = await scene.open()
    const { accepted, reason } = fill(store)
    expect(accepted).toBeGreaterThan(3)
    expect(reason).toMatch(/^The volume of "\/store\/commitlog" is full: \d+ bytes are free/)
    await scene.world.clock.advance(5)
    expect(store.marks.written.value).toBe(store.runtime().appendedOffset)
    await scene.reopenAfterKill()
    expect(await scene.readAll()).toHaveLength(accepted)
  })

  it('accepts messages again by itself when there is room', async () => {
    const scene = new StoreScene({}, 1, { disk: { capacityBytes: 3 * SEGMENT_BYTES } })
    const store = await scene.open()
    const { accepted } = fill(store)
    scene.host.disk.setCapacity(100 * SEGMENT_BYTES)
    await scene.world.clock.advance(200)
    expect((await scene.put(big)).queueOffset).toBe(accepted)
    expect(await scene.readAll()).toHaveLength(accepted + 1)
  })

  it('does not rely on room that it saw before others filled the volume', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    scene.host.disk.setCapacity(0)
    await scene.world.clock.advance(1_000)
    expect(scene.store.append(message()).kind).toBe('not-writable')
    expect(scene.store.runtime().freeDiskBytes).toBe(0)
    scene.host.disk.setCapacity(1 << 30)
    await scene.world.clock.advance(1_000)
    await scene.putNumbered(3, 5)
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(0, 5))
  })

  it('does not ask a full disk again for each message', async () => {
    const scene = new StoreScene({}, 1, { disk: { capacityBytes: 3 * SEGMENT_BYTES } })
    const store = await scene.open()
    fill(store)
    let calls = 0
    scene.host.disk.watch(() => {
      calls += 1
    })
    for (let i = 0; i < 100; i++) expect(store.append(message(big)).kind).toBe('not-writable')
    expect(calls).toBe(0)
  })

  it('goes on without saving the queues, and saves them when there is room', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    scene.host.disk.fail({
      operation: 'write',
      pathIncludes: 'consumequeue',
      code: 'ENOSPC',
      times: 3,
    })
    await scene.putNumbered(0, 3)
    await scene.world.clock.advance(11_000)
    await scene.put()
    await scene.world.clock.advance(3_000)
    expect(scene.world.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    await scene.reopen()
    expect(await scene.bodies()).toEqual(['Hello', ...numbered(0, 3), 'Hello'])
  })
})
