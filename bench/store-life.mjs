/**
 * Parts that fill a store, keep it busy until they are killed, and start it again: what the benches
 * of recovery and of many topics have in common.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { silentLogger } from '@rockhopper/host'
import {
  demandAppended,
  demandSettled,
  MIB,
  makeMessages,
  nextTurn,
  openBenchStore,
  TOPIC,
  timed,
} from './store-ground.mjs'

export const WAVE = 256
const QUEUES_OF_A_TOPIC = 4
const READ_BYTES = 4 * MIB

export const parts = { busyStore, startingStore, rawScan }

/** The same messages over and over, for each topic and queue in turn. */
function roundRobin(bodyBytes, topicCount) {
  const messages = makeMessages(bodyBytes)
  const topics =
    topicCount === 1 ? [TOPIC] : Array.from({ length: topicCount }, (_, i) => `${TOPIC}${i}`)
  let next = 0
  return () => {
    const number = next++
    const topic = topics[number % topicCount]
    const queueId = Math.floor(number / topicCount) % QUEUES_OF_A_TOPIC
    return { ...messages[number & 511], topic, queueId }
  }
}

/** A store in a folder that outlives it, appended to in waves. */
async function busyStore({ storeFolder, bodyBytes, topicCount = 1 }) {
  const nextMessage = roundRobin(bodyBytes, topicCount)
  const store = await openBenchStore(storeFolder)
  let handles = 0
  const wave = async (size) => {
    let end = 0
    for (let i = 0; i < size; i++) end = demandAppended(store.append(nextMessage()))
    await nextTurn()
    demandSettled(await store.settled(end, { waitForFlush: true }))
    return size
  }
  const appendWhile = async (goesOn) => {
    let count = 0
    for (; goesOn(count); count += await wave(WAVE));
    handles = Math.max(handles, readdirSync('/proc/self/fd').length)
    return count
  }
  return {
    fill: (wanted) => timed(() => appendWhile((count) => count < wanted)),
    async round(milliseconds) {
      const endMs = performance.now() + milliseconds
      const figures = await timed(() => appendWhile(() => performance.now() < endMs))
      return { ...figures, handles }
    },
    /** Answers at once, and appends until the process is killed. */
    goOn() {
      appendWhile(() => true)
    },
    async checkpoint() {
      const startMs = performance.now()
      await store.checkpoint()
      return performance.now() - startMs
    },
    async close() {
      const startMs = performance.now()
      await store.close()
      return { closeMs: performance.now() - startMs, handles }
    },
  }
}

/** A store that is opened when it is told to, and takes one message. */
function startingStore({ storeFolder, bodyBytes, topicCount = 1 }) {
  const nextMessage = roundRobin(bodyBytes, topicCount)
  let store
  return {
    async start() {
      const found = {}
      const logger = { ...silentLogger, info: (_, fields) => Object.assign(found, fields) }
      const startMs = performance.now()
      store = await openBenchStore(storeFolder, {}, logger)
      const openMs = performance.now() - startMs
      const end = demandAppended(store.append(nextMessage()))
      demandSettled(await store.settled(end, { waitForFlush: true }))
      const seconds = (performance.now() - startMs) / 1_000
      return { ...found, openMs, seconds, handles: readdirSync('/proc/self/fd').length }
    },
    close: () => store.close(),
  }
}

/** Reads and sums the bytes of the log that a recovery has to look at. */
function rawScan({ logFolder }) {
  return {
    scan(from, to) {
      const buffer = Buffer.alloc(READ_BYTES)
      const startMs = performance.now()
      let crc = 0
      for (const { path, start, sizeBytes } of segmentsIn(logFolder)) {
        const file = openSync(path, 'r')
        const end = Math.min(to - start, sizeBytes)
        for (let at = Math.max(from - start, 0); at < end; ) {
          const count = readSync(file, buffer, 0, Math.min(READ_BYTES, end - at), at)
          crc ^= crc32(buffer.subarray(0, count))
          at += count
        }
        closeSync(file)
      }
      return { seconds: (performance.now() - startMs) / 1_000, crc }
    },
    close() {},
  }
}

function segmentsIn(folder) {
  return readdirSync(folder).map((name) => {
    const path = join(folder, name)
    return { path, start: Number(name), sizeBytes: statSync(path).size }
  })
}
