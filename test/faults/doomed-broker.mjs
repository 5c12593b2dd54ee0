/**
 * A broker as `bin/mqbroker` starts it, on a disk that ends the process at a chosen call, lies, or
 * makes files look old: `node doomed-broker.mjs CONFIG_FILE`, with the rest as JSON in DOOMED.
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { nodeHost, pinoLogger } from '@rockhopper/host'
import { doomedDisk, Fate } from './doomed-disk.mjs'
import { agedDisk, lyingDisk } from './lies.mjs'
import { pointNamed } from './points.mjs'

/**
 * @typedef {object} Orders
 * @property {import('./points.mjs').Doom} [doom]
 * @property {import('./lies.mjs').Lie} [lie]
 * @property {number} [agedBefore] files of the log that lie before this offset look a day older
 * @property {string} [bootId] instead of the machine's
 */

const [, , configFile = ''] = process.argv
/** @type {Orders} */
const { agedBefore, bootId, doom, lie } = JSON.parse(process.env['DOOMED'] ?? '{}')
const fate = new Fate(doom === undefined ? undefined : pointNamed(doom.point), doom)
const real = nodeHost({ logger: pinoLogger({ destination: 2 }) })
const { disk: realDisk, machine: realMachine } = real
let disk = doomedDisk(realDisk, fate)
if (lie !== undefined) disk = lyingDisk(disk, lie)
if (agedBefore !== undefined) disk = agedDisk(disk, agedBefore)
const machine = { ...realMachine, ...(bootId === undefined ? {} : { bootId }) }
const host = { ...real, disk, machine }
const { values } = readBrokerConfig(readFileSync(configFile, 'utf8'), configFile)

try {
  const broker = await startBroker(host, completeBrokerConfig(values, host))
  fate.ready()
  process.on('SIGTERM', () => broker.close().then(() => process.exit(0)))
  broker.failed.then((error) => {
    process.stderr.write(`mqbroker: the disk failed, the broker stops: ${error.message}\n`)
    process.exit(2)
  })
  process.stdout.write(`boot success after ${fate.changesBeforeReady} changes\n`)
} catch (error) {
  process.stderr.write(`mqbroker: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
