/** A key index that Apache's broker left: what of it is used, and what is added to it. */
import { describe, expect, it } from 'vitest'
import { INDEX_DIRECTORY, KeyScene, smallIndex } from './key-scene.ts'
import { ROOT } from './scene.ts'

/** Of the fifth message, all keys but one are in the first file. */
const perMessage = 5
const messages = 6

async function folderOfApache(): Promise<KeyScene> {
  const scene = await KeyScene.opened()
  for (let i = 0; i < messages; i++) {
    await scene.putKeyed(`id-${i}`, `a${i} b${i} c${i} d${i}`)
    await scene.world.clock.advance(10)
  }
  expect(perMessage * 5).toBe(smallIndex.entryLimit)
  await scene.close()
  const [first] = scene.indexFiles
  const checkpoint = scene.fileBytes(`${ROOT}/checkpoint`)
  // What Apache notes when a file is full: the time of the last message in it.
  scene.fileBytes(`${INDEX_DIRECTORY}/${first}`).copy(checkpoint, 16, 8, 16)
  scene.putBytes(`${ROOT}/checkpoint`, checkpoint.fill(0, 256))
  return scene
}

async function expectAllFound(scene: KeyScene): Promise<void> {
  for (let i = 0; i < messages; i++) {
    for (const key of [`id-${i}`, `a${i}`, `b${i}`, `c${i}`, `d${i}`]) {
      expect([key, await scene.found(key)]).toEqual([key, [`id-${i}`]])
    }
  }
}

describe('the key index of Apache', () => {
  it('finds all messages after an orderly stop', async () => {
    const scene = await folderOfApache()
    const files = scene.indexFiles
    await scene.open()
    await expectAllFound(scene)
    expect(scene.indexFiles).toEqual(files)
  })

  it('finds the message whose keys went into two files, after a kill', async () => {
    const scene = await folderOfApache()
    scene.putBytes(`${ROOT}/abort`, Buffer.from('17'))
    await scene.open()
    await expectAllFound(scene)
  })
})
