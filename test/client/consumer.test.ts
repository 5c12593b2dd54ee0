/** A consumer gives every message to a handler, and commits no message that is not done. */
import type { ReceivedMessage } from '@rockhopper/client'
import { responseCode, retryTopicOf } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { failure, GROUP, Scene, TOPIC } from './scene.ts'

const RETRY_TOPIC = retryTopicOf(GROUP)

/** Bodies of messages, for short. */
const bodies = (messages: readonly ReceivedMessage[]): string[] =>
  messages.map(({ body }) => body.toString())

describe('messages', () => {
  test('reach the handler of their topic as they were stored', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'hello', { TAGS: 'new', KEYS: 'k1 k2', UNIQ_KEY: 'id', own: 'x' })
    const got: ReceivedMessage[] = []
    const consumer = scene.consumer().subscribe(TOPIC, '*', (message) => void got.push(message))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 1)
    const [message] = got
    expect(message).toMatchObject({
      topic: TOPIC,
      tag: 'new',
      keys: ['k1', 'k2'],
      msgId: 'id',
      queue: { topic: TOPIC, brokerName: 'broker-a', queueId: 0 },
      queueOffset: 0,
      compression: 'none',
      reconsumeTimes: 0,
    })
    expect(message?.properties['own']).toBe('x')
    expect(message?.offsetMsgId).toMatch(/^[0-9A-F]{32}$/)
    expect(bodies(got)).toEqual(['hello'])
  })

  test('that were compressed are handed over as they were written', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer()
    const body = 'long '.repeat(2000)
    await scene.run(producer.send({ topic: TOPIC, body }))
    const got: ReceivedMessage[] = []
    const consumer = scene.consumer().subscribe(TOPIC, '*', (message) => void got.push(message))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 1)
    expect(bodies(got)).toEqual([body])
  })

  test('that are sent while nothing is there arrive at once', async () => {
    const scene = await Scene.open({ queues: 1 })
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', (message) => void got.push(message.body.toString()))
    await scene.run(consumer.start())
    await scene.world.clock.advance(5000)
    scene.broker().put(TOPIC, 0, 'late')
    await scene.world.clock.advance(10)
    expect(got).toEqual(['late'])
  })

  test('with a tag that only shares its hash with a wanted one are left out, and committed', async () => {
    const scene = await Scene.open({ queues: 1 })
    // "Aa" and "BB" have one Java hash.
    scene.broker().put(TOPIC, 0, 'wanted', { TAGS: 'Aa' })
    scene.broker().put(TOPIC, 0, 'same hash', { TAGS: 'BB' })
    scene.broker().put(TOPIC, 0, 'no tag')
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, 'Aa || Zz', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    await scene.world.clock.advance(6000)
    expect(got).toEqual(['wanted'])
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(3)
    const [heartbeat] = scene.broker().heartbeats
    expect(heartbeat?.consumerDataSet[0]).toMatchObject({
      groupName: GROUP,
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    })
    expect(heartbeat?.consumerDataSet[0]?.subscriptionDataSet).toEqual([
      expect.objectContaining({ topic: RETRY_TOPIC, subString: '*' }),
      expect.objectContaining({ topic: TOPIC, tagsSet: ['Aa', 'Zz'], codeSet: [2112, 2912] }),
    ])
  })

  test('come in batches to the handler for all topics', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 10; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const batches: string[][] = []
    const consumer = scene
      .consumer({ consumeMessageBatchMaxSize: 4 })
      .subscribe(TOPIC)
      .onMessages((messages) => void batches.push(bodies(messages)))
    await scene.run(consumer.start())
    await scene.until(() => batches.flat().length === 10)
    expect(batches).toEqual([
      ['0', '1', '2', '3'],
      ['4', '5', '6', '7'],
      ['8', '9'],
    ])
  })

  test('are handled no more at a time than the options allow', async () => {
    const scene = await Scene.open({ queues: 4 })
    for (let i = 0; i < 40; i++) scene.broker().put(TOPIC, i % 4, `${i}`)
    let atOnce = 0
    let most = 0
    let done = 0
    const consumer = scene.consumer({ concurrency: 3 }).subscribe(TOPIC, '*', async () => {
      most = Math.max(most, ++atOnce)
      await scene.pause('consumer', 10)
      atOnce--
      done++
    })
    await scene.run(consumer.start())
    await scene.until(() => done === 40)
    expect(most).toBe(3)
  })

  test('are not pulled while too many wait, and are when there is room again', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 100; i++) scene.broker().put(TOPIC, 0, `${i}`)
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let done = 0
    const consumer = scene
      .consumer({ maxCachedMessages: 20, pullBatchSize: 10, concurrency: 1 })
      .subscribe(TOPIC, '*', async () => {
        await gate
        done++
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(60_000)
    const offsets = scene.broker().pulls.filter(({ topic }) => topic === TOPIC)
    expect(offsets.map(({ queueOffset }) => queueOffset)).toEqual([0, 10])
    open()
    await scene.until(() => done === 100)
  })
})

describe('where a new group begins', () => {
  const cases: [string, Parameters<Scene['consumer']>[0], number][] = [
    ['last', { consumeFromWhere: 'last' }, 5],
    ['first', { consumeFromWhere: 'first' }, 0],
    ['a time', { consumeFromWhere: { timestampMs: 1003 } }, 3],
  ]

  test.each(cases)('is what the options say: %s', async (_name, options, offset) => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 5; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const consumer = scene.consumer(options).subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.until(() => scene.broker().pulls.length === 1)
    expect(scene.broker().pulls[0]?.queueOffset).toBe(offset)
  })

  test('is the first message of its retry topic, whatever the options say', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.routes.set(RETRY_TOPIC, scene.routeOf(1))
    scene.broker().put(RETRY_TOPIC, 0, 'failed before', { RETRY_TOPIC: TOPIC })
    const got: string[] = []
    const consumer = scene
      .consumer({ consumeFromWhere: 'last' })
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 1, 1000)
  })

  test('does not count where the group was before', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 5; i++) scene.broker().put(TOPIC, 0, `${i}`)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 2)
    const consumer = scene.consumer({ consumeFromWhere: 'last' }).subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.until(() => scene.broker().pulls.length === 1)
    expect(scene.broker().pulls[0]?.queueOffset).toBe(2)
  })

  test('is kept, so that messages sent while nobody consumes are not skipped', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'before')
    const consumer = scene.consumer({ consumeFromWhere: 'last' }).subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.world.clock.advance(100)
    await scene.run(consumer.close())
    scene.broker().put(TOPIC, 0, 'between')
    const got: string[] = []
    const next = scene
      .consumer({ consumeFromWhere: 'last' })
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(next.start())
    await scene.until(() => got.length > 0)
    expect(got).toEqual(['between'])
  })
})

describe('offsets', () => {
  test('are committed every 5 s up to the first message that is not done', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 10; i++) scene.broker().put(TOPIC, 0, `${i}`)
    let release = (): void => {}
    const consumer = scene.consumer().subscribe(TOPIC, '*', ({ body }) => {
      if (body.toString() !== '4') return
      return new Promise<void>((resolve) => {
        release = resolve
      })
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(6000)
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(4)
    release()
    await scene.world.clock.advance(5000)
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(10)
  })

  test('are committed when they changed, and not otherwise', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'a')
    const consumer = scene.consumer().subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.world.clock.advance(60_000)
    const { events, pulls } = scene.broker()
    const commits = events.filter((event) => event.startsWith('commit'))
    expect(new Set(commits)).toEqual(new Set([`commit ${TOPIC} 0 1`]))
    // Each pull carries the offset as well.
    expect(commits.length).toBeLessThanOrEqual(pulls.length + 1)
  })

  test('that the queue does not have any more move to where it begins', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().beginAt(TOPIC, 0, 50)
    for (let i = 50; i < 55; i++) scene.broker().put(TOPIC, 0, `${i}`)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 7)
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    const moves: object[] = []
    consumer.on('offsetMoved', (move) => moves.push(move))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 5)
    expect(got).toEqual(['50', '51', '52', '53', '54'])
    expect(moves).toEqual([
      { queue: { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }, from: 7, to: 50 },
    ])
    expect(scene.broker().events).toContain(`commit ${TOPIC} 0 50`)
    await scene.run(consumer.close())
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(55)
  })
})

describe('when something is in the way', () => {
  test.each([
    ['refuses', 3000],
    ['asks for patience', 20],
  ])('a broker that %s is asked again after %i ms', async (what, delayMs) => {
    const scene = await Scene.open({ queues: 1 })
    const code = what === 'refuses' ? responseCode.NO_PERMISSION : responseCode.FLOW_CONTROL
    const asked: number[] = []
    scene.broker().script.onPull = () => {
      asked.push(scene.world.clock.monotonicMs())
      return { code, remark: 'no' }
    }
    const problems: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', () => {})
      .on('problem', ({ error, queue }) => problems.push(`${queue?.queueId} ${error.message}`))
    await scene.run(consumer.start())
    await scene.until(() => asked.length === 4)
    const gaps = asked.slice(1).map((atMs, i) => atMs - (asked[i] ?? 0))
    for (const gap of gaps) expect(Math.abs(gap - delayMs)).toBeLessThan(10)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^0 .* answered PULL_MESSAGE with /)
  })

  test('a killed broker is pulled from again when it is back', async () => {
    const scene = await Scene.open({ queues: 1 })
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    await scene.world.clock.advance(1000)
    scene.world.host('broker-a').kill()
    await scene.world.clock.advance(20_000)
    scene.world.host('broker-a').restart()
    await scene.reopenBroker('broker-a')
    scene.broker().put(TOPIC, 0, 'after')
    await scene.until(() => got.length === 1, 5000)
  })

  test('a broker that was only started again knows the members within half a second', async () => {
    const scene = await Scene.open({ queues: 1 })
    const consumer = scene.consumer().subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.world.clock.advance(5000)
    scene.world.host('broker-a').kill()
    await scene.world.clock.advance(3000)
    scene.world.host('broker-a').restart()
    await scene.reopenBroker('broker-a')
    await scene.until(() => scene.broker().members(GROUP).length === 1, 600)
  })

  test('a topic that cannot be read any more is told each time anew', async () => {
    const scene = await Scene.open({ queues: 1 })
    const problems: Error[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', () => {})
      .on('problem', ({ error }) => problems.push(error))
    await scene.run(consumer.start())
    for (const perm of [2, 6, 2]) {
      scene.routes.set(TOPIC, scene.routeOf(1, perm))
      await scene.world.clock.advance(60_000)
    }
    expect(problems.map((error) => error.message)).toEqual([
      expect.stringContaining('exists, but it may not be read on any of its brokers ("broker-a")'),
      expect.stringContaining('exists, but it may not be read'),
    ])
  })

  test('a topic that does not exist is told once, and consumed as soon as it does', async () => {
    const scene = await Scene.open({ queues: 1 })
    const route = scene.routeOf(1)
    scene.routes.delete(TOPIC)
    const problems: Error[] = []
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
      .on('problem', ({ error }) => problems.push(error))
    await scene.run(consumer.start())
    await scene.world.clock.advance(60_000)
    expect(problems).toEqual([
      expect.objectContaining({ code: 'NO_ROUTE', reason: 'topic-missing', topic: TOPIC }),
    ])
    expect(problems[0]?.message).toBe(
      'the topic "orders" does not exist: create it with mqadmin updateTopic',
    )
    scene.routes.set(TOPIC, route)
    scene.broker().put(TOPIC, 0, 'first')
    await scene.until(() => got.length === 1, 25_000)
  })

  test('start fails when no name server answers, and may be called again', async () => {
    const scene = await Scene.open()
    scene.world.host('namesrv').kill()
    const consumer = scene.consumer().subscribe(TOPIC, '*', () => {})
    const error = await scene.run(failure(consumer.start()))
    expect(error).toMatchObject({ code: 'NAME_SERVER_UNREACHABLE', retryable: true })
    scene.world.host('namesrv').restart()
    await scene.openNamesrv()
    await scene.run(consumer.start())
    expect(consumer.queues).toHaveLength(4)
  })

  test('start fails for a topic that nobody handles', async () => {
    const scene = await Scene.open()
    const error = await scene.run(failure(scene.consumer().subscribe(TOPIC).start()))
    expect(error.message).toBe(
      'nothing takes the messages of the topic "orders": give subscribe a handler, or call onMessages',
    )
  })

  test('a subscription that replaces another is the newer one for brokers too', async () => {
    const scene = await Scene.open()
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, 'a', () => {})
      .subscribe(TOPIC, 'b', () => {})
    await scene.run(consumer.start())
    const data = scene.broker().heartbeats[0]?.consumerDataSet[0]?.subscriptionDataSet
    const retry = data?.find(({ topic }) => topic === RETRY_TOPIC)
    expect(data?.find(({ topic }) => topic === TOPIC)).toMatchObject({
      subString: 'b',
      subVersion: (retry?.subVersion ?? 0) + 1,
    })
  })

  test('a tag expression without a tag is refused', async () => {
    const scene = await Scene.open()
    expect(() => scene.consumer().subscribe(TOPIC, '||')).toThrow('names no tag')
    expect(() => scene.consumer().subscribe('a b')).toThrow('has a character that is not allowed')
  })
})

describe('close', () => {
  test('waits for running handlers, commits what they did, and then leaves', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 30; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const done: string[] = []
    const consumer = scene.consumer({ concurrency: 4 }).subscribe(TOPIC, '*', async ({ body }) => {
      await scene.pause('consumer', 700)
      done.push(body.toString())
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(1000)
    await scene.run(consumer.close())
    expect(done).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
    const { events, offsets } = scene.broker()
    expect(offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(8)
    expect(events.slice(-2)).toEqual([`commit ${TOPIC} 0 8`, `leave ${consumer.clientId}`])
    await scene.world.clock.advance(10_000)
    expect(done).toHaveLength(8)
  })

  test('does not wait longer than it was told, and commits nothing that is not done', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const aborted: boolean[] = []
    const consumer = scene
      .consumer({ drainTimeoutMs: 2000 })
      .subscribe(TOPIC, '*', ({ body }, { signal }) => {
        if (body.toString() !== '1') return
        signal.addEventListener('abort', () => aborted.push(true))
        return new Promise<void>(() => {})
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(100)
    const startMs = scene.world.clock.monotonicMs()
    await scene.run(consumer.close())
    expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(2100)
    expect(aborted).toEqual([true])
    expect(scene.broker().offsets.get(`${GROUP} ${TOPIC} 0`)).toBe(1)
  })

  test('during start, and twice, is no trouble', async () => {
    const scene = await Scene.open()
    const consumer = scene.consumer().subscribe(TOPIC, '*', () => {})
    const starting = failure(consumer.start())
    await scene.run(Promise.all([consumer.close(), consumer.close()]))
    expect(await scene.run(starting)).toMatchObject({ code: 'CLOSED' })
    expect(await scene.run(failure(consumer.start()))).toMatchObject({ code: 'CLOSED' })
    await scene.until(() => scene.broker().connections.length === 0)
  })
})

describe('a topic', () => {
  test('can be subscribed to, and given up, while the consumer runs', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.routes.set('second', scene.routeOf(1))
    const got: string[] = []
    const take = ({ body }: ReceivedMessage): void => void got.push(body.toString())
    const consumer = scene.consumer().subscribe(TOPIC, '*', take)
    await scene.run(consumer.start())
    consumer.subscribe('second', '*', take)
    scene.broker().put('second', 0, 'from the second')
    await scene.until(() => got.length === 1, 2000)
    consumer.unsubscribe(TOPIC)
    await scene.until(() => consumer.queues.length === 1, 2000)
    expect(consumer.queues).toEqual([{ topic: 'second', brokerName: 'broker-a', queueId: 0 }])
    expect(scene.broker().heartbeats.at(-1)?.consumerDataSet[0]?.subscriptionDataSet).toHaveLength(
      2,
    )
  })
})
