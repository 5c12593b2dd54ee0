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

describe('the checkpoint for Apache, which goes through the log from its time on after a crash', () => {
  const timesIn = (scene: KeyScene): bigint[] => {
    const checkpoint = scene.fileBytes(`${ROOT}/checkpoint`)
    return [checkpoint.readBigInt64BE(0), checkpoint.readBigInt64BE(8)]
  }

  it('lies before the first message whose keys the index files do not know yet', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('id-0', 'a')
    await scene.settle(scene.store.checkpoint())
    expect(timesIn(scene)).toEqual([0n, 0n])
  })

  it('is that of the last message when they know all keys', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('id-0', 'a')
    const lastMs = BigInt(scene.world.clock.nowMs())
    await scene.close()
    expect(timesIn(scene)).toEqual([lastMs, lastMs])
  })
})
