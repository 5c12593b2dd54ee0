/**
 * Our name server and broker as an operator starts them: the programs in bin/, Apache's command line
 * flags and configuration keys, the boot line on standard output.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from '../processes/child.ts'
import { launchOurServer, untilUp } from '../processes/our-server.ts'
import { freePort } from '../processes/port.ts'
import { patienceMs } from './patience.ts'
import type { Broker, BrokerOptions, Server, ServerFamily } from './server.ts'
import { untilRegistered } from './wire.ts'
import { makeDir } from './workplace.ts'

async function terminate(child: Child): Promise<void> {
  child.terminate()
  const code = await child.end(patienceMs)
  if (code !== 0) throw child.complaint(`an orderly shutdown ended with exit code ${code}`)
}

async function startNameServer(runDir: string): Promise<Server> {
  const port = await freePort()
  const home = makeDir(runDir, 'our-namesrv')
  const child = launchOurServer({
    name: `our name server on port ${port}`,
    program: 'mqnamesrv',
    home,
    settings: { listenPort: String(port), kvConfigPath: join(home, 'kvConfig.json') },
    explain: () => logTails(home),
  })
  await untilUp(child)
  return { addr: `127.0.0.1:${port}`, child, stop: () => terminate(child) }
}

async function startBroker(runDir: string, options: BrokerOptions): Promise<Broker> {
  const port = options.port ?? (await freePort())
  const home = makeDir(runDir, 'our-broker')
  const child = launchOurServer({
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
    explain: () => logTails(home),
  })
  await untilUp(child)
  const { name, clusterName } = options
  const addr = `127.0.0.1:${port}`
  await untilRegistered(options.namesrv, addr)
  return { addr, name, clusterName, home, child, stop: () => terminate(child) }
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
