/** Consumers that fetch messages, with a broker and a name server, and beside one that is pushed. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { bySql, DefaultProducer, LitePullConsumer, PushConsumer } from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { beforeEach, expect, test } from 'vitest'

const TOPIC = 'orders'
const GROUP = 'shop'

let world: SimWorld
let namesrvAddr: string
let producer: DefaultProducer

const run = <T>(promise: Promise<T>): Promise<T> => world.clock.settle(promise)

beforeEach(async () => {
  world = createWorld(9)
  const namesrv = world.host('namesrv')
  namesrvAddr = `${namesrv.ip}:9876`
  const namesrvText = 'bindAddress=0.0.0.0\nlistenPort=9876'
  await run(startNamesrv(namesrv.doors, readNamesrvConfig(namesrvText, 'the test').values))
  const { doors, ip } = world.host('broker-a')
  const text =
    `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${namesrvAddr}\n` +
    'storePathRootDir=/store\nmappedFileSizeCommitLog=4194304'
  await run(
    startBroker(doors, completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)),
  )
  const host = world.host('producer').doors
  producer = new DefaultProducer({ group: 'senders', namesrvAddr, host })
  await run(producer.start())
})

async function send(from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const properties = { number: `${i}` }
    await run(producer.send({ topic: TOPIC, body: `${i}`, properties, tag: `t${i % 3}` }))
  }
}

function litePuller(name: string): LitePullConsumer {
  const host = world.host(name).doors
  return new LitePullConsumer({ group: GROUP, namesrvAddr, host, consumeFromWhere: 'first' })
}

/** A loop that notes what it gets, and takes some time for each message. */
async function loop(consumer: LitePullConsumer, name: string, got: string[]): Promise<void> {
  for await (const { body } of consumer) {
    await new Promise<void>((resolve) => world.host(name).doors.clock.after(3, resolve))
    got.push(body.toString())
  }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

test('each message comes once while members of both kinds come and go', async () => {
  await send(0, 40)
  const got: string[] = []
  const first = litePuller('first').subscribe(TOPIC)
  await run(first.start())
  const loops = [loop(first, 'first', got)]
  await send(40, 80)
  const host = world.host('pushed').doors
  const pushed = new PushConsumer({ group: GROUP, namesrvAddr, host, consumeFromWhere: 'first' })
  pushed.subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
  await run(pushed.start())
  await world.clock.run(() => pushed.queues.length > 0 && first.queues.length < 4, 20_000)
  await send(80, 120)
  const second = litePuller('second').subscribe(TOPIC)
  await run(second.start())
  loops.push(loop(second, 'second', got))
  await send(120, 160)
  await run(first.close())
  await send(160, 200)
  await run(pushed.close())
  await send(200, 240)
  await world.clock.run(() => new Set(got).size === 240, 60_000)
  await run(second.close())
  await run(Promise.all(loops))
  expect(got.sort()).toEqual(numbers(240).sort())
})

test('tags and SQL92 choose messages, for members and for those who choose their queues', async () => {
  await send(0, 30)
  const byTag = litePuller('tags').subscribe(TOPIC, 't0 || t2')
  await run(byTag.start())
  const got: string[] = []
  while (got.length < 20) got.push(...(await run(byTag.poll())).map(({ body }) => `${body}`))
  expect(got.every((text) => Number(text) % 3 !== 1)).toBe(true)
  const chooser = litePuller('sql')
  await run(chooser.start())
  const queues = await run(chooser.fetchMessageQueues(TOPIC))
  chooser.assign(queues, { [TOPIC]: bySql`number BETWEEN ${5} AND ${9}` })
  await world.clock.run(() => chooser.queues.length === queues.length, 10_000)
  for (const queue of queues) await run(chooser.seekToBegin(queue))
  const chosen: string[] = []
  while (chosen.length < 5) chosen.push(...(await run(chooser.poll())).map(({ body }) => `${body}`))
  expect(chosen.sort()).toEqual(['5', '6', '7', '8', '9'])
})

test('a time is sought to the message', async () => {
  await send(0, 10)
  const consumer = litePuller('seeker').subscribe(TOPIC)
  await run(consumer.start())
  await world.clock.advance(5000)
  const atMs = world.host('seeker').doors.clock.nowMs()
  await send(10, 20)
  for (const queue of consumer.queues) await run(consumer.seekToTime(queue, atMs))
  const got: string[] = []
  while (got.length < 10) got.push(...(await run(consumer.poll())).map(({ body }) => `${body}`))
  expect(got.sort()).toEqual(numbers(20).slice(10).sort())
})
