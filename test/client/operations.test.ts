/** A consumer answers what operators ask through its broker, and does what they tell it. */
import type { PushConsumer } from '@rockhopper/client'
import {
  CONSUME_MESSAGE_DIRECTLY,
  decodeClientOffsets,
  decodeConsumeDirectlyResult,
  decodeConsumerRunningInfo,
  encodeProperties,
  encodeResetOffsets,
  encodeResetOffsetsForC,
  GET_CONSUMER_RUNNING_INFO,
  GET_CONSUMER_STATUS_FROM_CLIENT,
  hostAddress,
  RESET_CONSUMER_CLIENT_OFFSET,
  recordBytes,
  responseCode,
  writeRecord,
} from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import { describe, expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const queue = (queueId = 0) => ({ topic: TOPIC, brokerName: 'broker-a', queueId })

/** The broker's end of the connection to the only consumer. */
function connection(scene: Scene): Connection {
  const [first] = scene.broker().connections
  if (first === undefined) throw new Error('nobody is connected')
  return first
}

async function running(
  scene: Scene,
  options: Parameters<Scene['consumer']>[0],
  handle: Parameters<PushConsumer['subscribe']>[2],
): Promise<PushConsumer> {
  const consumer = scene.consumer(options).subscribe(TOPIC, 'a || b', handle)
  await scene.run(consumer.start())
  await scene.world.clock.advance(100)
  return consumer
}

function reset(scene: Scene, body: Buffer, group = GROUP): void {
  const header = { topic: TOPIC, group, timestamp: 0 }
  connection(scene).oneway(RESET_CONSUMER_CLIENT_OFFSET, header, [body])
}

/** A message in the form in which brokers send it. */
function stored(topic: string, text: string): Buffer {
  const host = hostAddress('10.0.0.1', 10_911)
  const content = {
    topic: Buffer.from(topic),
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1,
    bornHost: host,
    storeHost: host,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from(text),
    properties: [Buffer.from(encodeProperties({ UNIQ_KEY: 'asked' }))],
  }
  const sizeBytes = recordBytes(content)
  const record = Buffer.alloc(sizeBytes)
  writeRecord(record, 0, sizeBytes, content, { queueOffset: 7, logOffset: 1, storeTimestamp: 2 })
  return record
}

describe('a reset of offsets', () => {
  test.each([
    ['with queues as keys', encodeResetOffsets],
    ['as a list', encodeResetOffsetsForC],
  ])(
    '%s takes effect within two seconds, when running handlers have ended',
    async (_name, encode) => {
      const scene = await Scene.open({ queues: 1 })
      for (let i = 0; i < 6; i++) scene.broker().put(TOPIC, 0, `${i}`, { TAGS: 'a' })
      const got: string[] = []
      const consumer = await running(scene, { concurrency: 1 }, async ({ body }) => {
        if (body.toString() === '5' && got.length < 6) await scene.pause('consumer', 500)
        got.push(body.toString())
      })
      const moves: object[] = []
      consumer.on('offsetMoved', (move) => moves.push(move))
      reset(scene, encode([[queue(), 2]]))
      await scene.until(() => got.length === 10, 2500)
      expect(got).toEqual(['0', '1', '2', '3', '4', '5', '2', '3', '4', '5'])
      expect(moves).toEqual([{ queue: queue(), from: 5, to: 2 }])
      expect(scene.broker().events).toContain(`commit ${TOPIC} 0 2`)
    },
  )

  test('of another group, or of queues that others have, changes nothing', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`, { TAGS: 'a' })
    const got: string[] = []
    await running(scene, {}, ({ body }) => void got.push(body.toString()))
    reset(scene, encodeResetOffsets([[queue(), 0]]), 'others')
    reset(scene, encodeResetOffsets([[queue(9), 0]]))
    await scene.world.clock.advance(10_000)
    expect(got).toEqual(['0', '1', '2'])
  })
})

test('offsets are told per queue of the topic that is asked about', async () => {
  const scene = await Scene.open({ queues: 2 })
  for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`, { TAGS: 'a' })
  await running(scene, {}, () => {})
  const header = { topic: TOPIC, group: GROUP }
  const options = { timeoutMs: 1000 }
  const command = GET_CONSUMER_STATUS_FROM_CLIENT
  const answer = await scene.run(connection(scene).call(command, header, options))
  expect(decodeClientOffsets(answer.body)).toEqual([
    [queue(0), 3],
    [queue(1), 0],
  ])
})

describe('the running info', () => {
  const ask = async (scene: Scene, consumerGroup = GROUP, jstackEnable = true) => {
    const header = { consumerGroup, clientId: 'any', jstackEnable }
    const options = { timeoutMs: 1000 }
    return await scene.run(connection(scene).call(GET_CONSUMER_RUNNING_INFO, header, options))
  }

  test('names the queues, the subscriptions, the speed, and what runs', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 4; i++)
      scene.broker().put(TOPIC, 0, `${i}`, { TAGS: 'a', UNIQ_KEY: `u${i}` })
    const startedAtMs = scene.doors('consumer').clock.nowMs()
    await running(scene, {}, ({ body }) => {
      if (body.toString() === '1') throw new Error('no')
      return body.toString() === '2' ? new Promise<void>(() => {}) : undefined
    })
    const info = decodeConsumerRunningInfo((await ask(scene)).body)
    expect(info.properties).toMatchObject({
      PROP_CONSUME_TYPE: 'CONSUME_PASSIVELY',
      PROP_CONSUMEORDERLY: 'false',
      PROP_THREADPOOL_CORE_SIZE: '20',
      PROP_NAMESERVER_ADDR: `${scene.namesrvAddr};`,
      PROP_CLIENT_VERSION: 'V5_3_3',
      consumerGroup: GROUP,
      messageModel: 'CLUSTERING',
    })
    const begun = Number(info.properties['PROP_CONSUMER_START_TIMESTAMP'])
    expect(begun).toBeGreaterThanOrEqual(startedAtMs)
    expect(info.subscriptionSet.map(({ topic, subString }) => [topic, subString])).toContainEqual([
      TOPIC,
      'a || b',
    ])
    const [row] = info.mqTable
    expect(row?.[0]).toEqual(queue())
    expect(row?.[1]).toMatchObject({
      commitOffset: 2,
      cachedMsgCount: 1,
      cachedMsgMinOffset: 2,
      cachedMsgMaxOffset: 3,
      droped: false,
      locked: true,
    })
    expect(row?.[1].lastPullTimestamp).toBeGreaterThanOrEqual(begun)
    expect(info.statusTable[TOPIC]).toMatchObject({ consumeFailedMsgs: 1 })
    expect(info.statusTable[TOPIC]?.consumeOKTPS).toBeGreaterThan(0)
    expect(info.statusTable[TOPIC]?.pullTPS).toBeGreaterThan(0)
    expect(info.jstack).toMatch(
      /1 of 20 handlers run.*\nhandler of orders for \d+ ms: .* offset 2 msgId u2/,
    )
  })

  test('comes without what runs when that is not asked for', async () => {
    const scene = await Scene.open({ queues: 1 })
    await running(scene, {}, () => {})
    const answer = await ask(scene, GROUP, false)
    expect(answer.body.toString()).not.toContain('jstack')
  })

  test('of another group is refused with the sentence that tools know', async () => {
    const scene = await Scene.open({ queues: 1 })
    await running(scene, {}, () => {})
    const answer = await ask(scene, 'others')
    expect([answer.code, answer.remark]).toEqual([
      responseCode.SYSTEM_ERROR,
      'The Consumer Group <others> not exist in this consumer',
    ])
  })
})

describe('a message to consume at once', () => {
  const ask = async (scene: Scene, body = stored(TOPIC, 'now')) => {
    const header = { consumerGroup: GROUP, brokerName: 'broker-a' }
    const options = { timeoutMs: 1000, body: [body] }
    return await scene.run(connection(scene).call(CONSUME_MESSAGE_DIRECTLY, header, options))
  }

  test('goes to the handler, and the answer says how long it took', async () => {
    const scene = await Scene.open({ queues: 1 })
    const got: object[] = []
    await running(scene, {}, async (message) => {
      await scene.pause('consumer', 30)
      got.push({ id: message.msgId, offset: message.queueOffset, queue: message.queue })
    })
    const result = decodeConsumeDirectlyResult((await ask(scene)).body)
    expect(result).toMatchObject({ order: false, autoCommit: true, consumeResult: 'CR_SUCCESS' })
    expect(result.spentTimeMills).toBeGreaterThanOrEqual(30)
    expect(got).toEqual([{ id: 'asked', offset: 7, queue: queue() }])
    expect(scene.broker().sentBack).toEqual([])
  })

  test.each([
    ['an error', false, 'CR_THROW_EXCEPTION', 'TypeError: no such thing'],
    ['a wish to see it again', false, 'CR_LATER', undefined],
    ['a commit in order', true, 'CR_COMMIT', undefined],
    ['a rollback in order', true, 'CR_ROLLBACK', undefined],
  ])('is answered with what became of it: %s', async (_name, orderly, consumeResult, remark) => {
    const scene = await Scene.open({ queues: 1 })
    await running(scene, { orderly }, (message, context) => {
      if (consumeResult === 'CR_THROW_EXCEPTION') throw new TypeError('no such thing')
      if (consumeResult === 'CR_LATER') context.retryLater(message)
      if (consumeResult === 'CR_COMMIT') context.commit()
      if (consumeResult === 'CR_ROLLBACK') context.rollback()
    })
    const result = decodeConsumeDirectlyResult((await ask(scene)).body)
    expect(result).toMatchObject({ order: orderly, consumeResult })
    expect(result.remark).toBe(remark)
    expect(scene.broker().sentBack).toEqual([])
  })

  test('that is no message is refused', async () => {
    const scene = await Scene.open({ queues: 1 })
    await running(scene, {}, () => {})
    const answer = await ask(scene, Buffer.alloc(0))
    expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
  })
})
