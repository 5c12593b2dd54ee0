/**
 * A name server and two brokers on machines of a simulated world. Owns the three processes.
 */
import { type BrokerConfig, brokerConfigTable } from '@rockhopper/broker'
import type { Host } from '@rockhopper/host'
import { namesrvConfigTable } from '@rockhopper/namesrv'
import type { ServerProcess } from './server-process.ts'
import { brokerProcess, type ClusterOptions, NAME_SERVER, nameServerProcess } from './servers.ts'
import { queueName } from './storm-member.ts'
import type { SimWorld } from './world.ts'

const BROKERS = ['broker-a', 'broker-b'] as const
const SEGMENT_BYTES = 2 ** 20
const QUEUE_SEGMENT_UNITS = 1_000

export interface StormClusterOptions {
  readonly settings: Partial<BrokerConfig>
  /** Stands between each process and its doors. */
  readonly doors: (doors: Host, hostName: string) => Host
  /** Told when a server ended by itself. */
  readonly onFailure: (hostName: string, error: Error) => void
}

export class StormCluster {
  readonly nameServer: ServerProcess
  readonly brokers: readonly ServerProcess[]
  readonly nameServerAddress: string
  readonly brokerAddresses: readonly string[]
  /** The machines of all servers. */
  readonly hostNames: readonly string[] = [NAME_SERVER, ...BROKERS]

  constructor(world: SimWorld, { settings, doors, onFailure }: StormClusterOptions) {
    const options: ClusterOptions = {
      ...{ flushDiskType: 'ASYNC_FLUSH', doors, onFailure, brokerSettings: settings },
      ...{ segmentBytes: SEGMENT_BYTES, queueSegmentUnits: QUEUE_SEGMENT_UNITS },
    }
    const nameServerHost = world.host(NAME_SERVER)
    this.nameServerAddress = `${nameServerHost.ip}:${namesrvConfigTable.listenPort.default}`
    this.nameServer = nameServerProcess(nameServerHost, options)
    const hosts = BROKERS.map((name) => world.host(name))
    const { default: port } = brokerConfigTable.listenPort
    this.brokerAddresses = hosts.map(({ ip }) => `${ip}:${port}`)
    this.brokers = hosts.map((host) => brokerProcess(host, this.nameServerAddress, options))
  }

  start(): void {
    this.nameServer.start()
    for (const broker of this.brokers) broker.start()
  }

  /** Names of all queues of some topics, each of which has so many queues at each broker. */
  queuesOf(topics: ReadonlyMap<string, number>): string[] {
    return [...topics].flatMap(([topic, count]) =>
      BROKERS.flatMap((brokerName) =>
        Array.from({ length: count }, (_, queueId) => queueName({ topic, brokerName, queueId })),
      ),
    )
  }
}
