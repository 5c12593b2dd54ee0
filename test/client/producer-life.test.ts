/** A producer begins, follows the cluster as that changes, and ends in order. */
import { ClientError, type Message } from '@rockhopper/client'
import { describe, expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'

const message = (body = 'hello'): Message => ({ topic: TOPIC, body })

describe('start', () => {
  test('fails when no name server answers, and may be called again', async () => {
    const scene = await Scene.open()
    scene.world.host('namesrv').kill()
    const producer = scene.producer()
    const error = await scene.run(failure(producer.start()))
    expect(error).toMatchObject({ code: 'NAME_SERVER_UNREACHABLE', retryable: true })
    scene.world.host('namesrv').restart()
    await scene.openNamesrv()
    await scene.run(producer.start())
    expect((await scene.run(producer.send(message()))).status).toBe('SEND_OK')
  })

  test('finds the name server that lives', async () => {
    const scene = await Scene.open()
    const namesrvAddr = `10.9.9.9:9876;${scene.namesrvAddr}`
    for (let i = 0; i < 4; i++) await scene.run(scene.producer({ namesrvAddr }).start())
  })

  test('is the only time that is lost on a name server without power', async () => {
    const scene = await Scene.open()
    scene.world.host('off').crash()
    const namesrvAddr = `${scene.world.host('off').ip}:9876;${scene.namesrvAddr}`
    const spent: number[] = []
    for (let i = 0; i < 12; i++) {
      const beforeMs = scene.world.clock.monotonicMs()
      const producer = await scene.startedProducer({ namesrvAddr })
      const startMs = scene.world.clock.monotonicMs()
      spent.push(startMs - beforeMs)
      await scene.run(producer.send(message()))
      expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(100)
    }
    // Some began with the dead one.
    expect(Math.max(...spent)).toBeGreaterThan(2900)
  })

  test('comes before the first send, and no send after close', async () => {
    const scene = await Scene.open()
    const producer = scene.producer()
    expect(await scene.run(failure(producer.send(message())))).toMatchObject({
      code: 'NOT_STARTED',
    })
    const starts = [producer.start(), failure(producer.start())]
    await scene.run(Promise.all(starts))
    expect(await starts[1]).toMatchObject({ code: 'BAD_OPTION' })
    await scene.run(producer.close())
    expect(await scene.run(failure(producer.send(message())))).toMatchObject({ code: 'CLOSED' })
    expect(await scene.run(failure(producer.start()))).toMatchObject({ code: 'CLOSED' })
  })

  test.each<[object, string]>([
    [{ namesrvAddr: 'nonsense' }, 'the name server "nonsense" is not an address'],
    [{ namesrvAddr: undefined }, 'no name server is given: set the option namesrvAddr or'],
    [{ group: undefined }, 'no group is given: choose a name for the option group'],
    [{ group: '' }, 'the name of the group is empty'],
    [{ group: 'DEFAULT_PRODUCER' }, 'is reserved'],
    [{ retries: -1 }, 'retries is -1: use a whole number from 0 to 100'],
    [{ sendTimeoutMs: 0.5 }, 'sendTimeoutMs is 0.5: use a whole number from 1 to 3600000'],
    [{ whenFull: 'explode' }, 'whenFull is "explode": use "wait" or "fail"'],
  ])('is not even reached with the options %j', async (options, sentence) => {
    const scene = await Scene.open()
    expect(() => scene.producer(options)).toThrow(sentence)
    expect(() => scene.producer(options)).toThrow(ClientError)
  })
})

describe('close', () => {
  test('waits for what is in flight, then takes leave of the brokers', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    await scene.run(producer.send(message()))
    scene.broker().script.onSend = async () => {
      await new Promise<void>((resolve) => scene.doors('broker-a').clock.after(1000, resolve))
      return undefined
    }
    const sends = [1, 2, 3].map(() => producer.sendAsync(message()))
    const closing = producer.close()
    const results = await scene.run(Promise.all(sends))
    expect(results.map(({ status }) => status)).toEqual(['SEND_OK', 'SEND_OK', 'SEND_OK'])
    await scene.run(closing)
    expect(scene.broker().left).toEqual([producer.clientId])
    expect(scene.broker().stored).toHaveLength(4)
    await scene.until(() => scene.broker().connections.length === 0)
  })

  test('leaves no task behind on the clock', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    await scene.run(producer.send(message()))
    const before = scene.world.clock.pendingCount
    await scene.run(producer.close())
    await scene.world.clock.advance(200)
    expect(scene.world.clock.pendingCount).toBeLessThan(before)
  })
})

describe('a producer', () => {
  test('tells brokers every 30 s that it lives', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    await scene.run(producer.send(message()))
    await scene.world.clock.advance(90_000)
    const { heartbeats } = scene.broker()
    expect(heartbeats.length).toBeGreaterThanOrEqual(3)
    expect(heartbeats[0]).toMatchObject({
      clientID: producer.clientId,
      producerDataSet: [{ groupName: 'senders' }],
      consumerDataSet: [],
    })
  })

  test('sends to a new broker of the topic within 30 s', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'] })
    scene.routes.set(TOPIC, scene.routeOf(1, 6, scene.brokers.slice(0, 1)))
    const producer = await scene.startedProducer()
    await scene.run(producer.send(message()))
    scene.routes.set(TOPIC, scene.routeOf(1))
    await scene.world.clock.advance(31_000)
    await scene.run(Promise.all([1, 2].map(() => producer.send(message()))))
    expect(scene.broker(1).stored).toHaveLength(1)
  })

  test('follows a broker to another address', async () => {
    const scene = await Scene.open()
    scene.routes.set('deleted', scene.routeOf(4))
    const producer = await scene.startedProducer()
    await scene.run(producer.send(message()))
    await scene.run(producer.send({ topic: 'deleted', body: 'x' }))
    scene.world.host('broker-a').kill()
    await scene.reopenBroker('broker-a', 'elsewhere')
    scene.routes.set(TOPIC, scene.routeOf(4))
    // Its route is not renewed any more, and still names the old address.
    scene.routes.delete('deleted')
    await scene.world.clock.advance(31_000)
    await scene.run(producer.send(message()))
    expect(scene.broker().stored).toHaveLength(1)
  })

  test('gives up a connection on which no heartbeat is answered', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ retries: 0 })
    await scene.run(producer.send(message()))
    scene.world.network.partition(['producer'], ['broker-a'])
    expect(await scene.run(failure(producer.send(message())))).toMatchObject({ code: 'TIMEOUT' })
    await scene.world.clock.advance(35_000)
    expect(await scene.run(failure(producer.send(message())))).toMatchObject({
      code: 'BROKER_UNREACHABLE',
    })
    scene.world.network.heal()
    await scene.world.clock.advance(5000)
    expect((await scene.run(producer.send(message()))).status).toBe('SEND_OK')
  })

  test('comes back to a broker that was started again', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ retries: 0 })
    await scene.run(producer.send(message()))
    scene.world.host('broker-a').kill()
    expect(await scene.run(failure(producer.send(message())))).toMatchObject({
      code: 'BROKER_UNREACHABLE',
      retryable: true,
    })
    scene.world.host('broker-a').restart()
    await scene.reopenBroker('broker-a')
    expect((await scene.run(producer.send(message()))).status).toBe('SEND_OK')
  })

  test('can be used with `await using`', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer()
    await scene.run(producer[Symbol.asyncDispose]())
    expect(await scene.run(failure(producer.send(message())))).toMatchObject({ code: 'CLOSED' })
  })
})
