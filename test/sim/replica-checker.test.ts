/**
 * The judge over masters and slaves: each promise, broken by hand, is told of; and what a mode does
 * not promise is not.
 */
import {
  judgeReplicas,
  mayBeLost,
  type ReplicaEvidence,
  ReplicaHistory,
  type ReplicaMode,
} from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

const mode: ReplicaMode = {
  role: 'SYNC_MASTER',
  masterFlush: 'ASYNC_FLUSH',
  slaveFlush: 'ASYNC_FLUSH',
  slavesPerMaster: 2,
  inSyncReplicas: 2,
}
const queue = 'replicated broker-a 0'
const brokerName = 'broker-a'
const isWithinPromise = true

/** Three messages that were sent, stored, handled and committed as they should be. */
class Case {
  nowMs = 0
  readonly history = new ReplicaHistory(() => this.nowMs)
  stored = [0, 1, 2].map((queueOffset) => ({ key: `p/${queueOffset}`, queue, queueOffset }))

  constructor() {
    for (const { key, queueOffset } of this.stored) {
      this.history.acknowledge(this.history.send(key), { queue, queueOffset })
    }
    this.nowMs = 10
  }

  /** Messages up to an offset are handled. */
  handle(...queueOffsets: readonly number[]): this {
    for (const queueOffset of queueOffsets) {
      const key = `p/${queueOffset}`
      this.history.handled(this.history.deliver({ consumer: 'c', key, queue, queueOffset }))
    }
    this.nowMs += 10
    return this
  }

  rules(given: Partial<ReplicaEvidence> = {}): string[] {
    const { history, stored } = this
    const found = judgeReplicas({ history, isWithinPromise, mode, stored, ...given })
    return found.map(({ rule }) => rule)
  }
}

test('nothing is said where all is well', () => {
  const all = new Case().handle(0, 1, 2)
  all.history.seeCommitted({ queue, queueOffset: 3 })
  expect(all.rules()).toEqual([])
})

describe('an acknowledged message that is not there', () => {
  const lost = (...brokerIds: readonly number[]): Case => {
    const made = new Case().handle(0, 1, 2)
    made.stored = made.stored.slice(0, 2)
    for (const brokerId of brokerIds) made.history.lose({ brokerName, brokerId, kind: 'power' })
    return made
  }
  const rule = 'an acknowledged message is where its result says'

  test('is told of when nothing was lost', () => {
    expect(lost().rules()).toContain(rule)
  })

  test('is told of when the master alone lost something, and a slave had it', () => {
    expect(lost(0).rules()).toContain(rule)
  })

  test('is told of when another broker lost something', () => {
    const other = lost()
    for (const brokerId of [0, 1, 2]) {
      other.history.lose({ brokerName: 'broker-b', brokerId, kind: 'disk' })
    }
    expect(other.rules()).toContain(rule)
  })

  test('is excused when master and slave lost what their devices did not have', () => {
    expect(lost(0, 1).rules()).toEqual([])
  })

  test('is excused when more goes wrong than is promised, and the master lost something', () => {
    expect(lost(0).rules({ isWithinPromise: false })).toEqual([])
    expect(lost(1, 2).rules({ isWithinPromise: false })).toContain(rule)
  })
})

test('a hole in a queue is told of', () => {
  const hole = new Case().handle(0, 1, 2)
  hole.stored = hole.stored.map((each) => ({ ...each, queueOffset: each.queueOffset * 2 }))
  expect(hole.rules()).toContain('queues have no holes and no repeats')
})

test('a message that nobody sent is told of', () => {
  const foreign = new Case().handle(0, 1, 2)
  foreign.stored = [...foreign.stored, { key: 'x/1', queue, queueOffset: 3 }]
  expect(foreign.rules()).toContain('what is stored was sent')
})

test('a message that was delivered and is gone is told of, unless a machine lost something', () => {
  const phantom = new Case().handle(0, 1, 2, 3)
  const rule = 'what was delivered is what is stored'
  expect(phantom.rules()).toEqual([rule])
  phantom.history.lose({ brokerName, brokerId: 0, kind: 'power' })
  expect(phantom.rules()).toEqual([])
  const flushed = { ...mode, masterFlush: 'SYNC_FLUSH' as const }
  expect(phantom.rules({ mode: flushed })).toEqual([rule])
})

test('a message that was never handled is told of', () => {
  expect(new Case().handle(0, 1).rules()).toEqual(['every stored message is handled'])
})

test('a message that comes first after a later one is told of', () => {
  const rule = 'messages are first delivered in the order of their queue'
  expect(new Case().handle(0, 2, 1).rules()).toEqual([rule])
})

test('an offset that is committed before its messages are handled is told of', () => {
  const early = new Case().handle(0)
  early.history.seeCommitted({ queue, queueOffset: 2 })
  early.nowMs += 1
  early.handle(1, 2)
  expect(early.rules()).toEqual(['an offset is committed after its messages were handled'])
})

test('an offset that moves back is told of, unless its broker was disturbed', () => {
  const back = new Case().handle(0, 1, 2)
  back.history.seeCommitted({ queue, queueOffset: 3 })
  back.nowMs += 5_000
  back.history.seeCommitted({ queue, queueOffset: 2 })
  expect(back.rules()).toEqual(['a committed offset does not move back in quiet times'])
  back.history.disturb(brokerName, 100)
  expect(back.rules()).toEqual([])
})

describe('what a mode promises to survive', () => {
  const loss = (brokerId: number, kind: 'power' | 'disk') => {
    return { brokerName, brokerId, kind, atMs: 0 }
  }

  test.each([
    ['ASYNC_MASTER', 'ASYNC_FLUSH', false, false],
    ['ASYNC_MASTER', 'SYNC_FLUSH', true, false],
    ['SYNC_MASTER', 'ASYNC_FLUSH', true, true],
    ['SYNC_MASTER', 'SYNC_FLUSH', true, true],
  ] as const)(
    '%s with %s: power of the master %s, its disk %s',
    (role, masterFlush, power, disk) => {
      const given = { ...mode, role, masterFlush }
      expect(mayBeLost(given, [loss(0, 'power')])).toBe(!power)
      expect(mayBeLost(given, [loss(0, 'disk')])).toBe(!disk)
      expect(mayBeLost(given, [loss(1, 'disk'), loss(2, 'disk')])).toBe(false)
    },
  )

  test('everything at once only with flushes that are waited for on one side', () => {
    const all = [0, 1, 2].map((brokerId) => loss(brokerId, 'power'))
    expect(mayBeLost(mode, all)).toBe(true)
    expect(mayBeLost({ ...mode, masterFlush: 'SYNC_FLUSH' }, all)).toBe(false)
    expect(mayBeLost({ ...mode, slaveFlush: 'SYNC_FLUSH' }, all)).toBe(false)
  })

  test('a slave more for each in-sync replica more', () => {
    const three = { ...mode, inSyncReplicas: 3 }
    const two = [loss(0, 'disk'), loss(1, 'disk')]
    expect(mayBeLost(mode, two)).toBe(true)
    expect(mayBeLost(three, two)).toBe(false)
    expect(mayBeLost(three, [...two, loss(2, 'power')])).toBe(true)
  })
})
