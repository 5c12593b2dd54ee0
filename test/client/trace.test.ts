/** What becomes of messages is written to the trace topic, and never at the cost of the messages. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import {
  type ConsumerOptions,
  DefaultProducer,
  LitePullConsumer,
  type Message,
  type ProducerOptions,
  PushConsumer,
  type ReceivedMessage,
  TransactionProducer,
} from '@rockhopper/client'
import type { LogFields } from '@rockhopper/host'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { decodeTraces, type TraceRecord } from '@rockhopper/protocol'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import { MAX_WAITING_TRACES, TraceLog } from '../../packages/client/src/trace/trace-log.ts'

const TOPIC = 'orders'
const PORT = 9876

class Cluster {
  readonly world: SimWorld = createWorld(3)
  readonly namesrvAddr = `${this.world.host('namesrv').ip}:${PORT}`

  static async open(settings = 'traceTopicEnable=true'): Promise<Cluster> {
    const cluster = new Cluster()
    const { doors } = cluster.world.host('namesrv')
    const text = `bindAddress=0.0.0.0\nlistenPort=${PORT}`
    await cluster.run(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
    const broker = cluster.world.host('broker-a')
    const broken =
      `brokerName=broker-a\nbrokerIP1=${broker.ip}\nnamesrvAddr=${cluster.namesrvAddr}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\n${settings}`
    const { values } = readBrokerConfig(broken, 'the test')
    await cluster.run(startBroker(broker.doors, completeBrokerConfig(values, broker.doors)))
    return cluster
  }

  get brokerAddress(): string {
    return `${this.world.host('broker-a').ip}:10911`
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  options(name: string): Pick<ProducerOptions, 'group' | 'namesrvAddr' | 'host' | 'messageTrace'> {
    const host = this.world.host(name).doors
    return { group: name, namesrvAddr: this.namesrvAddr, host, messageTrace: true }
  }

  async producer(options: Partial<ProducerOptions> = {}): Promise<DefaultProducer> {
    const producer = new DefaultProducer({ ...this.options('senders'), ...options })
    await this.run(producer.start())
    return producer
  }

  async consume(
    handle: (message: ReceivedMessage) => void,
    options: Partial<ConsumerOptions> = {},
    topic = TOPIC,
  ): Promise<PushConsumer> {
    const consumer = new PushConsumer({
      ...{ ...this.options('shop'), consumeFromWhere: 'first', ...options },
    }).subscribe(topic, '*', handle)
    await this.run(consumer.start())
    return consumer
  }

  /** All that was written to a trace topic, six seconds from now. */
  async traces(topic = 'RMQ_SYS_TRACE_TOPIC'): Promise<[ReceivedMessage, TraceRecord[]][]> {
    await this.world.clock.advance(6_000)
    const got: [ReceivedMessage, TraceRecord[]][] = []
    const options = { ...this.options('reader'), messageTrace: false }
    await this.consume(
      (message) => {
        got.push([message, decodeTraces(message.body.toString())])
      },
      options,
      topic,
    )
    await this.world.clock.advance(3_000)
    return got
  }
}

function recordsOf(traces: readonly [ReceivedMessage, TraceRecord[]][]): TraceRecord[] {
  return traces.flatMap(([, records]) => records)
}

describe('the trace of a message', () => {
  test('says who sent it, where to, and how long that took', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer()
    const message = { topic: TOPIC, body: 'été', tag: 'red', keys: ['k1', 'k2'] }
    const result = await cluster.run(producer.send(message))
    const traces = await cluster.traces()
    expect(recordsOf(traces)).toEqual([
      {
        type: 'Pub',
        timestampMs: expect.any(Number),
        regionId: 'DefaultRegion',
        group: 'senders',
        topic: TOPIC,
        msgId: result.msgId,
        tags: 'red',
        keys: 'k1 k2',
        storeHost: cluster.brokerAddress,
        bodyLength: 5,
        costMs: expect.any(Number),
        kind: 'normal',
        offsetMsgId: result.offsetMsgId,
        isSuccess: true,
      },
    ])
    expect(traces[0]?.[0].keys).toEqual([result.msgId, 'k1', 'k2'])
  })

  test('is written for each message of a batch, and of those that share a request', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer({ autoBatch: true })
    const batch = [
      { topic: TOPIC, body: 'a', keys: 'ka' },
      { topic: TOPIC, body: 'b' },
    ]
    const { msgId, offsetMsgId } = await cluster.run(producer.sendBatch(batch))
    const shared = await cluster.run(
      Promise.all(['c', 'd'].map((body) => producer.send({ topic: TOPIC, body }))),
    )
    const records = recordsOf(await cluster.traces())
    const ids = [...msgId.split(','), ...shared.map((result) => result.msgId)]
    expect(records.map((record) => record.msgId)).toEqual(ids)
    expect(records[1]).toMatchObject({ offsetMsgId: offsetMsgId.split(',')[1], keys: undefined })
  })

  test('says before and after each handler what it got, and how it ended', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer({ messageTrace: false })
    const sent = { topic: TOPIC, body: 'hello', keys: 'k1' }
    const { msgId } = await cluster.run(producer.send(sent))
    await cluster.consume(({ reconsumeTimes }) => {
      if (reconsumeTimes === 0) throw new Error('no')
    })
    await cluster.world.clock.advance(20_000)
    const records = recordsOf(await cluster.traces())
    const common = { msgId, keys: 'k1', group: 'shop' }
    const before = { ...common, type: 'SubBefore', regionId: 'DefaultRegion' }
    const after = { ...common, type: 'SubAfter' }
    expect(records).toMatchObject([
      { ...before, retryTimes: 0 },
      { ...after, isSuccess: false, end: 'exception' },
      { ...before, retryTimes: 1 },
      { ...after, isSuccess: true, end: 'success' },
    ])
    const requests = records.map((record) => ('requestId' in record ? record.requestId : ''))
    expect(requests[0]).toBe(requests[1])
    expect(requests[2]).toBe(requests[3])
    expect(requests[0]).not.toBe(requests[2])
  })

  test('says what was fetched, and that it was consumed when more was asked for', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer({ messageTrace: false })
    const { msgId } = await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
    const consumer = new LitePullConsumer({ ...cluster.options('shop'), consumeFromWhere: 'first' })
    await cluster.run(consumer.subscribe(TOPIC).start())
    await cluster.run(consumer.poll())
    await cluster.world.clock.advance(500)
    await cluster.run(consumer.poll(0))
    await cluster.run(consumer.close())
    const [before, after, ...others] = recordsOf(await cluster.traces())
    expect(before).toMatchObject({ type: 'SubBefore', msgId, group: 'shop' })
    expect(after).toMatchObject({ type: 'SubAfter', msgId, isSuccess: true })
    expect(others).toEqual([])
  })

  test('says how its transaction ended, also when the broker had to ask', async () => {
    const cluster = await Cluster.open()
    const producer = new TransactionProducer<'commit' | 'unknown'>({
      ...cluster.options('senders'),
      listener: {
        executeLocalTransaction: (_, state) => state,
        checkLocalTransaction: () => 'rollback',
      },
    })
    await cluster.run(producer.start())
    const message: Message = { topic: TOPIC, body: 'paid', tag: 'red', keys: 'k' }
    const first = await cluster.run(producer.sendInTransaction(message, 'commit'))
    const second = await cluster.run(producer.sendInTransaction(message, 'unknown'))
    await cluster.world.clock.advance(60_000)
    const records = recordsOf(await cluster.traces())
    const [{ msgId: one }, { msgId: two }] = [first, second]
    const end = {
      ...{ type: 'EndTransaction', tags: 'red', keys: 'k', storeHost: cluster.brokerAddress },
      ...{ kind: 'committed', group: 'senders', topic: TOPIC },
    }
    expect(records).toMatchObject([
      { type: 'Pub', msgId: one, kind: 'half' },
      { ...end, msgId: one, transactionId: one, state: 'COMMIT_MESSAGE', fromCheck: false },
      { type: 'Pub', msgId: two, kind: 'half' },
      { ...end, msgId: two, state: 'UNKNOW', fromCheck: false },
      { ...end, msgId: two, transactionId: two, state: 'ROLLBACK_MESSAGE', fromCheck: true },
    ])
  })

  test('goes to another topic if told so', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer({ traceTopic: 'traces' })
    const { msgId } = await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
    expect(recordsOf(await cluster.traces('traces'))).toMatchObject([{ type: 'Pub', msgId }])
  })

  test('has the names that the application uses, whatever its namespace, and goes to the same topic', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer({ namespace: 'mall' })
    await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
    await cluster.consume(() => undefined, { namespace: 'mall' })
    await cluster.world.clock.advance(1_000)
    expect(recordsOf(await cluster.traces())).toMatchObject([
      { type: 'Pub', group: 'senders', topic: TOPIC },
      { type: 'SubBefore', group: 'shop' },
      { type: 'SubAfter', group: 'shop' },
    ])
  })

  test('is not written where the broker does not want it', async () => {
    const cluster = await Cluster.open('traceTopicEnable=true\ntraceOn=false')
    const producer = await cluster.producer()
    await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
    await cluster.consume(() => undefined)
    expect(await cluster.traces()).toEqual([])
  })

  test('is sent when the producer closes, though others were waited for', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer()
    await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
    await cluster.run(producer.close())
    expect(recordsOf(await cluster.traces())).toHaveLength(1)
    expect(producer.lostTraces).toBe(0)
  })

  test('is sent when the consumer closes', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer({ messageTrace: false })
    await cluster.run(producer.send({ topic: TOPIC, body: 'hello' }))
    const consumer = await cluster.consume(() => undefined)
    await cluster.world.clock.advance(1_000)
    await cluster.run(consumer.close())
    cluster.world.host('shop').kill()
    expect(recordsOf(await cluster.traces())).toHaveLength(2)
    expect(consumer.lostTraces).toBe(0)
  })

  test('that no broker takes is lost and counted; sends neither wait nor fail', async () => {
    const cluster = await Cluster.open('brokerTopicEnable=true\nautoCreateTopicEnable=false')
    const producer = await cluster.producer()
    const first = await cluster.run(producer.send({ topic: 'broker-a', body: 'hello' }))
    expect(first.status).toBe('SEND_OK')
    await cluster.world.clock.advance(60_000)
    expect(producer.lostTraces).toBe(1)
    const begun = cluster.world.clock.monotonicMs()
    await cluster.run(producer.send({ topic: 'broker-a', body: 'hello' }))
    expect(cluster.world.clock.monotonicMs() - begun).toBeLessThan(1_000)
    await cluster.run(producer.close())
  })

  test('of messages of the trace topic itself is not written', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer()
    await cluster.run(producer.send({ topic: 'RMQ_SYS_TRACE_TOPIC', body: 'mine' }))
    await cluster.consume(() => undefined, {}, 'RMQ_SYS_TRACE_TOPIC')
    await cluster.world.clock.advance(20_000)
    expect(await cluster.traces()).toHaveLength(1)
  })
})

describe('the log of traces', () => {
  const record: TraceRecord = {
    ...{ type: 'Recall', timestampMs: 1, regionId: 'r', group: 'g', topic: TOPIC, msgId: 'id' },
    isSuccess: true,
  }

  function opened(send: (message: Message) => Promise<unknown>): {
    readonly log: TraceLog
    readonly warned: LogFields[]
    readonly world: SimWorld
  } {
    const world = createWorld(1)
    const warned: LogFields[] = []
    const { clock, logger } = world.host('client').doors
    const warn = (_: string, fields: LogFields = {}): void => void warned.push(fields)
    const log = new TraceLog({ clock, logger: { ...logger, warn }, traceTopic: 'traces', send })
    return { log, warned, world }
  }

  const never = new Promise<never>(() => undefined)

  test('waits 5 s for others, and goes at once when there are ten', async () => {
    const sent: number[] = []
    const { log, world } = opened(async ({ body }) => {
      sent.push(decodeTraces(String(body)).length)
    })
    log.add(TOPIC, [record])
    await world.clock.advance(4_999)
    expect(sent).toEqual([])
    await world.clock.advance(2)
    expect(sent).toEqual([1])
    log.add(TOPIC, Array(9).fill(record))
    log.add(TOPIC, [record])
    expect(sent).toEqual([1, 10])
  })

  test('has a limit: what is beyond it is lost, and told of once', () => {
    const { log, warned } = opened(() => never)
    for (let i = 0; i < 4; i++) log.add(TOPIC, Array(10).fill(record))
    log.add(TOPIC, Array(MAX_WAITING_TRACES).fill(record))
    expect(log.lost).toBe(0)
    log.add(TOPIC, [record])
    log.add(TOPIC, [record])
    expect(log.lost).toBe(2)
    expect(warned).toHaveLength(1)
  })

  test('goes on with what gathered while others were on their way', async () => {
    const answers: (() => void)[] = []
    const sent: number[] = []
    const { log, world } = opened(({ body }) => {
      sent.push(decodeTraces(String(body)).length)
      return new Promise<void>((resolve) => answers.push(resolve))
    })
    for (let i = 0; i < 4; i++) log.add(TOPIC, Array(10).fill(record))
    log.add(TOPIC, Array(15).fill(record))
    log.add(TOPIC, [record])
    expect(sent).toEqual([10, 10, 10, 10])
    answers[0]?.()
    await world.clock.advance(1)
    expect(sent).toEqual([10, 10, 10, 10, 16])
  })

  test('is cut into messages that brokers take, of one topic each', async () => {
    const sent: Message[] = []
    const { log } = opened(async (message) => void sent.push(message))
    const long = Array.from({ length: 2_000 }, (_, i) => ({
      ...record,
      msgId: `${i}`.padEnd(32, 'x'),
    }))
    log.add('others', long)
    log.add(TOPIC, Array(10).fill(record))
    for (let i = 0; i < 10; i++) await Promise.resolve()
    expect(sent.flatMap(({ body }) => decodeTraces(String(body)))).toHaveLength(2_010)
    for (const { body, keys = [] } of sent) {
      expect(body.length).toBeLessThanOrEqual(128_000)
      expect([...keys].join(' ').length).toBeLessThan(32_000)
    }
    expect(sent.at(-1)?.keys).toEqual(['id'])
  })

  test('ends in 3 s when nobody answers, and says what is lost', async () => {
    const { log, world } = opened(() => never)
    for (let i = 0; i < 4; i++) log.add(TOPIC, Array(10).fill(record))
    log.add(TOPIC, Array(12).fill(record))
    await world.clock.settle(log.close())
    expect(world.clock.monotonicMs()).toBeLessThan(3_100)
    expect(log.lost).toBe(12)
  })
})
