/** Where a group begins, by the table of Apache's RebalancePushImpl. */
import type { ConsumeFromWhere } from '@rockhopper/client'
import { retryTopicOf } from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import { describe, expect, test } from 'vitest'
import { OwnedQueue } from '../../packages/client/src/balance/owned-queue.ts'
import type { BrokerOffsets } from '../../packages/client/src/cluster/broker-offsets.ts'
import { Offsets } from '../../packages/client/src/offsets/offsets.ts'
import { GROUP, Scene, TOPIC } from './scene.ts'

const PLACES = { brokerName: 'broker-a', queueId: 0 }
const FROM = { last: 'last', first: 'first', time: { timestampMs: 1003 } } as const

/** A broker that has the offset `committed` of the group, and messages up to 100; 42 is of the time. */
function brokerWith(committed: number | undefined): BrokerOffsets {
  const known: Pick<BrokerOffsets, 'committed' | 'max' | 'atTime'> = {
    committed: async () => committed,
    max: async () => 100,
    atTime: async (_, timestampMs) => (timestampMs === 1003 ? 42 : -1),
  }
  return known as BrokerOffsets
}

describe.each([
  ['last', TOPIC, 100],
  ['first', TOPIC, 0],
  ['time', TOPIC, 42],
  ['last', retryTopicOf(GROUP), 0],
  ['first', retryTopicOf(GROUP), 0],
  ['time', retryTopicOf(GROUP), 100],
] as const)('a group that begins at the %s of %s', (name, topic, offset) => {
  const from: ConsumeFromWhere = FROM[name]
  const queue = { topic, ...PLACES }

  test(`begins at ${offset} when nothing is stored, and has nothing stored`, async () => {
    const owned = new OwnedQueue(queue)
    expect(await new Offsets(brokerWith(undefined), from).startOffset(owned)).toBe(offset)
    expect(owned.storedOffset).toBeUndefined()
  })

  test.each([0, 7, 500])('begins at %i when that is stored', async (stored) => {
    const owned = new OwnedQueue(queue)
    expect(await new Offsets(brokerWith(stored), from).startOffset(owned)).toBe(stored)
    expect(owned.storedOffset).toBe(stored)
  })

  test('begins nowhere when the broker cannot say what is stored', async () => {
    const broker = { ...brokerWith(undefined), committed: () => Promise.reject(new Error('busy')) }
    const offsets = new Offsets(broker as unknown as BrokerOffsets, from)
    await expect(offsets.startOffset(new OwnedQueue(queue))).rejects.toThrow('busy')
  })
})

describe('on the wire', () => {
  test('0 for a young queue is taken as it is, so that nothing is missed', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'early')
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 0)
    const got: string[] = []
    const consumer = scene
      .consumer({ consumeFromWhere: 'last' })
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 1, 2000)
  })

  test('−1 means that nothing is stored', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (const text of ['a', 'b', 'c']) scene.broker().put(TOPIC, 0, text)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, -1)
    const consumer = scene.consumer({ consumeFromWhere: 'last' }).subscribe(TOPIC, '*', () => {})
    await scene.run(consumer.start())
    await scene.until(() => scene.broker().pulls.length === 1, 2000)
    expect(scene.broker().pulls[0]?.queueOffset).toBe(3)
  })

  test('any other negative offset is an error, and it is asked again', async () => {
    const scene = await Scene.open({ queues: 1 })
    const { offsets, pulls } = scene.broker()
    offsets.set(`${GROUP} ${TOPIC} 0`, -2)
    const problems: Error[] = []
    const consumer = scene
      .consumer({ consumeFromWhere: 'last' })
      .subscribe(TOPIC, '*', () => {})
      .on('problem', ({ error }) => problems.push(error))
    await scene.run(consumer.start())
    await scene.world.clock.advance(10_000)
    expect(pulls).toHaveLength(0)
    expect(problems).toHaveLength(1)
    expect(problems[0]?.cause).toBeInstanceOf(RemoteError)
    expect(problems[0]?.message).toContain('QUERY_CONSUMER_OFFSET')
    offsets.set(`${GROUP} ${TOPIC} 0`, 0)
    await scene.until(() => pulls.length > 0, 5000)
  })
})
