/**
 * Producers and consumers, a name server, a master and its slave, which copies the log: what becomes
 * of messages when the master dies, comes back, or is followed by its slave.
 */
import { AdminClient, haStatus } from '@rockhopper/admin'
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { DefaultProducer, PushConsumer, type SendResult } from '@rockhopper/client'
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import { defaultConfig } from '@rockhopper/protocol'
import { createWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

const TOPIC = 'orders'

class Stage {
  readonly world = createWorld(11)
  readonly got: string[] = []
  readonly #namesrv = this.world.host('namesrv')

  get namesrvAddr(): string {
    return `${this.#namesrv.ip}:9876`
  }

  static async open(role: 'ASYNC_MASTER' | 'SYNC_MASTER'): Promise<Stage> {
    const stage = new Stage()
    const config = { ...defaultConfig(namesrvConfigTable), bindAddress: stage.#namesrv.ip }
    await stage.settle(startNamesrv(stage.#namesrv.doors, config))
    await stage.startBroker('master', `brokerRole=${role}\n`)
    await stage.startBroker('slave', 'brokerRole=SLAVE\nbrokerId=1\n')
    await stage.advance(10_000)
    return stage
  }

  async startBroker(name: string, settings: string): Promise<void> {
    const host = this.world.host(name)
    const doors = host.running ? host.doors : host.restart()
    const text =
      `brokerName=broker-a\nbrokerIP1=${host.ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=1048576\n${settings}`
    const { values } = readBrokerConfig(text, 'the test')
    await this.settle(startBroker(doors, completeBrokerConfig(values, doors)))
  }

  async producer(): Promise<DefaultProducer> {
    const { doors: host } = this.world.host('producer')
    const producer = new DefaultProducer({ group: 'senders', host, namesrvAddr: this.namesrvAddr })
    await this.settle(producer.start())
    return producer
  }

  async consume(hostName = 'consumer'): Promise<PushConsumer> {
    const { doors: host } = this.world.host(hostName)
    const options = { group: 'readers', host, namesrvAddr: this.namesrvAddr }
    const consumer = new PushConsumer({ ...options, consumeFromWhere: 'first' })
    consumer.subscribe(TOPIC, '*', ({ body }) => {
      this.got.push(body.toString())
    })
    await this.settle(consumer.start())
    return consumer
  }

  async send(producer: DefaultProducer, bodies: readonly string[]): Promise<SendResult[]> {
    return this.settle(Promise.all(bodies.map((body) => producer.send({ topic: TOPIC, body }))))
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  advance(durationMs: number): Promise<void> {
    return this.world.clock.advance(durationMs)
  }
}

function numbered(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(from + i))
}

test('a consumer reads from the slave what it had not read when the master died, and all of it once', async () => {
  const stage = await Stage.open('SYNC_MASTER')
  const producer = await stage.producer()
  const results = await stage.send(producer, numbered(0, 200))
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['SEND_OK']))
  stage.world.host('master').kill()
  await stage.consume()
  await stage.advance(20_000)
  expect(stage.got.toSorted()).toEqual(numbered(0, 200).toSorted())
})

test('a consumer that reads goes to the slave and back, while messages come before and after', async () => {
  const stage = await Stage.open('SYNC_MASTER')
  const producer = await stage.producer()
  await stage.consume()
  await stage.send(producer, numbered(0, 50))
  stage.world.host('master').kill()
  await stage.advance(40_000)
  await stage.startBroker('master', 'brokerRole=SYNC_MASTER\n')
  await stage.advance(40_000)
  await stage.send(producer, numbered(50, 50))
  await stage.advance(5_000)
  expect([...new Set(stage.got)].toSorted()).toEqual(numbered(0, 100).toSorted())
})

test('a consumer that starts at the slave does not begin anew what its group has consumed', async () => {
  const stage = await Stage.open('SYNC_MASTER')
  const producer = await stage.producer()
  const first = await stage.consume()
  await stage.send(producer, numbered(0, 50))
  await stage.advance(5_000)
  await stage.settle(first.close())
  await stage.advance(15_000)
  stage.world.host('master').kill()
  await stage.consume('second')
  await stage.advance(40_000)
  expect(stage.got).toHaveLength(50)
})

test('a slave that becomes the master delivers delayed messages, those too that were not due', async () => {
  const stage = await Stage.open('SYNC_MASTER')
  const producer = await stage.producer()
  await stage.send(producer, ['now'])
  await stage.settle(producer.send({ topic: TOPIC, body: 'soon', delayLevel: 2 }))
  await stage.settle(producer.send({ topic: TOPIC, body: 'later', delayLevel: 4 }))
  await stage.advance(20_000)
  stage.world.host('master').kill()
  stage.world.host('slave').kill()
  await stage.startBroker('slave', 'brokerRole=ASYNC_MASTER\n')
  await stage.consume()
  await stage.advance(60_000)
  expect([...new Set(stage.got)].toSorted()).toEqual(['later', 'now', 'soon'])
  expect(stage.got).toHaveLength(3)
})

test('operators are told by the master how far its slave is, and by the slave where its master is', async () => {
  const stage = await Stage.open('ASYNC_MASTER')
  const producer = await stage.producer()
  await stage.send(producer, numbered(0, 20))
  await stage.advance(2_000)
  const { doors } = stage.world.host('operator')
  const admin = new AdminClient(doors, { nameServers: [stage.namesrvAddr] })
  const masterAddr = `${stage.world.host('master').ip}:10911`
  const slaveAddr = `${stage.world.host('slave').ip}:10911`
  const master = (await stage.settle(haStatus(admin, { brokerAddr: masterAddr }))).get(masterAddr)
  if (master?.role !== 'master') throw new Error('the master does not know that it is one')
  expect(master.slaves).toMatchObject([{ diff: 0, inSync: true }])
  expect(master.logEndOffset).toBeGreaterThan(1_000)
  const slave = (await stage.settle(haStatus(admin, { brokerAddr: slaveAddr }))).get(slaveAddr)
  expect(slave).toMatchObject({
    role: 'slave',
    following: {
      masterAddr: `${stage.world.host('master').ip}:10912`,
      maxOffset: master.logEndOffset,
    },
  })
})
