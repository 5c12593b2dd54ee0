/**
 * How fast the store takes messages in. ASYNC_FLUSH in waves, as a loop turn of a broker appends
 * them; SYNC_FLUSH with so many senders that each wait for their message before the next.
 *
 * The limits: the same bytes through crc32 and a copy into one `writeSync` per wave, into a new file
 * as the log is one, and beside it over pages that are in memory already; and one `fdatasync` for
 * all who wait.
 */
import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import {
  demandAppended,
  demandSettled,
  MIB,
  makeFolder,
  makeMessages,
  nextTurn,
  openBenchStore,
  recordOf,
  timed,
} from './store-ground.mjs'
import { compare, interleave } from './store-stage.mjs'

const BODY_BYTES = [128, 1_024, 4_096]
const WAITING = [1, 8, 64, 512]
const MOST_WAITING = 512
/** How often ASYNC_FLUSH syncs (flushIntervalCommitLog). */
const FLUSH_INTERVAL_MS = 500
/** Messages of one turn of the loop. */
const WAVE = 256
const RAW_FILE_BYTES = 256 * MIB
const LEAST_RATE_AT_128 = 700_000
const ROUNDS = 5
const SYNC_ROUNDS = 3
const ASYNC_MS = 700
const RAW_MS = 300
const SYNC_MS = 300
const SYNCS_MS = 200

const datasync = promisify(fdatasync)

export const parts = { storeWaves, storeWaiting, rawWaves, rawSyncs }

export async function append(stage) {
  for (const bodyBytes of BODY_BYTES) await measureWaves(stage, bodyBytes)
}

async function measureWaves(stage, bodyBytes) {
  const store = await stage.start(import.meta.url, 'storeWaves', { bodyBytes })
  const raw = await stage.start(import.meta.url, 'rawWaves', { bodyBytes })
  const [rounds, rawRounds, flushedRounds, warmRounds] = await interleave(ROUNDS, [
    () => store.call('round', ASYNC_MS),
    () => raw.call('round', ASYNC_MS, 'new'),
    () => raw.call('round', ASYNC_MS, 'flushed'),
    () => raw.call('round', RAW_MS, 'warm'),
  ])
  const { recordBytes } = await store.close()
  await raw.close()
  const common = {
    name: `append ASYNC ${bodyBytes} B, ${WAVE} a turn (${writeSize(recordBytes * WAVE)} a write)`,
    unit: 'msg/s',
    memoryPeakMib: store.memoryPeakMib,
  }
  const large = bodyBytes >= 1_024
  stage.add({
    ...common,
    ...compare(rounds, rawRounds),
    limitName: 'crc32 + copy + writeSync into a new file',
    bytes: recordBytes,
    target: large ? { leastRatio: 0.5 } : { least: LEAST_RATE_AT_128 },
  })
  stage.add({
    ...common,
    ...compare(rounds, flushedRounds),
    limitName: 'the first with an fdatasync beside it twice a second, as ASYNC_FLUSH has',
    bytes: recordBytes,
  })
  stage.add({
    ...common,
    ...compare(rounds, warmRounds),
    limitName: 'crc32 + copy + writeSync over pages that are in memory, which no log can have',
    bytes: recordBytes,
  })
}

export async function sync(stage) {
  for (const bodyBytes of BODY_BYTES) await measureWaiting(stage, bodyBytes)
}

async function measureWaiting(stage, bodyBytes) {
  const settings = { bodyBytes }
  const store = await stage.start(import.meta.url, 'storeWaiting', { ...settings, flush: 'SYNC' })
  const lazy = await stage.start(import.meta.url, 'storeWaiting', { ...settings, flush: 'ASYNC' })
  const raw = await stage.start(import.meta.url, 'rawSyncs', settings)
  const found = []
  for (const waiting of WAITING) {
    const calls = [
      () => store.call('round', SYNC_MS, waiting),
      () => raw.call('round', SYNCS_MS, waiting),
    ]
    if (waiting === MOST_WAITING) calls.push(() => lazy.call('round', SYNC_MS, waiting))
    found.push({ waiting, rounds: await interleave(SYNC_ROUNDS, calls) })
  }
  for (const worker of [store, lazy, raw]) await worker.close()
  for (const { waiting, rounds } of found) addWaiting(stage, store, bodyBytes, waiting, rounds)
}

function addWaiting(stage, store, bodyBytes, waiting, [rounds, rawRounds, lazyRounds]) {
  const name = `append SYNC ${bodyBytes} B, ${waiting} waiting`
  const common = { name, unit: 'msg/s', memoryPeakMib: store.memoryPeakMib }
  stage.add({
    ...common,
    ...compare(rounds, rawRounds),
    limitName: `writeSync of ${waiting} + fdatasync`,
  })
  if (waiting !== MOST_WAITING) return
  stage.add({
    ...common,
    ...compare(rounds, lazyRounds),
    limitName: `ASYNC with ${waiting} waiting`,
    target: { leastRatio: 0.6 },
  })
}

function writeSize(bytes) {
  return `${Math.round(bytes / 1_024)} KiB`
}

/** A store that takes waves: each is appended in one turn, and waited for after it. */
async function storeWaves({ folder, bodyBytes }) {
  const messages = makeMessages(bodyBytes)
  const store = await openBenchStore(makeFolder(folder), { flushDiskType: 'ASYNC_FLUSH' })
  let next = 0
  const wave = async () => {
    let end = 0
    for (let i = 0; i < WAVE; i++) end = demandAppended(store.append(messages[next++ & 511]))
    await nextTurn()
    demandSettled(await store.settled(end, { waitForFlush: true }))
  }
  return {
    async round(milliseconds) {
      const figures = await timed(async () => {
        const endMs = performance.now() + milliseconds
        let count = 0
        for (; performance.now() < endMs; count += WAVE) await wave()
        return count
      })
      // What the store has yet to sync must not slow down the limit.
      await store.checkpoint()
      return figures
    },
    async close() {
      await store.close()
      return { recordBytes: recordOf(messages[0]).length }
    },
  }
}

/** A store whose senders each wait for the message before. */
async function storeWaiting({ folder, bodyBytes, flush }) {
  const messages = makeMessages(bodyBytes)
  const store = await openBenchStore(makeFolder(folder), { flushDiskType: `${flush}_FLUSH` })
  let next = 0
  let endMs = 0
  const sender = async () => {
    let count = 0
    while (performance.now() < endMs) {
      const end = demandAppended(store.append(messages[next++ & 511]))
      demandSettled(await store.settled(end, { waitForFlush: true }))
      count += 1
    }
    return count
  }
  return {
    async round(milliseconds, waiting) {
      const figures = await timed(async () => {
        endMs = performance.now() + milliseconds
        const counts = await Promise.all(Array.from({ length: waiting }, sender))
        return counts.reduce((sum, count) => sum + count, 0)
      })
      await store.checkpoint()
      return figures
    },
    close: () => store.close(),
  }
}

/** The bytes of the waves through the least that has to be done with them. */
function rawWaves({ folder, bodyBytes }) {
  const messages = makeMessages(bodyBytes)
  const records = messages.map(recordOf)
  const file = openFilled(folder)
  const fresh = openSync(join(makeFolder(folder), 'fresh'), 'w+')
  const buffer = Buffer.alloc(records[0].length * WAVE + MIB)
  let next = 0
  let crc = 0
  const encodeWave = () => {
    let at = 0
    for (let i = 0; i < WAVE; i++, next++) {
      crc ^= crc32(messages[next & 511].body)
      const record = records[next & 511]
      buffer.set(record, at)
      at += record.length
    }
    return at
  }
  const overwrite = (endMs) => {
    let count = 0
    for (let position = 0; performance.now() < endMs; count += WAVE) {
      const bytes = encodeWave()
      if (position + bytes > RAW_FILE_BYTES) position = 0
      position += writeSync(file, buffer, 0, bytes, position)
    }
    return count
  }
  const extend = (endMs) => {
    let count = 0
    for (let position = 0; performance.now() < endMs; count += WAVE) {
      position += writeSync(fresh, buffer, 0, encodeWave(), position)
    }
    return count
  }
  let syncing = Promise.resolve()
  const extendAndFlush = async (endMs) => {
    let count = 0
    let flushMs = performance.now() + FLUSH_INTERVAL_MS
    for (let position = 0; performance.now() < endMs; count += WAVE) {
      position += writeSync(fresh, buffer, 0, encodeWave(), position)
      await nextTurn()
      if (performance.now() < flushMs) continue
      flushMs += FLUSH_INTERVAL_MS
      syncing = syncing.then(() => datasync(fresh))
    }
    return count
  }
  const writers = { new: extend, flushed: extendAndFlush, warm: overwrite }
  return {
    async round(milliseconds, kind) {
      if (kind !== 'warm') ftruncateSync(fresh, 0)
      const figures = await timed(() => writers[kind](performance.now() + milliseconds))
      await syncing
      fdatasyncSync(kind === 'warm' ? file : fresh)
      return figures
    },
    close() {
      closeSync(file)
      closeSync(fresh)
      return crc
    },
  }
}

/** One sync for all who wait, and nothing else but the write that it is for. */
function rawSyncs({ folder, bodyBytes }) {
  const record = recordOf(makeMessages(bodyBytes)[0])
  const file = openFilled(folder)
  return {
    round(milliseconds, waiting) {
      const buffer = Buffer.alloc(record.length * waiting, record)
      return timed(() => {
        const endMs = performance.now() + milliseconds
        let count = 0
        for (let position = 0; performance.now() < endMs; count += waiting) {
          if (position + buffer.length > RAW_FILE_BYTES) position = 0
          position += writeSync(file, buffer, 0, buffer.length, position)
          fdatasyncSync(file)
        }
        return count
      })
    },
    close: () => closeSync(file),
  }
}

/** A file whose blocks are on the disk and whose pages are in memory. */
function openFilled(folder) {
  const file = openSync(join(makeFolder(folder), 'filled'), 'w+')
  const zeros = Buffer.alloc(MIB)
  for (let at = 0; at < RAW_FILE_BYTES; at += MIB) writeSync(file, zeros, 0, MIB, at)
  fdatasyncSync(file)
  return file
}
