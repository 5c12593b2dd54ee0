/** Lost and repeated messages are found by their numbers, and nothing else is taken for them. */
import type {
  DefaultProducer,
  PushConsumer,
  SequenceLoss,
  SequenceRepeat,
} from '@rockhopper/client'
import { decodeProperties } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import {
  MAX_AUDITED_PRODUCERS,
  SequenceAudit,
} from '../../packages/client/src/audit/sequence-audit.ts'
import {
  decodeStamp,
  encodeStamp,
  placeOf,
  STAMP_PROPERTY,
  type Stamp,
} from '../../packages/client/src/audit/stamp.ts'
import type { ReceivedMessage } from '../../packages/client/src/pull/received-message.ts'
import { failure, Scene, TOPIC } from './scene.ts'
import type { Stored } from './scripted-broker.ts'

const queue = { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }
const place = placeOf(queue)
const ID = '0123456789ab'

/** A stamp in short: `seq/settled` and what was given up. */
function stamp(sequence: number, settled = sequence - 1, ...givenUp: Stamp['givenUp']): string {
  return encodeStamp({ producerId: ID, place, sequence, settled, givenUp })
}

class Case {
  readonly lost: SequenceLoss[] = []
  readonly repeated: SequenceRepeat[] = []
  readonly audit = new SequenceAudit({
    onLost: (loss) => void this.lost.push(loss),
    onRepeated: (repeat) => void this.repeated.push(repeat),
  })
  offset: number

  constructor(startOffset = 0) {
    this.offset = startOffset
    this.audit.begin(queue, startOffset)
  }

  see(...stamps: readonly string[]): this {
    for (const text of stamps) {
      const properties = text === '' ? {} : { [STAMP_PROPERTY]: text }
      const message = { queue, queueOffset: this.offset, properties, msgId: `id-${this.offset}` }
      this.audit.see(message as unknown as ReceivedMessage)
      this.offset++
    }
    return this
  }

  get ranges(): string[] {
    return this.lost.map(({ fromSequence, toSequence }) => `${fromSequence}-${toSequence}`)
  }
}

describe('the sequence audit', () => {
  test('finds nothing where nothing is wrong', () => {
    const { audit, lost, repeated } = new Case().see(stamp(1), stamp(2), '', stamp(3))
    expect([lost, repeated]).toEqual([[], []])
    expect(audit.totals).toEqual({ audited: 3, unstamped: 1, lost: 0, repeated: 0 })
    expect(audit.rows).toEqual([
      {
        ...{ producerId: ID, queue, audited: 3, lost: 0, repeated: 0, awaited: 0 },
        ...{ lastSequence: 3, lastOffset: 3 },
      },
    ])
  })

  test('finds lost messages, and says between which offsets they would be', () => {
    const { lost, audit } = new Case(50).see(stamp(7), stamp(8), stamp(12))
    expect(lost).toEqual([
      {
        ...{ producerId: ID, queue, fromSequence: 9, toSequence: 11 },
        ...{ afterOffset: 51, noticedAtOffset: 52 },
      },
    ])
    expect(audit.totals.lost).toBe(3)
  })

  test('finds that the first messages of a queue are lost, if it sees the queue from its start', () => {
    expect(new Case(0).see(stamp(3)).ranges).toEqual(['1-2'])
    expect(new Case(1).see(stamp(3)).ranges).toEqual([])
  })

  test('waits for messages of which nobody says yet that they were stored', () => {
    const seen = new Case().see(stamp(1), stamp(4, 1))
    expect(seen.lost).toEqual([])
    expect(seen.audit.rows[0]?.awaited).toBe(2)
    expect(seen.see(stamp(3, 1), stamp(2, 1), stamp(5)).lost).toEqual([])
    expect(seen.audit.rows[0]?.awaited).toBe(0)
  })

  test('tells of a gap in parts, as it becomes known', () => {
    const seen = new Case().see(stamp(1), stamp(9, 1), stamp(5, 1))
    expect(seen.see(stamp(10, 6)).ranges).toEqual(['2-4', '6-6'])
    expect(seen.see(stamp(11, 10)).ranges).toEqual(['2-4', '6-6', '7-8'])
  })

  test('does not miss what was given up', () => {
    const seen = new Case().see(stamp(1), stamp(5, 4, { from: 2, to: 3, isElsewhere: true }))
    expect(seen.ranges).toEqual(['4-4'])
    expect(seen.repeated).toEqual([])
  })

  test('finds repeats, and where they lie', () => {
    const { repeated } = new Case(7).see(stamp(1), stamp(2), stamp(1), stamp(3))
    expect(repeated).toEqual([{ producerId: ID, queue, sequence: 1, offset: 9, msgId: 'id-9' }])
  })

  test('finds, once, that a message is here though it went to another queue', () => {
    const elsewhere = { from: 2, to: 2, isElsewhere: true }
    const seen = new Case().see(stamp(1), stamp(2), stamp(3, 2, elsewhere), stamp(4, 3, elsewhere))
    expect(seen.repeated).toEqual([
      { producerId: ID, queue, sequence: 2, offset: undefined, msgId: undefined },
    ])
    expect(
      new Case().see(stamp(1), stamp(2, 1, { from: 1, to: 1, isElsewhere: false })).repeated,
    ).toEqual([])
  })

  test('takes no message for a repeat that it reads a second time', () => {
    const seen = new Case().see(stamp(1), stamp(2), stamp(3))
    seen.offset = 1
    seen.audit.begin(queue, 1)
    expect(seen.see(stamp(2), stamp(3), stamp(4)).repeated).toEqual([])
    expect(seen.audit.totals.audited).toBe(4)
  })

  test('begins anew with a queue that another member has read meanwhile', () => {
    const seen = new Case().see(stamp(1))
    seen.offset = 8
    seen.audit.begin(queue, 8)
    expect(seen.see(stamp(9, 8), stamp(8, 7)).lost).toEqual([])
    expect(seen.repeated).toEqual([])
    expect(seen.see(stamp(11)).ranges).toEqual(['10-10'])
  })

  test('knows producers apart, also one that was started again', () => {
    const other = encodeStamp({
      producerId: 'ba9876543210',
      place,
      sequence: 1,
      settled: 0,
      givenUp: [],
    })
    const again = encodeStamp({
      producerId: `${ID}.2`,
      place,
      sequence: 1,
      settled: 0,
      givenUp: [],
    })
    const { lost, repeated, audit } = new Case().see(stamp(1), other, stamp(2), again, stamp(3))
    expect([lost, repeated]).toEqual([[], []])
    expect(audit.rows).toHaveLength(3)
  })

  test('does not count a message that was copied from another queue', () => {
    const foreign = encodeStamp({
      ...{ producerId: ID, place: placeOf({ ...queue, queueId: 1 }) },
      ...{ sequence: 9, settled: 8, givenUp: [] },
    })
    const { lost, audit } = new Case().see(stamp(1), foreign, stamp(2))
    expect(lost).toEqual([])
    expect(audit.totals).toMatchObject({ audited: 2, unstamped: 1 })
  })

  test('forgets the producer that was silent longest, and misses nothing of one that comes back', () => {
    const seen = new Case()
    for (let i = 0; i <= MAX_AUDITED_PRODUCERS; i++) {
      const producerId = i.toString(16).padStart(12, '0')
      seen.see(encodeStamp({ producerId, place, sequence: 1, settled: 0, givenUp: [] }))
    }
    expect(seen.audit.rows).toHaveLength(MAX_AUDITED_PRODUCERS)
    const back = { producerId: '000000000000', place, sequence: 5, settled: 4, givenUp: [] }
    expect(seen.see(encodeStamp(back)).lost).toEqual([])
  })

  test('is done in no time with stamps that somebody has made up', () => {
    const big = 999_999_999_999_999
    const seen = new Case().see(stamp(big - 1, 0))
    seen.see(stamp(big, big - 1, { from: 1, to: big - 1, isElsewhere: true }))
    expect(seen.ranges).toEqual([])
    expect(seen.repeated).toHaveLength(1)
    for (let i = 0; i < 5_000; i++) seen.see(stamp(big - 2 * i - 3, 0))
    expect(seen.audit.rows).toHaveLength(1)
  })
})

describe('a stamp', () => {
  const whole: Stamp = {
    ...{ producerId: `${ID}.3`, place, sequence: 20, settled: 11 },
    givenUp: [
      { from: 7, to: 9, isElsewhere: true },
      { from: 4, to: 4, isElsewhere: false },
    ],
  }

  test('is a short text, and is read as it was written', () => {
    expect(encodeStamp(whole)).toBe(`${ID}.3:${place}:20:11:7-9+,4`)
    expect(decodeStamp(encodeStamp(whole))).toEqual(whole)
    expect(decodeStamp(stamp(1))).toEqual({
      ...{ producerId: ID, place, sequence: 1, settled: 0, givenUp: [] },
    })
  })

  test.each([
    '',
    'x',
    `${ID}:${place}:1`,
    `${ID}:${place}:5:5`,
    `${ID}:${place}:0:0`,
    `${ID}:${place}:5:4:`,
    `${ID}:${place}:5:4:9`,
    `${ID}:${place}:5:4:3-2`,
    `${ID}:${place}:5:4:0`,
    `${ID}:${place}:5:4:1++`,
    `${ID}:${place}:90:4:${Array.from({ length: 33 }, (_, i) => i + 1).join()}`,
    `${ID}:${place}:1e3:4`,
  ])('is not %j', (text) => {
    expect(decodeStamp(text)).toBeUndefined()
  })
})

function stampsOf(stored: readonly Stored[]): (Stamp | undefined)[] {
  return stored.map(({ properties }) =>
    decodeStamp(decodeProperties(properties).get(STAMP_PROPERTY) ?? ''),
  )
}

describe('a producer that counts', () => {
  const message = { topic: TOPIC, body: 'hello' }

  async function open(brokers = ['broker-a']): Promise<[Scene, DefaultProducer]> {
    const scene = await Scene.open({ brokers, queues: 1 })
    return [scene, await scene.startedProducer({ sequenceAudit: true })]
  }

  test('counts on each queue from 1', async () => {
    const [scene, producer] = await open(['broker-a', 'broker-b'])
    for (let i = 0; i < 6; i++) await scene.run(producer.send(message))
    const [a = [], b = []] = scene.brokers.map(({ stored }) => stampsOf(stored))
    expect(a.map((each) => [each?.sequence, each?.settled])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ])
    expect(b.map((each) => each?.sequence)).toEqual([1, 2, 3])
    expect(new Set([...a, ...b].map((each) => each?.producerId)).size).toBe(1)
  })

  test('says of those on their way that nothing is known of them yet', async () => {
    const [scene, producer] = await open()
    await scene.run(producer.send(message))
    await scene.run(Promise.all([1, 2, 3].map(() => producer.sendAsync(message))))
    await scene.run(producer.send(message))
    const stamps = stampsOf(scene.broker().stored)
    expect(stamps.map((each) => each?.settled)).toEqual([0, 1, 1, 1, 4])
  })

  test('counts each message of a batch, and of those that share a request', async () => {
    const scene = await Scene.open({ queues: 1 })
    const producer = await scene.startedProducer({ sequenceAudit: true, autoBatch: true })
    await scene.run(producer.sendBatch([message, message]))
    await scene.run(Promise.all([1, 2, 3].map(() => producer.send(message))))
    expect(stampsOf(scene.broker().stored).map((each) => each?.sequence)).toEqual([1, 2, 3, 4, 5])
  })

  test('gives up a number when its message goes to another queue, and says so until that is stored', async () => {
    const [scene, producer] = await open(['broker-a', 'broker-b'])
    await scene.run(producer.send(message))
    await scene.run(producer.send(message))
    const [first, second] = scene.brokers
    if (first === undefined || second === undefined) throw new Error('two brokers are open')
    let isFull = true
    first.script.onSend = () => {
      if (!isFull) return undefined
      isFull = false
      return { code: 14, remark: 'full' }
    }
    await scene.run(producer.send(message))
    await scene.run(producer.send(message))
    for (let i = 0; i < 4; i++) await scene.run(producer.send(message))
    const after = stampsOf(first.stored).slice(1)
    expect(after[0]?.givenUp).toEqual([{ from: 2, to: 2, isElsewhere: true }])
    expect(after[0]?.sequence).toBe(3)
    expect(after[1]?.givenUp).toEqual([])
    expect(stampsOf(second.stored).flatMap((each) => each?.givenUp)).toEqual([])
  })

  test('names in a resend only what was given up before it was counted', async () => {
    const [scene, producer] = await open()
    const { script, stored } = scene.broker()
    const message = { topic: TOPIC, body: 'late' }
    let isHeld = true
    script.onSend = async (_header, body) => {
      if (body.toString() === 'late' && isHeld) {
        isHeld = false
        await scene.pause('broker-a', 1_000)
        return { code: 14, remark: 'full' }
      }
      return body.toString() === 'bad' ? { code: 13, remark: 'illegal' } : undefined
    }
    const late = producer.send(message)
    await scene.run(failure(producer.send({ topic: TOPIC, body: 'bad' })))
    await scene.run(late)
    await scene.run(producer.send(message))
    expect(stampsOf(stored)).toMatchObject([
      { sequence: 1, givenUp: [] },
      { sequence: 3, settled: 2, givenUp: [{ from: 2, to: 2, isElsewhere: false }] },
    ])
  })

  test('sends a number again to the queue that it is of', async () => {
    const [scene, producer] = await open()
    const tries: (number | undefined)[] = []
    scene.broker().script.onSend = ({ properties }) => {
      const text = decodeProperties(properties ?? Buffer.alloc(0)).get(STAMP_PROPERTY)
      tries.push(decodeStamp(text ?? '')?.sequence)
      return tries.length < 3 ? { code: 14, remark: 'full' } : undefined
    }
    await scene.run(producer.send(message))
    await scene.run(producer.send(message))
    expect(tries).toEqual([1, 1, 1, 2])
  })

  test('gives up the numbers of a send that failed', async () => {
    const [scene, producer] = await open()
    scene.broker().script.onSend = () => ({ code: 13, remark: 'illegal' })
    await scene.run(failure(producer.sendBatch([message, message])))
    scene.broker().script.onSend = () => undefined
    await scene.run(producer.send(message))
    expect(stampsOf(scene.broker().stored)).toMatchObject([
      { sequence: 3, settled: 2, givenUp: [{ from: 1, to: 2, isElsewhere: false }] },
    ])
  })

  test('counts anew under another name when more failed than a stamp can name', async () => {
    const [scene, producer] = await open()
    scene.broker().script.onSend = () => ({ code: 13, remark: 'illegal' })
    for (let i = 0; i < 33; i++) await scene.run(failure(producer.send(message)))
    scene.broker().script.onSend = () => undefined
    await scene.run(producer.send(message))
    const [stamped] = stampsOf(scene.broker().stored)
    expect(stamped).toMatchObject({ sequence: 1, settled: 0, givenUp: [] })
    expect(stamped?.producerId).toMatch(/^[0-9a-f]{12}\.2$/)
  })

  test('does not count what is delayed or sent one way', async () => {
    const [scene, producer] = await open()
    await scene.run(producer.send({ ...message, delayLevel: 1 }))
    await scene.run(producer.sendOneway(message))
    await scene.world.clock.advance(10)
    await scene.run(producer.send(message))
    expect(stampsOf(scene.broker().stored).map((each) => each?.sequence)).toEqual([
      undefined,
      undefined,
      1,
    ])
  })

  test('sends a message without a number when there is no room for one', async () => {
    const [scene, producer] = await open()
    const full = { ...message, properties: { pad: 'x'.repeat(32_767 - 70) } }
    await scene.run(producer.send(full))
    await scene.run(producer.send(message))
    expect(stampsOf(scene.broker().stored).map((each) => each?.sequence)).toEqual([undefined, 1])
  })
})

describe('a consumer that audits', () => {
  async function consuming(scene: Scene, filter = '*'): Promise<[PushConsumer, object[]]> {
    const told: object[] = []
    const consumer = scene
      .consumer({ sequenceAudit: true })
      .subscribe(TOPIC, filter, () => undefined)
      .on('lost', (loss) => told.push(loss))
      .on('repeated', (repeat) => told.push(repeat))
    await scene.run(consumer.start())
    await scene.world.clock.advance(1_000)
    return [consumer, told]
  }

  function put(scene: Scene, ...stamps: readonly string[]): void {
    for (const text of stamps) {
      scene.broker().put(TOPIC, 0, 'x', { [STAMP_PROPERTY]: text, TAGS: 'a' })
    }
  }

  test('tells of lost and repeated messages', async () => {
    const scene = await Scene.open({ queues: 1 })
    put(scene, stamp(1), stamp(2), stamp(2, 1), stamp(5))
    const [consumer, told] = await consuming(scene)
    expect(told).toMatchObject([
      { sequence: 2, offset: 2 },
      { fromSequence: 3, toSequence: 4 },
    ])
    expect(consumer.audit).toMatchObject({
      totals: { audited: 4, lost: 2, repeated: 1 },
      rows: [{ producerId: ID, queue, lost: 2, repeated: 1 }],
    })
  })

  test('audits nothing of which it does not ask for all', async () => {
    const scene = await Scene.open({ queues: 1 })
    put(scene, stamp(1), stamp(5))
    const [consumer, told] = await consuming(scene, 'a || b')
    expect(told).toEqual([])
    expect(consumer.audit?.totals.audited).toBe(0)
  })

  test('tells of them as well when it fetches its messages', async () => {
    const scene = await Scene.open({ queues: 1 })
    put(scene, stamp(1), stamp(1), stamp(4))
    const told: object[] = []
    const consumer = scene
      .litePuller({ sequenceAudit: true })
      .on('lost', (loss) => told.push(loss))
      .on('repeated', (repeat) => told.push(repeat))
    await scene.run(consumer.subscribe(TOPIC).start())
    await scene.world.clock.advance(1_000)
    expect(told).toMatchObject([{ sequence: 1 }, { fromSequence: 2, toSequence: 3 }])
    expect(consumer.audit?.totals).toMatchObject({ audited: 3, lost: 2, repeated: 1 })
  })

  test('has no audit unless it is asked for one', async () => {
    const scene = await Scene.open({ queues: 1 })
    expect(scene.consumer().audit).toBeUndefined()
  })

  test('finds a message that was stored although its broker did not answer, as a repeat', async () => {
    const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 1 })
    const producer = await scene.startedProducer({ sequenceAudit: true, attemptTimeoutMs: 500 })
    const broker = scene.broker()
    let isMute = false
    broker.script.onSend = () => undefined
    await scene.run(producer.send({ topic: TOPIC, body: 'a' }))
    await scene.run(producer.send({ topic: TOPIC, body: 'b' }))
    broker.script.onSend = ({ properties, queueId = 0 }, body) => {
      if (isMute) return undefined
      isMute = true
      const kept = Object.fromEntries(decodeProperties(properties ?? Buffer.alloc(0)))
      broker.put(TOPIC, queueId, body.toString(), kept)
      return new Promise(() => undefined)
    }
    for (let i = 0; i < 5; i++) await scene.run(producer.send({ topic: TOPIC, body: `${i}` }))
    const [consumer, told] = await consuming(scene)
    expect(told).toMatchObject([{ queue, sequence: 2, offset: undefined }])
    expect(consumer.audit?.totals).toMatchObject({ audited: 8, lost: 0, repeated: 1 })
  })
})
