/** What a reader gets when the disk has changed the log: an error that says where, or the message. */
import { CorruptionError } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { numbered, ROOT, recordsIn, SEGMENT_BYTES, StoreScene } from './scene.ts'

const LOG = `${ROOT}/commitlog/00000000000000000000`
const SUMS = `${ROOT}/logsums/00000000000000000000`
const SECOND_SUMS = `${ROOT}/logsums/${String(SEGMENT_BYTES).padStart(20, '0')}`

/** A store with messages of 1,000 bytes and more, of which nothing is in memory. */
async function coldScene(): Promise<StoreScene> {
  const scene = await StoreScene.opened()
  for (let i = 0; i < 40; i++) {
    await scene.put({
      body: Buffer.alloc(1_000 + i, i),
      properties: [Buffer.from('KEYS\x01k\x02')],
    })
  }
  await scene.reopen()
  return scene
}

/** Flips bits of one byte of a file. */
function flip(scene: StoreScene, path: string, at: number, bits = 1): void {
  const byte = scene.fileBytes(path)[at] ?? 0
  scene.putBytes(path, Buffer.from([byte ^ bits]), at)
}

function errorsOf(scene: StoreScene): unknown[] {
  return scene.world.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields)
}

describe('a read of damaged pages', () => {
  it('is refused with file, byte and a way out, and reported once', async () => {
    const scene = await coldScene()
    flip(scene, LOG, 4_200)
    const found = await scene.read({ maxMessages: 3 })
    expect(recordsIn(found.slices).map(({ body }) => body.length)).toEqual([1_000, 1_001, 1_002])
    for (let i = 0; i < 3; i++) {
      await expect(scene.read({ offset: 3 })).rejects.toThrow(
        `"${LOG}" is damaged at byte 4096 (offset 4096 of the log): the checksum of the 4 KiB ` +
          'there is wrong. What stands there is not handed out. Bring the file back from a copy, ' +
          'or save what is sound with "rockhopper store rebuild".',
      )
    }
    const error: unknown = expect.objectContaining({ path: LOG, offset: 4_096 })
    expect(errorsOf(scene)).toEqual([{ error }])
  })

  it('is none where a write that failed got on with the page', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 3)
    await scene.reopen()
    scene.host.disk.fail({ operation: 'write', pathIncludes: SECOND_SUMS, code: 'EIO' })
    let last = scene.append()
    while (last.logOffset < SEGMENT_BYTES) last = scene.append({ body: Buffer.alloc(1_000) })
    expect(await scene.settled(last)).toBe('failed')
    const { slices } = await scene.read({ offset: 1, maxMessages: 2 })
    expect(recordsIn(slices).map(({ body }) => body.toString())).toEqual(numbered(1, 3))
  })

  it('gives the messages behind them', async () => {
    const scene = await coldScene()
    flip(scene, LOG, 4_200)
    const { slices } = await scene.read({ offset: 8, maxMessages: 2 })
    expect(recordsIn(slices).map(({ body }) => body[0])).toEqual([8, 9])
  })

  it.each([
    ['the size', 0],
    ['the store time', 56],
    ['the body', 200],
    ['the properties', 1_000 + 91 + 9 + 3],
  ])('finds a changed bit in %s of the record', async (_, at) => {
    const scene = await coldScene()
    flip(scene, LOG, at)
    await expect(scene.read()).rejects.toThrow(CorruptionError)
    await expect(scene.settle(scene.store.messageAt(0))).rejects.toThrow(CorruptionError)
  })

  it('finds it where the record would seem to be none', async () => {
    const scene = await coldScene()
    // The length of the properties of the record at 3324, on the page behind that of its head.
    flip(scene, LOG, 4_425, 0x80)
    await expect(scene.settle(scene.store.messageAt(3_324))).rejects.toThrow(CorruptionError)
  })

  it('is refused for a store time, too', async () => {
    const scene = await coldScene()
    flip(scene, LOG, 57)
    const { store } = scene
    await expect(scene.settle(store.storeTimeOf('TopicTest', 0, 0))).rejects.toThrow(
      CorruptionError,
    )
    const search = store.offsetByTime('TopicTest', 0, 0, 'lower')
    await expect(scene.settle(search)).rejects.toThrow(CorruptionError)
  })
})

describe('a read of pages without sums', () => {
  it.each(['removed', 'unreadable', 'damaged'])('gives what is sound: sums %s', async (how) => {
    const scene = await coldScene()
    if (how === 'removed') scene.host.disk.remove(SUMS)
    else if (how === 'damaged') scene.putBytes(SUMS, Buffer.alloc(100, 7))
    else scene.host.disk.fail({ operation: 'read', pathIncludes: 'logsums', code: 'EIO', times: 9 })
    const { slices } = await scene.read({ maxMessages: 5 })
    expect(recordsIn(slices).map(({ body }) => body[0])).toEqual([0, 1, 2, 3, 4])
  })

  it('compares the body with the sum that the record has of it', async () => {
    const scene = await coldScene()
    scene.putBytes(SUMS, Buffer.alloc(100))
    flip(scene, LOG, 1_300)
    expect((await scene.read({ maxMessages: 1 })).messageCount).toBe(1)
    const path = 'offset 1107 of the log'
    await expect(scene.read()).rejects.toThrow(`${path}): the checksum of the body is wrong`)
    await expect(scene.settle(scene.store.messageAt(1_107))).rejects.toThrow(path)
  })

  it('gives no message whose header is damaged', async () => {
    const scene = await coldScene()
    scene.putBytes(SUMS, Buffer.alloc(100))
    for (const at of [1_107, 1_111, 1_119, 1_127, 1_135]) {
      flip(scene, LOG, at)
      await expect(scene.read(), `byte ${at}`).rejects.toThrow(CorruptionError)
      flip(scene, LOG, at)
    }
    expect((await scene.read({ maxMessages: 5 })).messageCount).toBe(5)
  })
})

it('no single bit of the log changes what a reader gets', async () => {
  const scene = await StoreScene.opened()
  await scene.putNumbered(0, 60, { properties: [Buffer.from('TAGS\x01a\x02')] })
  await scene.reopen()
  const sizeBytes = scene.store.marks.written.value
  for (let i = 0; i < 150; i++) {
    const at = scene.world.random.below(sizeBytes)
    const bits = 1 << scene.world.random.below(8)
    flip(scene, LOG, at, bits)
    await expect(scene.readAll(), `bits ${bits} of byte ${at}`).rejects.toThrow(CorruptionError)
    flip(scene, LOG, at, bits)
  }
  expect(await scene.bodies()).toEqual(numbered(0, 60))
})
