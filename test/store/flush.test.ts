/** When what is written goes to the device, as the keys of the flush say. */
import type { StoreConfig } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { numbered, SEGMENT_BYTES, StoreScene } from './scene.ts'

const FLUSH_MS = 500
const PAGE_BYTES = 4_096

async function openScene(config: Partial<StoreConfig> = {}): Promise<StoreScene> {
  const scene = await StoreScene.opened({ flushIntervalMs: FLUSH_MS, ...config })
  // No checkpoint comes between.
  await scene.put()
  await scene.settle(scene.store.checkpoint())
  return scene
}

/** How much is not on the device yet. */
function unflushedBytes({ store }: StoreScene): number {
  return store.marks.written.value - store.marks.flushed.value
}

/** Appends so many bytes of log, or a few more. */
async function write(scene: StoreScene, sizeBytes: number): Promise<void> {
  const end = scene.store.runtime().appendedOffset + sizeBytes
  while (scene.store.runtime().appendedOffset < end) {
    await scene.put({ body: Buffer.alloc(Math.min(1_000, sizeBytes)) })
  }
}

describe('a flush by time', () => {
  it('comes after each interval, however little was written', async () => {
    const scene = await openScene()
    await write(scene, 1)
    await scene.world.clock.advance(FLUSH_MS - 50)
    expect(unflushedBytes(scene)).toBeGreaterThan(0)
    await scene.world.clock.advance(100)
    expect(unflushedBytes(scene)).toBe(0)
  })

  it('is put off while it would take fewer pages than it should', async () => {
    const scene = await openScene({ flushLeastPages: 2, flushThoroughMs: 3_000 })
    await write(scene, PAGE_BYTES - 1_000)
    await scene.world.clock.advance(2_000)
    expect(unflushedBytes(scene)).toBeGreaterThan(0)
    await write(scene, 2 * PAGE_BYTES)
    await scene.world.clock.advance(FLUSH_MS + 50)
    expect(unflushedBytes(scene)).toBe(0)
  })

  it('is not put off for ever', async () => {
    const scene = await openScene({ flushLeastPages: 1_000, flushThoroughMs: 3_000 })
    await write(scene, 1)
    await scene.world.clock.advance(2_400)
    expect(unflushedBytes(scene)).toBeGreaterThan(0)
    await scene.world.clock.advance(1_200)
    expect(unflushedBytes(scene)).toBe(0)
  })

  it('takes a full segment, however few its pages are', async () => {
    const scene = await openScene({ flushLeastPages: 1_000 })
    await write(scene, SEGMENT_BYTES)
    await scene.world.clock.advance(FLUSH_MS + 50)
    expect(unflushedBytes(scene)).toBe(0)
  })

  it('comes at once when a checkpoint waits for it', async () => {
    const scene = await openScene({ flushLeastPages: 1_000 })
    await write(scene, 1)
    await scene.settle(scene.store.checkpoint())
    expect(unflushedBytes(scene)).toBe(0)
  })

  it('comes at once for a checkpoint even when a sync was under way', async () => {
    const scene = await openScene({ flushIntervalMs: 5_000 })
    scene.host.disk.syncDelay = [100, 100]
    await write(scene, 1)
    await scene.world.clock.advance(5_050)
    await write(scene, 1)
    const checkpoint = scene.store.checkpoint()
    await scene.world.clock.advance(1_000)
    expect(unflushedBytes(scene)).toBe(0)
    await scene.settle(checkpoint)
  })

  it('comes without waiting for the interval when a message should wake it', async () => {
    const scene = await openScene({ flushesAtOnce: true, flushLeastPages: 1 })
    await write(scene, 200)
    await scene.world.clock.advance(20)
    expect(unflushedBytes(scene)).toBeGreaterThan(0)
    await write(scene, PAGE_BYTES)
    await scene.world.clock.advance(20)
    expect(unflushedBytes(scene)).toBeLessThan(PAGE_BYTES)
  })
})

it('a store that is closed leaves nothing behind, whatever is put off', async () => {
  const scene = await openScene({ flushLeastPages: 1_000 })
  await scene.putNumbered(0, 3)
  await scene.close()
  scene.host.crash({ bytes: 'lost', names: 'lost' })
  scene.host.restart()
  await scene.open()
  expect(await scene.bodies()).toEqual(['Hello', ...numbered(0, 3)])
})

it('those who come during a sync share the next one', async () => {
  const scene = await StoreScene.opened({ flushDisk: 'sync' })
  let syncs = 0
  scene.host.disk.watch((operation, path) => {
    if (operation === 'sync' && path.includes('commitlog')) syncs += 1
  })
  const first = scene.append()
  await scene.world.clock.advance(0)
  const rest = Array.from({ length: 100 }, () => scene.append())
  await Promise.all([first, ...rest].slice(-1).map((each) => scene.settled(each)))
  expect(syncs).toBe(2)
})
