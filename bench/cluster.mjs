/**
 * A name server and a broker as processes of their own, in a folder that is removed with them, and
 * what the kernel knows of them.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const bin = (name) => fileURLToPath(new URL(`../bin/${name}`, import.meta.url))

/** `settings` are lines of the broker's configuration; `execArgv` options of its Node. */
export async function startCluster({ settings = {}, parent = tmpdir(), execArgv = [] } = {}) {
  const folder = mkdtempSync(join(parent, 'rockhopper-bench-'))
  const [namesrvPort, brokerPort] = await freePorts()
  const namesrvAddr = `127.0.0.1:${namesrvPort}`
  const storeFolder = join(folder, 'store')
  const namesrvFile = writeSettings(folder, 'namesrv.conf', {
    listenPort: namesrvPort,
    kvConfigPath: join(folder, 'kv.json'),
  })
  const brokerFile = writeSettings(folder, 'broker.conf', {
    listenPort: brokerPort,
    namesrvAddr,
    brokerName: 'bench',
    storePathRootDir: storeFolder,
    ...settings,
  })
  const namesrv = await startServer('mqnamesrv', namesrvFile, [])
  const broker = await startServer('mqbroker', brokerFile, execArgv)
  const slaves = []
  return {
    namesrvAddr,
    storeFolder,
    brokerAddress: `127.0.0.1:${brokerPort}`,
    /** Starts a slave of the broker; `settings` are lines of its configuration. */
    async startSlave(settings = {}) {
      const [port] = await freePorts()
      const brokerId = slaves.length + 1
      const file = writeSettings(folder, `slave-${brokerId}.conf`, {
        listenPort: port,
        namesrvAddr,
        brokerName: 'bench',
        brokerRole: 'SLAVE',
        brokerId,
        storePathRootDir: join(folder, `slave-${brokerId}`),
        ...settings,
      })
      const slave = await startServer('mqbroker', file, execArgv)
      slaves.push(slave)
      return { address: `127.0.0.1:${port}`, cpuMicros: () => cpuMicrosOf(slave.pid) }
    },
    brokerCpuMicros: () => cpuMicrosOf(broker.pid),
    brokerMemoryPeakMib: () => memoryPeakMibOf(broker.pid),
    async stop() {
      for (const slave of slaves) await stopServer(slave)
      await stopServer(broker)
      await stopServer(namesrv)
      rmSync(folder, { recursive: true })
    },
  }
}

function writeSettings(folder, name, settings) {
  const file = join(folder, name)
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(file, lines.join(''))
  return file
}

/** Resolves when the server has printed its success line. */
function startServer(name, configFile, execArgv) {
  const child = spawn(process.execPath, [...execArgv, bin(name), '-c', configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => String(text).includes('boot success') && resolve(child))
    child.once('exit', (code) => reject(new Error(`${name} ended with code ${code}`)))
  })
}

function stopServer(child) {
  return new Promise((resolve) => {
    child.once('exit', resolve)
    child.kill('SIGTERM')
  })
}

/** User and system time of a process, from /proc, in microseconds (ticks of 10 ms). */
function cpuMicrosOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** The most memory that a process ever had resident. */
function memoryPeakMibOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1_024
}

/** Two ports that are free, the second with its VIP port two below. */
async function freePorts() {
  const servers = []
  const ports = []
  while (ports.length < 2) {
    const server = createServer()
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
    ports.push(server.address().port)
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
