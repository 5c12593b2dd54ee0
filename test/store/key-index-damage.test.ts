/** Files of the key index that are missing, damaged, of another program, or have no room. */
import { DiskError } from '@rockhopper/host'
import { recordHasKey } from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ALL_TIME,
  INDEX_DIRECTORY,
  KeyScene,
  keyed,
  SMALL_FILE_BYTES,
  smallIndex,
} from './key-scene.ts'
import { ROOT } from './scene.ts'

const COUNT = 60
const HEADER_BYTES = 40
const ENTRIES_AT = HEADER_BYTES + 7 * 4
const CHECKPOINT = `${ROOT}/checkpoint`

/** A store of three files of keys, closed in order. */
async function closedScene(): Promise<KeyScene> {
  const scene = await KeyScene.opened()
  for (let i = 0; i < COUNT; i++) {
    await scene.putKeyed(`id-${i}`)
    await scene.world.clock.advance(1_500)
  }
  await scene.close()
  expect(scene.indexFiles).toHaveLength(3)
  return scene
}

function pathOf(scene: KeyScene, file: number): string {
  return `${INDEX_DIRECTORY}/${scene.indexFiles[file] ?? ''}`
}

async function expectAllFound(scene: KeyScene): Promise<void> {
  for (let i = 0; i < COUNT; i++) expect(await scene.found(`id-${i}`)).toEqual([`id-${i}`])
}

function warnings(scene: KeyScene): string[] {
  return scene.world.lines
    .filter(({ level }) => level === 'warn')
    .map(({ fields, sentence }) => `${sentence} ${fields['problem'] ?? fields['reason'] ?? ''}`)
}

/** Takes what is ours out of the checkpoint, as if Apache had written it. */
function forgetOurs(scene: KeyScene, indexTimestamp?: number): void {
  const page = scene.fileBytes(CHECKPOINT)
  page.fill(0, 256)
  if (indexTimestamp !== undefined) page.writeBigInt64BE(BigInt(indexTimestamp), 16)
  scene.putBytes(CHECKPOINT, page)
}

describe('a key index', () => {
  it.each<[string, (scene: KeyScene) => void, RegExp]>([
    ['that is missing', (scene) => scene.host.disk.remove(INDEX_DIRECTORY), /is missing/],
    ['without its newest file', (scene) => scene.host.disk.remove(pathOf(scene, 2)), /is missing/],
    ['without an older file', (scene) => scene.host.disk.remove(pathOf(scene, 1)), /is missing/],
    [
      'with a file of another size',
      (scene) => scene.putBytes(pathOf(scene, 0), Buffer.alloc(1), SMALL_FILE_BYTES),
      /has 569 bytes, and not the 568/,
    ],
    [
      'with a header that was changed',
      (scene) => scene.putBytes(pathOf(scene, 1), Buffer.of(7), 15),
      /its header is not what was written/,
    ],
  ])('%s is made anew from the log, and says so once', async (_, damage, problem) => {
    const scene = await closedScene()
    damage(scene)
    scene.host.disk.makeDurable()
    await scene.open()
    await expectAllFound(scene)
    expect(warnings(scene)).toEqual([expect.stringMatching(problem)])
    expect(warnings(scene)[0]).toMatch(/^Files of the key index are made anew from the log/)
    await scene.reopen()
    await expectAllFound(scene)
    expect(scene.indexFiles).toHaveLength(3)
    expect(warnings(scene)).toHaveLength(1)
  })

  it('whose newest entries were changed is made anew as far as they go', async () => {
    const scene = await KeyScene.opened()
    for (let i = 0; i < COUNT; i++) await scene.putKeyed(`id-${i}`)
    await scene.found('id-0')
    await scene.settle(scene.store.checkpoint())
    scene.host.kill()
    scene.putBytes(pathOf(scene, 2), Buffer.alloc(20, 0xff), ENTRIES_AT + 3 * 20)
    scene.host.restart()
    await scene.open()
    await expectAllFound(scene)
    const told = warnings(scene)
    expect(told).toHaveLength(1)
    expect(told[0]).toMatch(/anew from the log\. The index file .* a checksum is wrong/)
  })

  it('that cannot be read is made anew from the log', async () => {
    const scene = await closedScene()
    scene.host.disk.fail({ operation: 'read', pathIncludes: '/index/', code: 'EIO' })
    await scene.open()
    await expectAllFound(scene)
    expect(warnings(scene)).toEqual([expect.stringMatching(/anew from the log\. cannot read.*EIO/)])
    await scene.reopen()
    await scene.putKeyed('id-new')
    await scene.found('id-new')
    await scene.settle(scene.store.checkpoint())
    scene.host.kill()
    scene.host.restart()
    let headers = scene.indexFiles.length
    scene.host.disk.watch((operation, path) => {
      if (operation !== 'read' || !path.includes('/index/')) return
      headers -= 1
      if (headers === -1) throw new DiskError('EIO', path, 'cannot read (EIO)')
    })
    await scene.open()
    await expectAllFound(scene)
    expect(await scene.found('id-new')).toEqual(['id-new'])
  })

  it('has all keys of a log that could not be read for a moment', async () => {
    const scene = await closedScene()
    scene.host.disk.remove(INDEX_DIRECTORY)
    await scene.open()
    scene.host.disk.fail({ operation: 'read', pathIncludes: '/commitlog/', code: 'EIO' })
    await scene.world.clock.advance(2_000)
    await expectAllFound(scene)
  })

  it('of a log with a part that cannot be read has the keys of the others', async () => {
    const scene = await closedScene()
    scene.host.disk.remove(INDEX_DIRECTORY)
    await scene.open()
    const error = { operation: 'read', pathIncludes: '/commitlog/', code: 'EIO', times: 2 } as const
    scene.host.disk.fail(error)
    await scene.world.clock.advance(2_000)
    expect(await scene.found('id-0')).toEqual([])
    expect(warnings(scene)[1]).toMatch(/^A part of the log cannot be read.*EIO/)
    await scene.putKeyed('id-new')
    expect(await scene.found('id-new')).toEqual(['id-new'])
  })

  it('never gives a wrong message, whatever bit of it or of the checkpoint is flipped', async () => {
    const scene = await closedScene()
    const flips = fc.asyncProperty(
      fc.nat(3),
      fc.nat(SMALL_FILE_BYTES * 8 - 1),
      async (file, bit) => {
        const path = file < scene.indexFiles.length ? pathOf(scene, file) : CHECKPOINT
        const before = scene.fileBytes(path)
        const after = Buffer.from(before)
        after[bit >>> 3] = (after[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
        scene.putBytes(path, after)
        await scene.open()
        for (let i = 0; i < COUNT; i += 7) {
          const { records } = await scene.settle(
            scene.store.queryByKey('TopicTest', `id-${i}`, ALL_TIME),
          )
          expect(records.length).toBeLessThanOrEqual(1)
          for (const each of records) expect(recordHasKey(each, 'TopicTest', `id-${i}`)).toBe(true)
        }
        scene.host.kill()
        scene.host.restart()
        await scene.open()
        await scene.close()
      },
    )
    await fc.assert(flips, { seed: 3, numRuns: 60, endOnFailure: true })
  })
})

describe("Apache's key index", () => {
  it('is taken over as it is after an orderly stop', async () => {
    const scene = await closedScene()
    forgetOurs(scene)
    const names = scene.indexFiles
    await scene.open()
    await expectAllFound(scene)
    expect(warnings(scene)).toEqual([])
    expect(scene.indexFiles).toEqual(names)
    await scene.putKeyed('id-new')
    expect(await scene.found('id-new')).toEqual(['id-new'])
    await scene.reopenAfterKill()
    await expectAllFound(scene)
    expect(await scene.found('id-new')).toEqual(['id-new'])
    expect(scene.indexFiles).toEqual(names)
  })

  it('is taken over after a crash as far as its checkpoint says that it is whole', async () => {
    const scene = await closedScene()
    const end = Number(scene.fileBytes(pathOf(scene, 0)).readBigInt64BE(8))
    forgetOurs(scene, end)
    scene.putBytes(`${ROOT}/abort`, Buffer.from('4711'))
    const [kept = ''] = scene.indexFiles
    scene.putBytes(pathOf(scene, 2), Buffer.alloc(200, 0xee), 30)
    await scene.open()
    await expectAllFound(scene)
    expect(scene.indexFiles[0]).toBe(kept)
    expect(warnings(scene)).toEqual([])
    await scene.world.clock.advance(12_000)
    await scene.reopenAfterKill()
    await expectAllFound(scene)
    expect(scene.indexFiles).toHaveLength(3)
  })

  it('that does not fit the log is made anew from where it does', async () => {
    const scene = await closedScene()
    forgetOurs(scene)
    scene.putBytes(pathOf(scene, 1), Buffer.of(0x7f), 24)
    await scene.open()
    await expectAllFound(scene)
    expect(warnings(scene)).toEqual([expect.stringMatching(/does not fit the commit log/)])
  })

  it('that is not there is made from the log', async () => {
    const scene = await closedScene()
    forgetOurs(scene)
    scene.host.disk.remove(INDEX_DIRECTORY)
    await scene.open()
    await expectAllFound(scene)
    expect(warnings(scene)).toEqual([expect.stringMatching(/anew from the log\. there is none/)])
  })
})

describe('a volume without room for the key index', () => {
  it('loses no message: the index says so once, falls behind, and comes up again', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('id-0')
    await scene.found('id-0')
    const full = { operation: 'write', pathIncludes: '/index/', code: 'ENOSPC' } as const
    scene.host.disk.fail({ ...full, times: Number.POSITIVE_INFINITY })
    for (let i = 1; i < COUNT; i++) {
      await scene.putKeyed(`id-${i}`)
      await scene.world.clock.advance(500)
    }
    expect(await scene.found('id-59')).toEqual([])
    expect(scene.world.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    expect(warnings(scene)[0]).toMatch(/^The key index falls behind, as its volume is full/)
    scene.host.disk.clearFaults()
    await scene.world.clock.advance(2_000)
    await expectAllFound(scene)
  })

  it('can be closed, and the next start brings the index up', async () => {
    const scene = await KeyScene.opened()
    const full = { operation: 'write', pathIncludes: '/index/', code: 'ENOSPC' } as const
    scene.host.disk.fail({ ...full, times: Number.POSITIVE_INFINITY })
    for (let i = 0; i < COUNT; i++) await scene.putKeyed(`id-${i}`)
    await scene.close()
    scene.host.disk.clearFaults()
    await scene.open()
    await expectAllFound(scene)
  })
})

describe('an index that is turned off', () => {
  const off = { keyIndex: { ...smallIndex, enabled: false } }

  it('has no files, finds nothing, and keeps nobody waiting', async () => {
    const scene = await KeyScene.opened(off)
    await scene.putKeyed('id-0')
    const before = scene.world.clock.monotonicMs()
    expect(await scene.found('id-0')).toEqual([])
    expect(scene.world.clock.monotonicMs() - before).toBeLessThan(10)
    expect(scene.indexFiles).toEqual([])
  })

  it('is brought up when it is turned on again', async () => {
    const keyIndex = { ...smallIndex, enabled: true }
    const scene = await KeyScene.opened({ keyIndex })
    await scene.putKeyed('id-0')
    await scene.found('id-0')
    keyIndex.enabled = false
    await scene.reopen()
    expect(await scene.found('id-0')).toEqual(['id-0'])
    await scene.put(keyed('id-1'))
    keyIndex.enabled = true
    await scene.reopen()
    expect(await scene.found('id-1')).toEqual(['id-1'])
    expect(warnings(scene)).toEqual([])
  })
})
