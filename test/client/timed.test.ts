/** A producer says when a message is to be delivered, and can call it off until then. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { DefaultProducer, type Message, PushConsumer } from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import { failure } from './scene.ts'

const TOPIC = 'orders'
const PORT = 9876

/** A name server, a broker, a producer and a consumer that notes when it got what. */
async function opened() {
  const world = createWorld(5)
  const { clock } = world
  const run = <T>(promise: Promise<T>): Promise<T> => clock.settle(promise)
  const namesrv = world.host('namesrv')
  const namesrvText = `bindAddress=0.0.0.0\nlistenPort=${PORT}`
  await run(startNamesrv(namesrv.doors, readNamesrvConfig(namesrvText, 'the test').values))
  const namesrvAddr = `${namesrv.ip}:${PORT}`
  const { doors, ip } = world.host('broker')
  const brokerText =
    `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${namesrvAddr}\ntimerPrecisionMs=100\n` +
    `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304`
  const settings = readBrokerConfig(brokerText, 'the test').values
  await run(startBroker(doors, completeBrokerConfig(settings, doors)))
  const options = { namesrvAddr, host: world.host('producer').doors }
  const producer = new DefaultProducer({ group: 'senders', ...options })
  await run(producer.start())
  const send = (more: Partial<Message>) => {
    return run(producer.send({ topic: TOPIC, body: 'hello', ...more }))
  }
  await send({ body: 'first' })
  const got: { body: string; atMs: number }[] = []
  const host = world.host('consumer').doors
  const consumer = new PushConsumer({ group: 'shop', namesrvAddr, host, consumeFromWhere: 'first' })
  consumer.subscribe(TOPIC, '*', (message) => {
    got.push({ body: message.body.toString(), atMs: clock.nowMs() })
  })
  await run(consumer.start())
  await clock.run(() => got.length === 1, 120_000)
  got.length = 0
  return { clock, got, producer, run, send }
}

describe('a message', () => {
  test.each(['delayMs', 'deliverAtMs'] as const)('with %s is consumed then', async (field) => {
    const { clock, got, send } = await opened()
    const dueMs = clock.nowMs() + 5_000
    const result = await send({ [field]: field === 'delayMs' ? 5_000 : dueMs })
    expect(result.recallHandle).toMatch(/^[\w=-]+$/)
    await clock.advance(10_000)
    expect(got).toHaveLength(1)
    expect(got[0]?.atMs).toBeGreaterThanOrEqual(dueMs)
    expect(got[0]?.atMs).toBeLessThanOrEqual(dueMs + 300)
  })

  test('without a time has no handle', async () => {
    const { send } = await opened()
    expect((await send({})).recallHandle).toBeUndefined()
    expect((await send({ delayLevel: 1 })).recallHandle).toBeUndefined()
  })

  test('that was recalled is not consumed', async () => {
    const { clock, got, producer, run, send } = await opened()
    const { msgId, recallHandle = '' } = await send({ delayMs: 5_000 })
    await send({ delayMs: 5_000, body: 'kept' })
    expect(await run(producer.recall(TOPIC, recallHandle))).toBe(msgId)
    await clock.advance(10_000)
    expect(got.map(({ body }) => body)).toEqual(['kept'])
  })

  test('that was due before is not recalled, and the error says so', async () => {
    const { clock, producer, run, send } = await opened()
    const { recallHandle = '' } = await send({ delayMs: 1_000 })
    await clock.advance(3_000)
    const error = await failure(run(producer.recall(TOPIC, recallHandle)))
    expect(error).toMatchObject({ code: 'BROKER_REFUSED', responseCode: 604 })
    expect(error.message).toMatch(/timestamp invalid/)
  })
})

test.each([
  [TOPIC, 'nonsense', 'is none: use the recallHandle of its SendResult'],
  ['other', '', 'is of a message to "orders"'],
  ['%RETRY%shop', '', 'cannot be called off'],
])('a handle that cannot be one for "%s" goes on no wire', async (topic, given, sentence) => {
  const { producer, run, send } = await opened()
  const { recallHandle = '' } = await send({ delayMs: 5_000 })
  const error = await failure(run(producer.recall(topic, given || recallHandle)))
  expect(error).toMatchObject({ code: 'BAD_OPTION' })
  expect(error.message).toContain(sentence)
})
