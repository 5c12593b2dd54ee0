/** A name server and a broker of ours for one test file, killed with it at the latest. */
import { inject } from 'vitest'
import { ours } from './ours.ts'
import type { SharedServers } from './prepare.ts'

export async function openOurServers(): Promise<SharedServers> {
  const runDir = inject('runDir')
  const namesrv = await ours.startNameServer(runDir)
  const broker = await ours.startBroker(runDir, {
    ...{ namesrv: namesrv.addr, name: 'ours-a', clusterName: 'OurCluster' },
  })
  const { name: brokerName, clusterName } = broker
  return { namesrv: namesrv.addr, broker: broker.addr, brokerName, clusterName }
}
