/** A broker that is killed with SIGKILL under load: at random moments, and at each named point. */
import { expect, test } from 'vitest'
import { flawless } from './books.ts'
import { drawFates, type Fate, fatesAt, reachablePoints } from './plan.ts'
import type { Point } from './points.mjs'
import { storm } from './storm.ts'

const TIMEOUT_MS = 400_000

/** The seeds begin with different points, so that both together come by all of them. */
const storms = [
  { flushDiskType: 'ASYNC_FLUSH', kills: 12, seed: 8 },
  { flushDiskType: 'SYNC_FLUSH', kills: 13, seed: 12 },
] as const

/** A life that does not come by its point in its time is given others. */
const MORE_TRIES = 4

test('25 kills under load, some at each named point, cost no message, no byte, no offset', {
  timeout: TIMEOUT_MS,
}, async () => {
  const met = new Set<string>()
  const survive = async (
    flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH',
    seed: number,
    fates: readonly Fate[],
  ): Promise<void> => {
    const { examples, flaws, tally } = await storm({ flushDiskType, seed, fates })
    process.stdout.write(`${flushDiskType}\n${tally.report()}\n`)
    expect({ flaws, examples }).toEqual({
      flaws: { ...flawless, ahead: 0, behind: 0 },
      examples: [],
    })
    for (const cause of tally.met) met.add(cause)
  }
  const missing = (): Point[] => reachablePoints().met.filter(({ name }) => !met.has(name))
  for (const { flushDiskType, kills, seed } of storms) {
    await survive(flushDiskType, seed, drawFates({ kills, seed, length: 0.15 }))
  }
  for (let seed = 1; seed <= MORE_TRIES && missing().length > 0; seed++) {
    await survive('ASYNC_FLUSH', seed, fatesAt(missing(), seed))
  }
  expect(missing()).toEqual([])
})
