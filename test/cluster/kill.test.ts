/** A broker that is killed with SIGKILL while producers and consumers of ours work with it. */
import { expect, test } from 'vitest'
import { openStage } from './stage.ts'
import { flawless, Traffic } from './traffic.ts'

const TIMEOUT_MS = 240_000
const KILLS = 3

test.concurrent.for(['ASYNC_FLUSH', 'SYNC_FLUSH'] as const)(
  'with %s, kills in a burst cost no acknowledged message, and consuming goes on',
  { timeout: TIMEOUT_MS },
  async (flushDiskType, context) => {
    const stage = await openStage(context, { settings: { flushDiskType } })
    const traffic = await Traffic.open(stage)
    traffic.send()
    for (let kill = 1; kill <= KILLS; kill++) {
      await traffic.untilAcknowledged(2_000)
      await traffic.untilDelivered(1_000)
      await stage.broker.kill()
      stage.broker.launch()
    }
    await traffic.untilAcknowledged(1)
    expect(await traffic.judge()).toMatchObject(flawless)
  },
)
