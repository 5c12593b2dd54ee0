/**
 * A set of configurations as it is on disk: one `.properties` or `.conf` file for each broker, and
 * perhaps `namesrv.properties`. What is derived from it: which servers there are, where they answer,
 * and where they keep things. Owns nothing.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { built } from './built.mjs'

/**
 * One process of the set.
 * @typedef {{
 *   name: string,
 *   kind: 'name server' | 'broker',
 *   program: 'mqnamesrv' | 'mqbroker',
 *   address: string,
 *   brokerName: string,
 *   brokerId: number,
 *   role: string,
 *   configFile: string,
 *   configText: string,
 *   pidFile: string,
 *   logFile: string,
 * }} Server
 *
 * @typedef {{ name: string, data: string, nameServer: string, servers: Server[] }} ClusterSet
 */

const NAME_SERVER_FILE = 'namesrv.properties'
const SUFFIX = /\.(properties|conf)$/

/** What is wrong with a set, as a sentence. */
export class SetError extends Error {}

/**
 * The set in a folder; masters stand before slaves. Throws `SetError`, or the reader's own error.
 * @param {string} folder
 * @param {string | undefined} dataFolder where everything is kept; `data/NAME` when absent
 * @returns {Promise<ClusterSet>}
 */
export async function readSet(folder, dataFolder) {
  const name = basename(resolve(folder))
  const data = resolve(dataFolder ?? join('data', name))
  if (!existsSync(folder)) throw new SetError(`There is no folder ${resolve(folder)}.`)
  const files = readdirSync(folder).filter((file) => SUFFIX.test(file) && file !== NAME_SERVER_FILE)
  if (files.length === 0) {
    throw new SetError(`The folder ${resolve(folder)} has no .properties file of a broker.`)
  }
  const isMoved = dataFolder !== undefined
  const read = files.sort().map((file) => brokerOf(join(folder, file), data, isMoved))
  const brokers = await Promise.all(read)
  checkApart(brokers)
  const nameServer = nameServerOf(brokers)
  brokers.sort((one, other) => one.server.brokerId - other.server.brokerId)
  const servers = brokers.map(({ server }) => server)
  const first = nameServerProcess(nameServer, join(folder, NAME_SERVER_FILE), data)
  return { name, data, nameServer, servers: [first, ...servers] }
}

/**
 * Writes what the processes of the set are started with.
 * @param {ClusterSet} set
 */
export function prepareFolders({ data, servers }) {
  for (const part of ['conf', 'logs', 'run']) mkdirSync(join(data, part), { recursive: true })
  for (const { configFile, configText } of servers) writeFileSync(configFile, configText)
}

/**
 * @param {string} file
 * @param {string} data
 * @param {boolean} isMoved whether everything is to be in the data folder, whatever the file says
 */
async function brokerOf(file, data, isMoved) {
  const { completeBrokerConfig, readBrokerConfig } = await built('broker')
  const { nodeHost, pinoLogger } = await built('host')
  const text = readFileSync(file, 'utf8')
  const { given, values } = readBrokerConfig(text, file)
  const config = completeBrokerConfig(values, nodeHost({ logger: pinoLogger({ destination: 2 }) }))
  const name = basename(file).replace(SUFFIX, '')
  const own = !isMoved && given.has('storePathRootDir') ? values.storePathRootDir : undefined
  const store = own === undefined ? join(data, name) : resolve(own)
  const { brokerId, brokerIP1, brokerName, brokerRole, listenPort, nameServers } = config
  /** @type {Server} */
  const server = {
    ...{ name, kind: 'broker', program: 'mqbroker', brokerName, brokerId, role: brokerRole },
    address: `${brokerIP1}:${listenPort}`,
    ...placesOf(name, data),
    configText: `${without(text, 'storePathRootDir')}storePathRootDir=${store}\n`,
  }
  return { file, server, store, nameServers }
}

/**
 * @param {string} name
 * @param {string} data
 */
function placesOf(name, data) {
  return {
    configFile: join(data, 'conf', `${name}.properties`),
    pidFile: join(data, 'run', `${name}.pid`),
    logFile: join(data, 'logs', `${name}.log`),
  }
}

/**
 * @param {string} address
 * @param {string} file
 * @param {string} data
 * @returns {Server}
 */
function nameServerProcess(address, file, data) {
  const [host = '', port = ''] = address.split(':')
  const bind = host === 'localhost' || host.startsWith('127.') ? '127.0.0.1' : '0.0.0.0'
  const text = existsSync(file) ? readFileSync(file, 'utf8') : `bindAddress=${bind}\n`
  return {
    ...{ name: 'namesrv', kind: 'name server', program: 'mqnamesrv', address },
    ...{ brokerName: '', brokerId: 0, role: 'NAME_SERVER' },
    ...placesOf('namesrv', data),
    configText:
      `${without(without(text, 'listenPort'), 'kvConfigPath')}listenPort=${port}\n` +
      `kvConfigPath=${join(data, 'namesrv', 'kvConfig.json')}\n`,
  }
}

/**
 * @param {string} text
 * @param {string} key
 */
function without(text, key) {
  const lines = text.split(/\r?\n/).filter((line) => !new RegExp(`^\\s*${key}\\s*[=:]`).test(line))
  return `${lines.join('\n').trimEnd()}\n`
}

/** @param {readonly { file: string, nameServers: readonly string[] }[]} brokers */
function nameServerOf(brokers) {
  const [first] = brokers[0]?.nameServers ?? []
  if (first === undefined) {
    throw new SetError(
      `${brokers[0]?.file}: namesrvAddr is missing, write namesrvAddr=127.0.0.1:9876`,
    )
  }
  const other = brokers.find(({ nameServers }) => !nameServers.includes(first))
  if (other === undefined) return first
  throw new SetError(`${other.file}: namesrvAddr must name ${first}, as the others do.`)
}

/** @param {readonly { file: string, server: Server, store: string }[]} brokers */
function checkApart(brokers) {
  /** @type {Map<string, string>} */
  const seen = new Map()
  for (const { file, server, store } of brokers) {
    const { address, brokerId, brokerName } = server
    const own = {
      listenPort: address,
      storePathRootDir: store,
      brokerId: `${brokerName} ${brokerId}`,
    }
    for (const [key, value] of Object.entries(own)) {
      const before = seen.get(`${key} ${value}`)
      if (before !== undefined) {
        throw new SetError(
          `${file}: ${key} is that of ${before}, each broker needs its own (${value}).`,
        )
      }
      seen.set(`${key} ${value}`, file)
    }
  }
}
