/**
 * How fast messages are found by their keys. The limit is what no index of this form can do
 * without: a read of the slot, one of the entry and one of the record.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  demandAppended,
  demandSettled,
  makeFolder,
  makeMessages,
  nextTurn,
  openBenchStore,
  propertiesOf,
  recordOf,
  TOPIC,
  timed,
  uniqueKey,
} from './store-ground.mjs'
import { dropPages } from './store-pages.mjs'
import { compare, interleave } from './store-stage.mjs'

const BODY_BYTES = 128
const MESSAGES = 200_000
const WAVE = 256
const QUERIES = 1_000
const ROUNDS = 3
const SLOT_BYTES = 4
const ENTRY_BYTES = 20

export const parts = { fillingStore, queriedStore, rawLookups }

export async function query(stage) {
  const storeFolder = makeFolder(stage.options.folder)
  const filler = await stage.start(import.meta.url, 'fillingStore', { storeFolder })
  await filler.call('fill')
  await filler.close()
  const store = await stage.start(import.meta.url, 'queriedStore', { storeFolder })
  const raw = await stage.start(import.meta.url, 'rawLookups', { storeFolder })
  for (const cold of [false, true]) {
    if (cold && !dropPages(storeFolder)) continue
    const turn = (worker) => () => {
      if (cold) dropPages(storeFolder)
      return worker.call('lookups')
    }
    const [rounds, rawRounds] = await interleave(ROUNDS, [turn(store), turn(raw)])
    stage.add({
      name: `query by key, ${cold ? 'cold' : 'page cache'}, 1 of ${MESSAGES.toLocaleString('en')}`,
      unit: 'queries/s',
      ...compare(rounds, rawRounds),
      limitName: 'readSync of slot, entry and record',
      memoryPeakMib: store.memoryPeakMib,
    })
  }
  await store.close()
  await raw.close()
}

/** Messages that each have a key of their own. */
async function fillingStore({ storeFolder }) {
  const messages = makeMessages(BODY_BYTES)
  const store = await openBenchStore(storeFolder)
  return {
    async fill() {
      for (let count = 0; count < MESSAGES; ) {
        let end = 0
        for (let i = 0; i < WAVE; i++, count++) {
          const properties = [propertiesOf(uniqueKey(count))]
          end = demandAppended(store.append({ ...messages[count & 511], properties }))
        }
        await nextTurn()
        demandSettled(await store.settled(end, { waitForFlush: true }))
      }
    },
    close: () => store.close(),
  }
}

async function queriedStore({ storeFolder }) {
  const store = await openBenchStore(storeFolder)
  const wanted = { maxMessages: 1, beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER }
  return {
    lookups: () =>
      timed(async () => {
        for (let i = 0; i < QUERIES; i++) {
          const key = uniqueKey(randomBelow(MESSAGES))
          const { records } = await store.queryByKey(TOPIC, key, wanted)
          if (records.length !== 1) throw new Error(`${records.length} messages have key ${key}.`)
        }
        return QUERIES
      }),
    close: () => store.close(),
  }
}

function rawLookups({ storeFolder }) {
  const recordBytes = recordOf(makeMessages(BODY_BYTES)[0]).length
  const index = openFirst(join(storeFolder, 'index'))
  const log = openFirst(join(storeFolder, 'commitlog'))
  const target = Buffer.alloc(recordBytes)
  return {
    lookups: () =>
      timed(() => {
        for (let i = 0; i < QUERIES; i++) {
          const slot = randomBelow(index.sizeBytes - ENTRY_BYTES)
          readSync(index.file, target, 0, SLOT_BYTES, slot)
          readSync(index.file, target, 0, ENTRY_BYTES, randomBelow(index.sizeBytes - ENTRY_BYTES))
          readSync(log.file, target, 0, recordBytes, randomBelow(MESSAGES) * recordBytes)
        }
        return QUERIES
      }),
    close() {
      closeSync(index.file)
      closeSync(log.file)
    },
  }
}

function openFirst(folder) {
  const [first] = readdirSync(folder).sort()
  const path = join(folder, first)
  return { file: openSync(path, 'r'), sizeBytes: statSync(path).size }
}

function randomBelow(limit) {
  return Math.floor(Math.random() * limit)
}
