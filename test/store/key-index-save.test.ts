/** What a crash in the midst of saving the key index leaves: to this broker, and in Apache's eyes. */
import { expect, it } from 'vitest'
import { KeyLife } from './key-life.ts'
import { KeyScene } from './key-scene.ts'

/** For machines that are busy with other things. */
const TIMEOUT_MS = 60_000

it.each(['kill', 'lost', 'random'] as const)(
  'Apache finds what it takes for granted, at whatever call of a save a crash comes: %s',
  async (end) => {
    for (let dieAt = 1, seed = 1; ; seed++) {
      const life = new KeyLife('async', seed)
      const { disk } = life.scene.host
      // All within a millisecond: its checkpoint covers files by their time.
      disk.syncDelay = [0, 0]
      disk.readDelay = [0, 0]
      await life.scene.open()
      for (let i = 0; i < 8; i++) life.put(['a'], 10)
      await life.startAfter('stop')
      for (let i = 0; i < 4; i++) life.put(['a', 'b'], 10)
      let calls = 0
      disk.watch((operation, path) => {
        if (operation !== 'write' && operation !== 'sync') return
        if (!path.includes('/index')) return
        calls += 1
        if (calls === dieAt) life.scene.host.kill()
      })
      life.scene.store.close().catch(() => undefined)
      await life.scene.world.clock.advance(5_000)
      if (calls < dieAt) return
      await life.startAfter(end)
      // What is lost at random is drawn several times.
      if (end !== 'random' || seed % 3 === 0) dieAt += 1
    }
  },
  TIMEOUT_MS,
)

it('a checkpoint knows no key of a message that a loss of power may take', async () => {
  const flushIntervalMs = 100_000
  const scene = await KeyScene.opened({ flushIntervalMs })
  const { disk } = scene.host
  await scene.putKeyed('id-0')
  disk.watch((_, path) => {
    disk.syncDelay = path.includes('/commitlog') ? [1_000, 1_000] : [20, 20]
  })
  const checkpoint = scene.store.checkpoint()
  await scene.world.clock.advance(30)
  // It has begun, and its key comes into the index before that is synced.
  for (let i = 1; i < 5; i++) await scene.putKeyed(`id-${i}`)
  await scene.settle(checkpoint)
  await scene.reopenAfterPowerCut()
  const { writtenOffset } = scene.store.runtime()
  expect(scene.world.lines.filter(({ sentence }) => /anew/.test(sentence))).toEqual([])
  for (let i = 0; i < 5; i++)
    expect(await scene.found(`id-${i}`)).toEqual(await scene.inLog(`id-${i}`))
  expect(writtenOffset).toBeGreaterThan(0)
})
