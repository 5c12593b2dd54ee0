/**
 * Runs once before the interop tests: fetches and compiles the Java side, builds ours, and starts
 * the pair of Apache servers that all test files share. Takes all of it away afterwards.
 */
import type { TestProject } from 'vitest/node'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import { buildPackages, prepareJars } from './toolchain.ts'
import { closeRunDir, openRunDir } from './workplace.ts'

/** Addresses of one name server and one broker registered with it. */
export interface SharedServers {
  readonly namesrv: string
  readonly broker: string
  readonly brokerName: string
  readonly clusterName: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    runDir: string
    apacheServers: SharedServers
  }
}

export async function setup(project: TestProject): Promise<void> {
  const runDir = openRunDir()
  try {
    const [servers] = await Promise.all([
      prepareJars('apache-5').then(() => startApacheServers(runDir)),
      prepareJars('apache-4'),
      buildPackages(),
    ])
    project.provide('runDir', runDir)
    project.provide('apacheServers', servers)
  } catch (error) {
    await teardown()
    throw error
  }
}

export async function teardown(): Promise<void> {
  const runDir = openRunDir()
  await endAll()
  closeRunDir(runDir)
}

async function startApacheServers(runDir: string): Promise<SharedServers> {
  const namesrv = await apache.startNameServer(runDir)
  const broker = await apache.startBroker(runDir, {
    namesrv: namesrv.addr,
    name: 'apache-a',
    clusterName: 'ApacheCluster',
    settings: { enablePropertyFilter: 'true' },
  })
  const { name: brokerName, clusterName } = broker
  return { namesrv: namesrv.addr, broker: broker.addr, brokerName, clusterName }
}
