/** A broker that is killed with SIGKILL under load: at random moments, and at each named point. */
import { expect, test } from 'vitest'
import { flawless } from './books.ts'
import { drawFates, reachablePoints } from './plan.ts'
import { storm } from './storm.ts'

const TIMEOUT_MS = 400_000

/** The seeds begin with different points, so that both together come by all of them. */
const storms = [
  { flushDiskType: 'ASYNC_FLUSH', kills: 12, seed: 8 },
  { flushDiskType: 'SYNC_FLUSH', kills: 13, seed: 12 },
] as const

test('25 kills under load, some at each named point, cost no message, no byte, no offset', {
  timeout: TIMEOUT_MS,
}, async () => {
  const met = new Set<string>()
  for (const options of storms) {
    const fates = drawFates({ ...options, length: 0.15 })
    const { examples, flaws, tally } = await storm({ ...options, fates })
    process.stdout.write(`${options.flushDiskType}\n${tally.report()}\n`)
    expect({ flaws, examples }).toEqual({
      flaws: { ...flawless, ahead: 0, behind: 0 },
      examples: [],
    })
    for (const cause of tally.met) met.add(cause)
  }
  for (const { name } of reachablePoints().met) expect([...met]).toContain(name)
})
