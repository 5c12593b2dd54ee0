/** The search by time against a model: of all messages that are there, the one that is asked for. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const HOUR_MS = 3_600_000
const retention = {
  reservedMs: HOUR_MS,
  deleteHours: [],
  cleanAbovePercent: 95,
  forceAbovePercent: 95,
  refuseAbovePercent: 95,
  mayForce: false,
  periodMs: 10_000,
  maxFilesPerRun: 1,
  logPauseMs: 100,
  queuePauseMs: 100,
}

interface Life {
  /** Milliseconds between a message and the one before. */
  readonly gaps: readonly number[]
  /** Files of the log that are removed. */
  readonly removals: number
  /** Whether the queue loses its files, so that they begin with filling when they are made anew. */
  readonly rebuilt: boolean
  readonly tailMemoryBytes: number
}

const lives: fc.Arbitrary<Life> = fc.record({
  gaps: fc.array(fc.constantFrom(0, 0, 0, 1, 2, 7), { minLength: 1, maxLength: 50 }),
  removals: fc.constantFrom(0, 0, 1, 2),
  rebuilt: fc.boolean(),
  tailMemoryBytes: fc.constantFrom(1, 1 << 22),
})

/** A queue that has lived so, and the store times of the messages it once had. */
async function live(life: Life): Promise<{ scene: StoreScene; times: number[] }> {
  const { tailMemoryBytes } = life
  const scene = await StoreScene.opened({ tailMemoryBytes, retention })
  const times: number[] = []
  for (const gap of life.gaps) {
    await scene.world.clock.run(scene.world.clock.monotonicMs() + gap)
    times.push(scene.append({ body: Buffer.alloc(2_000) }).storeTimestamp)
  }
  await scene.world.clock.advance(1)
  if (life.removals > 0) {
    await scene.world.clock.advance(2 * HOUR_MS)
    scene.store.removeExpired()
    await scene.world.clock.advance(retention.periodMs * life.removals)
  }
  if (life.rebuilt) {
    await scene.close()
    scene.host.disk.remove(`${ROOT}/consumequeue/TopicTest`)
    await scene.open()
  }
  return { scene, times }
}

it('finds the first message of a time or later, and the last of a time or earlier', async () => {
  let removed = 0
  const property = fc.asyncProperty(lives, async (life) => {
    const { scene, times } = await live(life)
    const { minOffset, maxOffset } = scene.store.queueBounds('TopicTest', 0)
    expect(maxOffset).toBe(times.length)
    removed += minOffset
    const there = [...times.keys()].slice(minOffset)
    const search = (at: number, boundary: 'lower' | 'upper') =>
      scene.settle(scene.store.offsetByTime('TopicTest', 0, at, boundary))
    for (const at of new Set(times.flatMap((time) => [time - 1, time, time + 1]))) {
      const lower = there.find((offset) => (times[offset] ?? 0) >= at) ?? maxOffset
      const upper = there.findLast((offset) => (times[offset] ?? 0) <= at) ?? minOffset
      expect([await search(at, 'lower'), await search(at, 'upper')]).toEqual([lower, upper])
    }
    const time = scene.store.storeTimeOf('TopicTest', 0, minOffset)
    expect(await scene.settle(time)).toBe(times[minOffset] ?? -1)
  })
  await fc.assert(property, { numRuns: 25, seed: 1 })
  expect(removed).toBeGreaterThan(SEGMENT_BYTES / 2_100)
})
