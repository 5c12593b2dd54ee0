/**
 * Random lives of a store with a key index: after each start, queries find what is in the log, and
 * Apache's broker would find in the files what it takes for granted there.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KEYS, KeyLife } from './key-life.ts'
import { message } from './scene.ts'

type Step =
  | { readonly kind: 'put'; readonly keys: readonly string[]; readonly bodyBytes: number }
  | { readonly kind: 'burst'; readonly keys: readonly string[]; readonly count: number }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'plain' | 'full' | 'checkpoint' | 'stop' | 'kill' | 'random' }

const keys = fc.array(fc.constantFrom(...KEYS), { maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('put'), keys, bodyBytes: fc.nat(3000) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('burst'), keys, count: fc.nat(40) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pause'),
      ms: fc.constantFrom(0, 0.3, 1, 600, 1_100, 11_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('plain', 'full', 'checkpoint', 'stop', 'kill', 'random'),
    }),
  },
)

async function take(life: KeyLife, step: Step): Promise<void> {
  const { scene } = life
  switch (step.kind) {
    case 'put':
      return life.put(step.keys, step.bodyBytes)
    case 'burst':
      for (let i = 0; i < step.count; i++) life.put(step.keys, 10)
      return
    case 'plain':
      scene.append(message())
      return
    case 'pause':
      return scene.world.clock.advance(step.ms)
    case 'full':
      return scene.host.disk.fail(fullIndex)
    case 'checkpoint':
      return scene.settle(scene.store.checkpoint())
    case 'stop':
    case 'kill':
    case 'random':
      return life.startAfter(step.kind)
  }
}

const fullIndex = { operation: 'write', pathIncludes: '/index/', code: 'ENOSPC', times: 3 } as const

describe.each(['sync', 'async'] as const)('a key index with %s flush', (flushDisk) => {
  it('finds what is in the log, through any life', async () => {
    const lives = fc.asyncProperty(
      fc.nat(),
      fc.array(step, { maxLength: 60 }),
      async (seed, steps) => {
        const life = new KeyLife(flushDisk, seed)
        await life.scene.open()
        for (const each of steps) await take(life, each)
        await life.startAfter('kill')
        await life.startAfter('stop')
        await life.stopForApache()
      },
    )
    await fc.assert(lives, { seed: 11, numRuns: 25, endOnFailure: true })
  })
})

/** Each end is tried at every third call, so that together they meet all of them. */
describe.each([
  ['kill', 1],
  ['lost', 2],
  ['random', 3],
] as const)('a key index (%s)', (end, first) => {
  it('finds what is in the log, at whatever call for one of its files it ends', async () => {
    for (let dieAt = first; ; dieAt += 3) {
      const life = new KeyLife('async', dieAt)
      if (!(await diesAt(life, dieAt))) {
        expect(dieAt).toBeGreaterThan(20)
        return
      }
      await life.startAfter(end)
      await use(life)
      await life.startAfter('kill')
    }
  })
})

it('a file that was saved and whose log was lost is set back to what there is', async () => {
  const life = new KeyLife('async', 1)
  await life.scene.open()
  for (const key of KEYS) life.put([key], 10)
  await life.startAfter('stop')
  for (let i = 0; i < 3; i++) for (const key of KEYS) life.put([key, 'a'], 10)
  await life.scene.world.clock.advance(50)
  await life.check()
  expect(life.scene.indexFiles).toHaveLength(3)
  await life.startAfter('lost')
  expect(await life.scene.found('a')).toHaveLength(1)
  await life.stopForApache()
})

/** Lets a store fill files of the index; false when it did not come to that call. */
async function diesAt(life: KeyLife, dieAt: number): Promise<boolean> {
  const { host } = life.scene
  await life.scene.open()
  await use(life)
  await life.startAfter('stop')
  let calls = 0
  host.disk.watch((_, path) => {
    if (!/index|checkpoint/.test(path)) return
    calls += 1
    if (calls === dieAt) host.kill()
  })
  for (let i = 0; i < 3 && host.running; i++) await use(life)
  return !host.running
}

/** Some keys, and a checkpoint. */
async function use(life: KeyLife): Promise<void> {
  const { scene } = life
  for (const key of KEYS) life.put([key, 'a'], 10)
  await scene.world.clock.advance(20)
  if (!scene.host.running) return
  scene.store.checkpoint().catch(() => {})
  for (const key of KEYS) life.put([key], 10)
  await scene.world.clock.advance(20)
}
