/** A producer that is told to keeps away from brokers that were slow or failed, as long as it can. */
import { ClientError, type DefaultProducer, type Message } from '@rockhopper/client'
import { silentLogger } from '@rockhopper/host'
import { responseCode } from '@rockhopper/protocol'
import { SimClock } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import { type AttemptEnd, BrokerFaults } from '../../packages/client/src/produce/broker-faults.ts'
import { Scene, TOPIC } from './scene.ts'

const message: Message = { topic: TOPIC, body: 'hello' }

const twoBrokers = (queues = 2) => Scene.open({ brokers: ['broker-a', 'broker-b'], queues })

/** Which brokers took the next messages. */
async function takers(scene: Scene, producer: DefaultProducer, count = 8): Promise<Set<string>> {
  const names = new Set<string>()
  for (let i = 0; i < count; i++) {
    names.add((await scene.run(producer.send(message))).queue.brokerName)
  }
  return names
}

describe('what is known of a broker', () => {
  test.each<[AttemptEnd, number, number]>([
    ['answered', 549, 0],
    ['answered', 550, 2000],
    ['answered', 1800, 5000],
    ['answered', 3000, 6000],
    ['answered', 5000, 10_000],
    ['answered', 15_000, 30_000],
    ['unanswered', 1, 10_000],
    ['refused', 1, 10_000],
  ])('%s after %i ms keeps others away for %i ms', async (end, latencyMs, awayMs) => {
    const clock = new SimClock()
    const faults = new BrokerFaults({ clock, logger: silentLogger, probe: undefined })
    faults.note('a', latencyMs, end)
    expect(faults.isAvailable('a')).toBe(awayMs === 0)
    expect(faults.isAvailable('b')).toBe(true)
    if (awayMs === 0) return
    await clock.advance(awayMs - 1)
    expect(faults.isAvailable('a')).toBe(false)
    faults.note('a', 1, 'answered')
    expect(faults.isAvailable('a')).toBe(false)
    await clock.advance(1)
    expect(faults.isAvailable('a')).toBe(true)
    faults.note('a', 1, 'answered')
    expect(faults.isEmpty).toBe(true)
  })
})

describe('a producer', () => {
  test('asks a dead broker once, not with every other message', async () => {
    const scene = await twoBrokers()
    const producer = await scene.startedProducer({ avoidSlowBrokers: true })
    expect(await takers(scene, producer)).toEqual(new Set(['broker-a', 'broker-b']))
    const failed: string[] = []
    producer.on('retry', ({ brokerName }) => failed.push(brokerName))
    scene.world.host('broker-a').kill()
    expect(await takers(scene, producer)).toEqual(new Set(['broker-b']))
    expect(failed).toEqual(['broker-a'])
  })

  test('sends to it again when its time is over', async () => {
    const scene = await twoBrokers()
    const producer = await scene.startedProducer({ avoidSlowBrokers: true })
    scene.broker(0).script.onSend = () => ({ code: responseCode.SYSTEM_BUSY, remark: 'busy' })
    await takers(scene, producer)
    scene.broker(0).script.onSend = () => undefined
    expect(await takers(scene, producer)).toEqual(new Set(['broker-b']))
    await scene.world.clock.advance(10_000)
    expect(await takers(scene, producer)).toEqual(new Set(['broker-a', 'broker-b']))
  })

  test('keeps away from a slow broker, but takes it when there is no other', async () => {
    const scene = await twoBrokers()
    const producer = await scene.startedProducer({ avoidSlowBrokers: true })
    scene.broker(0).script.onSend = async () => {
      await scene.pause('broker-a', 600)
      return undefined
    }
    await takers(scene, producer, 4)
    expect(await takers(scene, producer)).toEqual(new Set(['broker-b']))
    scene.world.host('broker-b').kill()
    expect(await takers(scene, producer, 3)).toEqual(new Set(['broker-a']))
  })

  test('does not take a message at fault for a broker at fault', async () => {
    const scene = await twoBrokers()
    const producer = await scene.startedProducer({ avoidSlowBrokers: true })
    scene.broker(0).script.onSend = (_header, body) =>
      body.toString() === 'bad' ? { code: responseCode.MESSAGE_ILLEGAL, remark: 'bad' } : undefined
    for (let i = 0; i < 4; i++) {
      await scene.run(producer.send({ ...message, body: 'bad' }).catch((error) => error))
    }
    expect(await takers(scene, producer)).toEqual(new Set(['broker-a', 'broker-b']))
  })

  test('that probes tries a dead broker with no message until it answers', async () => {
    const scene = await twoBrokers()
    const options = { avoidSlowBrokers: true, probeBrokers: true }
    const producer = await scene.startedProducer(options)
    const failed: string[] = []
    producer.on('retry', ({ brokerName }) => failed.push(brokerName))
    scene.world.host('broker-a').kill()
    await takers(scene, producer)
    await scene.world.clock.advance(60_000)
    expect(await takers(scene, producer)).toEqual(new Set(['broker-b']))
    expect(failed).toEqual(['broker-a'])
    scene.world.host('broker-a').restart()
    await scene.reopenBroker('broker-a')
    await scene.world.clock.advance(6000)
    expect(await takers(scene, producer)).toEqual(new Set(['broker-a', 'broker-b']))
    await scene.run(producer.close())
  })

  test('cannot probe brokers that it does not avoid', async () => {
    const scene = await Scene.open()
    expect(() => scene.producer({ probeBrokers: true })).toThrow(ClientError)
  })
})

describe('a message that is stored less safely than it should be', () => {
  const lessSafe = { code: responseCode.FLUSH_SLAVE_TIMEOUT }
  const answer = { msgId: 'x', queueId: 0, queueOffset: 7 }

  test('goes to another broker as well when the producer is told so', async () => {
    const scene = await twoBrokers(1)
    const producer = await scene.startedProducer({ retryLessSafe: true })
    scene.broker(0).script.onSend = () => ({ ...lessSafe, header: answer })
    for (let i = 0; i < 4; i++) {
      const { status, queue } = await scene.run(producer.send(message))
      expect([status, queue.brokerName]).toEqual(['SEND_OK', 'broker-b'])
    }
  })

  test('is no failure when the others fail: the result says what holds', async () => {
    const scene = await twoBrokers(1)
    const producer = await scene.startedProducer({ retryLessSafe: true })
    const asked: string[] = []
    for (const broker of scene.brokers) {
      broker.script.onSend = () => {
        asked.push(broker.name)
        return asked.length === 1
          ? { ...lessSafe, header: answer }
          : { code: responseCode.SYSTEM_BUSY, remark: 'busy' }
      }
    }
    const { status, queueOffset } = await scene.run(producer.send(message))
    expect([status, queueOffset]).toEqual(['FLUSH_SLAVE_TIMEOUT', 7])
    expect(asked).toHaveLength(3)
  })

  test('goes nowhere else when its queue was named', async () => {
    const scene = await twoBrokers(1)
    const producer = await scene.startedProducer({ retryLessSafe: true })
    let asked = 0
    scene.broker(0).script.onSend = () => {
      asked++
      return { ...lessSafe, header: answer }
    }
    const queue = { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }
    const { status } = await scene.run(producer.send(message, { queue }))
    expect([status, asked]).toEqual(['FLUSH_SLAVE_TIMEOUT', 1])
  })
})
