/**
 * Apache RocketMQ's own name server and broker as processes: small heaps, small files, everything
 * they write below the run's directory, and a leash that ends them with the test process.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child } from '../processes/child.ts'
import { propertiesText } from '../processes/our-server.ts'
import { freePort } from '../processes/port.ts'
import { patienceMs } from './patience.ts'
import type { Broker, BrokerOptions, Server, ServerFamily } from './server.ts'
import { classPath } from './toolchain.ts'
import { untilRegistered } from './wire.ts'
import { javaSourcesDir, makeDir } from './workplace.ts'

/** Modules of the JDK that RocketMQ reaches into, as its own start scripts open them. */
const jdkDoors = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=java.base/java.util=ALL-UNNAMED',
]

/**
 * Options of each JVM here: quick to start, gentle to a small machine, patient with connections, one
 * log file of 5.x, and no figures in a file of /tmp, which stop the whole JVM while the disk is busy.
 */
export const gentleJvm = [
  ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-XX:+PerfDisableSharedMem'],
  '-Dcom.rocketmq.remoting.client.connect.timeout=30000',
  `-Drmq.logback.configurationFile=${join(javaSourcesDir, 'logback.xml')}`,
]

interface ApacheServer {
  readonly name: string
  readonly mainClass: string
  readonly heap: readonly string[]
  readonly home: string
  readonly settings: Readonly<Record<string, string>>
  readonly bootLine: string
}

async function startApache(server: ApacheServer): Promise<Child> {
  const configFile = join(server.home, 'server.conf')
  writeFileSync(configFile, propertiesText(server.settings))
  const child = new Child({
    name: server.name,
    command: 'java',
    args: [
      ...gentleJvm,
      ...server.heap,
      ...jdkDoors,
      `-Duser.home=${server.home}`,
      `-Drocketmq.home.dir=${server.home}`,
      '-cp',
      classPath('apache-5'),
      'Leash',
      server.mainClass,
      '-c',
      configFile,
    ],
    env: { ROCKETMQ_HOME: server.home, NAMESRV_ADDR: '' },
    isServer: true,
    explain: () => logTail(logDirOf(server.home)),
  })
  const bootLine = (): string | undefined =>
    child.lines.find((line) => line.includes(server.bootLine))
  try {
    await child.waitFor('boot line', bootLine, patienceMs)
  } catch (error) {
    // One that is late would change a directory that another broker has by then.
    child.kill()
    throw error
  }
  return child
}

async function stopOnLeash(child: Child): Promise<void> {
  child.write('stop\n')
  await child.end(patienceMs)
}

async function startNameServer(runDir: string): Promise<Server> {
  const port = await freePort()
  const child = await startApache({
    name: `Apache name server on port ${port}`,
    mainClass: 'org.apache.rocketmq.namesrv.NamesrvStartup',
    heap: ['-Xms64m', '-Xmx256m'],
    home: makeDir(runDir, 'apache-namesrv'),
    settings: { listenPort: String(port), bindAddress: '127.0.0.1' },
    bootLine: 'The Name Server boot success',
  })
  return { addr: `127.0.0.1:${port}`, child, stop: () => stopOnLeash(child) }
}

async function startBroker(runDir: string, options: BrokerOptions): Promise<Broker> {
  const port = options.port ?? (await freePort())
  const home = makeDir(runDir, 'apache-broker')
  const child = await startApache({
    name: `Apache broker ${options.name} on port ${port}`,
    mainClass: 'org.apache.rocketmq.broker.BrokerStartup',
    heap: ['-Xms256m', '-Xmx512m', '-XX:MaxDirectMemorySize=512m'],
    home,
    settings: {
      ...smallFiles,
      ...patience,
      brokerName: options.name,
      brokerClusterName: options.clusterName,
      brokerId: '0',
      brokerIP1: '127.0.0.1',
      brokerIP2: '127.0.0.1',
      listenPort: String(port),
      haListenPort: String(port + 1),
      namesrvAddr: options.namesrv,
      storePathRootDir: join(home, 'store'),
      storePathCommitLog: join(home, 'store', 'commitlog'),
      ...options.settings,
    },
    bootLine: 'boot success',
  })
  const { name, clusterName } = options
  const addr = `127.0.0.1:${port}`
  await untilRegistered(options.namesrv, addr)
  return { addr, name, clusterName, home, child, stop: () => stopOnLeash(child) }
}

/** Apache's files have fixed sizes, up to a gigabyte: these are enough for a test. */
const smallFiles = {
  mappedFileSizeCommitLog: '16777216',
  mappedFileSizeConsumeQueue: '120000',
  maxHashSlotNum: '10000',
  maxIndexNum: '40000',
}

/** A loaded machine with a rather full disk is no reason for the broker to refuse anything. */
const patience = {
  waitTimeMillsInSendQueue: '60000',
  waitTimeMillsInPullQueue: '60000',
  waitTimeMillsInLitePullQueue: '60000',
  waitTimeMillsInHeartbeatQueue: '60000',
  waitTimeMillsInTransactionQueue: '60000',
  waitTimeMillsInAdminBrokerQueue: '60000',
  osPageCacheBusyTimeOutMills: '60000',
  putMessageTimeout: '60000',
  syncFlushTimeout: '60000',
  diskMaxUsedSpaceRatio: '95',
}

export const apache: ServerFamily = { label: 'Apache', startNameServer, startBroker }

/** Where a RocketMQ process in Java writes its log files. */
export function logDirOf(home: string): string {
  return join(home, 'logs', 'rocketmqlogs')
}

/** All that the log files of a directory hold. */
export function logText(dir: string): string {
  return logFiles(dir)
    .map((name) => readFileSync(join(dir, name), 'utf8'))
    .join('')
}

/** The last warnings and errors that a RocketMQ process in Java has written to its log files. */
export function logTail(dir: string): string {
  return logFiles(dir)
    .flatMap((name) => {
      const bad = troubles(readFileSync(join(dir, name), 'utf8'))
      return bad.length === 0 ? [] : [`--- warnings at the end of its ${name}:`, ...bad]
    })
    .join('\n')
}

function logFiles(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith('.log')) : []
}

const troublesShown = 20

/** Lines of warning or error with the first lines of the stack trace below them. */
function troubles(text: string): string[] {
  const found: string[] = []
  let stackLines = 0
  for (const line of text.split('\n')) {
    const isEntry = /^\d{4}-\d\d-\d\d /.test(line)
    if (isEntry) stackLines = / (WARN|ERROR) /.test(line) ? 6 : 0
    else stackLines--
    if (stackLines > 0 && line !== '') found.push(line.slice(0, 400))
  }
  return found.slice(-troublesShown)
}
