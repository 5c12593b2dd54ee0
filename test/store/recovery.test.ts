/** How a store finds out, at its start, what is true. */
import { CorruptionError, openStore } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { message, numbered, QUEUE_SEGMENT_BYTES, ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const LOG = `${ROOT}/commitlog/00000000000000000000`
const QUEUE = `${ROOT}/consumequeue/TopicTest/0/00000000000000000000`
const LAST_QUEUE_FILE = `${ROOT}/consumequeue/TopicTest/0/${String(2 * QUEUE_SEGMENT_BYTES).padStart(20, '0')}`
const CHECKPOINT = `${ROOT}/checkpoint`
const ABORT = `${ROOT}/abort`
/** With the topic of the tests, a record of exactly one page. */
const PAGE_BODY_BYTES = 4096 - 91 - 'TopicTest'.length

describe('a checkpoint', () => {
  it('makes log and queues durable, their new folders included', async () => {
    const scene = await StoreScene.opened({ flushIntervalMs: 3_000 })
    await scene.putNumbered(0, 60)
    await scene.settle(scene.store.checkpoint())
    scene.append({ body: Buffer.from('later') })
    await scene.reopenAfterPowerCut()
    expect(await scene.bodies()).toEqual(numbered(0, 60))
  })

  it('is not written before the log is flushed', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const scene = await StoreScene.opened({}, seed)
      await scene.put()
      await scene.settle(scene.store.checkpoint())
      const { endOffset } = await scene.put()
      scene.host.disk.syncDelay = [1, 1_000]
      const flushed: number[] = []
      scene.host.disk.watch((operation, path) => {
        if (operation !== 'write' || path !== CHECKPOINT) return
        flushed.push(scene.store.marks.flushed.value)
      })
      await scene.settle(scene.store.checkpoint())
      expect(flushed).toEqual([endOffset])
    }
  })

  it('is written by itself, so that a start looks only at what came after', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 10; i++) await scene.put({ body: Buffer.alloc(1_000) })
    await scene.world.clock.advance(12_000)
    const durable = scene.store.marks.dispatched.value
    await scene.putNumbered(10, 12)
    // What lies before the checkpoint is not even looked at: spoilt, it harms nobody at the start.
    scene.host.kill()
    scene.putBytes(LOG, Buffer.alloc(20, 0xff))
    scene.host.restart()
    await scene.open()
    expect(scene.store.queueBounds('TopicTest', 0).maxOffset).toBe(12)
    expect(scene.store.marks.dispatched.value).toBeGreaterThan(durable)
  })

  it('holds the store time of the last durable message where Apache looks for it', async () => {
    const scene = await StoreScene.opened()
    const { storeTimestamp } = await scene.put()
    await scene.world.clock.advance(50)
    await scene.close()
    const page = scene.fileBytes(CHECKPOINT)
    expect(page).toHaveLength(4096)
    expect(Number(page.readBigInt64BE(0))).toBe(storeTimestamp)
    expect(Number(page.readBigInt64BE(8))).toBe(storeTimestamp)
  })

  it('is kept in what Apache has in it besides', async () => {
    const scene = await StoreScene.opened()
    await scene.close()
    const page = Buffer.alloc(8)
    page.writeBigInt64BE(1_700_000_000_000n)
    scene.putBytes(CHECKPOINT, page, 24)
    await scene.open()
    await scene.put()
    await scene.close()
    expect(scene.fileBytes(CHECKPOINT).readBigInt64BE(24)).toBe(1_700_000_000_000n)
  })
})

describe('the end of the log', () => {
  it('is before a record of which only a part was written', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    const torn = await scene.put({ body: Buffer.alloc(500, 7) })
    scene.crashWithout(LOG, torn.logOffset + 300, 320)
    await scene.open()
    expect(scene.store.runtime().appendedOffset).toBe(torn.logOffset)
    expect(await scene.bodies()).toEqual(numbered(0, 3))
  })

  it('is before a record of which only topic or properties are not whole', async () => {
    const properties = [Buffer.from('TAGS\x01red\x02')]
    const tail = 'TopicTest'.length + 2 + 'TAGS\x01red\x02'.length
    for (let missing = 1; missing <= tail; missing++) {
      const scene = await StoreScene.opened()
      await scene.putNumbered(0, 3)
      const torn = await scene.put({ properties })
      scene.crashWithout(LOG, torn.endOffset - missing, missing)
      await scene.open()
      expect(scene.store.runtime().appendedOffset).toBe(torn.logOffset)
    }
  })

  it('is before a record of which a sector within the properties is missing', async () => {
    for (let sector = 1; sector < 4; sector++) {
      const scene = await StoreScene.opened()
      await scene.put({ body: Buffer.alloc(300) })
      const torn = await scene.put({ properties: [Buffer.alloc(1_600, 'p')] })
      scene.crashWithout(LOG, 512 + sector * 512, 512)
      await scene.open()
      expect(scene.store.runtime().appendedOffset).toBe(torn.logOffset)
    }
  })

  it('is before a record that was copied from elsewhere', async () => {
    const scene = await StoreScene.opened()
    const first = await scene.put()
    const { endOffset } = await scene.put()
    scene.host.kill()
    const record = scene.fileBytes(LOG).subarray(first.logOffset, first.endOffset)
    scene.putBytes(LOG, Buffer.from(record), endOffset)
    scene.host.restart()
    await scene.open()
    expect(scene.store.runtime().appendedOffset).toBe(endOffset)
  })

  it('is followed by zeros for good, so that an old record never rises again', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const scene = await StoreScene.opened({}, seed)
      await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES, 0) })
      const lost = await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES, 1) })
      await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES, 2) })
      scene.crashWithout(LOG, lost.logOffset, 512)
      await scene.open()
      // The new record has the size of the lost one: behind it lay the old second one.
      await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES, 3) })
      await scene.reopenAfterPowerCut('random')
      expect((await scene.readAll()).map(({ body }) => body[0])).not.toContain(2)
    }
  })

  it('can be at the end of a segment', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 3; i++) await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    const rolled = await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    expect(rolled.logOffset).toBe(SEGMENT_BYTES)
    scene.host.kill()
    scene.host.disk.remove(`${ROOT}/commitlog/${String(SEGMENT_BYTES).padStart(20, '0')}`)
    scene.host.restart()
    await scene.open()
    expect(scene.store.runtime().appendedOffset).toBe(SEGMENT_BYTES)
    expect((await scene.put()).logOffset).toBe(SEGMENT_BYTES)
    expect(await scene.readAll()).toHaveLength(4)
  })

  it('stays in its segment when a full disk has no room for the blank record', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 3; i++) await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    await scene.reopenAfterKill()
    scene.host.disk.setCapacity(0)
    const big = message({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    expect(scene.store.append(big).kind).toBe('not-writable')
    await scene.close()
    expect(scene.world.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('damage in the log', () => {
  const missing = { body: Buffer.alloc(600, 7) }

  it('is not cut off, though only records behind the checkpoint are looked at', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    const damaged = await scene.put(missing)
    await scene.putNumbered(4, 6)
    scene.host.kill()
    const before = scene.fileBytes(LOG)
    before[damaged.logOffset + 200] = 8
    scene.putBytes(LOG, before)
    scene.host.restart()
    const { message: sentence, ...error } = await damageOf(scene)
    expect(sentence).toMatch(/checksum/)
    expect(error).toMatchObject({ path: LOG, name: 'CorruptionError' })
    expect(scene.fileBytes(LOG).equals(before)).toBe(true)
    before[damaged.logOffset + 200] = 7
    scene.putBytes(LOG, before)
    await scene.open()
    expect(await scene.readAll()).toHaveLength(6)
  })

  it('is found in every byte of a record, be it covered by the checksum of the body or not', async () => {
    const scene = await StoreScene.opened()
    const properties = [Buffer.from('KEYS\x01k\x02')]
    const damaged = await scene.put({ properties })
    await scene.put()
    scene.host.kill()
    const before = scene.fileBytes(LOG)
    for (let at = damaged.logOffset; at < damaged.endOffset; at++) {
      const bytes = Buffer.from(before)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      scene.putBytes(LOG, bytes)
      scene.host.restart()
      await damageOf(scene)
      scene.host.kill()
    }
  })

  it('is told from what the device had not taken yet when the system crashed', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    const lost = await scene.put(missing)
    await scene.putNumbered(4, 6)
    scene.crashWithout(LOG, lost.logOffset, 512)
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 3))
  })

  it('is not taken for that when no sector is missing', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    const damaged = await scene.put(missing)
    await scene.putNumbered(4, 6)
    scene.crashWithout(LOG, damaged.logOffset + 150, 40)
    const { message: sentence, offset } = await damageOf(scene)
    expect(sentence).toMatch(/checksum of the body is wrong, but a sound record follows at/)
    expect(offset).toBe(damaged.logOffset)
  })

  it('is judged as before by a start after one that was killed', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    const lost = await scene.put(missing)
    await scene.putNumbered(4, 6)
    scene.crashWithout(LOG, lost.logOffset, 512)
    // The next process dies before it has cut anything off.
    scene.host.disk.watch((operation, path) => {
      if (operation === 'read' && path === LOG) scene.host.kill()
    })
    openStore(scene.host.doors, scene.config).catch(() => undefined)
    await scene.world.clock.advance(1_000)
    scene.host.disk.clearFaults()
    scene.host.restart()
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 3))
  })

  it('that cut the log shorter than it was is found, too', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 40)
    const last = await scene.put()
    await scene.close()
    scene.host.disk.remove(ABORT)
    scene.putBytes(LOG, Buffer.alloc(4096 * 2), last.logOffset)
    expect((await damageOf(scene)).path).toBe(LOG)
  })

  it('is found in the next segment when the end of one is bad', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 3; i++) await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    const last = await scene.put({ body: Buffer.alloc(2_000, 1) })
    const next = await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    expect(next.logOffset).toBe(SEGMENT_BYTES)
    scene.crashWithout(LOG, last.logOffset + 200, 100)
    expect((await damageOf(scene)).offset).toBe(last.logOffset)
  })
})

describe('a checksum of whole records', () => {
  const config = { appendWholeCrc: true, verifyWholeCrc: true }

  it('ends each record if so configured, those of a batch, too', async () => {
    const scene = await StoreScene.opened(config)
    await scene.put({ properties: [Buffer.from('A\x01b\x02')] })
    const { body: _, flag: __, properties: ___, tagsCode: ____, ...common } = message()
    const entry = { flag: 0, body: Buffer.from('b'), properties: [], tagsCode: 0 }
    const outcome = scene.store.appendBatch(common, [entry, entry])
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    await scene.settled(outcome)
    const texts = (await scene.readAll()).map(({ properties }) => {
      return String(properties).replaceAll('\x01', '=').replaceAll('\x02', ';')
    })
    expect(texts).toHaveLength(3)
    expect(texts[0]).toMatch(/^A=b;__CRC32#=\d{10};$/)
    for (const properties of texts.slice(1)) expect(properties).toMatch(/^__CRC32#=\d{10};$/)
    await scene.reopenAfterKill()
    expect(await scene.readAll()).toHaveLength(3)
  })

  it('is demanded at a start if so configured', async () => {
    const scene = await StoreScene.opened({ verifyWholeCrc: true })
    await scene.put()
    scene.host.kill()
    scene.host.restart()
    expect((await damageOf(scene)).message).toMatch(/the log went on|__CRC32#/)
  })
})

/** What a start says that must fail for damage. */
async function damageOf(scene: StoreScene): Promise<CorruptionError> {
  const opened = scene.settle(openStore(scene.host.doors, scene.config))
  const error: unknown = await opened.then(
    () => 'the store is open',
    (reason) => reason,
  )
  if (!(error instanceof CorruptionError)) throw error
  return error
}

describe('flushing', () => {
  it('counts nothing that was written after the sync began', async () => {
    const scene = await StoreScene.opened({ flushDisk: 'sync' })
    const early = scene.append()
    await scene.world.clock.advance(0)
    const late = scene.append()
    await scene.world.clock.advance(0)
    expect(scene.store.marks.written.value).toBe(late.endOffset)
    expect(await scene.settled(early)).toBe('ok')
    expect(scene.store.marks.flushed.value).toBe(early.endOffset)
    expect(scene.store.queueBounds('TopicTest', 0).maxOffset).toBe(1)
    expect(await scene.settled(late)).toBe('ok')
  })

  it('gives a sender up after its time, and stores the message all the same', async () => {
    const scene = await StoreScene.opened({ flushDisk: 'sync' })
    scene.host.disk.syncDelay = [8_000, 8_000]
    const appended = scene.append()
    const outcome = scene.store.settled(appended.endOffset, { waitForFlush: true })
    await scene.world.clock.advance(5_001)
    expect(await outcome).toBe('flush-timeout')
    await scene.world.clock.advance(60_000)
    expect(await scene.bodies()).toEqual(['Hello'])
  })

  it('is not waited for by a sender who does not want to', async () => {
    const scene = await StoreScene.opened({ flushDisk: 'sync' })
    scene.host.disk.syncDelay = [8_000, 8_000]
    const { endOffset } = scene.append()
    expect(await scene.settle(scene.store.settled(endOffset, { waitForFlush: false }))).toBe('ok')
    expect(scene.store.marks.flushed.value).toBe(0)
  })
})

describe('the units of a queue', () => {
  /** A queue whose files know five messages, of which the log has only two. */
  async function withStaleUnits(): Promise<StoreScene> {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 2)
    await scene.settle(scene.store.checkpoint())
    const lost = await scene.put()
    await scene.putNumbered(3, 5)
    await killedAtItsCheckpoint(scene)
    scene.crashWithout(LOG, lost.logOffset, 1000)
    await scene.open()
    return scene
  }

  it('of messages that the log lost are gone', async () => {
    const scene = await withStaleUnits()
    expect(await scene.bodies()).toEqual(numbered(0, 2))
    expect((await scene.put()).queueOffset).toBe(2)
  })

  it('do not come back after the next crash', async () => {
    const scene = await withStaleUnits()
    await scene.putNumbered(0, 20, { queueId: 1 })
    await scene.settle(scene.store.checkpoint())
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(0, 2))
  })

  it('do not come back after an orderly stop in which nobody touched the queue', async () => {
    const scene = await withStaleUnits()
    await scene.putNumbered(0, 20, { queueId: 1 })
    await scene.reopen()
    expect(await scene.bodies()).toEqual(numbered(0, 2))
  })

  it('are all made anew from the log when the checkpoint is gone', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 130)
    await scene.close()
    scene.host.disk.remove(CHECKPOINT)
    scene.putBytes(QUEUE, Buffer.alloc(QUEUE_SEGMENT_BYTES, 0x11))
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 130))
  })

  it('that are missing are made anew from the log', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.settle(scene.store.checkpoint())
    await scene.putNumbered(30, 40)
    scene.host.kill()
    scene.putBytes(QUEUE, Buffer.alloc(400), 200)
    scene.host.restart()
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 40))
    expect(warnings(scene)).toContainEqual(expect.objectContaining({ first: ['TopicTest/0'] }))
  })

  it('are made anew after an orderly stop, too, be they cleared or their folder gone', async () => {
    for (const spoil of [
      (scene: StoreScene) => scene.putBytes(LAST_QUEUE_FILE, Buffer.alloc(400)),
      (scene: StoreScene) => scene.host.disk.remove(`${ROOT}/consumequeue/TopicTest`),
      (scene: StoreScene) => scene.host.disk.remove(`${ROOT}/consumequeue`),
      (scene: StoreScene) => scene.host.disk.remove(LAST_QUEUE_FILE),
    ]) {
      const scene = await StoreScene.opened()
      await scene.putNumbered(0, 120)
      await scene.putNumbered(0, 70, { queueId: 1 })
      await scene.close()
      spoil(scene)
      await scene.open()
      expect((await scene.put({ body: Buffer.from('m120') })).queueOffset).toBe(120)
      expect(await scene.bodies()).toEqual(numbered(0, 121))
      expect(await scene.bodies('TopicTest', 1)).toEqual(numbered(0, 70))
      await scene.reopen()
      expect(await scene.bodies()).toEqual(numbered(0, 121))
    }
  })

  it('are all made anew when the file of queue ends is gone and they do not fit the log', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.settle(scene.store.checkpoint())
    await scene.putNumbered(30, 40)
    scene.host.kill()
    scene.putBytes(QUEUE, Buffer.alloc(400), 200)
    scene.host.disk.remove(`${ROOT}/queueends`)
    scene.host.restart()
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 40))
  })

  it('are believed only as far as they were known at the checkpoint', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.close()
    // A unit that would be taken for the next message's.
    const stray = Buffer.alloc(20)
    stray.writeInt32BE(100, 8)
    scene.putBytes(QUEUE, stray, 30 * 20)
    await scene.open()
    expect(scene.store.queueBounds('TopicTest', 0).maxOffset).toBe(30)
    await scene.put({ body: Buffer.from('m30') })
    expect(await scene.bodies()).toEqual(numbered(0, 31))
  })

  it('of a deleted topic do not come back, though the log has its messages', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.putNumbered(0, 5, { topic: 'Other' })
    await scene.settle(scene.store.checkpoint())
    await scene.settle(scene.store.deleteTopic('TopicTest'))
    await scene.reopen()
    scene.host.disk.remove(`${ROOT}/consumequeue/Other`)
    await scene.reopen()
    expect(await scene.bodies()).toEqual([])
    expect(await scene.bodies('Other')).toEqual(numbered(0, 5))
  })
})

/** What the store warned of, with the fields. */
function warnings(scene: StoreScene): unknown[] {
  const { lines } = scene.world
  return lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
}

/** The queues are saved, and the checkpoint does not say so. */
async function killedAtItsCheckpoint(scene: StoreScene): Promise<void> {
  let killed = false
  scene.host.disk.watch((operation, path) => {
    if (killed || operation !== 'write' || path !== CHECKPOINT) return
    killed = true
    scene.host.kill()
  })
  scene.store.checkpoint().catch(() => undefined)
  await scene.world.clock.run(() => killed)
  scene.host.disk.clearFaults()
}

describe('a topic that was deleted', () => {
  it('begins at 0 again when it is made anew', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.settle(scene.store.deleteTopic('TopicTest'))
    expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 0, maxOffset: 0 })
    await scene.putNumbered(100, 103)
    expect(await scene.bodies()).toEqual(numbered(100, 103))
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(100, 103))
  })

  it('keeps its new messages when the power fails while it is deleted', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    void scene.store.deleteTopic('TopicTest')
    await scene.putNumbered(100, 103)
    await scene.world.clock.advance(0)
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(100, 103))
  })

  it('stays deleted after a kill, messages in flight included', async () => {
    const scene = await StoreScene.opened({ flushDisk: 'sync' })
    await scene.putNumbered(0, 5)
    scene.host.disk.syncDelay = [1, 1]
    scene.append()
    await scene.settle(scene.store.deleteTopic('TopicTest'))
    await scene.reopenAfterKill()
    expect((await scene.read()).status).toBe('NO_MATCHED_LOGIC_QUEUE')
  })

  it('loses the queues that nobody has touched since the start, too', async () => {
    const scene = await StoreScene.opened()
    await scene.put({ queueId: 4 })
    await scene.reopen()
    await scene.settle(scene.store.deleteTopic('TopicTest'))
    expect((await scene.read({ queueId: 4 })).status).toBe('NO_MATCHED_LOGIC_QUEUE')
  })

  it('lets nobody wait for its messages', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    const wait = scene.store.queueEnd('TopicTest', 0).reached(2)
    await scene.settle(scene.store.deleteTopic('TopicTest'))
    expect(await wait).toBe(false)
    expect((await scene.read()).status).toBe('NO_MATCHED_LOGIC_QUEUE')
  })
})

describe('a folder', () => {
  it('is marked as in use until the store was closed in order', async () => {
    const scene = await StoreScene.opened()
    const { bootId, pid } = scene.host.doors.machine
    expect(scene.fileBytes(ABORT).toString()).toBe(`${pid}\n${bootId}`)
    await scene.close()
    expect(scene.host.disk.stat(ABORT)).toBeUndefined()
  })

  it('belongs to one store at a time', async () => {
    const scene = await StoreScene.opened()
    await expect(scene.settle(openStore(scene.host.doors, scene.config))).rejects.toThrow(/lock/)
    await scene.close()
    await scene.open()
  })

  it('is not opened with another segment size, and says which one it wants', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    await scene.close()
    const config = { ...scene.config, commitLogSegmentBytes: 2 * SEGMENT_BYTES }
    await expect(scene.settle(openStore(scene.host.doors, config))).rejects.toThrow(
      `has ${SEGMENT_BYTES} bytes, but mappedFileSizeCommitLog says ${2 * SEGMENT_BYTES}`,
    )
    await scene.open()
    expect(await scene.bodies()).toEqual(['Hello'])
  })

  it('is not opened when its log is gone, be the path wrong or the disk empty', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    await scene.close()
    const config = { ...scene.config, commitLogDirectory: '/elsewhere' }
    const opened = scene.settle(openStore(scene.host.doors, config))
    await expect(opened).rejects.toThrow('files are missing')
    scene.host.disk.remove(CHECKPOINT)
    const again = scene.settle(openStore(scene.host.doors, config))
    await expect(again).rejects.toThrow('see whether storePathCommitLog is right')
  })

  it('is not opened when a segment in the midst is missing', async () => {
    const scene = await StoreScene.opened()
    for (let i = 0; i < 12; i++) await scene.put({ body: Buffer.alloc(PAGE_BODY_BYTES) })
    await scene.close()
    scene.host.disk.remove(`${ROOT}/commitlog/${String(SEGMENT_BYTES).padStart(20, '0')}`)
    const opened = scene.settle(openStore(scene.host.doors, scene.config))
    await expect(opened).rejects.toThrow('does not begin where the file before it ends')
  })
})
