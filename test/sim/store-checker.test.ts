/**
 * The simulation of stores finds bugs: each one that is planted breaks a promise within a few dozen
 * seeds that are kept without it.
 */
import { type StoreLifeOptions, simulateStore } from '@rockhopper/sim'
import { expect, test } from 'vitest'
import * as bugs from './store-bugs.ts'

const FIRST_SEED = 201
const MOST_SEEDS = 100
/** For machines that are busy with other things. */
const TIMEOUT_MS = 600_000

interface Planted extends StoreLifeOptions {
  readonly bug: string
}

const PLANTED: readonly Planted[] = [
  { bug: 'acknowledges before the sync', doors: bugs.acknowledgesBeforeSync, flushDisk: 'sync' },
  { bug: 'acknowledges before the write', doors: bugs.writesLate, flushDisk: 'async' },
  { bug: 'tries a failed sync again', doors: bugs.retriesFailedSync, errors: true },
  { bug: 'skips checksums at its start', doors: bugs.skipsChecksums },
  { bug: 'cuts the log at the first bad record', doors: bugs.cutsAtFirstBadRecord },
  { bug: 'does not make the key index anew', doors: bugs.forgetsKeys },
  { bug: 'believes more than is durable', doors: bugs.checkpointsWhatIsWritten },
  { bug: 'checkpoints before its queues are synced', doors: bugs.checkpointsBeforeQueues },
  { bug: 'leaves old records behind the end', doors: bugs.leavesOldRecords },
  { bug: 'does not write again after a crash', doors: bugs.spareRewrites, errors: true },
  { bug: 'rolls without a blank record', doors: bugs.rollsWithoutBlank },
  { bug: 'says at once that all is safe', store: bugs.promisesAtOnce },
  { bug: 'never shows the first message', store: bugs.skipsAMessage },
]

test.each(PLANTED)(
  'a store that $bug is found',
  { timeout: TIMEOUT_MS },
  async ({ bug, ...planted }) => {
    const { doors, store, ...choice } = planted
    for (let seed = FIRST_SEED; seed < FIRST_SEED + MOST_SEEDS; seed++) {
      const { findings } = await simulateStore(seed, planted)
      if (findings.length === 0) continue
      // It is the bug that was found, not the seed.
      if ((await simulateStore(seed, choice)).findings.length === 0) return
    }
    expect.unreachable(`no seed finds a store that ${bug}`)
  },
)
