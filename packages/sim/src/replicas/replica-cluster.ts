/**
 * Name servers, two masters and their slaves on machines of a simulated world. Owns the processes.
 */
import { type BrokerConfig, brokerConfigTable } from '@rockhopper/broker'
import type { Host } from '@rockhopper/host'
import { namesrvConfigTable } from '@rockhopper/namesrv'
import type { ServerProcess } from '../server-process.ts'
import { brokerProcess, type ClusterOptions, nameServerProcess } from '../servers.ts'
import type { SimWorld } from '../world.ts'
import type { ReplicaMode } from './replica-mode.ts'

/** Files of the key index take most of the time of a run if they are large. */
const SMALL_INDEX: Partial<BrokerConfig> = { maxHashSlotNum: 500, maxIndexNum: 2_000 }

export const BROKER_NAMES = ['broker-a', 'broker-b'] as const

export interface ReplicaClusterOptions {
  readonly mode: ReplicaMode
  readonly nameServers: number
  /** Size of a file of the commit log. */
  readonly segmentBytes: number
  /** Messages in a file of a consume queue. */
  readonly queueSegmentUnits: number
  /** How long what was written may wait for the device where nobody waits for that. */
  readonly flushIntervalMs: number
  /** Settings of all brokers that differ from the defaults. */
  readonly brokerSettings: Partial<BrokerConfig>
  /** Stands between each process and its doors. */
  readonly doors: (doors: Host, hostName: string) => Host
  /** Told when a server ended by itself. */
  readonly onFailure: (hostName: string, error: Error) => void
}

/** A broker and its place in the cluster. */
export interface ReplicaBroker {
  readonly brokerName: string
  /** 0 is the master. */
  readonly brokerId: number
  readonly address: string
  readonly process: ServerProcess
}

export class ReplicaCluster {
  readonly nameServers: readonly ServerProcess[]
  /** Joined by `;`. */
  readonly nameServerAddresses: string
  /** Each master is followed by its slaves. */
  readonly brokers: readonly ReplicaBroker[]

  constructor(world: SimWorld, options: ReplicaClusterOptions) {
    const { mode, nameServers } = options
    const names = Array.from({ length: nameServers }, (_, index) => `namesrv-${index + 1}`)
    const { default: port } = namesrvConfigTable.listenPort
    this.nameServerAddresses = names.map((name) => `${world.host(name).ip}:${port}`).join(';')
    this.nameServers = names.map((name) => {
      return nameServerProcess(world.host(name), processOptions(options, {}))
    })
    this.brokers = BROKER_NAMES.flatMap((brokerName) =>
      Array.from({ length: 1 + mode.slavesPerMaster }, (_, brokerId) => {
        return this.#broker(world, options, brokerName, brokerId)
      }),
    )
  }

  /** Slaves that start before their master is there would look for it again only seconds later. */
  startMasters(): void {
    for (const server of this.nameServers) server.start()
    for (const { process } of this.masters) process.start()
  }

  startSlaves(): void {
    for (const { brokerId, process } of this.brokers) if (brokerId > 0) process.start()
  }

  /** Whether each master takes requests. */
  get isWritable(): boolean {
    return this.masters.every(({ process }) => process.isUp)
  }

  get isUp(): boolean {
    return this.#servers.every(({ isUp }) => isUp)
  }

  /** The machines of all servers. */
  get hostNames(): readonly string[] {
    return this.#servers.map(({ host }) => host.name)
  }

  /** The machine of each master and those of its slaves, by their name as brokers. */
  get hostsByBroker(): ReadonlyMap<string, readonly string[]> {
    return new Map(
      BROKER_NAMES.map((name) => {
        const family = this.brokers.filter(({ brokerName }) => brokerName === name)
        return [name, family.map(({ process }) => process.host.name)]
      }),
    )
  }

  get masters(): readonly ReplicaBroker[] {
    return this.brokers.filter(({ brokerId }) => brokerId === 0)
  }

  slavesOf(master: ReplicaBroker): readonly ReplicaBroker[] {
    return this.brokers.filter(({ brokerId, brokerName }) => {
      return brokerName === master.brokerName && brokerId !== 0
    })
  }

  get #servers(): readonly ServerProcess[] {
    return [...this.nameServers, ...this.brokers.map(({ process }) => process)]
  }

  #broker(
    world: SimWorld,
    options: ReplicaClusterOptions,
    brokerName: string,
    brokerId: number,
  ): ReplicaBroker {
    const host = world.host(brokerId === 0 ? brokerName : `${brokerName}-s${brokerId}`)
    const address = `${host.ip}:${brokerConfigTable.listenPort.default}`
    const settings = { ...settingsOf(options.mode, brokerId), brokerName, brokerId }
    const process = brokerProcess(host, this.nameServerAddresses, processOptions(options, settings))
    return { brokerName, brokerId, address, process }
  }
}

function settingsOf(mode: ReplicaMode, brokerId: number): Partial<BrokerConfig> {
  const { inSyncReplicas, masterFlush, role, slaveFlush } = mode
  if (brokerId > 0) return { brokerRole: 'SLAVE', flushDiskType: slaveFlush }
  return { brokerRole: role, flushDiskType: masterFlush, inSyncReplicas }
}

function processOptions(
  options: ReplicaClusterOptions,
  settings: Partial<BrokerConfig>,
): ClusterOptions {
  const { brokerSettings, doors, flushIntervalMs, onFailure } = options
  const { queueSegmentUnits, segmentBytes } = options
  const drawn = { ...SMALL_INDEX, flushIntervalCommitLog: flushIntervalMs, ...settings }
  return {
    ...{ doors, flushDiskType: 'ASYNC_FLUSH', onFailure, queueSegmentUnits, segmentBytes },
    brokerSettings: { ...drawn, ...brokerSettings },
  }
}
