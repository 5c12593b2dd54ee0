/** A broker whose volume is full. */
import { appendFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '@rockhopper/host'
import { responseCode } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import type { Burst } from './burst.ts'
import { createTopic, openStage, type Stage } from './stage.ts'
import { mountTinyVolume } from './tiny-volume.ts'
import { flawless, Traffic } from './traffic.ts'

const MIB = 1024 * 1024
const VOLUME_BYTES = 16 * MIB
const BALLAST_BYTES = 3 * MIB
const FULL_TIMEOUT_MS = 60_000
const PAGE_BYTES = 4096
const LOOK_AGAIN_MS = 5

test('a full disk refuses messages with a sentence, costs none, and takes them again when there is room', {
  timeout: 180_000,
}, async (context) => {
  const stage = await openStage(context, {
    prepareStore: (store) => mountTinyVolume(context, store, VOLUME_BYTES),
  })
  const ballast = join(stage.store, 'ballast-1')
  const moreBallast = join(stage.store, 'ballast-2')
  for (const path of [ballast, moreBallast]) writeFileSync(path, Buffer.alloc(BALLAST_BYTES))
  const traffic = await Traffic.open(stage)
  const burst = traffic.send()
  await untilRefused(stage, burst)
  expect(burst.lastError).toMatchObject({ responseCode: responseCode.SERVICE_NOT_AVAILABLE })
  expect(burst.lastError?.message).toMatch(
    `The volume of "${join(stage.store, 'commitlog')}" is full`,
  )
  expect(burst.lastError?.message).toMatch(/: \d+ bytes are free/)
  await traffic.untilDelivered()
  await takeLastPages(stage, ballast)
  await expect(createTopic(stage, 'late', 1)).rejects.toThrow(/no room|no space/i)

  rmSync(ballast)
  await traffic.untilAcknowledged(1_000)
  await untilRefused(stage, burst)
  await stage.broker.kill()
  await stage.broker.start()
  await traffic.untilDelivered()

  rmSync(moreBallast)
  await traffic.untilAcknowledged(1_000)
  await createTopic(stage, 'late', 1)
  expect(await traffic.judge()).toMatchObject(flawless)
})

async function untilRefused({ broker }: Stage, { failures }: Burst): Promise<void> {
  const refused = failures.reached(failures.value + 1, { timeoutMs: FULL_TIMEOUT_MS })
  await broker.whileItRuns('the refusal of a message', refused)
}

/**
 * Gives what room there is to `ballast`. A table that was being saved gives its former copy back
 * when it is done, and another small one would fit there: nothing is left when none is being saved.
 */
async function takeLastPages({ host, store }: Stage, ballast: string): Promise<void> {
  fill(ballast)
  while (isTableBeingSaved(join(store, 'config'))) {
    await pause(host.clock, LOOK_AGAIN_MS)
    fill(ballast)
  }
}

function fill(ballast: string): void {
  const page = Buffer.alloc(PAGE_BYTES)
  try {
    for (;;) appendFileSync(ballast, page)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  }
}

/** A save that finds no room leaves an empty file. */
function isTableBeingSaved(folder: string): boolean {
  const fresh = readdirSync(folder).filter((name) => name.endsWith('.new'))
  return fresh.some(
    (name) => (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0) > 0,
  )
}
