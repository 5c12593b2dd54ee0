/** Connections that are dead without a word, as TCP's are when a network has lost everything for long. */
import { type Host, NetworkError, pause, type Stream, type StreamEvents } from '@rockhopper/host'
import { describe, expect, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'

const CUT_MS = 14_000
/** So soon after the network everything is to work again. */
const HEAL_MS = 10_000

/**
 * A network that loses everything while it is cut. A stream that has lost something stays dead, for the
 * kernel would try again only much later; nobody is told.
 */
class Blackhole {
  isCut = false
  /** Streams that were made. */
  connected = 0

  doors(given: Host): Host {
    const { connect, listen } = given.network
    const network: Host['network'] = {
      connect: async (address, timeoutMs) => {
        if (this.isCut) {
          await pause(given.clock, timeoutMs)
          throw new NetworkError('ETIMEDOUT', 'nobody answers')
        }
        this.connected++
        return this.#stream(await connect.call(given.network, address, timeoutMs))
      },
      listen: listen.bind(given.network),
    }
    return { ...given, network }
  }

  #stream(stream: Stream): Stream {
    let isDead = false
    const passes = (): boolean => {
      isDead ||= this.isCut
      return !isDead
    }
    const attach = (events: StreamEvents): void => {
      stream.attach({
        data: (chunk) => (passes() ? events.data(chunk) : undefined),
        drained: () => events.drained(),
        closed: (cause) => events.closed(cause),
      })
    }
    const write = (chunks: readonly Uint8Array[]): void => {
      if (passes()) stream.write(chunks)
    }
    return new Proxy(stream, {
      get(target, key: string & keyof Stream) {
        if (key === 'attach') return attach
        if (key === 'write') return write
        const value = target[key]
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

describe('when the network has lost everything for a while', () => {
  test('a consumer gets new messages soon after, though its pull was held', async () => {
    const scene = await Scene.open({ queues: 1 })
    const network = new Blackhole()
    const got: string[] = []
    const consumer = scene
      .consumer({ host: network.doors(scene.doors('consumer')) })
      .subscribe(TOPIC, '*', ({ body }) => {
        got.push(body.toString())
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(1_000)
    network.isCut = true
    await scene.world.clock.advance(CUT_MS)
    scene.broker().put(TOPIC, 0, 'new')
    network.isCut = false
    await scene.world.clock.advance(HEAL_MS)
    expect(got).toEqual(['new'])
    await scene.run(consumer.close())
  })

  test('a producer is acknowledged soon after', async () => {
    const scene = await Scene.open({ queues: 1 })
    const network = new Blackhole()
    const producer = await scene.startedProducer({
      host: network.doors(scene.doors('producer')),
      retries: 0,
    })
    const send = (): Promise<string> => {
      const sent = producer.send({ topic: TOPIC, body: Buffer.from('hello') })
      return scene.run(
        sent.then(
          ({ status }) => status,
          (error: Error) => error.name,
        ),
      )
    }
    expect(await send()).toBe('SEND_OK')
    await scene.world.clock.advance(1_000)
    network.isCut = true
    const cutMs = scene.world.clock.monotonicMs()
    while (scene.world.clock.monotonicMs() < cutMs + CUT_MS)
      expect(await send()).toBe('ClientError')
    network.isCut = false
    const healedMs = scene.world.clock.monotonicMs()
    while ((await send()) !== 'SEND_OK')
      expect(scene.world.clock.monotonicMs()).toBeLessThan(healedMs + HEAL_MS)
    await scene.run(producer.close())
  })

  test('a name server that does not answer is asked over a new connection', async () => {
    const scene = await Scene.open({ queues: 1 })
    const network = new Blackhole()
    const producer = await scene.startedProducer({ host: network.doors(scene.doors('producer')) })
    network.isCut = true
    const lost = await scene.run(
      producer
        .send({ topic: TOPIC, body: Buffer.from('lost') })
        .catch((error: Error) => error.name),
    )
    expect(lost).toBe('ClientError')
    network.isCut = false
    await scene.world.clock.advance(1_000)
    const found = await scene.run(producer.send({ topic: TOPIC, body: Buffer.from('found') }))
    expect(found.status).toBe('SEND_OK')
    await scene.run(producer.close())
  })
})

test('a broker that is only slow to answer keeps its connection', async () => {
  const scene = await Scene.open({ queues: 1 })
  const network = new Blackhole()
  const host = network.doors(scene.doors('producer'))
  const producer = await scene.startedProducer({ host, sendTimeoutMs: 20_000 })
  scene.broker().script.onSend = async () => {
    await scene.pause('broker-a', 15_000)
    return undefined
  }
  const sent = await scene.run(producer.send({ topic: TOPIC, body: Buffer.from('slow') }))
  expect(sent.status).toBe('SEND_OK')
  // To the name server, and to the broker.
  expect(network.connected).toBe(2)
  await scene.run(producer.close())
})
