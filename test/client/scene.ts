/**
 * A simulated cluster with one name server and brokers that do as the test says.
 */
import {
  ClientError,
  type ConsumerOptions,
  DefaultProducer,
  LitePullConsumer,
  type LitePullOptions,
  type ProducerOptions,
  PushConsumer,
} from '@rockhopper/client'
import type { Host } from '@rockhopper/host'
import {
  type BrokerData,
  encodeClusterInfo,
  encodeTopicRoute,
  GET_BROKER_CLUSTER_INFO,
  GET_ROUTEINFO_BY_TOPIC,
  type QueueData,
  responseCode,
  type TopicRouteData,
} from '@rockhopper/protocol'
import { Refusal, RemotingServer, Router } from '@rockhopper/remoting'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { ScriptedBroker } from './scripted-broker.ts'

export const TOPIC = 'orders'
export const GROUP = 'shop'

export interface SceneOptions {
  readonly brokers?: readonly string[]
  /** Queues of the topic on each broker. */
  readonly queues?: number
  readonly seed?: number
}

export class Scene {
  readonly world: SimWorld
  readonly routes = new Map<string, TopicRouteData>()
  readonly brokers: ScriptedBroker[] = []
  readonly namesrvAddr: string
  /** Topics whose routes were asked for, in order. */
  readonly routeQuestions: string[] = []

  private constructor(seed: number) {
    this.world = createWorld(seed)
    this.namesrvAddr = `${this.world.host('namesrv').ip}:9876`
  }

  static async open(options: SceneOptions = {}): Promise<Scene> {
    const { brokers = ['broker-a'], queues = 4, seed = 1 } = options
    const scene = new Scene(seed)
    await scene.openNamesrv()
    for (const name of brokers) {
      const { doors } = scene.world.host(name)
      scene.brokers.push(await scene.run(ScriptedBroker.open(doors, name)))
    }
    scene.routes.set(TOPIC, scene.routeOf(queues))
    return scene
  }

  broker(index = 0): ScriptedBroker {
    const broker = this.brokers[index]
    if (broker === undefined) throw new Error(`there is no broker ${index}`)
    return broker
  }

  /** Moves time until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  /** Moves time until it is so. */
  until(holds: () => boolean, limitMs = 120_000): Promise<void> {
    return this.world.clock.run(holds, limitMs)
  }

  async openNamesrv(): Promise<void> {
    const { doors } = this.world.host('namesrv')
    await this.run(
      RemotingServer.listen(doors, {
        addresses: [{ host: '0.0.0.0', port: 9876 }],
        router: new Router(doors.logger)
          .on(GET_ROUTEINFO_BY_TOPIC, ({ topic }) => {
            this.routeQuestions.push(topic)
            const route = this.routes.get(topic)
            if (route === undefined) throw new Refusal(responseCode.TOPIC_NOT_EXIST, 'no route')
            return { body: [encodeTopicRoute(route, 'standard')] }
          })
          .on(GET_BROKER_CLUSTER_INFO, () => ({
            body: [
              encodeClusterInfo({
                brokerAddrTable: new Map(
                  this.brokers.map((broker) => [broker.name, brokerData(broker)]),
                ),
                clusterAddrTable: new Map(),
              }),
            ],
          })),
      }),
    )
  }

  /** Opens a broker again, with an empty store, on a host that was restarted or on another. */
  async reopenBroker(name: string, hostName = name): Promise<void> {
    const index = this.brokers.findIndex((broker) => broker.name === name)
    this.brokers[index] = await this.run(ScriptedBroker.open(this.doors(hostName), name))
  }

  routeOf(queues: number, perm = 6, brokers = this.brokers): TopicRouteData {
    return {
      brokerDatas: brokers.map(brokerData),
      filterServerTable: new Map(),
      queueDatas: brokers.map((broker) => queueData(broker.name, queues, perm)),
    }
  }

  /** Lets time pass inside the process of a host. */
  pause(name: string, durationMs: number): Promise<void> {
    return new Promise((resolve) => this.doors(name).clock.after(durationMs, resolve))
  }

  doors(name: string): Host {
    return this.world.host(name).doors
  }

  producer(options: Partial<ProducerOptions> = {}, hostName = 'producer'): DefaultProducer {
    const host = this.doors(hostName)
    return new DefaultProducer({
      group: 'senders',
      namesrvAddr: this.namesrvAddr,
      host,
      ...options,
    })
  }

  async startedProducer(options: Partial<ProducerOptions> = {}): Promise<DefaultProducer> {
    const producer = this.producer(options)
    await this.run(producer.start())
    return producer
  }

  consumer(options: Partial<ConsumerOptions> = {}, hostName = 'consumer'): PushConsumer {
    const host = this.doors(hostName)
    const { namesrvAddr } = this
    return new PushConsumer({
      group: GROUP,
      namesrvAddr,
      host,
      consumeFromWhere: 'first',
      ...options,
    })
  }

  litePuller(options: Partial<LitePullOptions> = {}, hostName = 'puller'): LitePullConsumer {
    const host = this.doors(hostName)
    const { namesrvAddr } = this
    return new LitePullConsumer({
      group: GROUP,
      namesrvAddr,
      host,
      consumeFromWhere: 'first',
      ...options,
    })
  }
}

/** The error of a call that must fail. */
export async function failure(promise: Promise<unknown>): Promise<ClientError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof ClientError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function brokerData({ name, address }: ScriptedBroker): BrokerData {
  return {
    brokerAddrs: new Map([[0, address]]),
    brokerName: name,
    cluster: 'DefaultCluster',
    enableActingMaster: false,
  }
}

function queueData(brokerName: string, queues: number, perm: number): QueueData {
  return { brokerName, perm, readQueueNums: queues, writeQueueNums: queues, topicSysFlag: 0 }
}
