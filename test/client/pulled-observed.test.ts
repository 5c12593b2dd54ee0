/** Who pulls has what other consumers have: hooks, the message trace, the audit, and replies. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import {
  type ConsumerHook,
  DefaultProducer,
  LitePullConsumer,
  PullConsumer,
  type ReceivedMessage,
  type SequenceLoss,
} from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { TRACE_TOPIC } from '@rockhopper/protocol'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'

const TOPIC = 'orders'
const QUEUE = { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }

class Cluster {
  readonly world: SimWorld = createWorld(5)
  readonly namesrvAddr = `${this.world.host('namesrv').ip}:9876`

  static async open(): Promise<Cluster> {
    const cluster = new Cluster()
    const text = 'bindAddress=0.0.0.0\nlistenPort=9876'
    const { doors } = cluster.world.host('namesrv')
    await cluster.run(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
    await cluster.openBroker()
    return cluster
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  options(name: string) {
    return { group: name, namesrvAddr: this.namesrvAddr, host: this.world.host(name).doors }
  }

  async producer(): Promise<DefaultProducer> {
    const producer = new DefaultProducer({ ...this.options('senders'), sequenceAudit: true })
    await this.run(producer.start())
    return producer
  }

  async losePower(): Promise<void> {
    this.world.host('broker-a').crash({ bytes: 'lost', names: 'lost' })
    this.world.host('broker-a').restart()
    await this.openBroker()
    await this.world.clock.advance(60_000)
  }

  async openBroker(): Promise<void> {
    const { doors, ip } = this.world.host('broker-a')
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      'storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\ndefaultTopicQueueNums=1\n' +
      'flushIntervalCommitLog=5000\nflushCommitLogLeastPages=4'
    const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
    await this.run(startBroker(doors, config))
  }
}

function bodies(messages: readonly ReceivedMessage[]): string[] {
  return messages.map(({ body }) => body.toString())
}

test('hooks of a consumer that pulls hear of what each pull gives, and a failing one is told of', async () => {
  const cluster = await Cluster.open()
  const producer = await cluster.producer()
  for (const body of ['a', 'b']) await cluster.run(producer.send({ topic: TOPIC, body }))
  const told: string[] = []
  const listening: ConsumerHook = {
    name: 'listening',
    beforeConsume: ({ group, messages }) => void told.push(`${group} gets ${bodies(messages)}`),
    afterConsume: ({ messages }, { end }) => void told.push(`${bodies(messages)}: ${end}`),
  }
  const failing: ConsumerHook = {
    name: 'failing',
    beforeConsume: () => {
      throw new Error('no')
    },
  }
  const consumer = new PullConsumer({ ...cluster.options('shop'), hooks: [listening, failing] })
  consumer.on('hookFailed', ({ hook, during }) => void told.push(`${hook} fails in ${during}`))
  await cluster.run(consumer.start())
  const { messages, nextOffset } = await cluster.run(consumer.pull(QUEUE, '*', 0, 10))
  expect(bodies(messages)).toEqual(['a', 'b'])
  const heard = ['shop gets a,b', 'failing fails in beforeConsume', 'a,b: success']
  expect(told).toEqual(heard)
  await cluster.run(consumer.pull(QUEUE, '*', nextOffset, 10))
  expect(told).toEqual(heard)
})

test('what was pulled is written down in the message trace before the consumer is closed', async () => {
  const cluster = await Cluster.open()
  const producer = await cluster.producer()
  const { msgId } = await cluster.run(producer.send({ topic: TOPIC, body: 'a' }))
  const consumer = new PullConsumer({ ...cluster.options('shop'), messageTrace: true })
  await cluster.run(consumer.start())
  await cluster.run(consumer.pull(QUEUE, '*', 0, 10))
  await cluster.run(consumer.close())
  expect(consumer.lostTraces).toBe(0)
  const reader = new PullConsumer(cluster.options('reader'))
  await cluster.run(reader.start())
  const [queue] = await cluster.run(reader.fetchMessageQueues(TRACE_TOPIC))
  if (queue === undefined) throw new Error('the trace topic has no queue')
  const { messages } = await cluster.run(reader.pull(queue, '*', 0, 10))
  expect(bodies(messages).join()).toContain(msgId)
})

test('a consumer that pulls misses what its broker lost, but not what it skips or filters', async () => {
  const cluster = await Cluster.open()
  const producer = await cluster.producer()
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await cluster.run(producer.send({ topic: TOPIC, body: `${i}` }))
  }
  await send(4)
  await cluster.world.clock.advance(20_000)
  await send(3)
  await cluster.losePower()
  await send(4)
  const consumer = new PullConsumer({ ...cluster.options('shop'), sequenceAudit: true })
  const lost: SequenceLoss[] = []
  consumer.on('lost', (loss) => void lost.push(loss))
  await cluster.run(consumer.start())
  await cluster.run(consumer.pull(QUEUE, 'a-tag', 0, 2))
  await cluster.run(consumer.pull(QUEUE, '*', 7, 1))
  expect(lost).toEqual([])
  for (let offset = 0; offset < 8; offset += 2) {
    const again = offset === 4 ? 3 : offset
    await cluster.run(consumer.pull(QUEUE, '*', again, 3))
  }
  expect(lost).toEqual([])
  const whole = new PullConsumer({ ...cluster.options('whole'), sequenceAudit: true })
  await cluster.run(whole.start())
  for (const offset of [0, 2, 1, 4]) await cluster.run(whole.pull(QUEUE, '*', offset, 4))
  expect(whole.audit?.totals).toMatchObject({ audited: 8, lost: 3, repeated: 0, unstamped: 0 })
})

test('consumers that fetch their messages reply to requests', async () => {
  const cluster = await Cluster.open()
  const producer = await cluster.producer()
  await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
  const puller = new PullConsumer(cluster.options('puller'))
  const poller = new LitePullConsumer({ ...cluster.options('poller'), consumeFromWhere: 'first' })
  poller.subscribe(TOPIC)
  await cluster.run(Promise.all([puller.start(), poller.start()]))
  expect(bodies(await cluster.run(poller.poll()))).toEqual(['hello'])
  const asked = { topic: TOPIC, body: 'who?' }
  const first = producer.request(asked, { timeoutMs: 5_000 })
  const [request] = await cluster.run(poller.poll())
  if (request === undefined) throw new Error('no request came')
  await cluster.run(poller.reply(request, 'the poller'))
  expect((await cluster.run(first)).body.toString()).toBe('the poller')
  const second = producer.request(asked, { timeoutMs: 5_000 })
  const { messages } = await cluster.run(puller.pullBlockIfNotFound(QUEUE, '*', 2, 1))
  if (messages[0] === undefined) throw new Error('no second request came')
  await cluster.run(puller.reply(messages[0], 'the puller'))
  expect((await cluster.run(second)).body.toString()).toBe('the puller')
})
