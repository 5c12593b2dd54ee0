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
  type ReplicaSend,
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
  stored: ReplicaEvidence['stored'] = []

  constructor() {
    for (let count = 0; count < 3; count += 1) this.store()
    this.nowMs = 10
  }

  /** A message that is sent, stored and acknowledged. */
  store(tag = 'red'): ReplicaSend {
    const queueOffset = this.stored.length
    const key = `p/${queueOffset}`
    const sent = this.history.send({ key, producer: 'p', tag, body: `${key} body` })
    this.stored = [...this.stored, { key, tag, body: sent.body, queue, queueOffset }]
    this.history.acknowledge(sent, { queue, queueOffset })
    return sent
  }

  /** Messages up to an offset are handled. */
  handle(...queueOffsets: readonly number[]): this {
    for (const queueOffset of queueOffsets) this.history.handled(this.begin(queueOffset))
    this.nowMs += 10
    return this
  }

  begin(
    queueOffset: number,
    { tag = 'red', body = `p/${queueOffset} body`, isAgain = false } = {},
  ) {
    const spot = { queue, queueOffset: isAgain ? 77 : queueOffset }
    const content = { key: `p/${queueOffset}`, tag, body }
    return this.history.deliver({ consumer: 'c', ...content, ...spot }, isAgain)
  }

  rules(given: Partial<ReplicaEvidence> = {}): string[] {
    const { history, stored } = this
    const isUndisturbed = false
    const found = judgeReplicas({ history, isWithinPromise, isUndisturbed, mode, stored, ...given })
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
  foreign.stored = [...foreign.stored, { key: 'x/1', tag: '', body: '', queue, queueOffset: 3 }]
  expect(foreign.rules()).toContain('what is stored was sent, unchanged')
})

test.each([{ body: 'p/0 other' }, { tag: 'blue' }])(
  'a message that was changed is told of',
  (change) => {
    const changed = new Case().handle(0, 1, 2)
    changed.stored = changed.stored.map((each) =>
      each.key === 'p/0' ? { ...each, ...change } : each,
    )
    expect(changed.rules()).toContain('what is stored was sent, unchanged')
    expect(changed.rules()).toContain('what was delivered is what is stored')
  },
)

test('a message that is stored before one that its producer had sent earlier is told of', () => {
  const late = new Case().handle(0, 1, 2)
  const again = late.history.send({ key: 'p/9', producer: 'p', tag: 'red', body: 'p/9 body' })
  late.history.acknowledge(again, { queue, queueOffset: 1 })
  const rule = 'a producer’s messages are stored in its order'
  expect(late.rules()).toContain(rule)
  for (const brokerId of [0, 1, 2]) late.history.lose({ brokerName, brokerId, kind: 'power' })
  expect(late.rules()).not.toContain(rule)
})

test('a message that was delivered and is gone is told of, unless a machine lost something', () => {
  const phantom = new Case().handle(0, 1, 2, 3)
  const rule = 'what was delivered is what is stored'
  expect(phantom.rules()).toEqual([rule])
  phantom.history.lose({ brokerName, brokerId: 0, kind: 'power' })
  expect(phantom.rules()).toEqual([])
  const flushed = { ...mode, masterFlush: 'SYNC_FLUSH' as const }
  expect(phantom.rules({ mode: flushed })).toEqual([rule])
  const slave = new Case().handle(0, 1, 2, 3)
  slave.history.lose({ brokerName, brokerId: 1, kind: 'disk' })
  expect(slave.rules()).toEqual([rule])
  const late = new Case()
  late.history.lose({ brokerName, brokerId: 0, kind: 'disk' })
  late.nowMs += 8_000
  expect(late.handle(0, 1, 2, 3).rules()).toEqual([rule])
})

const UNHANDLED = 'every message of the subscription is handled'

test('a message that was never delivered is told of, and one whose handler never ended', () => {
  const open = new Case().handle(0, 1)
  expect(open.rules()).toEqual([UNHANDLED])
  open.begin(2)
  expect(open.rules()).toEqual([UNHANDLED])
})

test('a machine that forgot something excuses only places that the group had got to before', () => {
  const open = new Case().handle(0, 1)
  open.history.lose({ brokerName, brokerId: 0, kind: 'power' })
  expect(open.rules()).toEqual([UNHANDLED])
  const passed = new Case().handle(0, 1)
  passed.begin(2, { body: 'p/2 lost' })
  passed.history.deliver({ consumer: 'c', key: 'p/8', tag: 'red', body: '', queue, queueOffset: 2 })
  passed.history.lose({ brokerName, brokerId: 0, kind: 'power' })
  expect(passed.rules()).toEqual([])
})

test('messages that the group did not subscribe to are told of when they are delivered', () => {
  const filtered = new Case().handle(0, 1, 2)
  const wantedTags = new Set(['red'])
  filtered.store('blue')
  expect(filtered.rules({ wantedTags })).toEqual([])
  filtered.history.handled(filtered.begin(3, { tag: 'blue' }))
  const rule = 'only messages of the subscription are delivered'
  expect(filtered.rules({ wantedTags })).toEqual([rule])
})

describe('a message whose handler failed', () => {
  const failed = (): Case => {
    const made = new Case().handle(0, 1)
    made.history.failed(made.begin(2))
    made.nowMs += 10
    made.history.seeCommitted({ queue, queueOffset: 3 })
    return made
  }

  test('is told of when it does not come again', () => {
    expect(failed().rules()).toEqual([UNHANDLED])
  })

  test('is the same when it comes again from elsewhere', () => {
    const again = failed()
    again.history.handled(again.begin(2, { isAgain: true }))
    expect(again.rules()).toEqual([])
  })

  test('is excused when a machine that may have had it forgot something later', () => {
    const lost = failed()
    lost.history.lose({ brokerName: 'broker-b', brokerId: 0, kind: 'disk' })
    expect(lost.rules()).toEqual([])
  })
})

test('a message that comes twice, or is stored twice, is told of in quiet times', () => {
  const twice = new Case().handle(0, 1, 2, 1)
  expect(twice.rules()).toEqual([])
  const rule = 'nothing is stored or delivered twice in quiet times'
  expect(twice.rules({ isUndisturbed: true })).toEqual([rule])
  const stored = new Case().handle(0, 1, 2)
  stored.stored = [...stored.stored, ...stored.stored.slice(0, 1)]
  expect(stored.rules({ isUndisturbed: true })).toContain(rule)
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
