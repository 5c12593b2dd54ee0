/** Many messages may be on their way at a time, and never more than the options allow. */
import type { Message } from '@rockhopper/client'
import { describe, expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'
import { silence } from './scripted-broker.ts'

const message = (body = 'hello'): Message => ({ topic: TOPIC, body })

describe('sendAsync', () => {
  test('has no more in flight than the options allow', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxInFlight: 8 })
    await scene.run(producer.send(message()))
    let atOnce = 0
    let most = 0
    scene.broker().script.onSend = async () => {
      most = Math.max(most, ++atOnce)
      await new Promise<void>((resolve) => scene.doors('broker-a').clock.after(5, resolve))
      atOnce--
      return undefined
    }
    const sends = Array.from({ length: 100 }, (_, i) => producer.sendAsync(message(`${i}`)))
    expect(producer.inFlight).toBe(8)
    await scene.run(Promise.all(sends))
    expect(most).toBe(8)
    expect(scene.broker().stored).toHaveLength(101)
    expect(producer.inFlight).toBe(0)
  })

  test('has no more bytes in flight than the options allow, but lets one large message pass', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxInFlightBytes: 100 })
    const sends = ['a'.repeat(90), 'b'.repeat(20), 'c'.repeat(200)].map((body) =>
      producer.sendAsync(message(body)),
    )
    expect(producer.inFlight).toBe(1)
    await scene.run(Promise.all(sends))
    expect(scene.broker().stored).toHaveLength(3)
  })

  test('fails at once without room when it is told to', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxInFlight: 1, whenFull: 'fail' })
    const first = producer.sendAsync(message())
    const error = await scene.run(failure(producer.sendAsync(message())))
    expect(error).toMatchObject({ code: 'TOO_MANY_IN_FLIGHT', retryable: true })
    await scene.run(first)
    await scene.run(producer.sendAsync(message()))
  })

  test('waits for room no longer than its time', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxInFlight: 1 })
    scene.broker().script.onSend = () => silence()
    const first = failure(producer.sendAsync(message(), { timeoutMs: 5000 }))
    const second = failure(producer.sendAsync(message(), { timeoutMs: 300 }))
    expect(await scene.run(second)).toMatchObject({ code: 'TOO_MANY_IN_FLIGHT' })
    expect(scene.world.clock.monotonicMs()).toBeLessThan(1000)
    expect(await scene.run(first)).toMatchObject({ code: 'TIMEOUT' })
    expect(producer.inFlight).toBe(0)
  })

  test('gives its place in the line away when the signal aborts', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxInFlight: 1 })
    const abort = new AbortController()
    const first = producer.sendAsync(message())
    const second = producer.sendAsync(message(), { signal: abort.signal }).catch(() => 'gave up')
    const third = producer.sendAsync(message())
    abort.abort()
    expect(await scene.run(second)).toBe('gave up')
    await scene.run(Promise.all([first, third]))
    expect(scene.broker().stored).toHaveLength(2)
    expect(producer.inFlight).toBe(0)
  })

  test('has room again when `room` resolves', async () => {
    const scene = await Scene.open()
    const producer = await scene.startedProducer({ maxInFlight: 2, whenFull: 'fail' })
    const send = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        await producer.room()
        producer.sendAsync(message()).catch(() => undefined)
      }
    }
    await scene.run(send())
    await scene.run(producer.close())
    expect(scene.broker().stored).toHaveLength(20)
  })
})
