/** How soon name servers know a broker and its topics, and know them again. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import {
  defaultConfig,
  GET_ROUTEINFO_BY_TOPIC,
  responseCode,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { createWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

const NAME_SERVER_PORT = 9876
const BROKER_PORT = 10_911
const timeoutMs = 3_000

class Scene {
  readonly world = createWorld(5)
  readonly nameServer = this.world.host('namesrv')
  readonly broker = this.world.host('broker')
  readonly #client = new RemotingClient(this.world.host('client').doors)

  static async started(): Promise<Scene> {
    const scene = new Scene()
    await scene.startNameServer()
    await scene.startBroker()
    return scene
  }

  async startNameServer(): Promise<void> {
    const bindAddress = this.nameServer.ip
    const config = { ...defaultConfig(namesrvConfigTable), bindAddress }
    const doors = this.nameServer.running ? this.nameServer.doors : this.nameServer.restart()
    await this.settle(startNamesrv(doors, { ...config, deleteTopicWithBrokerRegistration: true }))
  }

  async startBroker(): Promise<void> {
    const { doors, ip } = this.broker
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nstorePathRootDir=/store\n` +
      `mappedFileSizeCommitLog=1048576\nnamesrvAddr=${this.nameServer.ip}:${NAME_SERVER_PORT}\n`
    const { values } = readBrokerConfig(text, 'the test')
    await this.settle(startBroker(doors, completeBrokerConfig(values, doors)))
  }

  /** Asks the broker for topics, all in one turn. */
  async createTopics(...topics: readonly string[]): Promise<void> {
    const address = `${this.broker.ip}:${BROKER_PORT}`
    const perm = { perm: 6, readQueueNums: 4, writeQueueNums: 4 }
    const creations = topics.map((topic) =>
      this.#client.request(address, UPDATE_AND_CREATE_TOPIC, { topic, ...perm }, { timeoutMs }),
    )
    await this.settle(Promise.all(creations))
  }

  async hasRoute(topic: string): Promise<boolean> {
    const address = `${this.nameServer.ip}:${NAME_SERVER_PORT}`
    const question = this.#client.call(address, GET_ROUTEINFO_BY_TOPIC, { topic }, { timeoutMs })
    return (await this.settle(question)).code === responseCode.SUCCESS
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  advance(durationMs: number): Promise<void> {
    return this.world.clock.advance(durationMs)
  }
}

test('a name server that was restarted knows the broker again within seconds', async () => {
  const scene = await Scene.started()
  await scene.advance(60_000)
  scene.nameServer.kill()
  await scene.advance(2_000)
  await scene.startNameServer()
  await scene.advance(4_000)
  expect(await scene.hasRoute('TBW102')).toBe(true)
})

test('a name server whose machine fell silent is given up with its connection', async () => {
  const scene = await Scene.started()
  // The registration at 10 s gets no answer and runs into its limit of 24 s.
  await scene.advance(9_000)
  scene.nameServer.crash()
  await scene.advance(2_000)
  await scene.startNameServer()
  await scene.advance(24_000 + 2_500)
  expect(await scene.hasRoute('TBW102')).toBe(true)
})

test('a name server that is started after the broker knows it within seconds', async () => {
  const scene = new Scene()
  await scene.startBroker()
  await scene.advance(15_000)
  await scene.startNameServer()
  await scene.advance(6_000)
  expect(await scene.hasRoute('TBW102')).toBe(true)
})

test('topics that are created together are known at once, and no other is forgotten', async () => {
  const scene = await Scene.started()
  await scene.createTopics('one')
  await scene.createTopics('two', 'three', 'four')
  await scene.advance(100)
  for (const topic of ['one', 'two', 'three', 'four', 'TBW102']) {
    expect([topic, await scene.hasRoute(topic)]).toEqual([topic, true])
  }
})
