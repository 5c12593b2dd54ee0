/** A name server in a simulated world, and brokers and clients of any version that talk to it. */

import {
  type Namesrv,
  type NamesrvConfig,
  namesrvConfigTable,
  startNamesrv,
} from '@rockhopper/namesrv'
import { defaultConfig, REGISTER_BROKER } from '@rockhopper/protocol'
import { createWorld, type SimHost, type SimWorld } from '@rockhopper/sim'
import { Peer, type PeerAnswer, type Question } from './peer.ts'

export const BROKER_ADDR = '10.9.0.1:10911'

export class Cluster {
  readonly world: SimWorld
  readonly config: NamesrvConfig
  readonly server: SimHost
  namesrv: Namesrv

  private constructor(world: SimWorld, config: NamesrvConfig, namesrv: Namesrv) {
    this.world = world
    this.config = config
    this.server = world.host('namesrv')
    this.namesrv = namesrv
  }

  static async start(changes: Partial<NamesrvConfig> = {}, seed = 1): Promise<Cluster> {
    const world = createWorld(seed)
    const server = world.host('namesrv')
    const config = { ...defaultConfig(namesrvConfigTable), bindAddress: server.ip, ...changes }
    const namesrv = await world.clock.settle(startNamesrv(server.doors, config))
    return new Cluster(world, config, namesrv)
  }

  /** Starts the name server anew, after its host was killed or crashed. */
  async restart(): Promise<void> {
    this.namesrv = await this.settle(startNamesrv(this.server.restart(), this.config))
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  peer(): Promise<Peer> {
    return this.settle(Peer.connect(this.world.host('peer').doors, this.namesrv.address))
  }

  async ask(peer: Peer, command: { readonly code: number }, question?: Question) {
    return this.settle(peer.ask(command, question))
  }

  /** A broker with two topics registers on a connection of its own. */
  async broker(question: Question = {}): Promise<Peer> {
    const peer = await this.peer()
    const answer = await this.register(peer, question)
    if (answer.code !== 0) throw new Error(answer.remark)
    return peer
  }

  register(peer: Peer, question: Question = {}): Promise<PeerAnswer> {
    const fields = { ...brokerFields, ...question.fields }
    return this.ask(peer, REGISTER_BROKER, { body: registration(), ...question, fields })
  }
}

export const brokerFields = {
  brokerName: 'broker-a',
  brokerAddr: BROKER_ADDR,
  clusterName: 'DefaultCluster',
  haServerAddr: '10.9.0.1:10912',
  brokerId: '0',
}

export const dataVersion = { counter: 3, stateVersion: 0, timestamp: 1_700_000_000_000 }

/** The body of a 4.9 broker: no attributes, no state version, no static topics. */
export function registration(topics: readonly string[] = ['TopicA', 'TopicB']): string {
  return JSON.stringify({
    filterServerList: [],
    topicConfigSerializeWrapper: {
      dataVersion: { counter: dataVersion.counter, timestamp: dataVersion.timestamp },
      topicConfigTable: Object.fromEntries(
        topics.map((topicName) => [
          topicName,
          {
            order: false,
            perm: 6,
            readQueueNums: 4,
            topicFilterType: 'SINGLE_TAG',
            topicName,
            topicSysFlag: 0,
            writeQueueNums: 4,
          },
        ]),
      ),
    },
  })
}
