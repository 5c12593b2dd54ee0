/**
 * The facts about the unmodified Java client, said once and checked against any pair of servers:
 * Apache's own, which shows that the harness is right, and ours.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import {
  areShared,
  expectEachOnce,
  expectQueueOrder,
  expectSamePlaces,
  expectUnchanged,
  indexesOf,
  parseOffsetId,
  range,
} from './expectations.ts'
import {
  type ClientVersion,
  type HeaderKind,
  JavaClient,
  type JavaConsumer,
  type Received,
  type Sent,
} from './java-client.ts'
import { MqAdmin } from './mqadmin.ts'
import type { SharedServers } from './prepare.ts'

/** A version of the Java client and the header serialization it is told to use. */
export interface JavaClientKind {
  readonly version: ClientVersion
  readonly header: HeaderKind
}

const queueCount = 6
const perMode = 60
const smallSizeBytes = 100
/** Above the 4 KiB from which the Java client compresses bodies. */
const largeSizeBytes = 20_000
const laterCount = 20
/** The Java client's own id for a message: 16 bytes in hex, 28 where its address is an IPv6 one. */
const uniqueKey = /^([0-9A-F]{32}|[0-9A-F]{56})$/

export function describeJavaClients(
  label: string,
  kinds: readonly JavaClientKind[],
  open: () => Promise<SharedServers>,
): void {
  let servers: SharedServers
  let admin: MqAdmin

  beforeAll(async () => {
    servers = await open()
    admin = await MqAdmin.open(inject('runDir'), servers.namesrv)
    return () => admin.close()
  })

  const createTopic = async (topic: string, queues = queueCount): Promise<string> => {
    const count = String(queues)
    const cluster = servers.clusterName
    const output = await admin.run(
      ...['updateTopic', '-c', cluster, '-t', topic, '-r', count, '-w', count],
    )
    expect(output.join('\n')).toContain(`create topic to ${servers.broker} success`)
    return topic
  }

  for (const { version, header } of kinds) {
    describe(`Java client ${version}, ${header} headers, ${label} servers`, () => {
      const name = `${version.replaceAll('.', '-')}-${header}`
      const newClient = (): JavaClient =>
        new JavaClient({ runDir: inject('runDir'), version, header, namesrv: servers.namesrv })

      describeSharing(name, header, { newClient, createTopic, servers: () => servers })

      test('a tag filter lets only its tags through, in queue order, batches too', async () => {
        const topic = await createTopic(`filter-${name}`, 2)
        await checkFilter(newClient(), topic, `filter-group-${name}`)
      })
    })
  }
}

interface Stage {
  newClient(): JavaClient
  createTopic(topic: string): Promise<string>
  servers(): SharedServers
}

/** One run of two consumers sharing a topic, then a third that comes after them. */
function describeSharing(name: string, header: HeaderKind, stage: Stage): void {
  let seen: SharingRecord

  beforeAll(async () => {
    const topic = await stage.createTopic(`shared-${name}`)
    seen = await runSharing(stage.newClient(), topic, `group-${name}`)
  })

  test('uses the header serialization it was told to', () => {
    expect(new Set(seen.headers)).toEqual(new Set([header]))
  })

  test('sync and async sends are answered SEND_OK with an id of this broker', () => {
    const answered = seen.sent.filter((each) => each.mode !== 'oneway')
    expect(answered).toHaveLength(perMode * 2)
    const offsets = answered.map((each) => {
      expect(each.status).toBe('SEND_OK')
      expect(each.msgId).toMatch(uniqueKey)
      const { addr, logOffset } = parseOffsetId(each.offsetMsgId ?? '')
      expect(addr).toBe(stage.servers().broker)
      return logOffset
    })
    expect(new Set(offsets).size).toBe(answered.length)
  })

  test('each message, one-way ones too, reaches exactly one of two instances', () => {
    expectEachOnce([...seen.first, ...seen.second], 0, perMode * 3)
    expect(seen.first.length).toBeGreaterThan(0)
    expect(seen.second.length).toBeGreaterThan(0)
  })

  test('the instance that was alone is told that another has joined', () => {
    expect(seen.notifications).toBeGreaterThan(0)
  })

  test('messages keep their queue, order, body, keys and tags', () => {
    const all = [...seen.first, ...seen.second]
    expectQueueOrder(seen.first)
    expectQueueOrder(seen.second)
    expectSamePlaces(seen.sent, all)
    expectUnchanged(all, smallSizeBytes)
    const tags = ['TagA', 'TagB']
    for (const message of all) {
      expect(message).toMatchObject({
        keys: `k${message.index}`,
        tags: tags[Number(message.index) % tags.length],
        reconsumeTimes: 0,
      })
    }
  })

  test('an instance that comes later gets only what came later, large bodies too', () => {
    expectEachOnce(seen.later, perMode * 3, perMode * 3 + laterCount)
    expectUnchanged(seen.later, largeSizeBytes)
  })
}

interface SharingRecord {
  sent: Sent[]
  first: Received[]
  second: Received[]
  later: Received[]
  headers: string[]
  /** How often the first instance was told that its group has changed. */
  notifications: number
}

async function runSharing(
  client: JavaClient,
  topic: string,
  group: string,
): Promise<SharingRecord> {
  const first = await client.consume({ topic, group })
  await first.until('first sharing', () => first.queues.length === queueCount)
  const notifiedBefore = first.notifications
  const second = await client.consume({ topic, group })
  await untilShared(first, second, queueCount)
  const sent = await client.send({
    ...{ topic, count: perMode, mode: 'sync,async,oneway', tags: 'TagA,TagB' },
    ...{ 'key-prefix': 'k', 'body-size': smallSizeBytes },
  })
  const received = (): Received[] => [...first.messages, ...second.messages]
  await first.until(`${perMode * 3} messages at two`, () => received().length >= perMode * 3)
  await Promise.all([first.stop(), second.stop()])
  const notifications = first.notifications - notifiedBefore

  const start = perMode * 3
  const large = { topic, start, count: laterCount, 'body-size': largeSizeBytes }
  const [third] = await Promise.all([client.consume({ topic, group }), client.send(large)])
  await third.until(`${laterCount} later messages`, () => third.messages.length >= laterCount)
  await third.stop()
  return {
    ...{ sent, first: first.messages, second: second.messages, later: third.messages },
    headers: await Promise.all([first, second, third].map((consumer) => consumer.ready())),
    notifications,
  }
}

/** Waits until two instances own all queues between them, each its half; the first had all. */
export async function untilShared(
  first: JavaConsumer,
  second: JavaConsumer,
  total: number,
): Promise<void> {
  const shared = (): boolean => areShared([first.queues, second.queues], total)
  await first.until(`sharing of ${total} queues by two instances`, shared)
}

async function checkFilter(client: JavaClient, topic: string, group: string): Promise<void> {
  const wanted = new Set(['TagA', 'TagC'])
  const tags = ['TagA', 'TagB', 'TagC', 'TagD']
  const flags = { topic, count: 40, mode: 'sync,batch', 'batch-size': 5, tags: tags.join(',') }
  const [consumer] = await Promise.all([
    client.consume({ topic, group, tags: [...wanted].join(' || ') }),
    client.send(flags),
  ])
  await consumer.until('40 filtered messages', () => consumer.messages.length >= 40)
  await consumer.stop()
  const expected = range(0, 80).filter((i) => wanted.has(tags[i % tags.length] ?? ''))
  expect(indexesOf(consumer.messages)).toEqual(expected)
  for (const queueId of [0, 1]) {
    const offsets = consumer.messages
      .filter((message) => message.queueId === queueId)
      .map((message) => message.queueOffset)
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
  }
}
