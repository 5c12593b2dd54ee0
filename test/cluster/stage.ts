/**
 * What a test of real processes plays on: a folder, a name server and a broker in it, and a topic.
 * Owns the processes and the folder; all of it is gone when the test is over. With CLUSTER_KEEP=1
 * the folder stays, to look into after a failure.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Host, nodeHost, pause } from '@rockhopper/host'
import { GET_ROUTEINFO_BY_TOPIC, responseCode, UPDATE_AND_CREATE_TOPIC } from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import type { TestContext } from 'vitest'
import { freePort } from '../processes/port.ts'
import { type ServerOptions, ServerProcess } from './server-process.ts'

const REQUEST_TIMEOUT_MS = 30_000
const ROUTE_TIMEOUT_MS = 30_000
const ASK_AGAIN_MS = 20

type Settings = Readonly<Record<string, string>>

export interface Stage {
  readonly test: TestContext
  readonly folder: string
  /** What the broker keeps. */
  readonly store: string
  readonly host: Host
  readonly namesrv: ServerProcess
  readonly broker: ServerProcess
  /** For questions that no client of ours asks. */
  readonly remoting: RemotingClient
  /** A broker that is not started, with the settings of the first and these. */
  anotherBroker(settings: Settings): Promise<ServerProcess>
}

export interface StageOptions {
  /** More lines of the broker's configuration file. */
  readonly settings?: Settings
  /** Called with the folder that the store will be in, before anything is started. */
  readonly prepareStore?: (store: string) => void
}

/** Small files, so that a few thousand messages fill several. */
const SMALL_FILES = {
  mappedFileSizeCommitLog: String(4 * 1024 * 1024),
  mappedFileSizeConsumeQueue: String(20 * 3_000),
}

/** How full the volume of this machine is must not matter to tests that are about other things. */
const NO_RETENTION = { cleanResourceInterval: String(24 * 3_600_000) }

/** So that consumers keep up with producers that share a processor with them. */
const LARGE_PULLS = {
  maxTransferCountOnMessageInMemory: '1024',
  maxTransferBytesOnMessageInMemory: String(1024 * 1024),
}

/** Sets the stage and starts the name server and the broker. */
export async function openStage(test: TestContext, options: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'rockhopper-cluster-'))
  const host = nodeHost()
  const remoting = new RemotingClient(host)
  const servers: ServerProcess[] = []
  test.onTestFinished(async () => {
    remoting.close()
    await Promise.all(servers.map((server) => server.kill()))
    if (process.env['CLUSTER_KEEP'] !== '1') rmSync(folder, { recursive: true, force: true })
  })
  const store = join(folder, 'store')
  mkdirSync(store)
  options.prepareStore?.(store)
  const newServer = async (
    program: ServerOptions['program'],
    settings: Settings,
  ): Promise<ServerProcess> => {
    const server = new ServerProcess({ program, port: await freePort(), folder, settings })
    servers.push(server)
    return server
  }
  const namesrv = await newServer('mqnamesrv', { kvConfigPath: join(folder, 'kvConfig.json') })
  const anotherBroker = (settings: Settings): Promise<ServerProcess> =>
    newServer('mqbroker', {
      brokerName: 'broker-a',
      brokerIP1: '127.0.0.1',
      namesrvAddr: namesrv.address,
      storePathRootDir: store,
      flushConsumerOffsetInterval: '100',
      ...LARGE_PULLS,
      ...SMALL_FILES,
      ...NO_RETENTION,
      ...options.settings,
      ...settings,
    })
  const broker = await anotherBroker({})
  await namesrv.start()
  await broker.start()
  return { test, folder, store, host, namesrv, broker, remoting, anotherBroker }
}

/** Makes a topic and waits until clients can find it. */
export async function createTopic(
  { broker, host, namesrv, remoting }: Stage,
  topic: string,
  queueCount: number,
): Promise<void> {
  const timeoutMs = REQUEST_TIMEOUT_MS
  const header = { topic, readQueueNums: queueCount, writeQueueNums: queueCount, perm: 6 }
  await remoting.request(broker.address, UPDATE_AND_CREATE_TOPIC, header, { timeoutMs })
  const untilMs = host.clock.monotonicMs() + ROUTE_TIMEOUT_MS
  for (;;) {
    const asked = remoting.call(namesrv.address, GET_ROUTEINFO_BY_TOPIC, { topic }, { timeoutMs })
    if ((await asked).code === responseCode.SUCCESS) return
    if (host.clock.monotonicMs() > untilMs) throw broker.child.complaint(`"${topic}" has no route`)
    await pause(host.clock, ASK_AGAIN_MS)
  }
}
