/** The queues of a consumer that fetches messages can be sought, held, chosen, watched and moved. */
import type { LitePullConsumer, ReceivedMessage } from '@rockhopper/client'
import {
  CONSUME_MESSAGE_DIRECTLY,
  decodeClientOffsets,
  decodeConsumerRunningInfo,
  encodeResetOffsets,
  GET_CONSUMER_RUNNING_INFO,
  GET_CONSUMER_STATUS_FROM_CLIENT,
  RESET_CONSUMER_CLIENT_OFFSET,
  responseCode,
} from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import { describe, expect, test } from 'vitest'
import { committed, numbers, poll, QUEUE, sceneWith, started } from './fetching-scene.ts'
import { failure, GROUP, Scene, TOPIC } from './scene.ts'

describe('seeking', () => {
  test('begins anew at an offset, and forgets what was read', async () => {
    const scene = await sceneWith(30)
    const consumer = await started(scene)
    expect(await poll(scene, consumer, 10)).toEqual(numbers(10))
    await scene.run(consumer.seek(QUEUE, 25))
    expect(await poll(scene, consumer, 5)).toEqual(numbers(5, 25))
    await scene.run(consumer.seekToBegin(QUEUE))
    expect(await poll(scene, consumer, 30)).toEqual(numbers(30))
    await scene.run(consumer.seekToEnd(QUEUE))
    scene.broker().put(TOPIC, 0, 'new')
    expect(await poll(scene, consumer, 1)).toEqual(['new'])
    await scene.run(consumer.seekToTime(QUEUE, 1_000_012))
    expect((await poll(scene, consumer, 10))[0]).toBe('12')
  })

  test.each([
    ['messages', { maxCachedMessagesInAll: 20 }],
    ['bytes', { maxCachedBytesInAll: 40 }],
  ])('makes room for %s that are read then', async (_what, options) => {
    const scene = await sceneWith(100, 2)
    const consumer = await started(scene, options)
    const got = new Set<string>()
    for (let i = 0; i < 20; i++) {
      for (const { body } of await scene.run(consumer.poll(100))) got.add(body.toString())
      await scene.run(consumer.seek({ ...QUEUE, queueId: i % 2 }, 2 * i))
    }
    while (got.size < 100) for (const text of await poll(scene, consumer, 1)) got.add(text)
    expect(await scene.run(consumer.poll(100))).toBeDefined()
  })

  test('is what is committed, forward and back', async () => {
    const scene = await sceneWith(30)
    const consumer = await started(scene)
    await poll(scene, consumer, 30)
    await scene.run(consumer.seek(QUEUE, 7))
    await scene.world.clock.advance(6000)
    expect(committed(scene)).toBe(7)
  })

  test('while a loop has a message does not disturb either', async () => {
    const scene = await sceneWith(10)
    const consumer = await started(scene)
    const got: string[] = []
    for await (const { body } of driven(scene, consumer)) {
      got.push(body.toString())
      if (got.length === 3) await scene.run(consumer.seek(QUEUE, 8))
      if (got.length === 5) break
    }
    expect(got).toEqual(['0', '1', '2', '8', '9'])
  })
})

describe('a queue that is paused', () => {
  test('gives nothing and is not read, until it is resumed', async () => {
    const scene = await sceneWith(40, 2)
    const consumer = await started(scene)
    await scene.world.clock.advance(100)
    consumer.pause([QUEUE])
    const got = await poll(scene, consumer, 20)
    expect(got.every((text) => Number(text) % 2 === 1)).toBe(true)
    expect(await scene.run(consumer.poll(1000))).toEqual([])
    const polling = poll(scene, consumer, 20)
    consumer.resume([QUEUE])
    expect((await polling).every((text) => Number(text) % 2 === 0)).toBe(true)
  })
})

describe('assigned queues', () => {
  test('are read exactly, and take no share away from the members', async () => {
    const scene = await sceneWith(40, 4)
    const other = await started(scene, {}, 'other')
    const consumer = scene.litePuller().assign([QUEUE, { ...QUEUE, queueId: 2 }])
    await scene.run(consumer.start())
    const got = await poll(scene, consumer, 20)
    expect(got.every((text) => Number(text) % 2 === 0)).toBe(true)
    expect(other.queues).toHaveLength(4)
    consumer.assign([{ ...QUEUE, queueId: 3 }])
    await scene.until(() => consumer.queues.length === 1, 5000)
    expect(await poll(scene, consumer, 10)).toHaveLength(10)
    expect(scene.broker().members(GROUP)).toEqual([other.clientId])
  })

  test('can be moved at once, also when they were assigned to a running consumer', async () => {
    const scene = await sceneWith(40, 4)
    const consumer = scene.litePuller()
    await scene.run(consumer.start())
    consumer.assign([QUEUE])
    await scene.run(consumer.seek(QUEUE, 6))
    expect(await poll(scene, consumer, 4)).toEqual(['24', '28', '32', '36'])
  })

  test('exclude subscriptions, and these exclude them', async () => {
    const scene = await Scene.open()
    const sentence = 'Subscribe and assign are mutually exclusive'
    const subscriber = scene.litePuller().subscribe(TOPIC)
    expect(() => subscriber.assign([QUEUE])).toThrow(sentence)
    const chooser = scene.litePuller().assign([QUEUE])
    expect(() => chooser.subscribe(TOPIC)).toThrow(sentence)
    expect(() => chooser.unsubscribe(TOPIC)).toThrow(sentence)
    expect(() => scene.litePuller().assign([])).toThrow('no queue is assigned')
  })

  test('begin where the group is, and with the tags that are wanted', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (const text of numbers(6)) {
      scene.broker().put(TOPIC, 0, text, { TAGS: Number(text) % 2 === 0 ? 'even' : 'odd' })
    }
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 1)
    const consumer = scene.litePuller().assign([QUEUE], { [TOPIC]: 'odd' })
    await scene.run(consumer.start())
    expect(await poll(scene, consumer, 3)).toEqual(['1', '3', '5'])
    expect(scene.broker().litePulls[0]).toMatchObject({ subscription: 'odd', queueOffset: 1 })
  })
})

test('a consumer that gives up its last subscription gives up its share', async () => {
  const scene = await sceneWith(0, 4)
  const other = await started(scene, {}, 'other')
  const consumer = await started(scene)
  await scene.until(() => other.queues.length === 2, 5000)
  consumer.unsubscribe(TOPIC)
  await scene.until(() => consumer.queues.length === 0, 5000)
  const heartbeat = scene.broker().heartbeats.at(-1)
  expect(heartbeat?.clientID).toBe(consumer.clientId)
  expect(heartbeat?.consumerDataSet[0]?.subscriptionDataSet).toEqual([])
  await scene.run(consumer.close())
  await scene.until(() => other.queues.length === 4, 5000)
})

describe('brokers', () => {
  test('are asked in the way of Apache: code 361, told the subscription and no offset', async () => {
    const scene = await sceneWith(1)
    const consumer = await started(scene)
    await scene.world.clock.advance(100)
    expect(scene.broker().litePulls[0]).toMatchObject({
      consumerGroup: GROUP,
      maxMsgNums: 10,
      sysFlag: 2 | 4 | 16,
      commitOffset: 0,
      suspendTimeoutMillis: 20_000,
      subscription: '*',
      subVersion: 0,
      expressionType: 'TAG',
    })
    expect(consumer.clientId).toMatch(/@STREAM$/)
    expect(scene.broker().heartbeats[0]?.consumerDataSet[0]).toMatchObject({
      groupName: GROUP,
      consumeType: 'CONSUME_ACTIVELY',
      messageModel: 'CLUSTERING',
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
      subscriptionDataSet: [{ topic: TOPIC, subString: '*' }],
    })
  })
})

describe('a topic', () => {
  test('tells its queues, and when they become others', async () => {
    const scene = await sceneWith(0, 2)
    const consumer = scene.litePuller()
    const told: number[] = []
    const stop = consumer.watchQueues(TOPIC, (topic, queues) => {
      expect(topic).toBe(TOPIC)
      told.push(queues.length)
    })
    await scene.run(consumer.start())
    expect(await scene.run(consumer.fetchMessageQueues(TOPIC))).toEqual([
      QUEUE,
      { ...QUEUE, queueId: 1 },
    ])
    scene.routes.set(TOPIC, scene.routeOf(3))
    await scene.world.clock.advance(31_000)
    expect(told).toEqual([3])
    stop()
    scene.routes.set(TOPIC, scene.routeOf(4))
    await scene.world.clock.advance(31_000)
    expect(told).toEqual([3])
    const error = await scene.run(failure(consumer.fetchMessageQueues('unknown')))
    expect(error).toMatchObject({ code: 'NO_ROUTE', reason: 'topic-missing' })
  })

  test('knows the offset of a time', async () => {
    const scene = await sceneWith(3)
    const consumer = await started(scene)
    expect(await scene.run(consumer.offsetForTimestamp(QUEUE, 5002))).toBe(2)
  })
})

describe('operators', () => {
  const connection = (scene: Scene): Connection => {
    const [found] = scene.broker().connections
    if (found === undefined) throw new Error('nobody is connected')
    return found
  }
  const options = { timeoutMs: 1000 }

  test('move queues, and what was read of them is not given any more', async () => {
    const scene = await sceneWith(30)
    const consumer = await started(scene, { autoCommit: false })
    const moves: object[] = []
    consumer.on('offsetMoved', (move) => moves.push(move))
    await poll(scene, consumer, 10)
    const header = { topic: TOPIC, group: GROUP, timestamp: 0 }
    const body = encodeResetOffsets([[QUEUE, 3]])
    connection(scene).oneway(RESET_CONSUMER_CLIENT_OFFSET, header, [body])
    await scene.world.clock.advance(100)
    expect(await poll(scene, consumer, 27)).toEqual(numbers(27, 3))
    expect(moves).toEqual([{ queue: QUEUE, from: 0, to: 3 }])
    await scene.world.clock.advance(6000)
    expect(committed(scene)).toBe(3)
  })

  test('see its offsets and what it holds, and cannot give it a message', async () => {
    const scene = await sceneWith(12)
    const consumer = await started(scene, { autoCommit: false, pullBatchSize: 4 })
    await poll(scene, consumer, 4)
    await scene.run(consumer.commitSync())
    await scene.world.clock.advance(100)
    const ask = { consumerGroup: GROUP, clientId: consumer.clientId, jstackEnable: false }
    const told = await scene.run(connection(scene).call(GET_CONSUMER_RUNNING_INFO, ask, options))
    expect(told.remark).toBeUndefined()
    const info = decodeConsumerRunningInfo(told.body)
    expect(info.properties).toMatchObject({
      PROP_CONSUME_TYPE: 'CONSUME_ACTIVELY',
      pullBatchSize: '4',
    })
    expect(info.subscriptionSet).toMatchObject([{ topic: TOPIC }])
    expect(info.mqTable).toMatchObject([
      [
        QUEUE,
        { commitOffset: 4, cachedMsgCount: 8, cachedMsgMinOffset: 4, cachedMsgMaxOffset: 11 },
      ],
    ])
    const status = { topic: TOPIC, group: GROUP }
    const command = GET_CONSUMER_STATUS_FROM_CLIENT
    const answer = await scene.run(connection(scene).call(command, status, options))
    expect(decodeClientOffsets(answer.body)).toEqual([[QUEUE, 4]])
    const direct = { consumerGroup: GROUP, clientId: consumer.clientId, msgId: 'any' }
    const refusal = await scene.run(
      connection(scene).call(CONSUME_MESSAGE_DIRECTLY, direct, options),
    )
    expect(refusal.code).toBe(responseCode.SYSTEM_ERROR)
  })
})

describe('broadcasting', () => {
  test('reads all queues, and keeps offsets in the local file', async () => {
    const scene = await sceneWith(8, 4)
    const options = { messageModel: 'broadcasting' } as const
    const first = await started(scene, options, 'first')
    const second = await started(scene, options, 'second')
    expect([first.queues.length, second.queues.length]).toEqual([4, 4])
    expect((await poll(scene, first, 8)).sort()).toEqual(numbers(8).sort())
    await scene.run(first.commitSync())
    await scene.run(first.close())
    expect(committed(scene)).toBeUndefined()
    const again = await started(scene, options, 'first')
    expect(await scene.run(again.poll(1000))).toEqual([])
    expect((await poll(scene, second, 8)).sort()).toEqual(numbers(8).sort())
  })
})

/** Moves time for a loop that is not awaited by the scene. */
function driven(scene: Scene, consumer: LitePullConsumer): AsyncIterable<ReceivedMessage> {
  const loop = consumer[Symbol.asyncIterator]()
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => scene.run(loop.next()),
      return: () => scene.run(loop.return()),
    }),
  }
}
