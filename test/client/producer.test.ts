/** A producer delivers each message to a broker, on another one if need be, and explains itself. */
import { inflateSync } from 'node:zlib'
import { type Message, selectByHash } from '@rockhopper/client'
import { decodeBatch, responseCode } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'
import { silence } from './scripted-broker.ts'

const message = (body = 'hello'): Message => ({ topic: TOPIC, body })

describe('a message', () => {
  test('arrives as it was written, and the result says where', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer()
    const result = await scene.run(
      producer.send({
        topic: TOPIC,
        body: 'hello',
        tag: 'new',
        keys: ['k1', 'k2'],
        properties: { colour: 'red' },
        flag: 7,
      }),
    )
    expect(result).toEqual({
      status: 'SEND_OK',
      msgId: expect.stringMatching(/^[0-9A-F]{32}$/),
      offsetMsgId: 'broker-a-0',
      queue: { topic: TOPIC, brokerName: 'broker-a', queueId: 0 },
      queueOffset: 0,
      transactionId: undefined,
      regionId: 'DefaultRegion',
      traceOn: true,
    })
    const [stored] = scene.broker().stored
    expect(stored).toMatchObject({ body: Buffer.from('hello'), flag: 7, sysFlag: 0 })
    expect(stored?.properties).toBe(
      `UNIQ_KEY\x01${result.msgId}\x02WAIT\x01true\x02TAGS\x01new\x02KEYS\x01k1 k2\x02` +
        'colour\x01red\x02',
    )
  })

  test('of 4096 bytes is compressed, a byte less is not, and noise stays as it is', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer()
    const noise = scene.doors('producer').random.bytes(5000)
    for (const body of ['a'.repeat(4096), 'a'.repeat(4095), noise]) {
      await scene.run(producer.send({ topic: TOPIC, body }))
    }
    const [long, short, random] = scene.broker().stored
    expect(long?.sysFlag).toBe(0x301)
    expect(inflateSync(long?.body ?? '').toString()).toBe('a'.repeat(4096))
    expect(short).toMatchObject({ sysFlag: 0, body: Buffer.from('a'.repeat(4095)) })
    expect(random).toMatchObject({ sysFlag: 0, body: noise })
  })

  test.each<[string, Partial<Message>, string]>([
    ['an empty body', { body: '' }, 'has an empty body: send at least one byte'],
    ['too long a body', { body: 'a'.repeat(101) }, 'has 101 bytes, 100 are allowed'],
    ['no topic', { topic: undefined as unknown as string }, 'a message has no topic: name one'],
    ['a bad topic', { topic: 'a b' }, 'has a character that is not allowed'],
    ['a topic of the system', { topic: 'SCHEDULE_TOPIC_XXXX' }, 'belongs to the system'],
    ['a reserved property', { properties: { TAGS: 'x' } }, 'named "TAGS", which is reserved'],
    ['an empty property', { properties: { a: '' } }, 'property "a" of a message to'],
    ['a separator in a tag', { tag: 'a\x01b' }, 'contains the character U+0001'],
    ['a bad delay level', { delayLevel: 1.5 }, 'delay level 1.5: use a whole number from 1 to 18'],
    [
      'a level that brokers have not',
      { delayLevel: 19 },
      'level 19, 18 is the last one: use delayMs',
    ],
    ['an empty sharding key', { shardingKey: ' ' }, 'property "__SHARDINGKEY" of a message to'],
    ['two delays', { delayLevel: 1, deliverAtMs: 5 }, 'more than one of delayLevel, delayMs and'],
    ['a bad delay', { delayMs: 0 }, 'has delayMs 0: use whole milliseconds, 1 at the least'],
    ['a bad time', { deliverAtMs: 0.5 }, 'deliverAtMs 0.5: use whole milliseconds since 1970'],
    ['a bad flag', { flag: 2 ** 31 }, 'use a whole number of 32 bits'],
    ['huge properties', { properties: { a: 'b'.repeat(40_000) } }, '32767 are allowed'],
  ])('with %s is refused before anything is sent', async (_what, part, sentence) => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxMessageBytes: 100 })
    const error = await scene.run(failure(producer.send({ ...message(), ...part })))
    expect(error).toMatchObject({ code: 'BAD_MESSAGE', retryable: false })
    expect(error.message).toContain(sentence)
    expect(scene.broker().stored).toEqual([])
  })

  test('can name its queue, or its key does, and then no other broker is tried', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 3 })
    const producer = await scene.startedProducer()
    const queue = { topic: TOPIC, brokerName: 'broker-b', queueId: 2 }
    const named = await scene.run(producer.send(message(), { queue }))
    expect(named.queue).toEqual(queue)
    const selector = selectByHash('order-17')
    const first = await scene.run(producer.send(message(), { selector }))
    const second = await scene.run(producer.send(message(), { selector }))
    expect(second.queue).toEqual(first.queue)
    let sends = 0
    scene.broker(1).script.onSend = () => {
      sends++
      return { code: responseCode.SYSTEM_BUSY, remark: 'busy' }
    }
    const error = await scene.run(failure(producer.send(message(), { queue })))
    expect(error).toMatchObject({ code: 'BROKER_REFUSED', responseCode: 2, retryable: true })
    expect(sends).toBe(1)
    const other = { ...queue, topic: 'another' }
    const wrong = await scene.run(failure(producer.send(message(), { queue: other })))
    expect(wrong.message).toContain('was to go to a queue of the topic "another"')
  })

  test('of one sharding key go to one queue, which is that of the key, and no other is tried', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 8 })
    const producer = await scene.startedProducer({ autoBatch: true })
    const sends = Array.from({ length: 12 }, (_, i) => {
      return producer.sendAsync({ ...message(), shardingKey: `order-${i % 3}` })
    })
    const queues = (await scene.run(Promise.all(sends))).map(({ queue }) => queue)
    for (const [i, queue] of queues.entries()) expect(queue).toEqual(queues[i % 3])
    expect(new Set(queues.map(({ brokerName, queueId }) => brokerName + queueId)).size).toBe(3)
    const selector = selectByHash('order-1')
    const byHash = await scene.run(producer.send(message(), { selector }))
    expect(byHash.queue).toEqual(queues[1])
    const [first] = [...scene.broker(0).stored, ...scene.broker(1).stored]
    expect(first?.properties).toContain('\x02__SHARDINGKEY\x01order-')
    const other = { queue: { topic: TOPIC, brokerName: 'broker-a', queueId: 7 } }
    const named = await scene.run(producer.send({ ...message(), shardingKey: 'x' }, other))
    expect(named.queue).toEqual(other.queue)
  })

  test('may have a level of delay beyond the usual ones where brokers have them', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer({ delayLevels: 20 })
    await scene.run(producer.send({ ...message(), delayLevel: 20 }))
    expect(scene.broker().stored[0]?.properties).toContain('DELAY\x0120\x02')
    const error = await scene.run(failure(producer.send({ ...message(), delayLevel: 21 })))
    expect(error.message).toContain('21, 20 is the last one')
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'with %d ms to be sent in is refused before anything is sent',
    async (timeoutMs) => {
      const scene = await Scene.open()
      const producer = await scene.startedProducer()
      const error = await scene.run(failure(producer.send(message(), { timeoutMs })))
      expect(error).toMatchObject({ code: 'BAD_OPTION', retryable: false })
      expect(error.message).toContain('timeoutMs of a send is')
      expect([producer.inFlight, scene.broker().stored]).toEqual([0, []])
    },
  )

  test('may be sent without an answer', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    await scene.run(producer.sendOneway(message()))
    await scene.until(() => scene.broker().stored.length === 1)
    await scene.run(producer.close())
  })
})

describe('a batch', () => {
  test('is one request with a key for each message', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer()
    const batches: Buffer[] = []
    scene.broker().script.onSend = (_header, body) => {
      batches.push(body)
      return undefined
    }
    const result = await scene.run(
      producer.sendBatch([message('a'), { ...message('b'), tag: 'x' }, message('c'.repeat(5000))]),
    )
    expect(batches).toHaveLength(1)
    expect(decodeBatch(batches[0] ?? Buffer.alloc(0))).toHaveLength(3)
    expect(scene.broker().stored.map(({ body }) => body.length)).toEqual([1, 1, 5000])
    const ids = result.msgId.split(',')
    expect(new Set(ids).size).toBe(3)
    expect(scene.broker().stored[1]?.properties).toBe(
      `UNIQ_KEY\x01${ids[1]}\x02WAIT\x01true\x02TAGS\x01x\x02`,
    )
  })

  test('of messages that do not belong together, or too long, is refused', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxMessageBytes: 1000 })
    const others: [Message, string][] = [
      [{ topic: 'another', body: 'b' }, 'has a message to the topic "another"'],
      [{ ...message(), delayLevel: 3 }, 'has a message with a delay'],
      [{ ...message(), waitStored: false }, 'has a message with another waitStored'],
      [{ ...message(), shardingKey: 'a' }, 'has a message with another shardingKey'],
      [message('b'.repeat(950)), 'takes 1103 bytes, 1000 are allowed'],
    ]
    for (const [other, sentence] of others) {
      const error = await scene.run(failure(producer.sendBatch([message(), other])))
      expect(error.message).toContain(sentence)
    }
    const error = await scene.run(failure(producer.sendBatch([])))
    expect(error.message).toBe('a batch is empty: send at least one message')
  })
})

describe('a failed attempt', () => {
  const retryable = [17, 14, 1, 2, 16, 204, 205, 1500]

  test.each(retryable)('with answer %i is repeated on another broker', async (code) => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const producer = await scene.startedProducer()
    const retries: string[] = []
    producer.on('retry', ({ brokerName }) => retries.push(brokerName))
    scene.broker(0).script.onSend = () => ({ code, remark: 'not now' })
    for (let i = 0; i < 4; i++) {
      const result = await scene.run(producer.send(message()))
      expect(result.queue.brokerName).toBe('broker-b')
    }
    expect(retries.length).toBeGreaterThan(0)
    expect(new Set(retries)).toEqual(new Set(['broker-a']))
  })

  test('with an answer that the options name is repeated as well', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const producer = await scene.startedProducer({ retryResponseCodes: [13, 999] })
    scene.broker(0).script.onSend = () => ({ code: 999, remark: 'not now' })
    for (let i = 0; i < 4; i++) {
      const result = await scene.run(producer.send(message()))
      expect(result.queue.brokerName).toBe('broker-b')
    }
    const make = () => scene.producer({ retryResponseCodes: [0] })
    expect(make).toThrow('retryResponseCodes has 0: use codes of answers')
  })

  test.each([13, 26, 29, 3])('with answer %i is not repeated', async (code) => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const producer = await scene.startedProducer()
    let sends = 0
    for (const broker of scene.brokers) {
      broker.script.onSend = () => {
        sends++
        return { code, remark: 'never' }
      }
    }
    const error = await scene.run(failure(producer.send(message())))
    expect(error).toMatchObject({ code: 'BROKER_REFUSED', responseCode: code, retryable: false })
    expect(sends).toBe(1)
  })

  test.each<[number, string]>([
    [10, 'FLUSH_DISK_TIMEOUT'],
    [11, 'SLAVE_NOT_AVAILABLE'],
    [12, 'FLUSH_SLAVE_TIMEOUT'],
  ])('is none when the answer is %i: the message is stored', async (code, status) => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    scene.broker().script.onSend = ({ queueId }) => ({
      code,
      header: { msgId: 'x', queueId, queueOffset: 5 },
    })
    expect(await scene.run(producer.send(message()))).toMatchObject({ status, queueOffset: 5 })
  })

  test('is repeated twice, and then the sentence names the brokers and the last answer', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    scene.broker().script.onSend = () => ({ code: responseCode.SYSTEM_BUSY, remark: 'too much' })
    const error = await scene.run(failure(producer.send(message())))
    expect(error).toMatchObject({ code: 'BROKER_REFUSED', responseCode: 2, retryable: true })
    expect(error.message).toMatch(
      /^a message to "orders" failed 3 times in \d+ ms \(on broker-a, broker-a, broker-a\); /,
    )
    expect(error.message).toMatch(/too much: send more slowly, or add brokers$/)
  })

  test('is one whose broker was killed, and the message goes to the other', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const producer = await scene.startedProducer()
    await scene.run(producer.send(message()))
    scene.world.host('broker-a').kill()
    for (let i = 0; i < 6; i++) {
      const result = await scene.run(producer.send(message()))
      expect(result.queue.brokerName).toBe('broker-b')
    }
  })

  test('takes no more time than the send has', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const producer = await scene.startedProducer()
    let sends = 0
    for (const broker of scene.brokers) {
      broker.script.onSend = () => {
        sends++
        return silence()
      }
    }
    const startMs = scene.world.clock.monotonicMs()
    const error = await scene.run(failure(producer.send(message(), { timeoutMs: 700 })))
    expect(error).toMatchObject({ code: 'TIMEOUT', retryable: true })
    expect(scene.world.clock.monotonicMs() - startMs).toBeCloseTo(700, -1)
    await scene.world.clock.advance(1000)
    expect(sends).toBe(1)
  })

  test('leaves time for another one when attemptTimeoutMs says so', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const producer = await scene.startedProducer({ attemptTimeoutMs: 500 })
    scene.broker(0).script.onSend = () => silence()
    const results = await scene.run(Promise.all([1, 2, 3, 4].map(() => producer.send(message()))))
    for (const { queue } of results) expect(queue.brokerName).toBe('broker-b')
  })

  test('is the last when the signal aborts', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ attemptTimeoutMs: 500 })
    let sends = 0
    scene.broker().script.onSend = () => {
      sends++
      return silence()
    }
    const abort = new AbortController()
    const send = producer.send(message(), { signal: abort.signal }).catch((error) => error)
    scene.doors('producer').clock.after(50, () => abort.abort(new Error('no longer wanted')))
    expect(await scene.run(send)).toEqual(new Error('no longer wanted'))
    expect(scene.world.clock.monotonicMs()).toBeLessThan(1000)
    await scene.world.clock.advance(5000)
    expect(sends).toBe(1)
  })
})

describe('a topic without a route', () => {
  test('is created by the first message when brokers do that', async () => {
    const scene = await Scene.open()
    scene.routes.set('TBW102', scene.routeOf(8, 7))
    const producer = await scene.startedProducer()
    const result = await scene.run(producer.send({ topic: 'fresh', body: 'x' }))
    expect(result.queue.topic).toBe('fresh')
    expect(result.queue.queueId).toBeLessThan(4)
  })

  const cases: [string, string, RegExp, (scene: Scene) => void][] = [
    [
      'no broker creates topics',
      'auto-creation-off',
      /^the topic "fresh" does not exist, and no broker creates .*: create it with mqadmin/,
      () => {},
    ],
    [
      'no broker is registered',
      'no-broker',
      /^nobody takes messages of the topic "fresh": the name server knows no broker: start one/,
      (scene) => scene.brokers.splice(0),
    ],
    [
      'the name server is gone',
      'name-server-unreachable',
      /^the route of the topic "fresh" could not be asked for: no name server of .* answers/,
      (scene) => scene.world.host('namesrv').kill(),
    ],
    [
      'its master is gone',
      'no-usable-queue',
      /^the topic "fresh" exists, but none of its brokers \("broker-a"\) has a master/,
      (scene) => scene.routes.set('fresh', withoutMaster(scene)),
    ],
    [
      'it may not be written',
      'no-usable-queue',
      /^the topic "fresh" exists, but it may not be written on any of its brokers/,
      (scene) => scene.routes.set('fresh', scene.routeOf(4, 4)),
    ],
  ]

  test.each(cases)('says that %s', async (_what, reason, sentence, prepare) => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    prepare(scene)
    const error = await scene.run(failure(producer.send({ topic: 'fresh', body: 'x' })))
    expect(error).toMatchObject({ name: 'NoRouteError', code: 'NO_ROUTE', reason, topic: 'fresh' })
    expect(error.message).toMatch(sentence)
    expect(error.message.endsWith(error.hint)).toBe(true)
  })

  test('says to try again when brokers register while it is asked for', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    const send = failure(producer.send({ topic: 'fresh', body: 'x' }))
    await scene.until(() => scene.routeQuestions.filter((topic) => topic === 'TBW102').length === 2)
    scene.routes.set('TBW102', scene.routeOf(8, 7))
    const error = await scene.run(send)
    expect(error).toMatchObject({ reason: 'topic-missing', retryable: true })
    const result = await scene.run(producer.send({ topic: 'fresh', body: 'x' }))
    expect(result.status).toBe('SEND_OK')
  })

  test('says that there is no broker when the last one leaves while it is asked for', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    const send = failure(producer.send({ topic: 'fresh', body: 'x' }))
    await scene.until(() => scene.routeQuestions.filter((topic) => topic === 'TBW102').length === 3)
    scene.brokers.splice(0)
    expect(await scene.run(send)).toMatchObject({ reason: 'no-broker', retryable: true })
  })

  test('gets the queues of a broker that registers with it while it is asked for', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    const sends = Array.from({ length: 8 }, () => producer.send({ topic: 'late', body: 'x' }))
    await scene.until(() => scene.routeQuestions.includes('late'))
    scene.routes.set('TBW102', scene.routeOf(8, 7))
    scene.routes.set('late', scene.routeOf(1))
    const results = await scene.run(Promise.all(sends))
    expect(results.map(({ queue }) => queue.queueId)).toEqual(results.map(() => 0))
  })

  function withoutMaster(scene: Scene) {
    const route = scene.routeOf(4)
    const brokerDatas = route.brokerDatas.map((data) => ({
      ...data,
      brokerAddrs: new Map([[1, scene.broker().address]]),
    }))
    return { ...route, brokerDatas }
  }
})
