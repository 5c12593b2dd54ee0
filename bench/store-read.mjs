/**
 * How fast the store gives messages back: from its tail in memory, and from files that are in the
 * page cache or only on the device; and how soon after an append a message can be read.
 *
 * The limit of a read is `readSync` of the same bytes from the same files, 1 MiB at a time where a
 * consumer goes from message to message, one record where it jumps.
 */
import { closeSync, openSync, readdirSync, read as readFrom, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { measure } from 'mitata'
import {
  demandAppended,
  demandSettled,
  MIB,
  makeFolder,
  makeMessages,
  nextTurn,
  openBenchStore,
  recordOf,
  TOPIC,
  timed,
} from './store-ground.mjs'
import { dropPages } from './store-pages.mjs'
import { compare, interleave } from './store-stage.mjs'

const BODY_BYTES = 1_024
const COLD_BYTES = 128 * MIB
const HOT_BYTES = 16 * MIB
const WAVE = 256
/** What Apache's broker gives to one pull at the most: class MessageStoreConfig. */
const PULL = { maxMessages: 32, maxBytes: 256 * 1_024 }
const RANDOM_READS = 1_000
const RAW_READ_BYTES = MIB
const ROUNDS = 3
const DISPATCH_MS = 500
const DISPATCH_ROUNDS = 5

export const parts = { coldStore, rawReads, hotStore, rawHot, dispatchingStore, rawLoop }

export async function read(stage) {
  await measureDispatch(stage)
  await measureHot(stage)
  const storeFolder = makeFolder(stage.options.folder)
  const filler = await stage.start(import.meta.url, 'hotStore', { storeFolder })
  const { count } = await filler.call('fill', COLD_BYTES)
  await filler.close()
  for (const cold of [true, false]) await measureFiles(stage, storeFolder, count, cold)
}

async function measureFiles(stage, storeFolder, count, cold) {
  const store = await stage.start(import.meta.url, 'coldStore', { storeFolder, count })
  const raw = await stage.start(import.meta.url, 'rawReads', { storeFolder, count })
  const isDropped = cold && dropPages(storeFolder)
  const before = () => cold && dropPages(storeFolder)
  const where = isDropped ? 'cold' : 'page cache'
  const turn = (worker, name) => () => {
    before()
    return worker.call(name)
  }
  if (cold && !isDropped) return
  await measureSequential(stage, { store, raw, turn, where })
  await measureRandom(stage, { store, raw, turn, where })
  await store.close()
  await raw.close()
}

async function measureSequential(stage, { store, raw, turn, where }) {
  const calls = [turn(store, 'sequential'), turn(raw, 'sequential'), turn(raw, 'asPulls')]
  const [rounds, rawRounds, pullRounds] = await interleave(ROUNDS, calls)
  const name = `read ${where}, ${PULL.maxMessages} messages of ${BODY_BYTES} B after another`
  const common = { name, unit: 'MiB/s', memoryPeakMib: store.memoryPeakMib }
  stage.add({
    ...common,
    ...compare(rounds, rawRounds),
    limitName: 'readSync of 1 MiB after another',
    ...(where === 'cold' ? { target: { leastRatio: 0.6 } } : {}),
  })
  stage.add({
    ...common,
    ...compare(rounds, pullRounds),
    limitName: `fs.read of ${PULL.maxMessages} records, awaited one by one`,
  })
}

async function measureRandom(stage, { store, raw, turn, where }) {
  const [rounds, rawRounds] = await interleave(ROUNDS, [turn(store, 'random'), turn(raw, 'random')])
  stage.add({
    name: `read ${where}, 1 message of ${BODY_BYTES} B anywhere`,
    unit: 'reads/s',
    ...compare(rounds, rawRounds),
    limitName: 'readSync of its record',
    memoryPeakMib: store.memoryPeakMib,
  })
}

async function measureHot(stage) {
  const storeFolder = makeFolder(stage.options.folder)
  const store = await stage.start(import.meta.url, 'hotStore', { storeFolder })
  const { count } = await store.call('fill', HOT_BYTES)
  const raw = await stage.start(import.meta.url, 'rawHot', { storeFolder, count })
  for (const messages of [1, PULL.maxMessages]) {
    const [rounds, rawRounds] = await interleave(ROUNDS, [
      () => store.call('random', messages),
      () => raw.call('random', messages),
    ])
    stage.add({
      name: `read hot, ${messages} of ${BODY_BYTES} B anywhere`,
      unit: 'reads/s',
      ...compare(rounds, rawRounds),
      limitName: 'readSync of the same bytes from the page cache',
      memoryPeakMib: store.memoryPeakMib,
    })
  }
  await store.close()
  await raw.close()
}

async function measureDispatch(stage) {
  const store = await stage.start(import.meta.url, 'dispatchingStore')
  const raw = await stage.start(import.meta.url, 'rawLoop')
  const [seen, settled] = await interleave(DISPATCH_ROUNDS, [
    () => store.call('waves', DISPATCH_MS, true),
    () => store.call('waves', DISPATCH_MS, false),
  ])
  stage.add({
    name: `append until visible, ${WAVE} of ${BODY_BYTES} B a turn`,
    unit: 'msg/s',
    ...compare(seen, settled),
    limitName: 'append until settled',
  })
  const [one, rawOne] = await interleave(DISPATCH_ROUNDS, [
    () => store.call('one'),
    () => raw.call('one'),
  ])
  stage.add({
    name: `append until visible, one of ${BODY_BYTES} B at a time`,
    unit: 'msg/s',
    ...compare(one, rawOne),
    limitName: 'crc32 + copy + writeSync + one turn of the loop',
    memoryPeakMib: store.memoryPeakMib,
  })
  await store.close()
  await raw.close()
}

/** The rate that mitata finds for a call that is made over and over. */
async function rateOf(call) {
  const { p50 } = await measure(call)
  return { perSecond: 1e9 / p50 }
}

/** A store whose queue 0 is filled, and read where it is in memory. */
async function hotStore({ storeFolder }) {
  const messages = makeMessages(BODY_BYTES)
  const store = await openBenchStore(storeFolder)
  let count = 0
  return {
    async fill(bytes) {
      let end = 0
      while (end < bytes) {
        for (let i = 0; i < WAVE; i++, count++) {
          end = demandAppended(store.append({ ...messages[count & 511], queueId: 0 }))
        }
        await nextTurn()
        demandSettled(await store.settled(end, { waitForFlush: true }))
      }
      return { count }
    },
    random(maxMessages) {
      const offsets = randomOffsets(count - maxMessages)
      let next = 0
      return rateOf(() => {
        const offset = offsets[next++ % offsets.length]
        const found = store.read({ topic: TOPIC, queueId: 0, offset, ...PULL, maxMessages })
        if (found.messageCount !== maxMessages) throw new Error(`read: ${found.status}`)
        return found
      })
    },
    close: () => store.close(),
  }
}

/** The same bytes from the file. */
function rawHot({ storeFolder, count }) {
  const recordBytes = recordOf(makeMessages(BODY_BYTES)[0]).length
  const log = openLog(storeFolder)
  const target = Buffer.alloc(PULL.maxMessages * recordBytes)
  return {
    random(messages) {
      const offsets = randomOffsets(count - messages)
      let next = 0
      return rateOf(() => {
        const offset = offsets[next++ % offsets.length]
        return log.readSync(target, offset * recordBytes, messages * recordBytes)
      })
    },
    close: () => log.close(),
  }
}

/** A store that was filled before and has nothing of it in memory. */
async function coldStore({ storeFolder, count }) {
  const store = await openBenchStore(storeFolder)
  const request = { topic: TOPIC, queueId: 0, ...PULL }
  return {
    sequential: () =>
      timed(async () => {
        let bytes = 0
        for (let offset = 0; offset < count; ) {
          const found = await store.read({ ...request, offset })
          if (found.status !== 'FOUND') throw new Error(`read at ${offset}: ${found.status}`)
          for (const slice of found.slices) bytes += slice.length
          offset = found.nextOffset
        }
        return bytes / MIB
      }),
    random: () =>
      timed(async () => {
        for (const offset of randomOffsets(count)) {
          const found = await store.read({ ...request, offset, maxMessages: 1 })
          if (found.messageCount !== 1) throw new Error(`read at ${offset}: ${found.status}`)
        }
        return RANDOM_READS
      }),
    close: () => store.close(),
  }
}

/** The log of such a store without the store. */
function rawReads({ storeFolder, count }) {
  const recordBytes = recordOf(makeMessages(BODY_BYTES)[0]).length
  const end = count * recordBytes
  const log = openLog(storeFolder)
  const target = Buffer.alloc(RAW_READ_BYTES)
  return {
    sequential: () =>
      timed(() => {
        let at = 0
        while (at < end) at += log.readSync(target, at, Math.min(RAW_READ_BYTES, end - at))
        return at / MIB
      }),
    asPulls: () =>
      timed(async () => {
        const pullBytes = PULL.maxMessages * recordBytes
        let at = 0
        while (at < end) at += await log.read(target, at, Math.min(pullBytes, end - at))
        return at / MIB
      }),
    random: () =>
      timed(() => {
        for (const offset of randomOffsets(count)) {
          log.readSync(target, offset * recordBytes, recordBytes)
        }
        return RANDOM_READS
      }),
    close: () => log.close(),
  }
}

/** The first segment of the log: all benches here stay within it. */
function openLog(storeFolder) {
  const folder = join(storeFolder, 'commitlog')
  const [first] = readdirSync(folder).sort()
  const file = openSync(join(folder, first), 'r')
  return {
    readSync: (target, at, bytes) => readSync(file, target, 0, bytes, at),
    read: (target, at, bytes) =>
      new Promise((resolve, reject) => {
        readFrom(file, target, 0, bytes, at, (error, got) => (error ? reject(error) : resolve(got)))
      }),
    close: () => closeSync(file),
  }
}

function randomOffsets(limit) {
  return Array.from({ length: RANDOM_READS }, () => Math.floor(Math.random() * limit))
}

/** A store in which it is waited for a message to become visible in its queue. */
async function dispatchingStore({ folder }) {
  const messages = makeMessages(BODY_BYTES)
  const store = await openBenchStore(makeFolder(folder))
  const queueEnds = [0, 1, 2, 3].map((queueId) => store.queueEnd(TOPIC, queueId))
  let next = 0
  const appendOne = () => {
    const message = messages[next++ & 511]
    const outcome = store.append(message)
    demandAppended(outcome)
    return { ...outcome, queueId: message.queueId }
  }
  return {
    async waves(milliseconds, untilVisible) {
      const figures = await timed(async () => {
        const endMs = performance.now() + milliseconds
        let count = 0
        for (; performance.now() < endMs; count += WAVE) {
          let last
          for (let i = 0; i < WAVE; i++) last = appendOne()
          await nextTurn()
          if (untilVisible) await queueEnds[last.queueId].reached(last.queueOffset + 1)
          else demandSettled(await store.settled(last.endOffset, { waitForFlush: true }))
        }
        return count
      })
      await store.checkpoint()
      return figures
    },
    one: () =>
      rateOf(async () => {
        const { queueId, queueOffset } = appendOne()
        await queueEnds[queueId].reached(queueOffset + 1)
      }),
    close: () => store.close(),
  }
}

/** What one message costs at the least. */
function rawLoop({ folder }) {
  const messages = makeMessages(BODY_BYTES)
  const records = messages.map(recordOf)
  const file = openSync(join(makeFolder(folder), 'one'), 'w+')
  const zeros = Buffer.alloc(64 * MIB)
  const buffer = Buffer.alloc(records[0].length)
  writeSync(file, zeros)
  let next = 0
  let crc = 0
  return {
    one: () =>
      rateOf(async () => {
        const number = next++
        crc ^= crc32(messages[number & 511].body)
        buffer.set(records[number & 511])
        const position = (number * buffer.length) % (zeros.length - buffer.length)
        writeSync(file, buffer, 0, buffer.length, position)
        await nextTurn()
      }),
    close() {
      closeSync(file)
      return crc
    },
  }
}
