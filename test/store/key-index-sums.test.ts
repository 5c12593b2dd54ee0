/** What the checksums of the key index notice: a bit that would hide messages from a query. */
import { indexFileBytes } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { ALL_TIME, INDEX_DIRECTORY, KeyScene, keyed, smallIndex } from './key-scene.ts'
import { ROOT } from './scene.ts'

const SUMS_DIRECTORY = `${ROOT}/indexsums`
const CHECKPOINT = `${ROOT}/checkpoint`
/** Several pages of slots and of entries in a file. */
const largeIndex = { ...smallIndex, slotCount: 1_500, entryLimit: 1_300 }
const LARGE_LOG = { commitLogSegmentBytes: 1 << 20 }

function warnings(scene: KeyScene): string[] {
  return scene.world.lines
    .filter(({ level }) => level === 'warn')
    .map(({ fields, sentence }) => `${sentence} ${fields['problem'] ?? fields['reason'] ?? ''}`)
}

function flip(scene: KeyScene, path: string, at: number): void {
  scene.putBytes(path, Buffer.of((scene.fileBytes(path)[at] ?? 0) ^ 1), at)
}

async function putKeys(scene: KeyScene, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) scene.append(keyed(`id-${i}`))
  await scene.world.clock.advance(10)
}

async function expectFound(scene: KeyScene, from: number, to: number, step = 1): Promise<void> {
  for (let i = from; i < to; i += step) expect(await scene.found(`id-${i}`)).toEqual([`id-${i}`])
}

const pathOf = (scene: KeyScene, file: number): string => {
  return `${INDEX_DIRECTORY}/${scene.indexFiles[file] ?? ''}`
}

describe('a bit of the key index that has changed', () => {
  it.each(['close', 'kill'] as const)(
    'hides no message after a %s, wherever it is',
    async (end) => {
      const fileBytes = indexFileBytes(smallIndex)
      for (let at = 1; at < fileBytes; at += 29) {
        const scene = await KeyScene.opened()
        await putKeys(scene, 0, 60)
        await scene.found('id-0')
        if (end === 'close') await scene.close()
        else {
          await scene.settle(scene.store.checkpoint())
          scene.host.kill()
        }
        flip(scene, pathOf(scene, at % 3), at)
        if (end === 'kill') scene.host.restart()
        await scene.open()
        await expectFound(scene, 0, 60, 7)
        await expectFound(scene, 3, 60, 7)
      }
    },
  )

  it('is noticed in each page of a large file, and told of once', async () => {
    const places = [0, 5_000, 6_040 + 20 * 511, 6_040 + 20 * 512, 6_040 + 20 * 1_299]
    for (const at of places) {
      const scene = await KeyScene.opened({ keyIndex: largeIndex, ...LARGE_LOG })
      await putKeys(scene, 0, 1_400)
      await scene.close()
      expect(scene.indexFiles).toHaveLength(2)
      flip(scene, pathOf(scene, 0), 40 + at)
      await scene.open()
      await expectFound(scene, 0, 1_400, 13)
      await expectFound(scene, 1_270, 1_300)
      await expectFound(scene, 500, 520)
      expect(warnings(scene).length).toBeLessThanOrEqual(1)
      await scene.reopen()
      await expectFound(scene, 0, 1_400, 130)
    }
  })

  it('is noticed while keys are added', async () => {
    const scene = await KeyScene.opened()
    await putKeys(scene, 0, 60)
    await expectFound(scene, 0, 60, 7)
    await scene.settle(scene.store.checkpoint())
    flip(scene, pathOf(scene, 0), 40 + 7 * 4 + 20 * 5)
    const asked = Array.from({ length: 60 }, (_, i) => {
      return scene.store.queryByKey('TopicTest', `id-${i}`, ALL_TIME)
    })
    await putKeys(scene, 60, 100)
    const answers = await scene.settle(Promise.all(asked))
    expect(answers.map(({ records }) => records.length)).toEqual(asked.map(() => 1))
    await expectFound(scene, 0, 100)
    expect(warnings(scene)).toHaveLength(1)
  })
})

describe('the checksums of the key index', () => {
  it('are those of the entries that a kill has left', async () => {
    const scene = await KeyScene.opened({ keyIndex: largeIndex, ...LARGE_LOG })
    for (let from = 0; from < 1_600; from += 400) {
      await putKeys(scene, from, from + 300)
      await scene.settle(scene.store.checkpoint())
      await putKeys(scene, from + 300, from + 400)
      await scene.found('id-1')
      await scene.reopenAfterKill()
    }
    await expectFound(scene, 0, 1_600, 13)
    expect(warnings(scene)).toEqual([])
  })

  it('do without their files', async () => {
    const scene = await KeyScene.opened()
    await putKeys(scene, 0, 60)
    await scene.close()
    scene.host.disk.remove(SUMS_DIRECTORY)
    await scene.open()
    await putKeys(scene, 60, 80)
    await scene.reopen()
    await expectFound(scene, 0, 80)
    expect(warnings(scene)).toEqual([])
  })

  it('are not believed when another program may have changed the index', async () => {
    const scene = await KeyScene.opened()
    await putKeys(scene, 0, 60)
    await scene.close()
    const page = scene.fileBytes(CHECKPOINT)
    page.fill(0, 256)
    scene.putBytes(CHECKPOINT, page)
    for (const name of scene.host.disk.list(SUMS_DIRECTORY))
      flip(scene, `${SUMS_DIRECTORY}/${name}`, 6)
    await scene.open()
    await expectFound(scene, 0, 60)
    await putKeys(scene, 60, 80)
    await scene.reopen()
    await expectFound(scene, 0, 80)
    expect(warnings(scene)).toEqual([])
  })

  it('go with the files that they are of', async () => {
    const scene = await KeyScene.opened()
    await putKeys(scene, 0, 60)
    await scene.close()
    flip(scene, pathOf(scene, 1), 40 + 7 * 4 + 20 * 5)
    await scene.open()
    await expectFound(scene, 0, 60)
    await scene.world.clock.advance(30_000)
    await scene.reopen()
    const names = new Set(scene.indexFiles)
    for (const name of scene.host.disk.list(SUMS_DIRECTORY)) expect(names).toContain(name)
  })
})
