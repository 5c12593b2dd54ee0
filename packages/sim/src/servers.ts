/**
 * How name servers and brokers are started on machines of a simulated world. Owns nothing.
 */
import {
  type BrokerConfig,
  brokerConfigTable,
  completeBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import type { Host } from '@rockhopper/host'
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import { defaultConfig, UNIT_BYTES } from '@rockhopper/protocol'
import type { SimHost } from './host.ts'
import { ServerProcess } from './server-process.ts'

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
  /** Settings of brokers that differ from the defaults. */
  readonly brokerSettings?: Partial<BrokerConfig>
}

/** A name server on a machine, not started yet. */
export function nameServerProcess(host: SimHost, options: ClusterOptions): ServerProcess {
  return new ServerProcess({
    host,
    start: (doors) => startNameServer(options.doors(doors, host.name), host.ip),
    onFailure: (error) => options.onFailure(host.name, error),
  })
}

/** A broker on a machine, by whose name it is called; not started yet. */
export function brokerProcess(
  host: SimHost,
  nameServerAddress: string,
  options: ClusterOptions,
): ServerProcess {
  return new ServerProcess({
    host,
    start: (doors) => startSimBroker(options.doors(doors, host.name), nameServerAddress, options),
    onFailure: (error) => options.onFailure(host.name, error),
  })
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
    ...options.brokerSettings,
  }
  return startBroker(doors, completeBrokerConfig(settings, doors))
}
