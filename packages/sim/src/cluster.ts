/**
 * A name server and a broker on machines of a simulated world, and the addresses by which clients
 * find them. Owns the two processes.
 */
import { brokerConfigTable, completeBrokerConfig, startBroker } from '@rockhopper/broker'
import type { Host } from '@rockhopper/host'
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import { defaultConfig, UNIT_BYTES } from '@rockhopper/protocol'
import { ServerProcess } from './server-process.ts'
import type { SimWorld } from './world.ts'

/** Names of the machines. */
export const NAME_SERVER = 'namesrv'
export const BROKER = 'broker'

export type FlushDiskType = 'ASYNC_FLUSH' | 'SYNC_FLUSH'

export interface ClusterOptions {
  readonly flushDiskType: FlushDiskType
  /** Size of a file of the commit log. */
  readonly segmentBytes: number
  /** Messages in a file of a consume queue. */
  readonly queueSegmentUnits: number
  /** Stands between each process and its doors. */
  readonly doors: (doors: Host, hostName: string) => Host
  /** Told when a server ended by itself. */
  readonly onFailure: (hostName: string, error: Error) => void
}

export class SimCluster {
  readonly nameServer: ServerProcess
  readonly broker: ServerProcess
  readonly nameServerAddress: string
  readonly brokerAddress: string

  constructor(world: SimWorld, options: ClusterOptions) {
    const nameServerHost = world.host(NAME_SERVER)
    const brokerHost = world.host(BROKER)
    this.nameServerAddress = `${nameServerHost.ip}:${namesrvConfigTable.listenPort.default}`
    this.brokerAddress = `${brokerHost.ip}:${brokerConfigTable.listenPort.default}`
    this.nameServer = new ServerProcess({
      host: nameServerHost,
      start: (doors) => startNameServer(options.doors(doors, NAME_SERVER), nameServerHost.ip),
      onFailure: (error) => options.onFailure(NAME_SERVER, error),
    })
    this.broker = new ServerProcess({
      host: brokerHost,
      start: (doors) =>
        startSimBroker(options.doors(doors, BROKER), this.nameServerAddress, options),
      onFailure: (error) => options.onFailure(BROKER, error),
    })
  }

  start(): void {
    this.nameServer.start()
    this.broker.start()
  }

  get isUp(): boolean {
    return this.nameServer.isUp && this.broker.isUp
  }
}

function startNameServer(doors: Host, bindAddress: string) {
  return startNamesrv(doors, { ...defaultConfig(namesrvConfigTable), bindAddress })
}

function startSimBroker(doors: Host, namesrvAddr: string, options: ClusterOptions) {
  const { flushDiskType, queueSegmentUnits, segmentBytes } = options
  const settings = {
    ...defaultConfig(brokerConfigTable),
    ...{ namesrvAddr, flushDiskType },
    brokerIP1: doors.machine.addresses[0] ?? '',
    mappedFileSizeCommitLog: segmentBytes,
    mappedFileSizeConsumeQueue: queueSegmentUnits * UNIT_BYTES,
  }
  return startBroker(doors, completeBrokerConfig(settings, doors))
}
