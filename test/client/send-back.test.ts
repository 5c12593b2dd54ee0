/** A message that fails finds its way back to the group, and tells there why it failed. */
import { retryTopicOf } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { errorTextOf } from '../../packages/client/src/handle/retry-message.ts'
import { GROUP, Scene, TOPIC } from './scene.ts'

const RETRY_TOPIC = retryTopicOf(GROUP)

/** A scene in which brokers take nothing back. */
async function stubborn(brokers: readonly string[]): Promise<Scene> {
  const scene = await Scene.open({ queues: 1, brokers })
  scene.routes.set(RETRY_TOPIC, scene.routeOf(1))
  for (const broker of scene.brokers) {
    broker.script.onSendBack = () => {
      throw new Error('not now')
    }
  }
  return scene
}

/** What became of the first message that failed. */
async function failing(
  scene: Scene,
  options: Parameters<Scene['consumer']>[0] = {},
  delayLevel = 0,
): Promise<string | undefined> {
  const after: string[] = []
  const consumer = scene
    .consumer(options)
    .subscribe(TOPIC, '*', (_message, context) => {
      context.delayLevelWhenNextConsume = delayLevel
      throw new TypeError('no such thing')
    })
    .on('failed', (failure) => after.push(failure.after))
  await scene.run(consumer.start())
  await scene.until(() => after.length > 0)
  await scene.run(consumer.close())
  return after[0]
}

test('the broker that takes it back hears why it failed', async () => {
  const scene = await Scene.open({ queues: 1 })
  scene.broker().put(TOPIC, 0, 'bad')
  expect(await failing(scene)).toBe('given back')
  expect(scene.broker().sentBack).toMatchObject([{ consumeError: 'TypeError: no such thing' }])
})

test('how often it may fail is the business of the group, unless the options say', async () => {
  const scene = await Scene.open({ queues: 1 })
  scene.broker().put(TOPIC, 0, 'bad')
  await failing(scene)
  scene.broker().put(TOPIC, 0, 'worse')
  await failing(scene, { maxReconsumeTimes: 5 })
  const limits = scene.broker().sentBack.map(({ maxReconsumeTimes }) => maxReconsumeTimes)
  expect(limits).toEqual([undefined, 5])
})

test('a message that its broker does not take back goes to another as a new one', async () => {
  const scene = await stubborn(['broker-a', 'broker-b'])
  scene.broker(0).put(TOPIC, 0, 'bad', { UNIQ_KEY: 'id', TAGS: 't', own: 'x' })
  scene.broker(0).script.onSend = () => ({ code: 14, remark: 'full' })
  expect(await failing(scene, { maxReconsumeTimes: 7 })).toBe('sent again')
  const [copy] = scene.broker(1).stored
  expect(copy?.topic).toBe(RETRY_TOPIC)
  expect(copy?.body.toString()).toBe('bad')
  const pairs = copy?.properties.split('\x02').filter((pair) => pair !== '') ?? []
  expect(Object.fromEntries(pairs.map((pair) => pair.split('\x01')))).toEqual({
    UNIQ_KEY: 'id',
    TAGS: 't',
    own: 'x',
    ORIGIN_MESSAGE_ID: 'id',
    RETRY_TOPIC: TOPIC,
    RECONSUME_TIME: '1',
    MAX_RECONSUME_TIMES: '7',
    DELAY: '3',
    CONSUME_ERROR: 'TypeError: no such thing',
  })
})

test('a broker of which no retry topic is known yet makes one', async () => {
  const scene = await stubborn(['broker-a'])
  scene.routes.delete(RETRY_TOPIC)
  scene.broker().put(TOPIC, 0, 'bad')
  const queueIds: number[] = []
  scene.broker().script.onSend = ({ queueId }) => {
    queueIds.push(queueId)
    return { header: { msgId: 'x', queueId: 0, queueOffset: 0 } }
  }
  expect(await failing(scene)).toBe('sent again')
  expect(queueIds).toEqual([-1])
})

test('the retry topic that the first failure makes is read within two seconds', async () => {
  const scene = await Scene.open({ queues: 1 })
  scene.broker().put(TOPIC, 0, 'bad')
  scene.broker().script.onSendBack = () => {
    scene.routes.set(RETRY_TOPIC, scene.routeOf(1))
    scene.broker().put(RETRY_TOPIC, 0, 'bad', { RETRY_TOPIC: TOPIC })
  }
  let calls = 0
  const consumer = scene.consumer().subscribe(TOPIC, '*', () => {
    if (++calls === 1) throw new Error('no')
  })
  await scene.run(consumer.start())
  await scene.until(() => calls === 2, 2000)
})

test('a dead letter that is sent as a new message is one at its first failure', async () => {
  const scene = await stubborn(['broker-a'])
  scene.broker().put(TOPIC, 0, 'bad')
  const limits: (number | undefined)[] = []
  scene.broker().script.onSend = ({ maxReconsumeTimes, reconsumeTimes }) => {
    limits.push(reconsumeTimes, maxReconsumeTimes)
    return undefined
  }
  expect(await failing(scene, {}, -1)).toBe('sent again')
  expect(limits.slice(0, 2)).toEqual([1, 0])
})

test('a body that was compressed is sent again as it was', async () => {
  const scene = await stubborn(['broker-a'])
  const producer = await scene.startedProducer()
  await scene.run(producer.send({ topic: TOPIC, body: 'long '.repeat(2000) }))
  await failing(scene)
  const [first, copy] = scene.broker().stored
  expect(copy?.body.equals(first?.body ?? Buffer.alloc(0))).toBe(true)
  expect(copy?.sysFlag).toBe(first?.sysFlag)
})

test('a message tells why it failed the last time', async () => {
  const scene = await Scene.open({ queues: 1 })
  scene.broker().put(TOPIC, 0, 'again', { CONSUME_ERROR: 'Error: no' })
  const got: (string | undefined)[] = []
  const consumer = scene
    .consumer()
    .subscribe(TOPIC, '*', ({ lastError }) => void got.push(lastError))
  await scene.run(consumer.start())
  await scene.until(() => got.length === 1)
  expect(got).toEqual(['Error: no'])
})

test.each([
  ['an error', new RangeError('too much'), 'RangeError: too much'],
  ['a text', 'just so', 'just so'],
  ['what would end a property', new Error('a\x01b\x02c\nd'), 'Error: a b c d'],
  ['nothing', '', 'an error without a message'],
  ['undefined', undefined, 'undefined'],
])('the text of an error is short and harmless: %s', (_name, error, text) => {
  expect(errorTextOf(error)).toBe(text)
})

test('the text of an error has at most 512 bytes and ends with a whole character', () => {
  for (let shift = 0; shift < 4; shift++) {
    const text = errorTextOf(`${'x'.repeat(shift)}${'é'.repeat(400)}`)
    expect(Buffer.byteLength(text)).toBeGreaterThan(508)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(512)
    expect(text).not.toContain('\ufffd')
  }
})
