/** Producer, consumers, broker and name server together, on simulated machines. */
import {
  type Broker,
  completeBrokerConfig,
  readBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import { type ConsumerOptions, DefaultProducer, PushConsumer } from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

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

test('1000 messages are consumed once each while consumers join and leave', async () => {
  const cluster = await Cluster.open(1)
  const producer = await cluster.producer()
  await cluster.send(producer, 0, 50, 1)
  const first = await cluster.join('first')
  await cluster.send(producer, 50, 350, 1)
  const second = await cluster.join('second')
  await cluster.send(producer, 350, 750, 2)
  expect([shareOf(first), shareOf(second)]).toEqual([2, 2])
  await cluster.run(first.close())
  await cluster.send(producer, 750, 1000, 1)
  await cluster.until(() => cluster.got.length >= 1000)
  await cluster.run(Promise.all([second.close(), producer.close()]))
  expect(cluster.sorted).toEqual(numbers(1000))
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

describe('what fails too often', () => {
  test.each([
    ['in order', { orderly: true, suspendCurrentQueueTimeMs: 10 }],
    ['concurrently', {}],
  ] as const)('becomes a dead letter that says why: %s', async (_name, options) => {
    const cluster = await Cluster.open(4)
    const producer = await cluster.producer()
    const { namesrvAddr, world } = cluster
    const open = async (name: string, more: Partial<ConsumerOptions>, topic: string) => {
      const host = world.host(name).doors
      const base = { group: GROUP, namesrvAddr, host, consumeFromWhere: 'first' } as const
      const consumer = new PushConsumer({ ...base, ...more })
      const tries: string[] = []
      const messages: [string, string | undefined, string | undefined][] = []
      consumer.subscribe(topic, '*', ({ body, reconsumeTimes, lastError, properties }) => {
        if (topic !== TOPIC) {
          messages.push([body.toString(), lastError, properties['DLQ_ORIGIN_TOPIC']])
        } else if (body.toString() === 'bad') {
          tries.push(`${reconsumeTimes} ${lastError}`)
          throw new RangeError(`try ${tries.length}`)
        } else cluster.got.push(body.toString())
      })
      await cluster.run(consumer.start())
      return { consumer, tries, messages }
    }
    const { tries } = await open('first', { ...options, maxReconsumeTimes: 1 }, TOPIC)
    await cluster.run(producer.send({ topic: TOPIC, body: 'bad' }))
    await cluster.run(producer.send({ topic: TOPIC, body: 'good' }))
    await cluster.until(() => tries.length === 2 && cluster.got.length === 1, 60_000)
    await world.clock.advance(2000)
    const reader = await open('reader', { group: 'readers' }, `%DLQ%${GROUP}`)
    await cluster.until(() => reader.messages.length === 1, 60_000)
    expect(reader.messages).toEqual([['bad', 'RangeError: try 2', TOPIC]])
    // In order nothing leaves the queue between the tries, and so nothing tells why.
    const why = 'orderly' in options ? undefined : 'RangeError: try 1'
    expect(tries).toEqual(['0 undefined', `1 ${why}`])
  })
})
