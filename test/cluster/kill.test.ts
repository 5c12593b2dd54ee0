/** A broker that is killed with SIGKILL while it works. */
import { expect, test } from 'vitest'
import { storm } from './storm.ts'
import { flawless } from './traffic.ts'

const TIMEOUT_MS = 240_000

test.concurrent.for(['ASYNC_FLUSH', 'SYNC_FLUSH'] as const)(
  'with %s, ten kills in the middle of a burst cost no acknowledged message, and consuming goes on',
  { timeout: TIMEOUT_MS },
  async (flushDiskType, context) => {
    const kills = 10
    const options = { kills, flushDiskType, seed: 7, acknowledgementsPerLife: 2_500 }
    expect(await storm(context, options)).toMatchObject(flawless)
  },
)
