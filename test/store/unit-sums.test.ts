/** What a queue's checksums notice that nothing else would: a tag that has changed in its file. */
import { readUnit, UNIT_BYTES, writeUnit } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { numbered, ROOT, recordsIn, StoreScene } from './scene.ts'

const QUEUE = `${ROOT}/consumequeue/TopicTest/0/00000000000000000000`
const TAG = { tagsCode: 2_598_919, properties: [Buffer.from('TAGS\x01TagA\x02')] }
const TAGS_CODE_AT = 12
/** More than one sum covers. */
const LARGE_SEGMENT = { consumeQueueSegmentBytes: 5_000 * UNIT_BYTES }

/** Numbered messages of one tag, the last ones stored behind the last checkpoint. */
async function tagged(scene: StoreScene, count: number, unsaved = 0): Promise<StoreScene> {
  await scene.putNumbered(0, count - unsaved, TAG)
  await scene.settle(scene.store.checkpoint())
  await scene.putNumbered(count - unsaved, count, TAG)
  return scene
}

function flipTag(scene: StoreScene, queueOffset: number, path = QUEUE): void {
  const at = queueOffset * UNIT_BYTES + TAGS_CODE_AT + 7
  const byte = scene.fileBytes(path)[at] ?? 0
  scene.putBytes(path, Buffer.of(byte ^ 4), at)
}

/** The messages that one gets who wants those of the tag only. */
async function filtered(scene: StoreScene): Promise<string[]> {
  const { maxOffset, minOffset } = scene.store.queueBounds('TopicTest', 0)
  const bodies: string[] = []
  for (let offset = minOffset; offset < maxOffset; ) {
    const outcome = await scene.read({ offset, tagHashes: new Set([TAG.tagsCode]) })
    bodies.push(...recordsIn(outcome.slices).map(({ body }) => body.toString()))
    offset = outcome.nextOffset
  }
  return bodies
}

function warnings(scene: StoreScene): number {
  return scene.world.lines.filter(({ level }) => level === 'warn').length
}

describe('a tag that has changed in the file of a queue', () => {
  it.each([0, 17, 48])('is put right before it hides message %i', async (queueOffset) => {
    const scene = await tagged(await StoreScene.opened(), 49)
    await scene.close()
    const before = scene.fileBytes(QUEUE)
    flipTag(scene, queueOffset)
    await scene.open()
    expect(await filtered(scene)).toEqual(numbered(0, 49))
    expect(scene.fileBytes(QUEUE)).toEqual(before)
  })

  it('is put right after a kill, too, and the next start finds nothing wrong', async () => {
    const scene = await tagged(await StoreScene.opened(), 40, 10)
    scene.host.kill()
    flipTag(scene, 5)
    scene.host.restart()
    await scene.open()
    expect(await filtered(scene)).toEqual(numbered(0, 40))
    const known = warnings(scene)
    await scene.reopen()
    expect(await filtered(scene)).toEqual(numbered(0, 40))
    expect(warnings(scene)).toBe(known)
  })

  it('is noticed in a file with several sums, in each of them', async () => {
    const scene = await StoreScene.opened({ ...LARGE_SEGMENT, commitLogSegmentBytes: 1 << 20 })
    for (let i = 0; i < 4_900; i++) scene.append({ ...TAG, body: Buffer.from(`m${i}`) })
    await scene.close()
    for (const queueOffset of [2_047, 2_048, 4_899]) flipTag(scene, queueOffset)
    await scene.open()
    expect(await filtered(scene)).toEqual(numbered(0, 4_900))
  })

  it('is noticed in a sum that several checkpoints and starts have added to', async () => {
    const scene = await StoreScene.opened()
    for (const end of [7, 20, 31, 49]) {
      await scene.putNumbered(scene.store.queueBounds('TopicTest', 0).maxOffset, end, TAG)
      await (end % 2 === 0 ? scene.settle(scene.store.checkpoint()) : scene.reopen())
    }
    await scene.close()
    flipTag(scene, 25)
    await scene.open()
    expect(await filtered(scene)).toEqual(numbered(0, 49))
  })
})

it('sums that are out of date harm nothing: the units are held against the log', async () => {
  const scene = await tagged(await StoreScene.opened(), 30)
  await scene.close()
  const ends = scene.fileBytes(`${ROOT}/queueends`)
  const units = scene.fileBytes(QUEUE)
  const { logOffset, sizeBytes } = readUnit(units, 3 * UNIT_BYTES)
  writeUnit(units, 3 * UNIT_BYTES, { logOffset, sizeBytes, tagsCode: 1 })
  // The file had this tag when its sum was taken; the log never had it.
  scene.putBytes(QUEUE, units)
  await scene.open()
  expect(await filtered(scene)).toEqual(numbered(0, 30))
  await scene.close()
  scene.putBytes(QUEUE, units)
  scene.putBytes(`${ROOT}/queueends`, ends)
  await scene.open()
  expect(await filtered(scene)).toEqual(numbered(0, 30))
})

it('the sums of a queue take no room that grows with its messages alone', async () => {
  const scene = await StoreScene.opened({ ...LARGE_SEGMENT, commitLogSegmentBytes: 1 << 20 })
  for (let i = 0; i < 20_000; i++) scene.append()
  await scene.settle(scene.store.checkpoint())
  expect(scene.fileBytes(`${ROOT}/queueends`).length).toBeLessThan(200)
})

it('a queue whose files are lost while it is not in use is not begun anew', async () => {
  const scene = await tagged(await StoreScene.opened(), 30)
  await scene.reopen()
  scene.host.disk.remove(`${ROOT}/consumequeue/TopicTest`)
  expect(() => scene.append()).toThrow('start it again')
  await scene.reopen()
  expect(await filtered(scene)).toEqual(numbered(0, 30))
})
