/** A consumer that fetches messages gets each of them, and commits what it has consumed. */
import type { LitePullConsumer, LitePullOptions, ReceivedMessage } from '@rockhopper/client'
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
import { failure, GROUP, Scene, TOPIC } from './scene.ts'
import { silence } from './scripted-broker.ts'

const QUEUE = { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }

const textsOf = (messages: readonly ReceivedMessage[]): string[] =>
  messages.map(({ body }) => body.toString())

const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `${from + i}`)

/** A scene with messages on the one queue of the topic. */
async function sceneWith(count: number, queues = 1): Promise<Scene> {
  const scene = await Scene.open({ queues })
  for (const text of numbers(count)) scene.broker().put(TOPIC, Number(text) % queues, text)
  return scene
}

async function started(
  scene: Scene,
  options: Partial<LitePullOptions> = {},
  hostName = 'puller',
): Promise<LitePullConsumer> {
  const consumer = scene.litePuller(options, hostName).subscribe(TOPIC)
  await scene.run(consumer.start())
  return consumer
}

const committed = (scene: Scene, queueId = 0): number | undefined =>
  scene.broker().offsets.get(`${GROUP} ${TOPIC} ${queueId}`)

/** Polls until there are that many messages. */
async function poll(scene: Scene, consumer: LitePullConsumer, count: number): Promise<string[]> {
  const got: string[] = []
  while (got.length < count) got.push(...textsOf(await scene.run(consumer.poll())))
  return got
}

describe('when something is in the way', () => {
  test('a poll while the broker is gone gives nothing in time, and the rest when it is back', async () => {
    const scene = await sceneWith(0)
    const consumer = await started(scene)
    const problems: string[] = []
    consumer.on('problem', ({ error }) => problems.push(error.message))
    await scene.world.clock.advance(1000)
    scene.world.host('broker-a').kill()
    const startMs = scene.world.clock.monotonicMs()
    expect(await scene.run(consumer.poll(3000))).toEqual([])
    expect(scene.world.clock.monotonicMs() - startMs).toBeCloseTo(3000, -1)
    expect(problems).toHaveLength(1)
    scene.world.host('broker-a').restart()
    await scene.reopenBroker('broker-a')
    scene.broker().put(TOPIC, 0, 'after')
    expect(textsOf(await scene.run(consumer.poll(5000)))).toEqual(['after'])
  })

  test('offsets that the queue does not have any more move to those that it has', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().beginAt(TOPIC, 0, 50)
    for (const text of numbers(5, 50)) scene.broker().put(TOPIC, 0, text)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 7)
    const consumer = scene.litePuller().subscribe(TOPIC)
    const moves: object[] = []
    consumer.on('offsetMoved', (move) => moves.push(move))
    await scene.run(consumer.start())
    expect(await poll(scene, consumer, 5)).toEqual(numbers(5, 50))
    expect(moves).toEqual([{ queue: QUEUE, from: 7, to: 50 }])
    await scene.run(consumer.poll(10))
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(55)
  })

  test('an offset beyond the end, as after a loss, moves back to the end', async () => {
    const scene = await sceneWith(3)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 900)
    const consumer = await started(scene)
    await scene.world.clock.advance(100)
    scene.broker().put(TOPIC, 0, 'next')
    expect(await poll(scene, consumer, 1)).toEqual(['next'])
  })

  test('a queue that is not assigned can neither be sought, paused nor committed', async () => {
    const scene = await sceneWith(1)
    const consumer = await started(scene)
    const other = { ...QUEUE, queueId: 9 }
    const tries = [
      consumer.seek(other, 0),
      consumer.seekToBegin(other),
      consumer.seekToEnd(other),
      consumer.seekToTime(other, 1),
      consumer.commitSync([{ queue: other, offset: 1 }]),
    ]
    for (const tried of await Promise.all(tries.map(failure))) {
      expect(tried).toMatchObject({ code: 'NOT_ASSIGNED', retryable: true })
      expect(tried.message).toBe(
        'the queue orders@broker-a@9 is not assigned to this consumer: ' +
          'the group may be sharing anew: look at `queues`',
      )
    }
    expect(() => consumer.pause([other])).toThrow('is not assigned')
    expect(() => consumer.commitAsync([{ queue: other, offset: 1 }])).toThrow('is not assigned')
  })

  test('an offset where the queue does not reach cannot be sought', async () => {
    const scene = await sceneWith(5)
    scene.broker().beginAt(TOPIC, 0, 10)
    const consumer = await started(scene)
    for (const offset of [9, 16, 12.5, Number.NaN]) {
      const error = await scene.run(failure(consumer.seek(QUEUE, offset)))
      expect(error).toMatchObject({ code: 'BAD_OPTION' })
      expect(error.message).toContain(`has the offsets 10 to 15, and ${offset} is none`)
    }
    await scene.run(consumer.seek(QUEUE, 15))
  })

  test('what was read of a queue that goes to another member is given to that member only', async () => {
    const scene = await sceneWith(40, 4)
    const first = await started(scene, { pullBatchSize: 1 }, 'first')
    const got = await poll(scene, first, 2)
    const second = await started(scene, {}, 'second')
    let isOver = false
    const rest: string[] = []
    const take = async (consumer: LitePullConsumer): Promise<void> => {
      while (!isOver) rest.push(...textsOf(await consumer.poll(1000)))
    }
    const loops = [take(first), take(second)]
    await scene.until(() => rest.length === 38, 60_000)
    await scene.world.clock.advance(10_000)
    isOver = true
    await scene.run(Promise.all(loops))
    expect([...got, ...rest].sort()).toEqual(numbers(40).sort())
    expect(first.queues).toHaveLength(2)
    expect(second.queues).toHaveLength(2)
    await scene.run(Promise.all([first.close(), second.close()]))
    for (const queueId of [0, 1, 2, 3]) expect(committed(scene, queueId)).toBe(10)
  })

  test('a message in the hands of a loop is done before another member reads on', async () => {
    const scene = await sceneWith(40, 2)
    const got: string[] = []
    const work = async (consumer: LitePullConsumer, name: string): Promise<void> => {
      for await (const { body } of consumer) {
        await scene.pause(name, 300)
        got.push(body.toString())
      }
    }
    const first = await started(scene, {}, 'first')
    const loops = [work(first, 'first')]
    await scene.world.clock.advance(1000)
    const second = await started(scene, {}, 'second')
    loops.push(work(second, 'second'))
    await scene.until(() => new Set(got).size === 40, 60_000)
    expect(got).toHaveLength(40)
    expect(second.queues).toHaveLength(1)
    const [lost = QUEUE] = second.queues
    await scene.world.clock.advance(10_000)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} ${lost.queueId}`, 17)
    expect(await scene.run(first.committed(lost))).toBe(17)
    await scene.run(Promise.all([first.close(), second.close()]))
    await scene.run(Promise.all(loops))
  })

  test('a poll under way ends when the consumer is closed, and further ones are refused', async () => {
    const scene = await sceneWith(0)
    const consumer = await started(scene)
    const polling = consumer.poll(60_000)
    await scene.world.clock.advance(100)
    const startMs = scene.world.clock.monotonicMs()
    await scene.run(consumer.close())
    expect(await scene.run(polling)).toEqual([])
    expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(100)
    expect(await failure(consumer.poll())).toMatchObject({ code: 'CLOSED' })
    expect(() => consumer[Symbol.asyncIterator]()).toThrow('was closed')
    expect(scene.broker().left).toEqual([consumer.clientId])
  })

  test('a queue that nobody fetches from is told of, but not one that is paused', async () => {
    const scene = await sceneWith(20, 2)
    const consumer = await started(scene, { stalledAfterMs: 30_000 })
    const stalls: string[] = []
    consumer.on('queueStalled', ({ queue, reason }) => stalls.push(`${queue.queueId} ${reason}`))
    consumer.pause([QUEUE])
    await scene.world.clock.advance(100_000)
    expect(stalls).toEqual(['1 handling'])
    await poll(scene, consumer, 10)
    await scene.run(consumer.poll(10))
    await scene.world.clock.advance(100_000)
    expect(stalls).toHaveLength(1)
  })

  test('a queue whose broker is silent is told of, and asked anew', async () => {
    const scene = await sceneWith(1)
    scene.broker().script.onPull = () => silence()
    const consumer = await started(scene, { stalledAfterMs: 30_000 })
    const stalls: string[] = []
    consumer.on('queueStalled', ({ reason }) => stalls.push(reason))
    await scene.until(() => stalls.length > 0, 60_000)
    expect(stalls).toEqual(['pull'])
    scene.broker().script.onPull = () => undefined
    expect(await poll(scene, consumer, 1)).toEqual(['0'])
  })

  test('a commit that a broker refuses is told', async () => {
    const scene = await sceneWith(1)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 1)
    scene.world.host('broker-a').kill()
    expect(await scene.run(failure(consumer.commitSync()))).toMatchObject({ retryable: true })
  })

  test('nothing works before the start, and a start without a name server may be tried again', async () => {
    const scene = await sceneWith(1)
    const consumer = scene.litePuller().subscribe(TOPIC)
    expect(await failure(consumer.poll())).toMatchObject({ code: 'NOT_STARTED' })
    expect(() => consumer.commitAsync()).toThrow('await start() first')
    scene.world.host('namesrv').kill()
    const error = await scene.run(failure(consumer.start()))
    expect(error).toMatchObject({ code: 'NAME_SERVER_UNREACHABLE' })
    scene.world.host('namesrv').restart()
    await scene.openNamesrv()
    await scene.run(consumer.start())
    expect(await poll(scene, consumer, 1)).toEqual(['0'])
    expect(await failure(consumer.start())).toMatchObject({ code: 'BAD_OPTION' })
  })

  test('a broker that asks for patience is asked again after 20 ms', async () => {
    const scene = await sceneWith(1)
    const asked: number[] = []
    scene.broker().script.onPull = () => {
      asked.push(scene.world.clock.monotonicMs())
      return asked.length < 4 ? { code: responseCode.FLOW_CONTROL, remark: 'no' } : undefined
    }
    const consumer = await started(scene)
    expect(await poll(scene, consumer, 1)).toEqual(['0'])
    const gaps = asked.slice(1, 4).map((atMs, i) => Math.round(atMs - (asked[i] ?? 0)))
    for (const gap of gaps) expect(Math.abs(gap - 20)).toBeLessThan(10)
  })
})

describe('polls', () => {
  test('give messages in the order of their queue, at most a batch at a time', async () => {
    const scene = await sceneWith(25)
    const consumer = await started(scene)
    const sizes: number[] = []
    const got: string[] = []
    while (got.length < 25) {
      const messages = await scene.run(consumer.poll())
      sizes.push(messages.length)
      got.push(...textsOf(messages))
    }
    expect(got).toEqual(numbers(25))
    expect(Math.max(...sizes)).toBe(10)
  })

  test('give messages of queues in turn', async () => {
    const scene = await sceneWith(40, 2)
    const consumer = await started(scene, { pullBatchSize: 8 })
    await scene.world.clock.advance(1000)
    const queues: number[] = []
    for (let i = 0; i < 4; i++) {
      const [message] = await scene.run(consumer.poll())
      queues.push(message?.queue.queueId ?? -1)
    }
    expect(queues.slice(0, 2).sort()).toEqual([0, 1])
    expect(queues.slice(2, 4)).toEqual(queues.slice(0, 2))
  })

  test('declare consumed what the polls before gave, and it is committed every 5 s', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene)
    await scene.run(consumer.poll())
    await scene.world.clock.advance(6000)
    expect(committed(scene) ?? 0).toBe(0)
    await scene.run(consumer.poll())
    await scene.world.clock.advance(5000)
    expect(committed(scene)).toBe(10)
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(10)
  })

  test('commit nothing by themselves without autoCommit', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 20)
    await scene.run(consumer.poll(10))
    await scene.world.clock.advance(20_000)
    expect(committed(scene)).toBeUndefined()
    await scene.run(consumer.close())
    expect(committed(scene)).toBeUndefined()
  })

  test.each([
    ['of one queue', { maxCachedMessages: 30 }, 120],
    ['over all queues', { maxCachedMessagesInAll: 50 }, 80],
  ])('hold no more messages than they may %s', async (_what, options, most) => {
    const scene = await sceneWith(400, 4)
    const consumer = await started(scene, options)
    await scene.world.clock.advance(5000)
    const read = [0, 1, 2, 3].map((queueId) => {
      const pulls = scene.broker().litePulls.filter((pull) => pull.queueId === queueId)
      return Math.max(0, ...pulls.map(({ queueOffset }) => queueOffset))
    })
    expect(read.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(most)
    expect((await poll(scene, consumer, 400)).sort()).toEqual(numbers(400).sort())
  })

  test('that are not followed by another do not keep close waiting', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene)
    await poll(scene, consumer, 10)
    const startMs = scene.world.clock.monotonicMs()
    await scene.run(consumer.close())
    expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(1000)
    expect(committed(scene) ?? 0).toBe(0)
  })
})

describe('a commit', () => {
  test('without offsets is of all that was given, and is known when it resolves', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 10)
    await scene.run(consumer.commitSync())
    expect(committed(scene)).toBe(10)
    expect(await scene.run(consumer.committed(QUEUE))).toBe(10)
    await poll(scene, consumer, 10)
    consumer.commitAsync()
    await scene.world.clock.advance(100)
    expect(committed(scene)).toBe(20)
  })

  test('of given offsets is of those, up or down', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 20)
    for (const offset of [15, 3]) {
      await scene.run(consumer.commitSync([{ queue: QUEUE, offset }]))
      expect(committed(scene)).toBe(offset)
    }
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(3)
  })

  test('by hand is not lost when its queue is given up right afterwards', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 10)
    consumer.commitAsync()
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(10)
  })

  test('is asked for at the broker where none was made here', async () => {
    const scene = await sceneWith(3, 2)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 1`, 1)
    const consumer = await started(scene)
    expect(await scene.run(consumer.committed({ ...QUEUE, queueId: 1 }))).toBe(1)
    expect(await scene.run(consumer.committed({ ...QUEUE, queueId: 0 }))).toBeUndefined()
  })
})

describe('a loop', () => {
  test('gets every message, and one counts as consumed when the next is asked for', async () => {
    const scene = await sceneWith(10)
    const consumer = await started(scene)
    const got: string[] = []
    const loop = (async () => {
      for await (const { body } of consumer) {
        got.push(body.toString())
        if (got.length === 5) await scene.pause('puller', 7000)
      }
    })()
    await scene.world.clock.advance(6000)
    expect(committed(scene)).toBe(4)
    await scene.until(() => got.length === 10)
    await scene.run(consumer.close())
    await scene.run(loop)
    expect(got).toEqual(numbers(10))
    expect(committed(scene)).toBe(10)
  })

  test('is waited for by close until it is done with its message', async () => {
    const scene = await sceneWith(10)
    const consumer = await started(scene)
    const got: string[] = []
    const loop = (async () => {
      for await (const { body } of consumer) {
        await scene.pause('puller', 2000)
        got.push(body.toString())
      }
    })()
    await scene.world.clock.advance(3000)
    await scene.run(consumer.close())
    await scene.run(loop)
    expect(got).toEqual(['0', '1'])
    expect(committed(scene)).toBe(2)
  })

  test('that fails leaves its message to the next loop', async () => {
    const scene = await sceneWith(4)
    const consumer = await started(scene)
    const fail = async (): Promise<void> => {
      for await (const { body } of consumer) {
        if (body.toString() === '1') throw new Error('not this time')
      }
    }
    await expect(scene.run(fail())).rejects.toThrow('not this time')
    const got: string[] = []
    const loop = (async () => {
      for await (const { body } of consumer) if (got.push(body.toString()) === 3) return
    })()
    await scene.run(loop)
    expect(got).toEqual(['1', '2', '3'])
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(3)
  })

  test('and another share the messages, and commit what both have done', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene)
    const got: string[] = []
    const work = async (durationMs: number): Promise<void> => {
      for await (const { body } of consumer) {
        await scene.pause('puller', durationMs)
        got.push(body.toString())
      }
    }
    const loops = [work(100), work(900)]
    await scene.world.clock.advance(1500)
    expect(got).not.toContain('19')
    await scene.until(() => got.length === 20)
    await scene.run(consumer.close())
    await scene.run(Promise.all(loops))
    expect(got.sort()).toEqual(numbers(20).sort())
    expect(committed(scene)).toBe(20)
  })
})

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

  test('makes room for what is read then', async () => {
    const scene = await sceneWith(100)
    const consumer = await started(scene, { maxCachedMessagesInAll: 20 })
    await scene.world.clock.advance(1000)
    await scene.run(consumer.seek(QUEUE, 90))
    await scene.world.clock.advance(100)
    expect(scene.broker().litePulls.at(-1)?.queueOffset).toBeGreaterThanOrEqual(90)
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
