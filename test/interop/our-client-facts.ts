/**
 * Facts about our client among Java ones, checked against any pair of servers: what one sends the
 * other reads, and both can be members of one group.
 */
import {
  type ConsumerOptions,
  DefaultProducer,
  type MessageQueue,
  PushConsumer,
  type ReceivedMessage,
} from '@rockhopper/client'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import {
  areShared,
  bodyOf,
  expectEachOnce,
  expectQueueOrder,
  expectSamePlaces,
  expectUnchanged,
  parseOffsetId,
  range,
  sha256,
} from './expectations.ts'
import { type ClientVersion, JavaClient, type Received, type Sent } from './java-client.ts'
import { MqAdmin } from './mqadmin.ts'
import type { SharedServers } from './prepare.ts'
import { poll } from './wire.ts'

const serializations = ['binary', 'json'] as const
type Serialization = (typeof serializations)[number]

const queueCount = 6
const perWay = 40
const smallSizeBytes = 100
/** Above the 4 KiB from which both clients compress bodies. */
const largeSizeBytes = 20_000

export function describeOurClient(label: string, open: () => Promise<SharedServers>): void {
  for (const serialization of serializations) {
    describe(`our client, ${serialization} headers, ${label} servers`, () => {
      let stage: Stage

      beforeAll(async () => {
        const servers = await open()
        const admin = await MqAdmin.open(inject('runDir'), servers.namesrv)
        stage = { servers, admin, serialization }
        return () => admin.close()
      })

      test('what it sends in each way, Java clients of both versions read unchanged', () =>
        checkSending(stage))
      test('large bodies are compressed by one side and read by the other', () =>
        checkLargeBodies(stage))
      test('two of its consumers share what a Java producer sends, then a third goes on', () =>
        checkConsuming(stage))
      test('it shares the queues of a group with a Java instance', () => checkMixedGroup(stage))
    })
  }
}

interface Stage {
  readonly servers: SharedServers
  readonly admin: MqAdmin
  readonly serialization: Serialization
}

async function checkSending(stage: Stage): Promise<void> {
  const topic = await createTopic(stage, 'sending')
  const readers = await Promise.all(
    (['4.9.8', '5.3.3'] satisfies ClientVersion[]).map((version) =>
      javaClient(stage, version).consume({ topic, group: `${topic}-${version.charAt(0)}` }),
    ),
  )
  const producer = await openProducer(stage)
  const sent = await sendInEachWay(producer, topic)
  const total = perWay * 4
  for (const reader of readers) {
    await reader.until(`${total} messages`, () => reader.messages.length >= total)
    expectEachOnce(reader.messages, 0, total)
    expectUnchanged(reader.messages, smallSizeBytes)
    expectQueueOrder(reader.messages)
    expectSamePlaces(sent, reader.messages)
    for (const message of reader.messages) {
      expect(message).toMatchObject({ keys: `k${message.index} more`, tags: 'TagÄ' })
    }
  }
  for (const { offsetMsgId = '' } of sent) {
    expect(parseOffsetId(offsetMsgId).addr).toBe(stage.servers.broker)
  }
  await Promise.all([producer.close(), ...readers.map((reader) => reader.stop())])
}

/** Sends `perWay` messages in each of the four ways; tells what the first two were answered. */
async function sendInEachWay(producer: DefaultProducer, topic: string): Promise<Sent[]> {
  const message = (index: number) => ({
    topic,
    body: bodyOf(index, smallSizeBytes),
    tag: 'TagÄ',
    keys: [`k${index}`, 'more'],
    properties: { index: String(index) },
  })
  const answered = (mode: Sent['mode'], index: number, result: SendAnswer): Sent => {
    const { msgId, offsetMsgId, status, queue, queueOffset } = result
    expect(status).toBe('SEND_OK')
    const { brokerName: broker, queueId } = queue
    return { mode, index, msgId, offsetMsgId, status, broker, queueId, queueOffset }
  }
  const sent: Sent[] = []
  for (const index of range(0, perWay)) {
    sent.push(answered('sync', index, await producer.send(message(index))))
  }
  const pending = range(perWay, perWay * 2).map(async (index) =>
    answered('async', index, await producer.sendAsync(message(index))),
  )
  sent.push(...(await Promise.all(pending)))
  for (const index of range(perWay * 2, perWay * 3)) await producer.sendOneway(message(index))
  await producer.sendBatch(range(perWay * 3, perWay * 4).map(message))
  return sent
}

type SendAnswer = Awaited<ReturnType<DefaultProducer['send']>>

async function checkLargeBodies(stage: Stage): Promise<void> {
  const topic = await createTopic(stage, 'large')
  const group = `group-${topic}`
  const [java, mine, producer] = await Promise.all([
    javaClient(stage).consume({ topic, group: `java-${group}` }),
    openConsumer(stage, topic, { group }),
    openProducer(stage),
  ])
  await javaClient(stage).send({ topic, count: 10, 'body-size': largeSizeBytes })
  for (const index of range(10, 20)) {
    const body = bodyOf(index, largeSizeBytes)
    await producer.send({ topic, body, properties: { index: String(index) } })
  }
  await java.until('20 large messages', () => java.messages.length >= 20)
  await until('20 large messages', () => mine.messages.length >= 20)
  for (const messages of [java.messages, mine.messages]) {
    expectEachOnce(messages, 0, 20)
    expectUnchanged(messages, largeSizeBytes)
  }
  await Promise.all([java.stop(), mine.close(), producer.close()])
}

async function checkConsuming(stage: Stage): Promise<void> {
  const topic = await createTopic(stage, 'consuming')
  const group = `group-${topic}`
  const first = await openConsumer(stage, topic, { group })
  await until('all queues at one', () => first.queues.length === queueCount)
  const second = await openConsumer(stage, topic, { group })
  await until('sharing', () => areShared([first.queues, second.queues], queueCount))
  const java = javaClient(stage)
  const sent = await java.send({
    ...{ topic, count: perWay, mode: 'sync,async,oneway' },
    ...{ tags: 'TagA,TagB', 'body-size': smallSizeBytes },
  })
  const total = perWay * 3
  const received = (): Received[] => [...first.messages, ...second.messages]
  await until(`${total} messages`, () => received().length >= total)
  await Promise.all([first.close(), second.close()])
  expectEachOnce(received(), 0, total)
  expectUnchanged(received(), smallSizeBytes)
  expectQueueOrder(first.messages)
  expectQueueOrder(second.messages)
  expectSamePlaces(sent, received())
  expect(Math.min(first.messages.length, second.messages.length)).toBeGreaterThan(0)
  for (const { tags, index } of received()) expect(tags).toBe(['TagA', 'TagB'][Number(index) % 2])

  const third = await openConsumer(stage, topic, { group })
  await java.send({ topic, start: total, count: 10 })
  await until('10 later messages', () => third.messages.length >= 10)
  await third.close()
  expectEachOnce(third.messages, total, total + 10)
}

async function checkMixedGroup(stage: Stage): Promise<void> {
  const topic = await createTopic(stage, 'mixed')
  const group = `group-${topic}`
  const [java, producer] = await Promise.all([
    javaClient(stage).consume({ topic, group }),
    openProducer(stage),
  ])
  // It takes queues one by one: meanwhile it would look as if it shared them already.
  await until('all queues at Java', () => java.queues.length === queueCount)
  const mine = await openConsumer(stage, topic, { group })
  await until('sharing with Java', () => areShared([mine.queues, java.queues], queueCount))
  for (const index of range(0, perWay)) {
    const body = bodyOf(index, smallSizeBytes)
    await producer.send({ topic, body, properties: { index: String(index) } })
  }
  const received = (): Received[] => [...mine.messages, ...java.messages]
  await until(`${perWay} messages`, () => received().length >= perWay)
  await java.stop()
  await until('taking over', () => mine.queues.length === queueCount)
  await Promise.all([mine.close(), producer.close()])
  expectEachOnce(received(), 0, perWay)
  expectUnchanged(received(), smallSizeBytes)
  expect(Math.min(mine.messages.length, java.messages.length)).toBeGreaterThan(0)
}

// ---- the actors

async function createTopic({ servers, admin, serialization }: Stage, what: string) {
  const topic = `our-client-${what}-${serialization}`
  const count = String(queueCount)
  await admin.run('updateTopic', '-c', servers.clusterName, '-t', topic, '-r', count, '-w', count)
  return topic
}

function javaClient({ servers }: Stage, version: ClientVersion = '5.3.3'): JavaClient {
  const { namesrv } = servers
  return new JavaClient({ runDir: inject('runDir'), version, header: 'JSON', namesrv })
}

async function openProducer({ servers, serialization }: Stage): Promise<DefaultProducer> {
  const producer = new DefaultProducer({
    ...{
      group: 'our-producer',
      namesrvAddr: servers.namesrv,
      serialization,
      sendTimeoutMs: 10_000,
    },
  })
  await producer.start()
  return producer
}

interface OurConsumer {
  readonly messages: readonly Received[]
  readonly queues: readonly string[]
  close(): Promise<void>
}

async function openConsumer(
  { servers, serialization }: Stage,
  topic: string,
  options: Pick<ConsumerOptions, 'group'>,
): Promise<OurConsumer> {
  const messages: Received[] = []
  const consumer = new PushConsumer({
    ...options,
    ...{ namesrvAddr: servers.namesrv, serialization, consumeFromWhere: 'first' },
    concurrency: 1,
  })
  consumer.subscribe(topic, '*', (message) => {
    messages.push(asReceived(message))
  })
  await consumer.start()
  return {
    messages,
    get queues() {
      return consumer.queues.filter((queue) => queue.topic === topic).map(queueName)
    },
    close: () => consumer.close(),
  }
}

function asReceived(message: ReceivedMessage): Received {
  return {
    msgId: message.msgId,
    topic: message.topic,
    keys: message.keys.join(' '),
    tags: message.tag ?? null,
    index: message.properties['index'] ?? '',
    broker: message.queue.brokerName,
    queueId: message.queue.queueId,
    queueOffset: message.queueOffset,
    storeSize: 0,
    bornTimestamp: message.bornAtMs,
    storeTimestamp: message.storedAtMs,
    reconsumeTimes: message.reconsumeTimes,
    bodySize: message.body.length,
    bodySha256: sha256(message.body),
  }
}

function queueName({ brokerName, queueId }: MessageQueue): string {
  return `${brokerName}:${queueId}`
}

function until(what: string, holds: () => boolean): Promise<void> {
  return poll(what, async () => holds())
}
