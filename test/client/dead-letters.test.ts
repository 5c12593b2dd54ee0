/** Dead letters are read, and chosen ones come again: to their group, or to all who read the topic. */
import {
  type Broker,
  completeBrokerConfig,
  readBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import {
  type DeadLetter,
  type DeadLetterRange,
  DeadLetters,
  DefaultProducer,
  PushConsumer,
  type ReceivedMessage,
} from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { beforeEach, expect, test } from 'vitest'
import { failure } from './scene.ts'

const TOPIC = 'orders'
const GROUP = 'shop'

let world: SimWorld
let namesrvAddr: string
let broker: Broker

const run = <T>(promise: Promise<T>): Promise<T> => world.clock.settle(promise)

beforeEach(async () => {
  world = createWorld(4)
  namesrvAddr = `${world.host('namesrv').ip}:9876`
  const { doors } = world.host('namesrv')
  const text = 'bindAddress=0.0.0.0\nlistenPort=9876'
  await run(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
  broker = await openBroker()
})

async function openBroker(): Promise<Broker> {
  const { doors, ip } = world.host('broker-a')
  const text =
    `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${namesrvAddr}\n` +
    'storePathRootDir=/store\nmappedFileSizeCommitLog=4194304'
  const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
  return await run(startBroker(doors, config))
}

async function send(...bodies: readonly string[]): Promise<void> {
  const host = world.host('producer').doors
  const producer = new DefaultProducer({ group: 'senders', namesrvAddr, host })
  await run(producer.start())
  for (const body of bodies) {
    const properties = { colour: 'red' }
    await run(producer.send({ topic: TOPIC, body, tag: 'a', keys: body, properties }))
  }
  await run(producer.close())
}

/** A member of a group that gives messages up at once as long as it is told to. */
async function join(group: string, gives: (body: string) => boolean): Promise<ReceivedMessage[]> {
  const got: ReceivedMessage[] = []
  const host = world.host(group).doors
  const consumer = new PushConsumer({ group, namesrvAddr, host, consumeFromWhere: 'first' })
  consumer.subscribe(TOPIC, '*', (message, context) => {
    if (gives(message.body.toString())) {
      context.delayLevelWhenNextConsume = -1
      throw new Error(`no ${message.body}`)
    }
    got.push(message)
  })
  await run(consumer.start())
  return got
}

async function openLetters(group = GROUP): Promise<DeadLetters> {
  const letters = new DeadLetters({ group, namesrvAddr, host: world.host('reader').doors })
  await run(letters.start())
  return letters
}

async function read(letters: DeadLetters, range: DeadLetterRange = {}): Promise<DeadLetter[]> {
  const all: DeadLetter[] = []
  await run(
    (async () => {
      for await (const letter of letters.read(range)) all.push(letter)
    })(),
  )
  return all
}

/** Two dead letters, `x` and 10 s later `y`. */
async function withLetters(): Promise<{ letters: DeadLetters; got: ReceivedMessage[] }> {
  const failing = { now: true }
  await send('fine')
  const got = await join(GROUP, (body) => failing.now && body !== 'fine')
  await send('x')
  await world.clock.advance(10_000)
  await send('y')
  await world.clock.advance(2000)
  failing.now = false
  return { letters: await openLetters(), got }
}

test('a group that has given nothing up has no letters', async () => {
  const letters = await openLetters('nobody')
  expect(await run(letters.count())).toBe(0)
  expect(await read(letters)).toEqual([])
})

test('without a broker, or after the end, letters are not to be had', async () => {
  const { letters } = await withLetters()
  const [letter] = await read(letters)
  world.host('broker-a').kill()
  await world.clock.advance(2000)
  expect(await failure(read(letters))).toMatchObject({ reason: 'no-broker', retryable: true })
  if (letter === undefined) throw new Error('there is no letter')
  expect(await run(failure(letters.resend(letter)))).toMatchObject({ retryable: true })
  await run(letters.close())
  expect(await failure(letters.count())).toMatchObject({ code: 'CLOSED' })
})

test('letters say where they came from, how often they failed, why and when', async () => {
  const { letters } = await withLetters()
  expect(await run(letters.count())).toBe(2)
  const all = await read(letters)
  expect(all.map(({ message }) => message.body.toString())).toEqual(['x', 'y'])
  expect(all[0]).toMatchObject({ originTopic: TOPIC, tries: 1, lastError: 'Error: no x' })
  expect(all[0]?.originMsgId).toMatch(/^[0-9A-F]{32}$/)
  const [first, second] = all.map(({ diedAtMs }) => diedAtMs)
  if (first === undefined || second === undefined) throw new Error('letters are missing')
  const texts = async (range: DeadLetterRange): Promise<string[]> =>
    (await read(letters, range)).map(({ message }) => message.body.toString())
  expect(await texts({ fromMs: first + 1 })).toEqual(['y'])
  expect(await texts({ toMs: second })).toEqual(['x'])
  expect(await texts({ fromMs: first, toMs: second + 1 })).toEqual(['x', 'y'])
})

test('many letters are read to the last, and those that come meanwhile are not', async () => {
  await send('fine')
  await join(GROUP, (body) => body !== 'fine')
  const bodies = Array.from({ length: 75 }, (_, i) => `${i}`)
  await send(...bodies)
  await world.clock.advance(3000)
  const letters = await openLetters()
  expect(await run(letters.count())).toBe(75)
  const read: string[] = []
  const reading = letters.read()
  for (;;) {
    const { done, value } = await run(reading.next())
    if (done === true) break
    read.push(value.message.body.toString())
    if (read.length === 10) await send('late')
  }
  expect(read.sort()).toEqual(bodies.sort())
  expect(await run(letters.count())).toBe(76)
})

test('a letter that is sent to its group comes to that group alone, as it was', async () => {
  const { letters, got } = await withLetters()
  const others = await join('others', () => false)
  await world.clock.advance(2000)
  const before = others.length
  const [, letter] = await read(letters)
  if (letter === undefined) throw new Error('there is no letter')
  const result = await run(letters.resend(letter))
  expect(result).toMatchObject({ status: 'SEND_OK', queue: { topic: `%RETRY%${GROUP}` } })
  await world.clock.run(() => got.length === 2, 60_000)
  const again = got[1]
  expect(again?.body.toString()).toBe('y')
  expect(again).toMatchObject({ topic: TOPIC, tag: 'a', keys: ['y'], msgId: letter.message.msgId })
  expect(again?.properties).toMatchObject({ colour: 'red' })
  expect(again?.reconsumeTimes).toBe(0)
  expect(again?.lastError).toBeUndefined()
  expect(others).toHaveLength(before)
})

test('a letter that is sent to its topic comes to every group', async () => {
  const { letters, got } = await withLetters()
  const others = await join('others', () => false)
  await world.clock.advance(2000)
  const before = others.length
  const [letter] = await read(letters)
  if (letter === undefined) throw new Error('there is no letter')
  await run(letters.resend(letter, 'topic'))
  await world.clock.run(() => got.length === 2 && others.length === before + 1, 60_000)
  const again = got[1]
  expect(again).toMatchObject({ topic: TOPIC, tag: 'a', reconsumeTimes: 0 })
  expect(Object.keys(again?.properties ?? {})).not.toContain('RETRY_TOPIC')
  await run(broker.close())
})
