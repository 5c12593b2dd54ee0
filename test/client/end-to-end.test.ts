/** Producer, consumers, broker and name server together, on simulated machines. */
import {
  type Broker,
  completeBrokerConfig,
  readBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import { DefaultProducer, PushConsumer } from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

const TOPIC = 'orders'
const GROUP = 'shop'
const PORT = 9876

class Cluster {
  readonly world: SimWorld
  readonly namesrvAddr: string
  readonly got: string[] = []

  private constructor(seed: number) {
    this.world = createWorld(seed)
    this.namesrvAddr = `${this.world.host('namesrv').ip}:${PORT}`
  }

  static async open(seed: number): Promise<Cluster> {
    const cluster = new Cluster(seed)
    const { doors } = cluster.world.host('namesrv')
    const text = `bindAddress=0.0.0.0\nlistenPort=${PORT}`
    await cluster.run(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
    await cluster.openBroker('broker-a')
    return cluster
  }

  async openBroker(name: string): Promise<Broker> {
    const { doors, ip } = this.world.host(name)
    const text =
      `brokerName=${name}\nbrokerIP1=${ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304`
    const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
    return await this.run(startBroker(doors, config))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  until(holds: () => boolean, limitMs = 120_000): Promise<void> {
    return this.world.clock.run(holds, limitMs)
  }

  async producer(): Promise<DefaultProducer> {
    const { namesrvAddr } = this
    const host = this.world.host('producer').doors
    const producer = new DefaultProducer({ group: 'senders', namesrvAddr, host })
    await this.run(producer.start())
    return producer
  }

  /** A consumer that notes what it got; `fails` says which messages it refuses the first time. */
  async join(name: string, fails: (body: string) => boolean = () => false): Promise<PushConsumer> {
    const host = this.world.host(name).doors
    const { namesrvAddr } = this
    const options = { group: GROUP, namesrvAddr, host, consumeFromWhere: 'first' } as const
    const consumer = new PushConsumer(options).subscribe(TOPIC, '*', async (message) => {
      await new Promise<void>((resolve) => host.clock.after(2, resolve))
      const body = message.body.toString()
      if (message.reconsumeTimes === 0 && fails(body)) throw new Error('not this time')
      this.got.push(body)
    })
    await this.run(consumer.start())
    return consumer
  }

  /** Sends numbered messages, one each `everyMs`, and waits until all are stored. */
  async send(producer: DefaultProducer, from: number, to: number, everyMs: number): Promise<void> {
    const sends: Promise<unknown>[] = []
    for (let i = from; i < to; i++) {
      sends.push(producer.sendAsync({ topic: TOPIC, body: `${i}` }))
      await this.world.clock.advance(everyMs)
    }
    await this.run(Promise.all(sends))
  }

  get sorted(): string[] {
    return [...this.got].sort((a, b) => Number(a) - Number(b))
  }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

/** Queues of the topic itself: that of the retry topic goes to one of the members as well. */
const shareOf = ({ queues }: PushConsumer): number =>
  queues.filter(({ topic }) => topic === TOPIC).length

test('2000 messages are consumed once each while consumers join and leave', async () => {
  const cluster = await Cluster.open(1)
  const producer = await cluster.producer()
  await cluster.send(producer, 0, 100, 1)
  const first = await cluster.join('first')
  await cluster.send(producer, 100, 700, 1)
  const second = await cluster.join('second')
  await cluster.send(producer, 700, 1500, 2)
  expect([shareOf(first), shareOf(second)]).toEqual([2, 2])
  await cluster.run(first.close())
  await cluster.send(producer, 1500, 2000, 1)
  await cluster.until(() => cluster.got.length >= 2000)
  await cluster.run(Promise.all([second.close(), producer.close()]))
  expect(cluster.sorted).toEqual(numbers(2000))
})

test('a message that fails comes again, and the others are not held up', async () => {
  const cluster = await Cluster.open(2)
  const producer = await cluster.producer()
  const consumer = await cluster.join('first', (body) => body === '7')
  await cluster.send(producer, 0, 20, 1)
  await cluster.until(() => cluster.got.length === 19, 40_000)
  expect(cluster.got).not.toContain('7')
  await cluster.until(() => cluster.got.length === 20, 60_000)
  await cluster.run(consumer.close())
  expect(cluster.sorted).toEqual(numbers(20))
})

test('a broker that is killed and started again loses nothing that was acknowledged', async () => {
  const cluster = await Cluster.open(3)
  const producer = await cluster.producer()
  const consumer = await cluster.join('first')
  await cluster.send(producer, 0, 200, 1)
  cluster.world.host('broker-a').kill()
  await cluster.world.clock.advance(3000)
  cluster.world.host('broker-a').restart()
  await cluster.openBroker('broker-a')
  await cluster.send(producer, 200, 400, 1)
  await cluster.until(() => new Set(cluster.got).size === 400)
  await cluster.run(Promise.all([consumer.close(), producer.close()]))
})
