/** A broker has a master and a slave, which clients turn to when the other is gone, and back. */
import { responseCode } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { ReplicaChoice } from '../../packages/client/src/pull/replica-choice.ts'
import { GROUP, Scene, TOPIC } from './scene.ts'
import type { ScriptedBroker } from './scripted-broker.ts'

const NAME = 'master'

/** One broker name: the master of it, and its slave under id 1, with the same messages. */
class Pair {
  readonly scene: Scene
  readonly got: string[] = []

  private constructor(scene: Scene) {
    this.scene = scene
  }

  static async open(bodies: readonly string[]): Promise<Pair> {
    const scene = await Scene.open({ brokers: [NAME, 'slave'], queues: 1 })
    const pair = new Pair(scene)
    for (const body of bodies) pair.put(body)
    pair.route([0, 1])
    return pair
  }

  get master(): ScriptedBroker {
    return this.scene.broker(0)
  }

  get slave(): ScriptedBroker {
    return this.scene.broker(1)
  }

  /** Brokers of these ids are in the route. */
  route(ids: readonly number[]): void {
    const addresses = ids.map((id) => [id, this.scene.broker(id).address] as const)
    const route = this.scene.routeOf(1, 6, [this.master])
    const [data] = route.brokerDatas
    if (data === undefined) throw new Error('there is no broker')
    const brokerDatas = [{ ...data, brokerAddrs: new Map(addresses) }]
    this.scene.routes.set(TOPIC, { ...route, brokerDatas })
  }

  put(body: string): void {
    for (const broker of [this.master, this.slave]) broker.put(TOPIC, 0, body)
  }

  killMaster(): void {
    this.scene.world.host(NAME).kill()
    this.slave.script.suggests = 1
  }

  /** The master is back with the messages that it had. */
  async restartMaster(bodies: readonly string[]): Promise<void> {
    this.scene.world.host(NAME).restart()
    await this.scene.reopenBroker(NAME)
    for (const body of bodies) this.master.put(TOPIC, 0, body)
    this.slave.script.suggests = 0
  }

  async consume(): Promise<void> {
    const consumer = this.scene.consumer().subscribe(TOPIC, '*', ({ body }) => {
      this.got.push(body.toString())
    })
    await this.scene.run(consumer.start())
  }

  advance(durationMs: number): Promise<void> {
    return this.scene.world.clock.advance(durationMs)
  }
}

describe('a consumer whose master dies', () => {
  test('reads on from the slave at once, though a pull was held', async () => {
    const pair = await Pair.open(['one'])
    await pair.consume()
    await pair.advance(5_000)
    expect(pair.slave.pulls).toEqual([])
    pair.killMaster()
    pair.slave.put(TOPIC, 0, 'two')
    await pair.advance(100)
    expect(pair.got).toEqual(['one', 'two'])
    await pair.advance(60_000)
    expect(pair.got).toEqual(['one', 'two'])
  })

  test('reads on from the slave while the route still names the master', async () => {
    const pair = await Pair.open(['one'])
    await pair.consume()
    await pair.advance(1_000)
    pair.killMaster()
    for (const body of ['two', 'three', 'four']) {
      pair.slave.put(TOPIC, 0, body)
      await pair.advance(1_000)
    }
    expect(pair.got).toEqual(['one', 'two', 'three', 'four'])
  })

  test('asks a slave that sends it to the master in vain no more than a few times a second', async () => {
    const pair = await Pair.open(['one'])
    await pair.consume()
    await pair.advance(1_000)
    pair.killMaster()
    pair.slave.script.onPull = ({ queueOffset }) => ({
      code: responseCode.PULL_RETRY_IMMEDIATELY,
      header: {
        ...{ suggestWhichBrokerId: 0, nextBeginOffset: queueOffset, minOffset: 0, maxOffset: 1 },
      },
    })
    await pair.advance(10_000)
    expect(pair.slave.pulls.length).toBeGreaterThan(5)
    expect(pair.slave.pulls.length).toBeLessThan(40)
  })

  test('goes back to the master when that is there, and tells it how far it is', async () => {
    const pair = await Pair.open(['one'])
    await pair.consume()
    await pair.advance(1_000)
    pair.killMaster()
    pair.slave.put(TOPIC, 0, 'two')
    await pair.advance(40_000)
    await pair.restartMaster(['one', 'two', 'three'])
    await pair.advance(20_000)
    expect(pair.got).toEqual(['one', 'two', 'three'])
    await pair.advance(20_000)
    expect(pair.master.offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(3)
  })

  test('finds the master in a new route soon after it has come back', async () => {
    const pair = await Pair.open(['one'])
    await pair.consume()
    await pair.advance(1_000)
    pair.killMaster()
    pair.route([1])
    await pair.advance(60_000)
    await pair.restartMaster(['one', 'two'])
    pair.route([0, 1])
    await pair.advance(20_000)
    expect(pair.got).toEqual(['one', 'two'])
    expect(pair.master.pulls.length).toBeGreaterThan(0)
  })

  test('commits at the slave meanwhile', async () => {
    const pair = await Pair.open(['one'])
    await pair.consume()
    await pair.advance(1_000)
    pair.killMaster()
    pair.route([1])
    pair.slave.put(TOPIC, 0, 'two')
    await pair.advance(60_000)
    expect(pair.slave.offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(2)
  })
})

describe('a consumer that starts while the master is gone', () => {
  test('begins where the slave says that its group is', async () => {
    const pair = await Pair.open(['one', 'two', 'three'])
    pair.slave.offsets.set(`${GROUP} ${TOPIC} 0`, 1)
    pair.killMaster()
    await pair.consume()
    await pair.advance(30_000)
    expect(pair.got).toEqual(['two', 'three'])
  })

  test('begins nowhere if the slave does not know its group: it could skip messages', async () => {
    const pair = await Pair.open(['one', 'two'])
    pair.killMaster()
    await pair.consume()
    await pair.advance(30_000)
    expect(pair.got).toEqual([])
    await pair.restartMaster(['one', 'two'])
    pair.master.offsets.set(`${GROUP} ${TOPIC} 0`, 1)
    await pair.advance(30_000)
    expect(pair.got).toEqual(['two'])
  })
})

describe('a producer', () => {
  test('whose broker dies sends to the other at once', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 1 })
    const producer = await scene.startedProducer()
    for (let i = 0; i < 4; i++) await scene.run(producer.send({ topic: TOPIC, body: 'x' }))
    scene.world.host('broker-a').kill()
    for (let i = 0; i < 20; i++) {
      const beforeMs = scene.world.clock.monotonicMs()
      const { queue } = await scene.run(producer.send({ topic: TOPIC, body: 'x' }))
      expect(queue.brokerName).toBe('broker-b')
      expect(scene.world.clock.monotonicMs() - beforeMs).toBeLessThan(100)
    }
  })

  test('whose message waits at a broker that dies sends it to the other at once', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 1 })
    const producer = await scene.startedProducer()
    const silent = (): Promise<never> => new Promise(() => undefined)
    scene.broker(0).script.onSend = silent
    const sends = ['one', 'two'].map((body) => producer.send({ topic: TOPIC, body }))
    await scene.world.clock.advance(500)
    const beforeMs = scene.world.clock.monotonicMs()
    scene.world.host('broker-a').kill()
    const results = await scene.run(Promise.all(sends))
    expect(results.map(({ queue }) => queue.brokerName)).toEqual(['broker-b', 'broker-b'])
    expect(scene.world.clock.monotonicMs() - beforeMs).toBeLessThan(100)
  })
})

describe('the choice of a replica', () => {
  test('follows what an answer names', () => {
    const choice = new ReplicaChoice()
    choice.answered({ asked: 0, suggested: 1, isFound: true }, [0, 1], 0)
    expect(choice.next).toBe(1)
  })

  test('goes around those that fail, and pauses when all of them did', () => {
    const choice = new ReplicaChoice()
    const paces = [0, 1, 2].map((id) => [choice.failed(id, [0, 1, 2], 0), choice.next])
    expect(paces).toEqual([
      ['at once', 1],
      ['at once', 2],
      ['after a pause', 0],
    ])
  })

  test('does not follow a name that failed a moment ago', () => {
    const choice = new ReplicaChoice()
    choice.failed(0, [0, 1], 0)
    const told = { asked: 1, suggested: 0, isFound: false }
    expect([choice.answered(told, [0, 1], 500), choice.next]).toEqual(['after a pause', 1])
    expect([choice.answered(told, [0, 1], 1_500), choice.next]).toEqual(['at once', 0])
  })

  test('does not follow a name that is in no route', () => {
    const choice = new ReplicaChoice()
    const told = { asked: 1, suggested: 0, isFound: false }
    expect([choice.answered(told, [1], 0), choice.next]).toEqual(['after a pause', 1])
  })
})
