/** A broker that is killed with SIGKILL under load, wherever it is just then. */
import { expect, test } from 'vitest'
import { flawless } from './books.ts'
import { storm } from './storm.ts'

const TIMEOUT_MS = 240_000

test.concurrent.for([
  ['ASYNC_FLUSH', 12],
  ['SYNC_FLUSH', 13],
] as const)(
  'with %s, %i kills under load cost no message, no byte and no place in a queue',
  { timeout: TIMEOUT_MS },
  async ([flushDiskType, kills]) => {
    const { flaws, tally } = await storm({ kills, flushDiskType, seed: 7, length: 0.3 })
    process.stdout.write(`${tally.report()}\n`)
    expect(flaws).toEqual({ ...flawless, ahead: 0, behind: 0 })
  },
)
