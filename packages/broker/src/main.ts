/**
 * The broker as a process: reads its command line and configuration, starts, says where clients are
 * told to connect to, and stops in order when it is asked to.
 */
import { readFileSync } from 'node:fs'
import { type Host, nodeHost, pinoLogger } from '@rockhopper/host'
import { ConfigError, defaultConfig, formatConfig } from '@rockhopper/protocol'
import { Command } from 'commander'
import { type Broker, startBroker } from './broker.ts'
import {
  type BrokerConfig,
  brokerConfigTable,
  completeBrokerConfig,
  readBrokerConfig,
} from './config.ts'

interface Flags {
  readonly configFile?: string
  readonly namesrvAddr?: string
  readonly printConfigItem?: boolean
  readonly printImportantConfig?: boolean
}

/** Runs the broker until it is told to stop. `argv` are the arguments behind the script's name. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await run(argv)
  } catch (error) {
    process.stderr.write(`mqbroker: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const flags = readFlags(argv)
  const host = nodeHost({ logger: pinoLogger({ destination: 2 }) })
  const config = readConfigFile(flags, host)
  if (flags.printConfigItem === true || flags.printImportantConfig === true) {
    process.stdout.write(configLines(config, flags))
    return
  }
  const broker = await startBroker(host, config)
  // Whoever reads the boot line may send a signal at once.
  stopOnSignal(broker)
  stopOnFailure(broker)
  process.stdout.write(bootLines(broker, config))
}

function readFlags(argv: readonly string[]): Flags {
  return new Command('mqbroker')
    .description('Starts a broker: it keeps messages and hands them to consumers.')
    .option('-c, --configFile <file>', 'configuration file, lines key=value')
    .option('-n, --namesrvAddr <addresses>', 'name servers, host:port joined by ";"')
    .option('-p, --printConfigItem', 'print the configuration and exit')
    .option('-m, --printImportantConfig', 'print what differs from the defaults and exit')
    .parse(['node', 'mqbroker', ...argv])
    .opts<Flags>()
}

function configLines(config: BrokerConfig, { printConfigItem }: Flags): string {
  const lines = formatConfig(brokerConfigTable, config)
  if (printConfigItem === true) return lines
  const defaults = new Set(
    formatConfig(brokerConfigTable, defaultConfig(brokerConfigTable)).split('\n'),
  )
  const important = lines.split('\n').filter((line) => !defaults.has(line))
  return `${important.join('\n')}\n`
}

function readConfigFile({ configFile, namesrvAddr }: Flags, host: Host): BrokerConfig {
  const text = configFile === undefined ? '' : readFileSync(configFile, 'utf8')
  const { values, warnings } = readBrokerConfig(text, configFile ?? 'the defaults')
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  const config = completeBrokerConfig(
    namesrvAddr === undefined ? values : { ...values, namesrvAddr },
    host,
  )
  for (const address of config.nameServers) checkAddress(address)
  return config
}

function checkAddress(address: string): void {
  if (/^\S+:\d{1,5}$/.test(address)) return
  throw new ConfigError([
    `The Name Server Address[${address}] illegal, please set it as follows, ` +
      '"127.0.0.1:9876;192.168.0.1:9876"',
  ])
}

function bootLines({ address, brokerName }: Broker, { nameServers }: BrokerConfig): string {
  const servers = nameServers.length === 0 ? '' : ` and name server is ${nameServers.join(';')}`
  return (
    `The broker[${brokerName}, ${address}] boot success. serializeType=JSON${servers}\n` +
    `clients will be told to connect to ${address}\n`
  )
}

/** The first signal stops in order; a second one stops at once. */
function stopOnSignal(broker: Broker): void {
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    broker.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`mqbroker: the stop was not clean: ${String(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** A broker whose disk failed must not go on as if nothing had happened. */
function stopOnFailure(broker: Broker): void {
  broker.failed.then((error) => {
    process.stderr.write(`mqbroker: the disk failed, the broker stops: ${error.message}\n`)
    process.exit(2)
  })
}
