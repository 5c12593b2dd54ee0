/**
 * Many queues beside few: appends to 10,000 topics of 4 queues in turn against one topic, the open
 * files, and the start of a store with all these queues on its disk.
 */
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder } from './store-ground.mjs'
import { compare, inTurn, median } from './store-stage.mjs'

const file = new URL('./store-life.mjs', import.meta.url).href
const BODY_BYTES = 1_024
const TOPICS = 10_000
const QUEUES = 4 * TOPICS
const ROUNDS = 2
const ROUND_MS = 1_500
const STARTS = 1
const BUSY_MS = 1_000
const MOST_SECONDS = 5

export async function topics(stage) {
  const folders = [makeFolder(stage.options.folder), makeFolder(stage.options.folder)]
  const [many, one] = folders.map((storeFolder, i) => {
    return { storeFolder, bodyBytes: BODY_BYTES, topicCount: i === 0 ? TOPICS : 1 }
  })
  await compareAppends(stage, many, one)
  rmSync(one.storeFolder, { recursive: true })
  await measureStarts(stage, many)
  rmSync(many.storeFolder, { recursive: true })
}

async function compareAppends(stage, manySettings, oneSettings) {
  const many = await stage.start(file, 'busyStore', manySettings)
  const one = await stage.start(file, 'busyStore', oneSettings)
  const first = await many.call('fill', QUEUES)
  await one.call('fill', QUEUES)
  const checkpointMs = await many.call('checkpoint')
  stage.add({
    name: `first messages of ${QUEUES.toLocaleString('en')} queues`,
    value: first.perSecond,
    unit: 'msg/s',
    cpuMicros: first.cpuMicros,
    note: `the checkpoint behind them took ${(checkpointMs / 1_000).toFixed(1)} s`,
  })
  const [rounds, oneRounds] = await inTurn(ROUNDS, [() => roundOf(many), () => roundOf(one)])
  const { closeMs, handles } = await many.close()
  await one.close()
  stage.add({
    name: `append ASYNC ${BODY_BYTES} B to ${QUEUES.toLocaleString('en')} queues in turn`,
    unit: 'msg/s',
    ...compare(rounds, oneRounds),
    limitName: 'the same to 4 queues',
    memoryPeakMib: many.memoryPeakMib,
    note: `${handles} handles open, closed in ${(closeMs / 1_000).toFixed(1)} s`,
    target: { leastRatio: 0.9 },
  })
}

/** What a round left to be saved is saved before the other one's turn. */
async function roundOf(worker) {
  const figures = await worker.call('round', ROUND_MS)
  await worker.call('checkpoint')
  return figures
}

async function measureStarts(stage, settings) {
  const clean = []
  for (let i = 0; i < STARTS; i++) clean.push(await startOnce(stage, settings))
  addStarts(stage, 'after a stop in order', clean)
  const killed = []
  for (let i = 0; i < STARTS; i++) {
    const busy = await stage.start(file, 'busyStore', settings)
    await busy.call('goOn')
    await sleep(BUSY_MS)
    await busy.kill()
    killed.push(await startOnce(stage, settings))
  }
  addStarts(stage, 'after a kill', killed)
}

async function startOnce(stage, settings) {
  const store = await stage.start(file, 'startingStore', settings)
  const started = await store.call('start')
  await store.close()
  return { ...started, memoryPeakMib: store.memoryPeakMib }
}

function addStarts(stage, how, starts) {
  const mib = median(starts.map((each) => each.endOffset - each.checkpointOffset)) / 2 ** 20
  stage.add({
    name: `start with ${QUEUES.toLocaleString('en')} queues ${how}`,
    value: median(starts.map((each) => each.seconds)),
    unit: 's',
    memoryPeakMib: Math.max(...starts.map((each) => each.memoryPeakMib)),
    note: `${mib.toFixed(1)} MiB behind the checkpoint, ${starts[0].handles} handles open`,
    target: { most: MOST_SECONDS },
  })
}
