/**
 * What producers do beside plain sends: selectors of queues, batches, levels of delay, times of their
 * own. Java's producers on our broker, and ours on Apache's and on ours; Java consumers see what came
 * of it.
 */
import {
  DefaultProducer,
  type SendResult,
  selectByHash,
  selectByIndex,
  selectByRandom,
} from '@rockhopper/client'
import { javaHashCode } from '@rockhopper/protocol'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import { bodyOf, expectEachOnce, expectSamePlaces, expectUnchanged, range } from './expectations.ts'
import {
  type ClientVersion,
  JavaClient,
  type JavaConsumer,
  type Received,
  type SendMode,
  type Sent,
} from './java-client.ts'
import { ours } from './ours.ts'
import type { Server, ServerFamily } from './server.ts'
import { makeTopic } from './wire.ts'

const QUEUES = 4
const PER_MODE = 10
const KEYS = 5
const BODY_BYTES = 100
/** Level 1, and what `InteropClient.java` asks for. */
const DELAYS_MS: Partial<Record<SendMode, number>> = { delayed: 1_000, timed: 1_500 }
/** Java and Node round what the clock says each in their way. */
const CLOCK_STEP_MS = 2
/** The modes of all, in the order in which they are numbered. */
const MODES: readonly SendMode[] = ['hash', 'index', 'random', 'batch', 'delayed', 'timed']

class Stage {
  readonly namesrv: string
  readonly #broker: Server

  private constructor(namesrv: Server, broker: Server) {
    this.namesrv = namesrv.addr
    this.#broker = broker
  }

  static async open(family: ServerFamily): Promise<Stage> {
    const namesrv = await family.startNameServer(inject('runDir'))
    const broker = await family.startBroker(inject('runDir'), {
      ...{ namesrv: namesrv.addr, name: 'producing-a', clusterName: 'Produce' },
    })
    return new Stage(namesrv, broker)
  }

  topic(name: string): Promise<string> {
    return makeTopic({ namesrv: this.namesrv, broker: this.#broker.addr }, name, QUEUES)
  }

  java(version: ClientVersion): JavaClient {
    const { namesrv } = this
    return new JavaClient({ runDir: inject('runDir'), version, header: 'JSON', namesrv })
  }
}

/** What came of one producer's messages: `sent` tells of each but those of batches. */
interface Outcome {
  readonly sent: readonly Sent[]
  readonly received: readonly Received[]
}

function ofMode(mode: SendMode, { received, sent }: Outcome) {
  const told = sent.filter((each) => each.mode === mode)
  const from = MODES.indexOf(mode) * PER_MODE
  const there = received.filter(
    ({ index }) => Math.floor(Number(index) / PER_MODE) * PER_MODE === from,
  )
  return { told, there }
}

function checkSelectors(outcome: Outcome): void {
  for (const { index, queueId } of ofMode('hash', outcome).told) {
    expect(queueId).toBe(Math.abs(javaHashCode(`order-${index % KEYS}`) % QUEUES))
  }
  for (const { index, queueId } of ofMode('index', outcome).told) {
    expect(queueId).toBe((index % KEYS) % QUEUES)
  }
  for (const mode of ['hash', 'index', 'random'] as const) {
    const { there, told } = ofMode(mode, outcome)
    expect(told).toHaveLength(PER_MODE)
    expectSamePlaces(told, there)
  }
}

function checkDelays(outcome: Outcome, modes: readonly SendMode[]): void {
  for (const mode of ['delayed', 'timed'] as const) {
    const { there } = ofMode(mode, outcome)
    expect(there).toHaveLength(modes.includes(mode) ? PER_MODE : 0)
    for (const { bornTimestamp, storeTimestamp } of there) {
      const leastMs = (DELAYS_MS[mode] ?? 0) - CLOCK_STEP_MS
      expect(storeTimestamp - bornTimestamp).toBeGreaterThanOrEqual(leastMs)
    }
  }
}

async function receive(consumer: JavaConsumer, count: number): Promise<readonly Received[]> {
  await consumer.until(`${count} messages`, () => consumer.messages.length >= count)
  await consumer.stop()
  return consumer.messages
}

afterAll(endAll)

describe.each<[ClientVersion, readonly SendMode[]]>([
  ['4.9.8', MODES.slice(0, -1)],
  ['5.3.3', MODES],
])('a Java producer %s on our broker', (version, modes) => {
  const name = `java-${version.charAt(0)}`
  let stage: Stage
  let outcome: Outcome

  beforeAll(async () => {
    stage = await Stage.open(ours)
    const topic = await stage.topic(`${name}-topic`)
    const client = stage.java(version)
    const flags = {
      topic,
      group: `${name}-senders`,
      mode: modes.join(','),
      'body-size': BODY_BYTES,
    }
    const [consumer, sent] = await Promise.all([
      client.consume({ topic, group: `${name}-readers` }),
      client.send({ ...flags, count: PER_MODE, 'batch-size': 5 }),
    ])
    outcome = { sent, received: await receive(consumer, modes.length * PER_MODE) }
  })

  test('sends each message once, in batches too', () => {
    expectEachOnce(outcome.received, 0, modes.length * PER_MODE)
    expectUnchanged(outcome.received, BODY_BYTES)
  })

  test('chooses queues with its selectors', () => checkSelectors(outcome))

  test('has messages delivered later, and none early', () => checkDelays(outcome, modes))
})

describe.each([
  ['our', ours],
  ["Apache's", apache],
] as const)('our producer on %s broker', (_whose, family) => {
  let stage: Stage
  let outcome: Outcome

  beforeAll(async () => {
    stage = await Stage.open(family)
    const topic = await stage.topic('our-topic')
    const group = 'our-senders'
    const namesrvAddr = stage.namesrv
    const producer = new DefaultProducer({ group, namesrvAddr, sendTimeoutMs: 10_000 })
    const [consumer] = await Promise.all([
      stage.java('5.3.3').consume({ topic, group: 'java-readers' }),
      producer.start(),
    ])
    const sent = await sendInAllModes(producer, topic)
    outcome = { sent, received: await receive(consumer, MODES.length * PER_MODE) }
    await producer.close()
  })

  test('sends each message once, in batches too', () => {
    expectEachOnce(outcome.received, 0, MODES.length * PER_MODE)
    expectUnchanged(outcome.received, BODY_BYTES)
  })

  test('chooses queues with its selectors', () => checkSelectors(outcome))

  test('has messages delivered later, and none early', () => checkDelays(outcome, MODES))
})

async function sendInAllModes(producer: DefaultProducer, topic: string): Promise<Sent[]> {
  const message = (index: number) => ({
    ...{ topic, body: bodyOf(index, BODY_BYTES), properties: { index: String(index) } },
  })
  const send = (mode: SendMode, index: number): Promise<SendResult> => {
    const plain = message(index)
    switch (mode) {
      case 'hash':
        return producer.send(plain, { selector: selectByHash(`order-${index % KEYS}`) })
      case 'index':
        return producer.send(plain, { selector: selectByIndex(index % KEYS) })
      case 'random':
        return producer.send(plain, { selector: selectByRandom })
      case 'delayed':
        return producer.send({ ...plain, delayLevel: 1 })
      case 'timed':
        return producer.send({ ...plain, delayMs: DELAYS_MS.timed ?? 0 })
      default:
        throw new Error(`${mode} is sent in another way`)
    }
  }
  const sent: Sent[] = []
  for (const [turn, mode] of MODES.entries()) {
    const indexes = range(turn * PER_MODE, (turn + 1) * PER_MODE)
    if (mode === 'batch') await producer.sendBatch(indexes.map(message))
    else {
      for (const index of indexes) {
        const { msgId, offsetMsgId, queue, queueOffset, status } = await send(mode, index)
        const place = { broker: queue.brokerName, queueId: queue.queueId, queueOffset }
        sent.push({ mode, index, msgId, offsetMsgId, status, ...place })
      }
    }
  }
  return sent
}
