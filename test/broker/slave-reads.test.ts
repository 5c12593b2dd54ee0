/** Reading from a slave: who may, what it answers, and when it sends a reader to its master. */
import { GET_MAX_OFFSET, responseCode, SEARCH_OFFSET_BY_TIMESTAMP } from '@rockhopper/protocol'
import type { ReadOutcome } from '@rockhopper/store'
import { describe, expect, test } from 'vitest'
import {
  codeOf,
  isAtEnd,
  isFarBehind,
  type PullRole,
  suggestedBroker,
  uncorrected,
} from '../../packages/broker/src/rules/pull-answer.ts'
import { bodiesOf } from './scene.ts'
import { SlaveScene, timeoutMs } from './slave-scene.ts'

const { PULL_NOT_FOUND, PULL_OFFSET_MOVED, PULL_RETRY_IMMEDIATELY, SUCCESS, SYSTEM_BUSY } =
  responseCode

/** A slave with three messages, whose master was never there. */
async function alone(settings = ''): Promise<SlaveScene> {
  const scene = new SlaveScene()
  await scene.startNameServer()
  await scene.fillSlave('orders', ['one', 'two', 'three'])
  await scene.startSlave(settings)
  return scene
}

/** The same when the master is there, too. */
async function withMaster(): Promise<SlaveScene> {
  const scene = await alone()
  // A master with an empty log is not followed: it has a message, too.
  await scene.startMaster()
  await scene.send(scene.masterAddress, 'orders', 'one')
  await scene.advance(12_000)
  return scene
}

describe('a pull at a slave', () => {
  test('is served while the master is gone, and names the slave for the next one', async () => {
    const scene = await alone()
    const answer = await scene.pull('orders', 0)
    expect(answer.code).toBe(SUCCESS)
    expect(bodiesOf(answer)).toEqual(['one', 'two', 'three'])
    expect(answer.header()).toMatchObject({ suggestWhichBrokerId: 1, nextBeginOffset: 3 })
  })

  test('is sent to the master by what it finds while that is there', async () => {
    const scene = await withMaster()
    const answer = await scene.pull('orders', 0)
    expect([answer.code, answer.header().suggestWhichBrokerId]).toEqual([SUCCESS, 0])
  })

  test('at the end is sent to the master at once, though it might be held', async () => {
    const scene = await withMaster()
    const beforeMs = scene.world.clock.nowMs()
    const answer = await scene.pull('orders', 3, { holdMs: 15_000 })
    expect(scene.world.clock.nowMs() - beforeMs).toBeLessThan(100)
    expect([answer.code, answer.header().suggestWhichBrokerId]).toEqual([PULL_RETRY_IMMEDIATELY, 0])
    expect(answer.header().nextBeginOffset).toBe(3)
  })

  test.each([3, 10])(
    'at offset %i of three messages waits while the master is gone',
    async (at) => {
      const scene = await alone()
      const beforeMs = scene.world.clock.nowMs()
      const answer = await scene.pull('orders', at, { holdMs: 15_000 })
      expect(scene.world.clock.nowMs() - beforeMs).toBeGreaterThanOrEqual(15_000)
      expect(answer.header()).toMatchObject({ suggestWhichBrokerId: 1, nextBeginOffset: at })
      expect(answer.code).not.toBe(PULL_OFFSET_MOVED)
    },
  )

  test('that waits is sent back within seconds when the master comes', async () => {
    const scene = await alone()
    const pulled = scene.pulling('orders', 3, { holdMs: 30_000 })
    await scene.advance(1_000)
    await scene.startMaster()
    await scene.send(scene.masterAddress, 'orders', 'one')
    const beforeMs = scene.world.clock.nowMs()
    const answer = await scene.settle(pulled)
    expect(scene.world.clock.nowMs() - beforeMs).toBeLessThan(9_000)
    expect([answer.code, answer.header().suggestWhichBrokerId]).toEqual([PULL_RETRY_IMMEDIATELY, 0])
  })

  test('never moves an offset, unless the slave is told to check them', async () => {
    const lenient = await alone()
    const left = await lenient.pull('orders', 10)
    expect([left.code, left.header().nextBeginOffset]).toEqual([PULL_RETRY_IMMEDIATELY, 10])
    const strict = await alone('offsetCheckInSlave=true\n')
    const moved = await strict.pull('orders', 10)
    expect([moved.code, moved.header().nextBeginOffset]).toEqual([PULL_OFFSET_MOVED, 3])
  })

  test('is refused with slaveReadEnable=false, as by Apache', async () => {
    const scene = await alone('slaveReadEnable=false\n')
    const answer = await scene.pull('orders', 0)
    expect(answer.code).toBe(SYSTEM_BUSY)
    expect(answer.remark).toMatch(/^\[REJECTREQUEST\]system busy/)
  })
})

test('queues of a slave have their bounds, and messages are found by time', async () => {
  const scene = await alone()
  const queue = { topic: 'orders', queueId: 0 }
  const options = { timeoutMs }
  const max = scene.client.request(scene.slaveAddress, GET_MAX_OFFSET, queue, options)
  expect((await scene.settle(max)).header().offset).toBe(3)
  const asked = { ...queue, timestamp: 0 }
  const first = scene.client.request(scene.slaveAddress, SEARCH_OFFSET_BY_TIMESTAMP, asked, options)
  expect((await scene.settle(first)).header().offset).toBe(0)
  const later = { ...queue, timestamp: scene.world.clock.nowMs() }
  const end = scene.client.request(scene.slaveAddress, SEARCH_OFFSET_BY_TIMESTAMP, later, options)
  expect((await scene.settle(end)).header().offset).toBeGreaterThanOrEqual(2)
})

const master: PullRole = { kind: 'master', sendsToSlaves: true }
const slave: PullRole = { kind: 'slave', brokerId: 2, correctsOffsets: false, isMasterThere: true }
const orphan: PullRole = { ...slave, isMasterThere: false }
const group = { brokerId: 0, whichBrokerWhenConsumeSlowly: 1 }

describe('the broker to ask next', () => {
  test.each([
    ['at a master, of old messages', master, true, 1],
    ['at a master, of new messages', master, false, 0],
    ['at a master that sends nobody away', { ...master, sendsToSlaves: false }, true, 0],
    ['at a slave, of old messages', slave, true, 1],
    ['at a slave, of new messages', slave, false, 0],
    ['at a slave whose master is gone', orphan, true, 2],
  ] as const)('%s', (_where, role, isFar, expected) => {
    expect(suggestedBroker(group, isFar, role)).toBe(expected)
  })

  test('is told by how far the last message lies before the end of the log', () => {
    const record = Buffer.alloc(64)
    record.writeBigInt64BE(1_000n, 28)
    expect(isFarBehind({ slices: [record] }, 1_500, 499)).toBe(true)
    expect(isFarBehind({ slices: [record] }, 1_500, 500)).toBe(false)
    expect(isFarBehind({ slices: [] }, 1_500, 0)).toBe(false)
  })
})

test('codes of a slave are those of its master where it found messages or has no master', () => {
  expect(codeOf({ status: 'FOUND' }, 5, slave)).toBe(SUCCESS)
  expect(codeOf({ status: 'OFFSET_OVERFLOW_ONE' }, 5, slave)).toBe(PULL_RETRY_IMMEDIATELY)
  expect(codeOf({ status: 'OFFSET_OVERFLOW_ONE' }, 5, orphan)).toBe(PULL_NOT_FOUND)
  expect(codeOf({ status: 'OFFSET_TOO_SMALL' }, 5, orphan)).toBe(PULL_RETRY_IMMEDIATELY)
  expect(codeOf({ status: 'OFFSET_TOO_SMALL' }, 5, master)).toBe(PULL_OFFSET_MOVED)
})

test('a slave leaves readers where they are, and holds them only while its master is gone', () => {
  const outcome: ReadOutcome = {
    status: 'OFFSET_OVERFLOW_BADLY',
    ...{ nextOffset: 3, minOffset: 0, maxOffset: 3, slices: [], messageCount: 0, bytes: 0 },
  }
  expect(uncorrected(outcome, 10, orphan).nextOffset).toBe(10)
  expect(uncorrected(outcome, 10, master).nextOffset).toBe(3)
  expect(isAtEnd(outcome, 10, orphan)).toBe(true)
  expect(isAtEnd(outcome, 10, slave)).toBe(false)
  expect(isAtEnd(outcome, 10, master)).toBe(false)
})
