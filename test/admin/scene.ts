/**
 * A small world for the tests of operations: an operator's machine, name servers and brokers that
 * answer from what the test says, and everything they were asked.
 */
import type { Host } from '@rockhopper/host'
import {
  type ClusterInfo,
  type Command,
  encodeClusterInfo,
  encodeTopicRoute,
  type FieldTable,
  GET_BROKER_CLUSTER_INFO,
  GET_ROUTEINFO_BY_TOPIC,
  type Header,
  responseCode,
  type TopicRouteData,
} from '@rockhopper/protocol'
import { type Handler, Refusal, RemotingServer, Router } from '@rockhopper/remoting'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { runAdmin } from '../../packages/admin/src/program.ts'
import type { AnyVerb, VerbContext } from '../../packages/admin/src/verb.ts'

/** One request that somebody was asked. */
export interface Asked {
  readonly host: string
  readonly command: string
  readonly header: Readonly<Record<string, unknown>>
}

export interface Printed {
  readonly exitCode: number
  readonly out: string
  readonly errors: string
}

const NAME_SERVER_PORT = 9876
const BROKER_PORT = 10_911

/** The answer of a scripted peer. */
type Script<Q extends FieldTable, A extends FieldTable> = (
  header: Header<Q>,
) => Awaited<ReturnType<Handler<Q, A>>>

export class Scene {
  readonly world: SimWorld
  readonly asked: Asked[] = []
  readonly routes = new Map<string, TopicRouteData>()
  clusters: ClusterInfo = { brokerAddrTable: new Map(), clusterAddrTable: new Map() }
  readonly #routers = new Map<string, Router>()

  constructor() {
    this.world = createWorld(1)
  }

  /** A scene with the name server `ns` and the broker `b1`, master of broker-a in DefaultCluster. */
  static async withBroker(): Promise<Scene> {
    const scene = new Scene()
    await scene.startNameServer('ns')
    await scene.startBroker('b1')
    scene.clusters = {
      brokerAddrTable: new Map([['broker-a', brokerOf('broker-a', [[0, scene.addressOf('b1')]])]]),
      clusterAddrTable: new Map([['DefaultCluster', ['broker-a']]]),
    }
    return scene
  }

  get operator(): Host {
    return this.world.host('operator').doors
  }

  addressOf(name: string): string {
    return `${this.world.host(name).ip}:${name.startsWith('ns') ? NAME_SERVER_PORT : BROKER_PORT}`
  }

  async startNameServer(name: string): Promise<void> {
    await this.#listen(name, NAME_SERVER_PORT)
    this.on(name, GET_BROKER_CLUSTER_INFO, () => ({ body: [encodeClusterInfo(this.clusters)] }))
    this.on(name, GET_ROUTEINFO_BY_TOPIC, ({ topic }) => {
      const route = this.routes.get(topic)
      if (route !== undefined) return { body: [encodeTopicRoute(route, 'standard')] }
      throw new Refusal(responseCode.TOPIC_NOT_EXIST, `No topic route info for: ${topic}`)
    })
  }

  startBroker(name: string): Promise<void> {
    return this.#listen(name, BROKER_PORT)
  }

  /** Says how a host answers a command. */
  on<Q extends FieldTable, A extends FieldTable>(
    name: string,
    command: Command<Q, A>,
    script: Script<Q, A>,
  ): void {
    this.#routers.get(name)?.on(command, (header) => {
      this.asked.push({ host: name, command: command.name, header })
      return script(header)
    })
  }

  /** Gives a topic a route over brokers with queues. */
  route(
    topic: string,
    ...brokers: readonly { name: string; host: string; queues: number }[]
  ): void {
    this.routes.set(topic, {
      brokerDatas: brokers.map(({ name, host }) => brokerOf(name, [[0, this.addressOf(host)]])),
      queueDatas: brokers.map(({ name, queues }) => ({
        ...{ brokerName: name, readQueueNums: queues, writeQueueNums: queues },
        ...{ perm: 6, topicSysFlag: 0 },
      })),
      filterServerTable: new Map(),
    })
  }

  /** Runs mqadmin with the name server `ns`, unless the words name one. */
  async run(verb: AnyVerb, ...words: readonly string[]): Promise<Printed> {
    const named = words.includes('-n') ? [] : ['-n', this.addressOf('ns')]
    return this.runBare([verb], verb.name, ...words, ...named)
  }

  /** Runs mqadmin with exactly these words. */
  async runBare(verbs: readonly AnyVerb[], ...words: readonly string[]): Promise<Printed> {
    let out = ''
    let errors = ''
    const running = runAdmin(verbs, words, {
      host: this.operator,
      print: (text) => {
        out += text
      },
      complain: (text) => {
        errors += text
      },
      timeText,
      timeOf,
    })
    const exitCode = await this.world.clock.settle(running)
    return { exitCode, out, errors }
  }

  async #listen(name: string, port: number): Promise<void> {
    const host = this.world.host(name)
    const router = new Router(host.doors.logger)
    this.#routers.set(name, router)
    const addresses = [{ host: host.ip, port }]
    await this.world.clock.settle(RemotingServer.listen(host.doors, { addresses, router }))
  }
}

export function brokerOf(
  brokerName: string,
  addresses: readonly (readonly [number, string])[],
): ClusterInfo['brokerAddrTable'] extends ReadonlyMap<string, infer B> ? B : never {
  return {
    ...{ brokerName, cluster: 'DefaultCluster', enableActingMaster: false },
    brokerAddrs: new Map(addresses),
  }
}

/** A time in a form that no time zone changes. */
const timeText: VerbContext['timeText'] = (timeMs) => `time ${timeMs}`
const timeOf: VerbContext['timeOf'] = (text) =>
  text.startsWith('time#') ? Number(text.slice('time#'.length)) : undefined
