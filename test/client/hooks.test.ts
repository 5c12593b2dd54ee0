/** Hooks see each send and each call of a handler, and change nothing but what they may. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ConsumerHook, ProducerHook, SendEnd, Sending } from '@rockhopper/client'
import { decodeProperties } from '@rockhopper/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'

const boom = new Error('boom')

/** Notes what it is told. */
class Witness implements ProducerHook {
  readonly name = 'witness'
  readonly before: Sending[] = []
  readonly after: [Sending, SendEnd][] = []

  beforeSend(sending: Sending): void {
    this.before.push(sending)
  }

  afterSend(sending: Sending, end: SendEnd): void {
    this.after.push([sending, end])
  }
}

/** Throws wherever it is asked. */
const broken: ProducerHook & ConsumerHook = {
  name: 'broken',
  prepare() {
    throw boom
  },
  beforeSend() {
    throw boom
  },
  afterSend() {
    throw boom
  },
  beforeConsume() {
    throw boom
  },
  afterConsume() {
    throw boom
  },
}

describe('a hook of a producer', () => {
  test('sees a send begin and end, with one and the same object', async () => {
    const scene = await Scene.open()
    const witness = new Witness()
    const producer = await scene.startedProducer({ hooks: [witness] })
    const message = { topic: TOPIC, body: 'hello', delayLevel: 2 }
    const result = await scene.run(producer.send(message))
    const [[sending, end] = []] = witness.after
    expect(witness.before[0]).toBe(sending)
    expect(sending).toMatchObject({
      ...{ group: 'senders', topic: TOPIC, messages: [message], kind: 'delayed', mode: 'answered' },
    })
    expect(end).toMatchObject({ kind: 'sent', result, brokerAddress: scene.broker().address })
  })

  test.each(['send', 'sendAsync', 'sendOneway', 'sendBatch', 'request'] as const)(
    'sees how %s fails, also before anything goes to a broker',
    async (method) => {
      const scene = await Scene.open()
      const witness = new Witness()
      const producer = await scene.startedProducer({ hooks: [witness] })
      const bad = { topic: TOPIC, body: '' }
      const sent = method === 'sendBatch' ? producer.sendBatch([bad]) : producer[method](bad)
      const error = await scene.run(failure(sent))
      expect(error.code).toBe('BAD_MESSAGE')
      expect(witness.after.map(([, end]) => end)).toEqual([
        { kind: 'failed', error, tookMs: expect.any(Number) },
      ])
    },
  )

  test('sees one send where there were several attempts', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const witness = new Witness()
    const producer = await scene.startedProducer({ hooks: [witness] })
    let isFirst = true
    for (const { script } of scene.brokers) {
      script.onSend = () => {
        if (!isFirst) return undefined
        isFirst = false
        return { code: 14, remark: 'full' }
      }
    }
    await scene.run(producer.send({ topic: TOPIC, body: 'hello' }))
    expect(witness.after).toHaveLength(1)
  })

  test('sees what is sent one way, without a result, and a batch as a whole', async () => {
    const scene = await Scene.open()
    const witness = new Witness()
    const producer = await scene.startedProducer({ hooks: [witness] })
    await scene.run(producer.sendOneway({ topic: TOPIC, body: 'a' }))
    await scene.run(producer.sendBatch(['b', 'c'].map((body) => ({ topic: TOPIC, body }))))
    const told = witness.after.map(([sending, end]) => [
      sending.mode,
      sending.messages.map(({ body }) => body).join(),
      end.kind === 'sent' && end.result?.msgId.split(',').length,
    ])
    expect(told).toEqual([
      ['oneway', 'a', undefined],
      ['answered', 'b,c', 2],
    ])
  })

  test('gives messages their properties, also those that share a request', async () => {
    const scene = await Scene.open()
    const mark: ProducerHook = {
      name: 'mark',
      prepare: (message) => ({ ...message, properties: { mark: `m${message.body}` } }),
    }
    const producer = await scene.startedProducer({ hooks: [mark], autoBatch: true })
    const bodies = ['a', 'b', 'c']
    await scene.run(Promise.all(bodies.map((body) => producer.send({ topic: TOPIC, body }))))
    const marks = scene.broker().stored.map(({ properties }) => decodeProperties(properties))
    expect(marks.map((each) => each.get('mark'))).toEqual(['ma', 'mb', 'mc'])
  })

  test('that throws changes nothing, and is told of', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ hooks: [broken] })
    const failed: string[] = []
    producer.on('hookFailed', ({ hook, during, error }) => {
      failed.push(`${hook} ${during} ${error === boom}`)
    })
    const result = await scene.run(producer.send({ topic: TOPIC, body: 'hello' }))
    expect(result.status).toBe('SEND_OK')
    expect(failed).toEqual(['prepare', 'beforeSend', 'afterSend'].map((at) => `broken ${at} true`))
  })
})

describe('a hook that forbids', () => {
  test.each(['send', 'sendAsync', 'sendOneway', 'sendBatch'] as const)(
    'ends %s at once: nothing goes to any broker',
    async (method) => {
      const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
      const asked: string[] = []
      const guard: ProducerHook = {
        name: 'guard',
        checkForbidden({ queue, brokerAddress, messages }) {
          asked.push(`${queue.topic} ${messages.length} ${typeof brokerAddress}`)
          throw new Error('not on Sundays')
        },
      }
      const producer = await scene.startedProducer({ hooks: [guard] })
      const message = { topic: TOPIC, body: 'hello' }
      const sent =
        method === 'sendBatch' ? producer.sendBatch([message]) : producer[method](message)
      const error = await scene.run(failure(sent))
      expect([error.code, error.retryable]).toEqual(['FORBIDDEN', false])
      expect(error.message).toMatch(/"guard" forbids a message to "orders": not on Sundays/)
      expect(asked).toHaveLength(1)
      expect(scene.brokers.flatMap(({ stored }) => stored)).toEqual([])
      expect(producer.inFlight).toBe(0)
    },
  )

  test('is asked before each attempt', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    const asked: string[] = []
    const guard: ProducerHook = {
      name: 'guard',
      checkForbidden: ({ queue }) => void asked.push(queue.brokerName),
    }
    const producer = await scene.startedProducer({ hooks: [guard] })
    for (const { script } of scene.brokers) script.onSend = () => ({ code: 14, remark: 'full' })
    await scene.run(failure(producer.send({ topic: TOPIC, body: 'hello' })))
    expect(asked).toHaveLength(3)
    expect(new Set(asked).size).toBe(2)
  })
})

describe('a hook of a consumer', () => {
  async function consumed(
    hook: ConsumerHook,
    handle: (body: string) => void | Promise<void>,
    options: Parameters<Scene['consumer']>[0] = {},
  ): Promise<Scene> {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'hello', { UNIQ_KEY: 'id' })
    const consumer = scene
      .consumer({ hooks: [hook], ...options })
      .subscribe(TOPIC, '*', ({ body }) => handle(body.toString()))
    await scene.run(consumer.start())
    await scene.world.clock.advance(3_000)
    return scene
  }

  test.each([
    ['returns', () => undefined, 'success'],
    ['resolves', () => Promise.resolve(), 'success'],
    [
      'throws',
      () => {
        throw boom
      },
      'exception',
    ],
    ['rejects', () => Promise.reject(boom), 'exception'],
  ])('sees a handler that %s', async (_, handle, end) => {
    const seen: unknown[] = []
    const hook: ConsumerHook = {
      name: 'witness',
      beforeConsume: (consuming) => void seen.push(consuming),
      afterConsume: (consuming, ended) => void seen.push(consuming, ended),
    }
    const scene = await consumed(hook, handle)
    const [before, after, ended] = seen
    expect(before).toBe(after)
    expect(before).toMatchObject({
      ...{ group: 'shop', queue: { topic: TOPIC, brokerName: 'broker-a', queueId: 0 } },
      messages: [{ msgId: 'id' }],
    })
    const error = end === 'exception' ? boom : undefined
    expect(ended).toEqual({ end, error, tookMs: expect.any(Number) })
    expect(scene.broker().sentBack).toHaveLength(end === 'exception' ? 1 : 0)
  })

  test('is told that a handler took too long when it ends after it was given up', async () => {
    const ends: string[] = []
    const hook: ConsumerHook = {
      name: 'witness',
      afterConsume: (_, { end }) => void ends.push(end),
    }
    let done = (): void => undefined
    const ended = new Promise<void>((resolve) => {
      done = resolve
    })
    const scene = await consumed(hook, () => ended, { consumeTimeoutMs: 1_000 })
    expect(ends).toEqual([])
    done()
    await scene.world.clock.advance(10)
    expect(ends).toEqual(['timeout'])
  })

  test('is told what the handler of a batch says of its messages', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 3; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const ends: string[] = []
    const hook: ConsumerHook = {
      name: 'witness',
      afterConsume: ({ messages }, { end }) => void ends.push(`${messages.length} ${end}`),
    }
    const consumer = scene
      .consumer({ hooks: [hook] })
      .subscribe(TOPIC)
      .onMessages((_messages, context) => {
        context.ackIndex = 1
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(3_000)
    expect(ends).toEqual(['3 failed'])
  })

  test('runs the handler within something of its own, the first hook outermost', async () => {
    const steps: string[] = []
    const around = (name: string): ConsumerHook => ({
      name,
      around(_, run) {
        steps.push(`${name} in`)
        const result = run()
        steps.push(`${name} out`)
        return result
      },
    })
    const hooks = [around('a'), around('b')]
    await consumed(broken, () => void steps.push('handler'), { hooks })
    expect(steps).toEqual(['a in', 'b in', 'handler', 'b out', 'a out'])
  })

  test('sees the messages of a loop', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'hello')
    const ends: string[] = []
    const hook: ConsumerHook = {
      name: 'witness',
      afterConsume: (_, { end }) => void ends.push(end),
    }
    const consumer = scene.consumer({ hooks: [hook] })
    const stream = consumer.messages(TOPIC)
    await scene.run(consumer.start())
    await scene.run(stream.next())
    stream.ack()
    await scene.world.clock.advance(10)
    expect(ends).toEqual(['success'])
  })

  test('sees what is fetched, and that it is consumed when more is asked for', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (const body of ['a', 'b', 'c', 'd']) scene.broker().put(TOPIC, 0, body)
    const told: string[] = []
    const hook: ConsumerHook = {
      name: 'witness',
      beforeConsume: ({ messages, group }) => {
        told.push(`${group} gets ${messages.map(({ body }) => body).join()}`)
      },
      afterConsume: ({ messages }, { end }) => {
        told.push(`${messages.map(({ body }) => body).join()}: ${end}`)
      },
    }
    const consumer = scene.litePuller({ hooks: [hook], pullBatchSize: 2 })
    await scene.run(consumer.subscribe(TOPIC).start())
    await scene.world.clock.advance(1_000)
    expect(await scene.run(consumer.poll())).toHaveLength(2)
    expect(told).toEqual(['shop gets a,b'])
    await scene.run(consumer.poll(0))
    expect(told).toEqual(['shop gets a,b', 'a,b: success', 'shop gets c,d'])
    await scene.run(consumer.poll(0))
    scene.broker().put(TOPIC, 0, 'e')
    const loop = consumer[Symbol.asyncIterator]()
    await scene.run(loop.next())
    await scene.run(loop.return())
    await scene.run(consumer.poll())
    await scene.run(consumer.close())
    const last = ['shop gets e', 'e: failed']
    expect(told.slice(3)).toEqual(['c,d: success', ...last, ...last])
  })

  test('that throws changes nothing, and is told of', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'hello')
    const got: string[] = []
    const failed: string[] = []
    const consumer = scene
      .consumer({ hooks: [broken] })
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
      .on('hookFailed', ({ during }) => failed.push(during))
    await scene.run(consumer.start())
    await scene.world.clock.advance(10_000)
    expect(got).toEqual(['hello'])
    expect(failed).toEqual(['beforeConsume', 'afterConsume'])
    expect(scene.broker().sentBack).toEqual([])
  })
})

describe('a channel of node:diagnostics_channel', () => {
  const heard: [string, unknown][] = []
  const listen = (message: unknown, name: string | symbol): void => {
    heard.push([String(name), message])
  }
  const names = ['send.start', 'send.end', 'consume.start', 'consume.end'].map(
    (name) => `rockhopper.client.${name}`,
  )

  afterEach(() => {
    for (const name of names) unsubscribe(name, listen)
    heard.length = 0
  })

  test('has sends and handlers for who subscribes, when he does', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer()
    const consumer = scene.consumer().subscribe(TOPIC, '*', () => undefined)
    await scene.run(consumer.start())
    await scene.run(producer.send({ topic: TOPIC, body: 'before' }))
    await scene.world.clock.advance(100)
    for (const name of names) subscribe(name, listen)
    await scene.run(producer.send({ topic: TOPIC, body: 'hello' }))
    await scene.world.clock.advance(100)
    expect(heard.map(([name]) => name).sort()).toEqual([...names].sort())
    const told = Object.fromEntries(heard)
    expect(told['rockhopper.client.send.end']).toMatchObject({
      sending: { messages: [{ body: 'hello' }] },
      end: { kind: 'sent', result: { status: 'SEND_OK' } },
    })
    expect(told['rockhopper.client.consume.end']).toMatchObject({
      consuming: { group: 'shop' },
      end: { end: 'success' },
    })
  })
})
