/** The end of a log is cut off, and kept aside: what remains is a store as if there had been no more. */
import { cutLog } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { numbered, ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const COPY = { isCopy: true } as const
const KEYS = { enabled: true, slotCount: 16, entryLimit: 64, maxMessages: 32 }

/** A closed store with 20 messages over some segments, and where each of them ends. */
async function closed(config = {}): Promise<{ scene: StoreScene; ends: number[] }> {
  const scene = await StoreScene.opened({ keyIndex: KEYS, ...config })
  const ends: number[] = []
  for (let i = 0; i < 20; i++) {
    const properties = [Buffer.from(`KEYS\x01key${i}\x02`)]
    const body = Buffer.from(`m${i}`.padEnd(3_000, '.'))
    ends.push((await scene.put({ body, properties })).endOffset)
  }
  await scene.close()
  return { scene, ends }
}

async function expectMessages(scene: StoreScene, count: number): Promise<void> {
  const bodies = await scene.bodies()
  expect(bodies.map((body) => body.replace(/\.+$/, ''))).toEqual(numbered(0, count))
}

describe('a log that is cut', () => {
  it.each([
    ['behind a record', 7, 0, 8],
    ['within a record', 7, -1, 7],
    ['in what fills up a segment', 4, 200, 5],
    ['at its beginning', -1, 0, 0],
  ])('%s ends behind the last whole one', async (_, last, further, count) => {
    const { scene, ends } = await closed()
    const to = (ends[last] ?? 0) + further
    const { cutBytes, endOffset, keptPath } = await scene.settle(
      cutLog(scene.host.doors, scene.config, to),
    )
    expect(endOffset).toBe(ends[count - 1] ?? 0)
    expect(cutBytes).toBe((ends.at(-1) ?? 0) - endOffset)
    expect(scene.fileBytes(keptPath ?? '')).toHaveLength(cutBytes)
    await scene.open()
    await expectMessages(scene, count)
    expect(scene.store.runtime().writtenOffset).toBe(endOffset)
  })

  it('goes on where it ends now, with other messages', async () => {
    const { scene, ends } = await closed()
    await scene.settle(cutLog(scene.host.doors, scene.config, ends[2] ?? 0))
    await scene.open()
    expect((await scene.put({ body: Buffer.from('m3') })).logOffset).toBe(ends[2])
    await scene.reopenAfterKill()
    await expectMessages(scene, 4)
    await scene.reopen()
    await expectMessages(scene, 4)
  })

  it('finds by their keys what remains, and nothing else', async () => {
    const { scene, ends } = await closed()
    await scene.settle(cutLog(scene.host.doors, scene.config, ends[9] ?? 0))
    await scene.open()
    const always = { maxMessages: 8, beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER }
    for (const [key, count] of [
      ['key9', 1],
      ['key10', 0],
    ] as const) {
      const { records } = await scene.settle(scene.store.queryByKey('TopicTest', key, always))
      expect(records).toHaveLength(count)
    }
  })

  it('is not touched when it ends there already', async () => {
    const { scene, ends } = await closed()
    const outcome = await scene.settle(cutLog(scene.host.doors, scene.config, ends[19] ?? 0))
    expect(outcome).toMatchObject({ cutBytes: 0, keptPath: undefined })
    await scene.open()
    await expectMessages(scene, 20)
  })

  it('opens after a kill or a loss of power at any moment of the cut, and is cut by the next', async () => {
    for (let moment = 1; moment < 60; moment += 3) {
      const { scene, ends } = await closed()
      const to = ends[4] ?? 0
      const cutting = cutLog(scene.host.doors, scene.config, to)
      cutting.catch(() => {})
      for (let i = 0; i < moment; i++) await scene.world.clock.advance(0.2)
      if (moment % 2 === 0) scene.host.kill()
      else scene.host.crash({ bytes: 'random', names: 'random' })
      scene.host.restart()
      await scene.open()
      const found = (await scene.bodies()).length
      expect(found).toBeGreaterThanOrEqual(5)
      await scene.close()
      await scene.settle(cutLog(scene.host.doors, scene.config, to))
      await scene.open()
      await expectMessages(scene, 5)
    }
  })
})

it('a store that copies goes on from where it was cut', async () => {
  const { scene, ends } = await closed()
  const copy = new StoreScene({ ...COPY, keyIndex: KEYS })
  await copy.open()
  await scene.open()
  const end = scene.store.marks.written.value
  for (let at = 0; at < end; ) {
    const segmentEnd = at - (at % SEGMENT_BYTES) + SEGMENT_BYTES
    const bytes = await scene.settle(scene.store.logBytes(at, Math.min(end, segmentEnd)))
    copy.store.appendCopy(at, bytes)
    at += bytes.length
  }
  await copy.close()
  await copy.settle(cutLog(copy.host.doors, copy.config, ends[11] ?? 0))
  await copy.open()
  const from = copy.store.dropCopiedPart()
  expect(from).toBe(ends[11])
  for (let at = from; at < end; ) {
    const segmentEnd = at - (at % SEGMENT_BYTES) + SEGMENT_BYTES
    const bytes = await scene.settle(scene.store.logBytes(at, Math.min(end, segmentEnd)))
    expect(copy.store.appendCopy(at, bytes)).toEqual({ kind: 'appended' })
    at += bytes.length
  }
  await copy.settle(copy.store.marks.dispatched.reached(end))
  await expectMessages(copy, 20)
  expect(copy.host.disk.list(`${ROOT}/cutoff`)).toHaveLength(1)
})
