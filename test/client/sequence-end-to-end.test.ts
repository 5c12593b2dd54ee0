/** The sequence audit of producers and consumers over brokers that are killed, or lose their power. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { DefaultProducer, PushConsumer } from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

const TOPIC = 'orders'
const PORT = 9876

class Cluster {
  readonly world: SimWorld
  readonly namesrvAddr: string
  /** Messages that were acknowledged, by the queues that have them. */
  readonly stored = new Map<string, Set<string>>()
  failed = 0

  private constructor(seed: number) {
    this.world = createWorld(seed)
    this.namesrvAddr = `${this.world.host('namesrv').ip}:${PORT}`
  }

  static async open(seed: number): Promise<Cluster> {
    const cluster = new Cluster(seed)
    const { doors } = cluster.world.host('namesrv')
    const text = `bindAddress=0.0.0.0\nlistenPort=${PORT}`
    await cluster.run(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
    for (const name of ['broker-a', 'broker-b']) await cluster.openBroker(name)
    return cluster
  }

  async openBroker(name: string): Promise<void> {
    const { doors, ip } = this.world.host(name)
    const text =
      `brokerName=${name}\nbrokerIP1=${ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      'storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\ndefaultTopicQueueNums=2'
    const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
    await this.run(startBroker(doors, config))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  options(name: string) {
    const host = this.world.host(name).doors
    return { group: name, namesrvAddr: this.namesrvAddr, host, sequenceAudit: true } as const
  }

  async producer(): Promise<DefaultProducer> {
    const producer = new DefaultProducer({
      ...{ ...this.options('senders'), autoBatch: true, attemptTimeoutMs: 500 },
    })
    await this.run(producer.start())
    return producer
  }

  /** Sends a wave of messages, and does not wait for it. */
  wave(producer: DefaultProducer, count: number): Promise<unknown> {
    return Promise.all(
      Array.from({ length: count }, () =>
        producer.sendAsync({ topic: TOPIC, body: 'x' }).then(
          ({ msgId, queue: { brokerName } }) => {
            const ids = this.stored.get(brokerName) ?? new Set()
            this.stored.set(brokerName, ids.add(msgId))
          },
          () => {
            this.failed++
          },
        ),
      ),
    )
  }

  /** All that a new group finds. */
  async audited(): Promise<{ consumer: PushConsumer; got: Set<string> }> {
    const got = new Set<string>()
    const consumer = new PushConsumer({ ...this.options('shop'), consumeFromWhere: 'first' })
    consumer.subscribe(TOPIC, '*', ({ msgId }) => void got.add(msgId))
    await this.run(consumer.start())
    await this.world.clock.advance(30_000)
    return { consumer, got }
  }
}

test('nothing is taken for lost where brokers are killed while messages are on their way', async () => {
  for (const seed of [1, 2, 3]) {
    const cluster = await Cluster.open(seed)
    const producer = await cluster.producer()
    await cluster.run(cluster.wave(producer, 20))
    for (const name of ['broker-a', 'broker-b', 'broker-a']) {
      const under = [1, 2, 3, 4].map(async (turn) => {
        await new Promise<void>((resolve) => {
          cluster.world.host('senders').doors.clock.after(turn, resolve)
        })
        await cluster.wave(producer, 40)
      })
      await cluster.world.clock.advance(3)
      cluster.world.host(name).kill()
      cluster.world.host(name).restart()
      await cluster.openBroker(name)
      await cluster.run(Promise.all(under))
    }
    for (let i = 0; i < 8; i++) await cluster.run(cluster.wave(producer, 5))
    const { consumer, got } = await cluster.audited()
    const stored = [...cluster.stored.values()].flatMap((ids) => [...ids])
    expect([seed, stored.filter((id) => !got.has(id))]).toEqual([seed, []])
    expect(consumer.audit?.totals).toMatchObject({ lost: 0, unstamped: 0 })
    expect(consumer.audit?.totals.audited).toBeGreaterThan(400)
  }
})

test('what a broker has lost with its power is missed, each message of it', async () => {
  const cluster = await Cluster.open(7)
  const producer = await cluster.producer()
  await cluster.run(cluster.wave(producer, 40))
  await cluster.world.clock.advance(10_000)
  await cluster.run(cluster.wave(producer, 60))
  cluster.world.host('broker-a').crash({ bytes: 'lost', names: 'lost' })
  cluster.world.host('broker-a').restart()
  await cluster.openBroker('broker-a')
  await cluster.world.clock.advance(60_000)
  for (let i = 0; i < 10; i++) await cluster.run(cluster.wave(producer, 4))
  const { consumer, got } = await cluster.audited()
  const gone = [...(cluster.stored.get('broker-a') ?? [])].filter((id) => !got.has(id))
  expect(gone.length).toBeGreaterThan(5)
  expect(consumer.audit?.totals).toMatchObject({ lost: gone.length, repeated: 0 })
})
