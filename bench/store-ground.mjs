/**
 * What all benches of the store stand on: a folder on the disk that is measured, a store opened
 * with the settings of a broker, and messages as a Java client sends them.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { nodeHost, silentLogger } from '@rockhopper/host'
import {
  defaultConfig,
  hostAddress,
  javaHashCode,
  recordBytes,
  writeRecord,
} from '@rockhopper/protocol'
import { openStore } from '@rockhopper/store'
import { brokerConfigTable } from '../packages/broker/dist/index.js'
// The settings of a store are the broker's to derive, and its index does not show them.
import { storeConfigOf } from '../packages/broker/dist/parts-config.js'

export const MIB = 2 ** 20
export const TOPIC = 'BenchmarkTopic'

/** So many messages take turns: more than a cache of the processor holds of the large ones. */
const MESSAGE_COUNT = 512
const TAG = 'TagA'
const hosts = {
  bornHost: hostAddress('127.0.0.1', 4_000),
  storeHost: hostAddress('127.0.0.1', 10_911),
}

// Folders are removed at the exit of the process, which a signal alone is not.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** A folder that is gone when the process ends, unless it is killed. */
export function makeFolder(parent) {
  const folder = mkdtempSync(join(parent, 'rockhopper-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A store as a broker with the given settings of Apache opens it. */
export function openBenchStore(folder, settings = {}, logger = silentLogger) {
  const config = { ...defaultConfig(brokerConfigTable), ...settings, storePathRootDir: folder }
  return openStore(nodeHost({ logger }), storeConfigOf(config))
}

/** Messages with bodies of their own and 100 bytes of properties, for the queues 0 to 3. */
export function makeMessages(bodyBytes, topic = TOPIC) {
  return Array.from({ length: MESSAGE_COUNT }, (_, i) => makeMessage(bodyBytes, topic, i))
}

function makeMessage(bodyBytes, topic, number) {
  return {
    topic,
    queueId: number & 3,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    ...hosts,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.alloc(bodyBytes, `${number} `),
    properties: [propertiesOf(uniqueKey(number))],
    tagsCode: javaHashCode(TAG),
  }
}

/** 32 hexadecimal digits, as a Java client makes them. */
export function uniqueKey(number) {
  return `7F00000168A018B4AAC2118D${number.toString(16).toUpperCase().padStart(8, '0')}`
}

/** As a Java client and its broker make them: 100 bytes. */
export function propertiesOf(key) {
  const pairs = { UNIQ_KEY: key, CLUSTER: 'DefaultCluster', MSG_REGION: 'DefaultRegion', TAGS: TAG }
  const text = Object.entries(pairs).map(([name, value]) => `${name}\x01${value}\x02`)
  return Buffer.from(text.join(''))
}

/** The bytes that a message takes in the log. */
export function recordOf(message) {
  const content = { ...message, topic: Buffer.from(message.topic) }
  const bytes = Buffer.alloc(recordBytes(content))
  const place = { queueOffset: 0, logOffset: 0, storeTimestamp: Date.now() }
  writeRecord(bytes, 0, bytes.length, content, place)
  return bytes
}

/** Throws when a message was refused: a bench that goes on would count nothing. */
export function demandAppended(outcome) {
  if (outcome.kind !== 'appended') throw new Error(outcome.reason)
  return outcome.endOffset
}

export function demandSettled(outcome) {
  if (outcome !== 'ok') throw new Error(`The store answered "${outcome}".`)
}

/**
 * Measures one round: what it counted per second, the processor time per count in microseconds (of
 * all threads, syncs included), and the kernel's share of it.
 */
export async function timed(run) {
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const count = await run()
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  const cpu = user + system
  return { count, perSecond: count / seconds, cpuMicros: cpu / count, kernelShare: system / cpu }
}

/** The most memory that this process ever had resident. */
export function memoryPeakMib() {
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1_024
}

export function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve))
}
