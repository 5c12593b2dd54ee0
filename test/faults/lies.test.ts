/** Whether the storm notices when a broker's disk does not do what it says. */
import { expect, test } from 'vitest'
import { flawless } from './books.ts'
import { FragileVolume } from './fragile-volume.ts'
import { losePower } from './power.ts'
import { storm } from './storm.ts'

const TIMEOUT_MS = 240_000
const seed = 8
const whenAcknowledged = { kind: 'acknowledgement', count: 2_000, withinMs: 9_000 } as const
const whenSaved = { kind: 'commits' } as const

test.for(['ASYNC_FLUSH', 'SYNC_FLUSH'] as const)(
  'with %s, messages acknowledged before they are written are found to be lost',
  { timeout: TIMEOUT_MS },
  async (flushDiskType) => {
    const fates = [whenAcknowledged, whenAcknowledged]
    const { flaws } = await storm({ seed, fates, flushDiskType, lie: 'late-writes' })
    expect(flaws.lost).toBeGreaterThan(0)
  },
)

test('offsets of a group that are not saved are found to be behind', {
  timeout: TIMEOUT_MS,
}, async () => {
  const fates = [whenSaved, whenSaved]
  const flushDiskType = 'ASYNC_FLUSH'
  const { flaws } = await storm({ seed, fates, flushDiskType, lie: 'lost-offsets' })
  expect(flaws.behind).toBeGreaterThan(0)
  expect(flaws.lost).toBe(0)
})

test('with SYNC_FLUSH on a disk that syncs nothing, a loss of power is found to lose messages', {
  timeout: TIMEOUT_MS,
}, async (context) => {
  const reason = FragileVolume.whyNot()
  context.skip(reason !== undefined, `power cannot be cut here: ${reason}`)
  const cut = { cycles: 2, seed, flushDiskType: 'SYNC_FLUSH' } as const
  expect((await losePower({ ...cut, lie: 'no-syncs' })).gone).toBeGreaterThan(0)
  const { flaws, gaps, gone } = await losePower(cut)
  expect({ gaps, gone, flaws }).toEqual({ gaps: 0, gone: 0, flaws: flawless })
})
