/**
 * Runs a name server and a broker in one process: what `npm start` does. Everything it keeps is in
 * one folder. The first SIGTERM or SIGINT finishes what was begun and ends with 0, the second ends
 * at once.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { built } from './built.mjs'

/**
 * @typedef {{
 *   configFile?: string,
 *   data: string,
 *   namesrvPort: string,
 *   listenPort?: string,
 * }} Flags
 * @typedef {{ close: () => Promise<void> }} Part
 */

const DEFAULT_DATA = './data'

/**
 * Starts both, or says on standard error why not and ends with 1.
 * @param {string[]} args
 */
export async function runRockhopper(args) {
  // What is missing is said before anything is loaded that needs it.
  const host = await built('host')
  const flags = await readFlags(args)
  try {
    await start(host, flags)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

/**
 * @param {string[]} args
 * @returns {Promise<Flags>}
 */
async function readFlags(args) {
  const { Command } = await import('commander')
  return new Command('rockhopper')
    .description('Starts a name server and a broker in one process.')
    .helpOption('-h, --help', 'show this help')
    .option('-c, --configFile <file>', 'configuration file of the broker, lines key=value')
    .option('-d, --data <folder>', 'folder that holds everything', DEFAULT_DATA)
    .option('--namesrvPort <port>', 'port of the name server', '9876')
    .option('--listenPort <port>', 'port of the broker (10911)')
    .addHelpText('after', '\nrockhopper store --help tells how to look into a store.')
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
    .opts()
}

/**
 * @param {any} hostPackage
 * @param {Flags} flags
 */
async function start({ nodeHost, pinoLogger }, flags) {
  const { defaultConfig } = await built('protocol')
  const { namesrvConfigTable, readNamesrvConfig, startNamesrv } = await built('namesrv')
  const { startBroker } = await built('broker')
  const data = resolve(flags.data)
  const destination = join(data, 'logs', 'rockhopper.log')
  const host = nodeHost({ logger: pinoLogger({ destination }) })
  const settings = await brokerSettings(flags, data)

  readNamesrvConfig(`listenPort=${flags.namesrvPort}`, '--namesrvPort')
  const namesrv = await startNamesrv(host, {
    ...defaultConfig(namesrvConfigTable),
    listenPort: Number(flags.namesrvPort),
    bindAddress: settings.bindAddress || '127.0.0.1',
    kvConfigPath: join(data, 'namesrv', 'kvConfig.json'),
    configStorePath: join(data, 'namesrv', 'namesrv.properties'),
  })
  const nameServer = namesrv.address.replace(/^0\.0\.0\.0:|^\[::\]:/, '127.0.0.1:')
  const broker = await startBroker(host, await completed(settings, nameServer, host)).catch(
    async (/** @type {unknown} */ error) => {
      await namesrv.close()
      throw error
    },
  )
  stopOnSignal([broker, namesrv])
  stopOnFailure(broker)
  process.stdout.write(
    `The Name Server boot success. serializeType=JSON, address ${namesrv.address}\n` +
      `The broker[${broker.brokerName}, ${broker.address}] boot success. serializeType=JSON ` +
      `and name server is ${nameServer}\n` +
      `clients will be told to connect to ${broker.address}\n`,
  )
}

/**
 * The broker's settings: the file's, and the flags' on top.
 * @param {Flags} flags
 * @param {string} data
 */
async function brokerSettings({ configFile, listenPort, data: named }, data) {
  const { readBrokerConfig } = await built('broker')
  const text = configFile === undefined ? '' : readFileSync(configFile, 'utf8')
  const { values, given, warnings } = readBrokerConfig(text, configFile ?? 'the defaults')
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  const ownStore = given.has('storePathRootDir') && named === DEFAULT_DATA
  const { values: flagged } = readBrokerConfig(
    `listenPort=${listenPort ?? values.listenPort}`,
    '--listenPort',
  )
  return {
    ...values,
    listenPort: flagged.listenPort,
    ...(ownStore ? {} : { storePathRootDir: join(data, 'store') }),
  }
}

/**
 * @param {any} settings
 * @param {string} nameServer
 * @param {any} host
 */
async function completed(settings, nameServer, host) {
  const { completeBrokerConfig } = await built('broker')
  return completeBrokerConfig({ ...settings, namesrvAddr: nameServer }, host)
}

/**
 * The broker leaves before the name server, so that it can say so.
 * @param {readonly Part[]} parts
 */
function stopOnSignal(parts) {
  let stopping = false
  const stop = async () => {
    if (stopping) process.exit(1)
    stopping = true
    try {
      for (const part of parts) await part.close()
    } catch (error) {
      process.stderr.write(`The stop was not clean: ${String(error)}\n`)
      process.exit(1)
    }
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/**
 * A broker whose disk failed must not go on as if nothing had happened.
 * @param {{ failed: Promise<Error> }} broker
 */
function stopOnFailure({ failed }) {
  failed.then((error) => {
    process.stderr.write(`The disk failed and the broker stops: ${error.message}\n`)
    process.exit(2)
  })
}
