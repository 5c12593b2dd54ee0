/**
 * Our name server and broker as an operator starts them: the programs in bin/, Apache's command line
 * flags and configuration keys, the boot line on standard output.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child } from './child.ts'
import {
  type Broker,
  type BrokerOptions,
  propertiesText,
  type Server,
  type ServerFamily,
} from './server.ts'
import { untilRegistered } from './wire.ts'
import { freePort, makeDir, repositoryDir } from './workplace.ts'

const leash = new URL('./leash.mjs', import.meta.url).href
const bootTimeoutMs = 20_000
const stopTimeoutMs = 20_000

interface OurServer {
  readonly name: string
  readonly program: 'mqnamesrv' | 'mqbroker'
  readonly args: readonly string[]
  readonly home: string
  readonly settings: Readonly<Record<string, string>>
  readonly bootLine: string
}

async function startOurs(server: OurServer): Promise<Child> {
  const configFile = join(server.home, 'server.conf')
  writeFileSync(configFile, propertiesText(server.settings))
  const child = new Child({
    name: server.name,
    command: process.execPath,
    args: [
      ...['--import', leash],
      ...[join(repositoryDir, 'bin', server.program), '-c', configFile, ...server.args],
    ],
    env: { ROCKETMQ_HOME: server.home, HOME: server.home, NAMESRV_ADDR: '' },
    cwd: server.home,
    isServer: true,
    explain: () => logTails(server.home),
  })
  await child.waitFor(
    'boot line',
    () => child.lines.find((line) => line.includes(server.bootLine)),
    bootTimeoutMs,
  )
  return child
}

async function terminate(child: Child): Promise<void> {
  child.terminate()
  const code = await child.end(stopTimeoutMs)
  if (code !== 0) throw child.complaint(`an orderly shutdown ended with exit code ${code}`)
}

async function startNameServer(runDir: string): Promise<Server> {
  const port = await freePort()
  const home = makeDir(runDir, 'our-namesrv')
  const child = await startOurs({
    name: `our name server on port ${port}`,
    program: 'mqnamesrv',
    args: [],
    home,
    settings: { listenPort: String(port), kvConfigPath: join(home, 'kvConfig.json') },
    bootLine: 'The Name Server boot success',
  })
  return { addr: `127.0.0.1:${port}`, child, stop: () => terminate(child) }
}

async function startBroker(runDir: string, options: BrokerOptions): Promise<Broker> {
  const port = await freePort()
  const home = makeDir(runDir, 'our-broker')
  const child = await startOurs({
    name: `our broker ${options.name} on port ${port}`,
    program: 'mqbroker',
    args: ['-n', options.namesrv],
    home,
    settings: {
      brokerName: options.name,
      brokerClusterName: options.clusterName,
      brokerId: '0',
      brokerIP1: '127.0.0.1',
      listenPort: String(port),
      storePathRootDir: join(home, 'store'),
      mappedFileSizeCommitLog: '16777216',
      mappedFileSizeConsumeQueue: '120000',
      ...options.settings,
    },
    bootLine: 'boot success',
  })
  await untilRegistered(options.namesrv, options.name)
  const { name, clusterName } = options
  return { addr: `127.0.0.1:${port}`, name, clusterName, child, stop: () => terminate(child) }
}

export const ours: ServerFamily = { label: 'our', startNameServer, startBroker }

/** The last lines of the log files below the home directory of one of our servers. */
function logTails(home: string): string {
  if (!existsSync(home)) return ''
  return readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log'))
    .flatMap((name) => [
      `--- the end of its ${name}:`,
      ...readFileSync(join(home, name), 'utf8').trimEnd().split('\n').slice(-20),
    ])
    .join('\n')
}
