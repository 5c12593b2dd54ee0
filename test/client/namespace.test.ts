/** Names in a namespace: the application sees its own, brokers see where they are from. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import {
  DeadLetters,
  DefaultProducer,
  LitePullConsumer,
  PushConsumer,
  type ReceivedMessage,
  TransactionProducer,
} from '@rockhopper/client'
import type { Host } from '@rockhopper/host'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { describe, expect, it, test } from 'vitest'
import { Names } from '../../packages/client/src/namespace/names.ts'
import { Scene, TOPIC } from './scene.ts'

describe('a name in a namespace', () => {
  const names = new Names('shop')

  it.each([
    ['orders', 'shop%orders'],
    ['%RETRY%readers', '%RETRY%shop%readers'],
    ['%DLQ%readers', '%DLQ%shop%readers'],
    ['shop', 'shop%shop'],
    ['other%orders', 'shop%other%orders'],
  ])('is told brokers with it, and the application without: %s', (bare, full) => {
    expect(names.full(bare)).toBe(full)
    expect(names.full(full)).toBe(full)
    expect(names.bare(full)).toBe(bare)
    expect(names.bare(bare)).toBe(bare)
  })

  it.each([
    'TBW102',
    'RMQ_SYS_TRACE_TOPIC',
    'rmq_sys_wheel_timer',
    'CID_RMQ_SYS_TRANS',
    'C_REPLY_TOPIC',
    '',
  ])('is the same in all of them when it belongs to the system: "%s"', (name) => {
    expect(names.full(name)).toBe(name)
    expect(names.bare(name)).toBe(name)
  })

  it('is as it is without a namespace', () => {
    const plain = new Names(undefined)
    expect(plain.full('orders')).toBe('orders')
    expect(plain.bare('shop%orders')).toBe('shop%orders')
  })
})

class Cluster {
  readonly world: SimWorld = createWorld(13)
  readonly namesrvAddr = `${this.world.host('namesrv').ip}:9876`

  static async open(): Promise<Cluster> {
    const cluster = new Cluster()
    const text = 'bindAddress=0.0.0.0\nlistenPort=9876'
    const { values } = readNamesrvConfig(text, 'the test')
    await cluster.run(startNamesrv(cluster.doors('namesrv'), values))
    const { doors, ip } = cluster.world.host('broker')
    const brokerText =
      `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${cluster.namesrvAddr}\n` +
      'storePathRootDir=/store\nmappedFileSizeCommitLog=4194304'
    const config = completeBrokerConfig(readBrokerConfig(brokerText, 'the test').values, doors)
    await cluster.run(startBroker(doors, config))
    return cluster
  }

  doors(name: string): Host {
    return this.world.host(name).doors
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  with<T extends object>(host: string, options: T) {
    return { namesrvAddr: this.namesrvAddr, host: this.doors(host), ...options }
  }

  async producer(namespace?: string): Promise<DefaultProducer> {
    const options = { group: 'senders', ...(namespace === undefined ? {} : { namespace }) }
    const producer = new DefaultProducer(this.with(`producer-${namespace}`, options))
    await this.run(producer.start())
    return producer
  }

  async consumer(
    namespace: string,
    handle: (message: ReceivedMessage) => void | Promise<void>,
    host = `consumer-${namespace}`,
  ): Promise<PushConsumer> {
    const options = { group: 'readers', namespace, consumeFromWhere: 'first' } as const
    const consumer = new PushConsumer(this.with(host, { ...options, maxReconsumeTimes: 1 }))
    consumer.subscribe('orders', '*', handle)
    await this.run(consumer.start())
    return consumer
  }
}

describe('applications of two namespaces', () => {
  it('send and consume the same topic without seeing each other', async () => {
    const cluster = await Cluster.open()
    const got: string[] = []
    for (const namespace of ['shop', 'bank']) {
      const producer = await cluster.producer(namespace)
      const message = { topic: 'orders', body: `of the ${namespace}` }
      const { queue } = await cluster.run(producer.send(message))
      expect(queue.topic).toBe('orders')
      await cluster.consumer(namespace, ({ topic, queue: from, body, properties }) => {
        got.push(`${namespace}: ${body} ${topic} ${from.topic} ${properties['INSTANCE_ID']}`)
      })
    }
    await cluster.world.clock.advance(2_000)
    expect(got.toSorted()).toEqual([
      'bank: of the bank orders orders bank',
      'shop: of the shop orders orders shop',
    ])
    // Without a namespace the same queues are seen under the names that brokers know.
    const reader = new LitePullConsumer(cluster.with('reader', { group: 'operators' }))
    await cluster.run(reader.start())
    const queues = await cluster.run(reader.fetchMessageQueues('shop%orders'))
    expect(queues.length).toBeGreaterThan(0)
  })

  it('share the queues of a group, hand them over, and go on where they were', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer('shop')
    const got: string[] = []
    const note = ({ body }: ReceivedMessage): void => {
      got.push(body.toString())
    }
    await cluster.run(producer.send({ topic: 'orders', body: 'first' }))
    const one = await cluster.consumer('shop', note)
    await cluster.world.clock.advance(1_000)
    const other = await cluster.consumer('shop', note, 'other')
    await cluster.world.clock.advance(10_000)
    expect(one.queues.map(({ topic }) => topic)).toContain('orders')
    expect(other.queues.filter(({ topic }) => topic === 'orders')).toHaveLength(2)
    await cluster.run(one.close())
    await cluster.run(producer.send({ topic: 'orders', body: 'second' }))
    await cluster.world.clock.advance(5_000)
    expect(got).toEqual(['first', 'second'])
  })

  it('try again what failed, and lay it aside, under the first name', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer('shop')
    const tried: string[] = []
    await cluster.run(producer.send({ topic: 'orders', body: 'bad' }))
    const consumer = await cluster.consumer('shop', ({ queue, reconsumeTimes, topic }) => {
      tried.push(`${topic} ${queue.topic} ${reconsumeTimes}`)
      throw new Error('not this time')
    })
    consumer.on('failed', () => {})
    await cluster.world.clock.advance(60_000)
    expect(tried).toEqual(['orders orders 0', 'orders %RETRY%readers 1'])
    const options = cluster.with('operator', { group: 'readers', namespace: 'shop' })
    const letters = new DeadLetters(options)
    await cluster.run(letters.start())
    const found = await cluster.run(
      (async () => {
        const list: (string | undefined)[] = []
        for await (const letter of letters.read()) list.push(letter.originTopic)
        return list
      })(),
    )
    expect(found).toEqual(['orders'])
  })

  it('end their transactions, also when they are asked about them', async () => {
    const cluster = await Cluster.open()
    const asked: string[] = []
    const options = cluster.with('payer', { group: 'payers', namespace: 'shop' })
    const producer = new TransactionProducer({
      ...options,
      listener: {
        executeLocalTransaction: (message) => {
          return message.body === 'known' ? 'commit' : 'unknown'
        },
        checkLocalTransaction: ({ topic, body }) => {
          asked.push(`${topic} ${body}`)
          return 'commit'
        },
      },
    })
    await cluster.run(producer.start())
    for (const body of ['known', 'unknown']) {
      await cluster.run(producer.sendInTransaction({ topic: 'orders', body }, undefined))
    }
    const got: string[] = []
    await cluster.consumer('shop', ({ body }) => {
      got.push(body.toString())
    })
    await cluster.world.clock.advance(30_000)
    expect(asked).toEqual(['orders unknown'])
    expect(got.toSorted()).toEqual(['known', 'unknown'])
  })

  it('ask and reply, and call off what waits', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer('shop')
    await cluster.run(producer.send({ topic: 'orders', body: 'hello' }))
    const consumer = await cluster.consumer('shop', async (message) => {
      if (message.body.toString() === 'who?') await consumer.reply(message, 'me')
    })
    const asked = producer.request({ topic: 'orders', body: 'who?' }, { timeoutMs: 20_000 })
    expect((await cluster.run(asked)).body.toString()).toBe('me')
    const late = await cluster.run(producer.send({ topic: 'orders', body: 'x', delayMs: 60_000 }))
    const called = await cluster.run(producer.recall('orders', late.recallHandle ?? ''))
    expect(called).toBe(late.msgId)
  })

  it('are fetched from in the same way', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer('shop')
    await cluster.run(producer.send({ topic: 'orders', body: 'one' }))
    const options = { group: 'fetchers', namespace: 'shop', consumeFromWhere: 'first' } as const
    const consumer = new LitePullConsumer(cluster.with('fetcher', options))
    consumer.subscribe('orders')
    await cluster.run(consumer.start())
    const [message] = await cluster.run(consumer.poll(5_000))
    expect([message?.topic, message?.queue.topic]).toEqual(['orders', 'orders'])
    await cluster.run(consumer.close())
  })
})

test('a namespace of the second kind is said beside the names', async () => {
  const scene = await Scene.open()
  const seen: (string | undefined)[] = []
  const producer = await scene.startedProducer({ namespaceV2: 'shop' })
  scene.broker().script.onSend = (header) => {
    seen.push(header.topic)
    return undefined
  }
  await scene.run(producer.send({ topic: TOPIC, body: 'x' }))
  expect(seen).toEqual([TOPIC])
  expect(scene.broker().sendExtras.at(-1)).toMatchObject({ nsd: 'true', ns: 'shop' })
})

test('a namespace that cannot be one is refused', () => {
  const host = createWorld(1).host('p').doors
  const make = () => {
    return new DefaultProducer({ group: 'g', namesrvAddr: 'n:9876', host, namespace: 'a%b' })
  }
  expect(make).toThrow('namespace is "a%b": use letters, digits')
})
