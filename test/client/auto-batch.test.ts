/** Sends share requests when they come close together, and nobody is worse off for it. */
import {
  type DefaultProducer,
  type Message,
  type ProducerOptions,
  selectByIndex,
} from '@rockhopper/client'
import { decodeBatch, responseCode } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { failure, Scene, type SceneOptions, TOPIC } from './scene.ts'
import { silence } from './scripted-broker.ts'

const message = (body = 'hello', rest: Partial<Message> = {}): Message => ({
  topic: TOPIC,
  body,
  ...rest,
})

/** A cluster, a producer that knows its route, and the sizes of the requests that come. */
async function opened(options: Partial<ProducerOptions> = {}, sceneOptions: SceneOptions = {}) {
  const scene = await Scene.open({ queues: 1, ...sceneOptions })
  const producer = await scene.startedProducer({ autoBatch: true, ...options })
  await scene.run(producer.send(message('first')))
  const requests: string[][] = []
  const note = (isBatch: boolean | undefined, body: Buffer): string[] => {
    const bodies = isBatch === true ? decodeBatch(body).map((entry) => entry.body) : [body]
    const request = bodies.map((each) => each.toString())
    requests.push(request)
    return request
  }
  for (const broker of scene.brokers) {
    broker.script.onSend = ({ batch }, body) => {
      note(batch, body)
      return undefined
    }
  }
  return { scene, producer, requests, note }
}

const sendAll = (producer: DefaultProducer, bodies: readonly string[]) =>
  bodies.map((body) => producer.sendAsync(message(body)))

const letters = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`)

describe('when a shared request fails', () => {
  test('every caller hears of it, and nothing stays in flight', async () => {
    const { scene, producer, note } = await opened({ retries: 0 })
    scene.broker().script.onSend = ({ batch }, body) => {
      note(batch, body)
      return { code: responseCode.SYSTEM_BUSY, remark: 'too much' }
    }
    const sends = sendAll(producer, letters(5)).map(failure)
    for (const error of await scene.run(Promise.all(sends))) {
      expect(error).toMatchObject({ code: 'BROKER_REFUSED', responseCode: 2, retryable: true })
    }
    expect(producer.inFlight).toBe(0)
  })

  test('because its broker was killed, each message is asked for as often as one alone', async () => {
    const { scene, producer, requests, note } = await opened({ attemptTimeoutMs: 500 })
    let attempts = 0
    scene.broker().script.onSend = ({ batch }, body) => {
      attempts++
      note(batch, body)
      return silence()
    }
    const sends = sendAll(producer, letters(4)).map(failure)
    await scene.until(() => attempts > 0)
    scene.world.host('broker-a').kill()
    for (const error of await scene.run(Promise.all(sends))) {
      expect(error).toMatchObject({ code: 'BROKER_UNREACHABLE', attempts: 3 })
    }
    expect(requests).toEqual([letters(4)])
    expect(producer.inFlight).toBe(0)
  })

  test('it goes as a whole to another broker, once', async () => {
    const { scene, producer, requests } = await opened({}, { brokers: ['broker-a', 'broker-b'] })
    let refused = 0
    scene.broker(0).script.onSend = () => {
      refused++
      return { code: responseCode.SERVICE_NOT_AVAILABLE, remark: 'not now' }
    }
    const before = scene.broker(1).stored.length
    for (let i = 0; i < 2; i++) await scene.run(Promise.all(sendAll(producer, letters(3))))
    expect(refused).toBeGreaterThan(0)
    expect(requests).toEqual([letters(3), letters(3)])
    expect(scene.broker(1).stored).toHaveLength(before + 6)
  })

  test('for what it holds, only the message to blame fails', async () => {
    const { scene, producer, note } = await opened()
    scene.broker().script.onSend = ({ batch }, body) =>
      note(batch, body).includes('m1')
        ? { code: responseCode.MESSAGE_ILLEGAL, remark: 'not this one' }
        : undefined
    const [good, bad, alsoGood] = sendAll(producer, letters(3))
    const error = failure(bad ?? Promise.reject(new Error('none was sent')))
    const results = await scene.run(Promise.all([good, alsoGood]))
    expect(results.map((result) => result?.status)).toEqual(['SEND_OK', 'SEND_OK'])
    expect(await scene.run(error)).toMatchObject({ responseCode: 13 })
    const bodies = scene.broker().stored.map(({ body }) => body.toString())
    expect(bodies).toEqual(['first', 'm0', 'm2'])
    expect(producer.inFlight).toBe(0)
  })

  test('for what it holds after an attempt of unknown end, nothing is sent once more', async () => {
    const { scene, producer, requests, note } = await opened({ attemptTimeoutMs: 100 })
    let attempts = 0
    scene.broker().script.onSend = ({ batch }, body) => {
      note(batch, body)
      return attempts++ === 0 ? silence() : { code: responseCode.MESSAGE_ILLEGAL, remark: 'no' }
    }
    const sends = sendAll(producer, letters(2)).map(failure)
    for (const error of await scene.run(Promise.all(sends))) {
      expect(error).toMatchObject({ responseCode: 13, attempts: 2 })
    }
    expect(requests).toEqual([letters(2), letters(2)])
  })

  test('a message that breaks a rule fails before it shares anything', async () => {
    const { scene, producer, requests } = await opened()
    const bad = failure(producer.sendAsync(message('')))
    const good = producer.sendAsync(message('good'))
    expect(await scene.run(bad)).toMatchObject({ code: 'BAD_MESSAGE' })
    expect((await scene.run(good)).status).toBe('SEND_OK')
    expect(requests).toEqual([['good']])
  })

  test('a request without an answer holds others back no longer than the hold time', async () => {
    const { scene, producer, note } = await opened({ autoBatchHoldMs: 20 })
    scene.broker().script.onSend = ({ batch }, body) =>
      note(batch, body).includes('m0') ? silence() : undefined
    const stuck = failure(producer.sendAsync(message('m0'), { timeoutMs: 3000 }))
    await scene.world.clock.advance(1)
    const startMs = scene.world.clock.monotonicMs()
    await scene.run(Promise.all(['a', 'b'].map((body) => producer.send(message(body), ALIKE))))
    expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(100)
    expect(await scene.run(stuck)).toMatchObject({ code: 'TIMEOUT' })
  })

  test('who gives up before the request goes is not in it', async () => {
    const { scene, producer, requests } = await opened()
    const abort = new AbortController()
    const first = producer.sendAsync(message('a'), { signal: abort.signal }).catch(() => 'gave up')
    const second = producer.sendAsync(message('b'))
    abort.abort()
    expect(await scene.run(first)).toBe('gave up')
    await scene.run(second)
    expect(requests).toEqual([['b']])
    expect(producer.inFlight).toBe(0)
  })

  test('a producer that closes waits for those that gather', async () => {
    const { scene, producer } = await opened()
    const sends = sendAll(producer, letters(3))
    await scene.run(producer.close())
    expect((await Promise.all(sends)).map(({ queueOffset }) => queueOffset)).toEqual([1, 2, 3])
  })
})

const ALIKE = { timeoutMs: 3000 }

describe('sends', () => {
  test('of one turn go with one request, and each gets its own result', async () => {
    const { scene, producer, requests } = await opened()
    const results = await scene.run(Promise.all(sendAll(producer, letters(4))))
    expect(requests).toEqual([letters(4)])
    expect(results.map(({ queueOffset }) => queueOffset)).toEqual([1, 2, 3, 4])
    expect(results.map(({ offsetMsgId }) => offsetMsgId)).toEqual(
      [1, 2, 3, 4].map((offset) => `broker-a-${offset}`),
    )
    for (const [i, { properties }] of scene.broker().stored.slice(1).entries()) {
      expect(properties).toContain(`UNIQ_KEY\x01${results[i]?.msgId}\x02`)
    }
    expect(new Set(results.map(({ msgId }) => msgId)).size).toBe(4)
  })

  test('while a request is on its way gather for the next', async () => {
    const { scene, producer, requests } = await opened({ autoBatchHoldMs: 1000 })
    const first = producer.sendAsync(message('alone'))
    await Promise.resolve()
    const later = letters(3).map(async (body) => {
      await Promise.resolve()
      return await producer.sendAsync(message(body))
    })
    await scene.run(Promise.all([first, ...later]))
    expect(requests).toEqual([['alone'], letters(3)])
  })

  test('one after the other wait for nothing and are ordinary requests', async () => {
    const { scene, producer, requests } = await opened({ autoBatchHoldMs: 30_000 })
    const plain = await scene.startedProducer()
    await scene.run(plain.send(message('route')))
    const spentMs = async (sender: DefaultProducer): Promise<number> => {
      const startMs = scene.world.clock.monotonicMs()
      for (let i = 0; i < 3; i++) await scene.run(sender.send(message('x')))
      return scene.world.clock.monotonicMs() - startMs
    }
    expect(await spentMs(producer)).toBeLessThanOrEqual((await spentMs(plain)) + 3)
    expect(requests.filter(([body]) => body === 'x')).toHaveLength(6)
  })

  test('share a request up to its limit of bytes', async () => {
    const { scene, producer, requests } = await opened({ autoBatchBytes: 1000 })
    const sends = sendAll(
      producer,
      Array.from({ length: 20 }, () => 'x'.repeat(100)),
    )
    await scene.run(Promise.all(sends))
    expect(requests.length).toBeGreaterThan(3)
    for (const request of requests) expect(request.length).toBeLessThanOrEqual(5)
  })

  test('that no longer fit gather with later ones behind the full request', async () => {
    const { scene, producer, requests, note } = await opened({
      autoBatchBytes: 1000,
      autoBatchHoldMs: 1000,
    })
    scene.broker().script.onSend = async ({ batch }, body) => {
      note(batch, body)
      await scene.pause('broker-a', 50)
      return undefined
    }
    const sends = sendAll(producer, new Array(7).fill('x'.repeat(100)))
    await scene.world.clock.advance(20)
    sends.push(producer.sendAsync(message('later')))
    await scene.run(Promise.all(sends))
    expect(requests.map((request) => request.length)).toEqual([5, 3])
  })

  test.each<[string, Partial<Message>]>([
    ['delays', { delayLevel: 1 }],
    ['times', { deliverAtMs: 1e12 }],
    ['compressed bodies', { body: 'a'.repeat(5000) }],
    ['retry topics', { topic: '%RETRY%group' }],
  ])('with %s go by themselves', async (_what, part) => {
    const { scene, producer, requests } = await opened()
    scene.routes.set('%RETRY%group', scene.routeOf(1))
    const sends = [1, 2].map(() => producer.sendAsync({ ...message(), ...part }))
    await scene.run(Promise.all(sends))
    expect(requests).toHaveLength(2)
  })

  test('that differ in topic, queue or terms do not share', async () => {
    const { scene, producer, requests } = await opened({}, { queues: 2 })
    scene.routes.set('other', scene.routeOf(1))
    const selector = selectByIndex(1)
    await scene.run(
      Promise.all([
        producer.sendAsync(message('a')),
        producer.sendAsync(message('b', { waitStored: false })),
        producer.sendAsync(message('c', { topic: 'other' })),
        producer.sendAsync(message('d'), { selector }),
        producer.sendAsync(message('e'), {
          queue: { topic: TOPIC, brokerName: 'broker-a', queueId: 1 },
        }),
        producer.sendAsync(message('f'), { timeoutMs: 1234 }),
      ]),
    )
    expect(requests.map((request) => request.join('')).sort()).toEqual(['a', 'b', 'c', 'de', 'f'])
  })

  test('to a queue that a selector picks go there, though it would pick another the next time', async () => {
    const { scene, producer } = await opened({}, { queues: 8 })
    let calls = 0
    const selector = selectByIndexOf(() => calls++)
    const results = await scene.run(
      Promise.all(letters(3).map((body) => producer.sendAsync(message(body), { selector }))),
    )
    expect(results.map(({ queue }) => queue.queueId)).toEqual([0, 1, 2])
    expect(calls).toBe(3)
  })

  test('keep to the limit of what is in flight', async () => {
    const { scene, producer } = await opened({ maxInFlight: 4 })
    const sends = sendAll(producer, letters(50))
    expect(producer.inFlight).toBe(4)
    await scene.run(Promise.all(sends))
    expect(scene.broker().stored.map(({ body }) => body.toString())).toEqual([
      'first',
      ...letters(50),
    ])
    expect(producer.inFlight).toBe(0)
  })
})

function selectByIndexOf(index: () => number) {
  return (...given: Parameters<ReturnType<typeof selectByIndex>>) =>
    selectByIndex(index())(...given)
}
