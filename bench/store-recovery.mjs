/**
 * How long a store with many messages takes from `openStore` until its first append is settled:
 * after a kill in the middle of appending, and after a stop in order. The limit of the first is
 * reading and summing what the last checkpoint does not cover.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder } from './store-ground.mjs'
import { dropPages } from './store-pages.mjs'
import { median } from './store-stage.mjs'

const file = new URL('./store-life.mjs', import.meta.url).href
const BODY_BYTES = 128
const ROUNDS = 3
const MOST_SECONDS_KILLED = 5
const MOST_SECONDS_CLEAN = 1
const BUSY_MS = { least: 300, spread: 700 }
const settings = (storeFolder) => ({ storeFolder, bodyBytes: BODY_BYTES })

export async function recovery(stage) {
  const storeFolder = makeFolder(stage.options.folder)
  const { messages } = stage.options
  await fill(stage, storeFolder, messages)
  const text = `${messages.toLocaleString('en')} × ${BODY_BYTES} B`
  const killed = []
  for (let round = 0; round < ROUNDS; round++) {
    await beKilled(stage, storeFolder)
    killed.push(await startOnce(stage, storeFolder))
  }
  addStarts(stage, `start after a kill, ${text}`, killed, MOST_SECONDS_KILLED)
  await beKilled(stage, storeFolder)
  if (dropPages(storeFolder)) {
    const cold = await startOnce(stage, storeFolder)
    addStarts(stage, `start after a kill, cold, ${text}`, [cold], MOST_SECONDS_KILLED)
  } else await startOnce(stage, storeFolder)
  const clean = []
  for (let round = 0; round < ROUNDS; round++) clean.push(await startOnce(stage, storeFolder))
  addStarts(stage, `start after a stop in order, ${text}`, clean, MOST_SECONDS_CLEAN)
  if (dropPages(storeFolder)) {
    const cold = await startOnce(stage, storeFolder)
    addStarts(stage, `start after a stop in order, cold, ${text}`, [cold], MOST_SECONDS_CLEAN)
  }
  rmSync(storeFolder, { recursive: true })
}

/** The worst that can happen: nothing but the log is left, and all of it is gone through. */
export async function rebuild(stage) {
  const storeFolder = makeFolder(stage.options.folder)
  const { messages } = stage.options
  await fill(stage, storeFolder, messages)
  for (const name of readdirSync(storeFolder)) {
    if (name !== 'commitlog') rmSync(join(storeFolder, name), { recursive: true })
  }
  const started = await startOnce(stage, storeFolder)
  const text = `start from the log alone, ${messages.toLocaleString('en')} × ${BODY_BYTES} B`
  addStarts(stage, text, [started], undefined)
  rmSync(storeFolder, { recursive: true })
}

async function fill(stage, storeFolder, messages) {
  const store = await stage.start(file, 'busyStore', settings(storeFolder))
  const { perSecond, cpuMicros, kernelShare } = await store.call('fill', messages)
  await store.close()
  stage.add({
    name: `fill with ${messages.toLocaleString('en')} × ${BODY_BYTES} B`,
    value: perSecond,
    unit: 'msg/s',
    cpuMicros,
    kernelShare,
    memoryPeakMib: store.memoryPeakMib,
  })
}

async function beKilled(stage, storeFolder) {
  const store = await stage.start(file, 'busyStore', settings(storeFolder))
  await store.call('goOn')
  await sleep(BUSY_MS.least + Math.random() * BUSY_MS.spread)
  await store.kill()
}

/** One start, ended in order, and the limit for it. */
async function startOnce(stage, storeFolder) {
  const store = await stage.start(file, 'startingStore', settings(storeFolder))
  const started = await store.call('start')
  await store.close()
  const raw = await stage.start(file, 'rawScan', { logFolder: join(storeFolder, 'commitlog') })
  const { seconds } = await raw.call('scan', started.checkpointOffset, started.endOffset)
  await raw.close()
  return { ...started, rawSeconds: seconds, memoryPeakMib: store.memoryPeakMib }
}

function addStarts(stage, name, starts, most) {
  const bytes = median(starts.map((each) => each.endOffset - each.checkpointOffset))
  const mib = (bytes / 2 ** 20).toFixed(1)
  const limit =
    bytes === 0
      ? {}
      : {
          limit: median(starts.map((each) => each.rawSeconds)),
          ratio: median(starts.map((each) => each.seconds / each.rawSeconds)),
          limitName: 'pread + crc32 of what the checkpoint lacks',
        }
  stage.add({
    name,
    value: median(starts.map((each) => each.seconds)),
    unit: 's',
    ...limit,
    memoryPeakMib: Math.max(...starts.map((each) => each.memoryPeakMib)),
    note: `${mib} MiB behind the checkpoint`,
    ...(most === undefined ? {} : { target: { most } }),
  })
}
