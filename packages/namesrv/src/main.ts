/**
 * The name server as a process: command line, configuration file, boot lines, signals.
 * Flags and lines are those of Apache's mqnamesrv; `admin-cli.md` section 3.1.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import process from 'node:process'
import { formatAddress, type Host, nodeHost, parseAddress, pinoLogger } from '@rockhopper/host'
import { defaultConfig, formatConfig } from '@rockhopper/protocol'
import { Command } from 'commander'
import { type NamesrvConfig, namesrvConfigTable, readNamesrvConfig } from './config.ts'
import { type Namesrv, startNamesrv } from './namesrv.ts'

interface Flags {
  readonly configFile?: string
  readonly printConfigItem?: boolean
}

/** Runs a name server until SIGTERM or SIGINT; `argv` is the command line without the program. */
export async function main(argv: string[]): Promise<void> {
  const flags = readFlags(argv)
  try {
    const config = configOf(flags)
    if (flags.printConfigItem === true) say(formatConfig(namesrvConfigTable, config).trimEnd())
    else await run(config)
  } catch (error) {
    process.stderr.write(`mqnamesrv: ${reasonOf(error)}\n`)
    process.exitCode = 1
  }
}

function readFlags(argv: string[]): Flags {
  const command = new Command('mqnamesrv')
    .description('Starts a name server: it tells clients which broker serves which topic.')
    .helpOption('-h, --help', 'show this help')
    .option('-c, --configFile <file>', 'read this configuration file')
    .option('-n, --namesrvAddr <addresses>', 'accepted, and without effect on a name server')
    .option('-p, --printConfigItem', 'print all settings and end')
    .allowExcessArguments(false)
  return command.parse(argv, { from: 'user' }).opts<Flags>()
}

/** Changes at run time go into the file that the process was started with, as with Apache. */
function configOf({ configFile, printConfigItem }: Flags): NamesrvConfig {
  if (configFile === undefined) return defaultConfig(namesrvConfigTable)
  const path = resolve(configFile)
  const { values, warnings } = readNamesrvConfig(textOf(path), configFile)
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  if (printConfigItem !== true) say(`load config properties file OK, ${configFile}`)
  return { ...values, configStorePath: path }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`The configuration file ${path} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

async function run(config: NamesrvConfig): Promise<void> {
  const host = nodeHost({ logger: pinoLogger({ destination: 2 }) })
  const namesrv = await startNamesrv(host, config)
  endOnSignal(host, namesrv)
  host.logger.info('The name server has started.', { address: namesrv.address, config })
  say(`The Name Server boot success. serializeType=JSON, address ${namesrv.address}`)
  say(`brokers and clients connect to ${reachable(namesrv.address, host)}`)
}

/** An address to connect to, for a server that listens on all of them. */
function reachable(address: string, host: Host): string {
  const parsed = parseAddress(address)
  const own = host.machine.addresses[0]
  const listensOnAll = parsed?.host === '0.0.0.0' || parsed?.host === '::'
  if (parsed === undefined || own === undefined || !listensOnAll) return address
  return formatAddress({ host: own, port: parsed.port })
}

/** The first signal closes in order, the second ends at once. */
function endOnSignal(host: Host, namesrv: Namesrv): void {
  let isClosing = false
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (isClosing) process.exit(1)
    isClosing = true
    host.logger.info('The name server is closing.', { signal })
    await namesrv.close()
    host.logger.info('The name server has closed.')
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
