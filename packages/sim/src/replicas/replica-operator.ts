/**
 * The operator of masters and slaves: creates the topic, asks each name server which brokers there are,
 * reads all queues, and looks how far the group is. Owns its connections; works only through the admin
 * library.
 */
import { AdminClient, replicas } from '@rockhopper/admin'
import type { Host } from '@rockhopper/host'
import { StormOperator } from '../storm-operator.ts'
import type { ReplicaBroker, ReplicaCluster } from './replica-cluster.ts'
import { GROUP } from './replica-consumer.ts'
import type { ReplicaContent, ReplicaSpot } from './replica-history.ts'

/** A message as it lies in a queue of a master at the end. */
export interface StoredMessage extends ReplicaSpot, ReplicaContent {}

/** How far the group is with a queue. */
export interface QueueProgress {
  readonly queue: string
  readonly endOffset: number
  readonly committedOffset: number
}

export class ReplicaOperator {
  readonly #topic: string
  readonly #brokers: readonly ReplicaBroker[]
  readonly #clients: readonly AdminClient[]
  readonly #queues: StormOperator

  constructor(host: Host, cluster: ReplicaCluster, topic: string) {
    const nameServers = cluster.nameServerAddresses.split(';')
    this.#topic = topic
    this.#brokers = cluster.brokers
    this.#clients = nameServers.map((address) => new AdminClient(host, { nameServers: [address] }))
    this.#queues = new StormOperator(host, nameServers[0] ?? '')
  }

  /** Creates the topic at a master, as soon as that takes it. */
  createTopic(master: ReplicaBroker, queueCount: number): Promise<void> {
    return this.#queues.createTopic(this.#topic, master.address, queueCount)
  }

  /** What a name server does not know of the brokers there are; undefined when each knows all. */
  async missing(): Promise<string | undefined> {
    for (const [index, client] of this.#clients.entries()) {
      try {
        const known = new Set((await replicas(client)).map(({ address }) => address))
        const unknown = this.#brokers.find(({ address }) => !known.has(address))
        if (unknown === undefined) continue
        return `namesrv-${index + 1} does not know ${unknown.process.host.name}`
      } catch (error) {
        return `namesrv-${index + 1} does not answer: ${String(error)}`
      }
    }
    return undefined
  }

  /** How far the group is; undefined when nobody could say. */
  progress(): Promise<readonly QueueProgress[] | undefined> {
    return this.#queues.progress(GROUP, [this.#topic])
  }

  /** All messages of the topic, in the order of each queue. */
  readAll(): Promise<readonly StoredMessage[]> {
    return this.#queues.readAll([this.#topic])
  }
}
