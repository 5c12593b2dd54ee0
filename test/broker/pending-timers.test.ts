/** Messages that wait come out in the order of their slots, whatever the order they went in. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type PendingTimer,
  PendingTimers,
} from '../../packages/broker/src/tables/pending-timers.ts'

function timer(wakeMs: number, more: Partial<PendingTimer> = {}): PendingTimer {
  const rest = { logOffset: 0, sizeBytes: 200, isRoll: false, isRecall: false, realTopic: 'T' }
  return { wakeMs, ...rest, ...more }
}

function takeAll(timers: PendingTimers): PendingTimer[] {
  return Array.from({ length: timers.count }, () => timers.takeFirst())
}

describe('messages that wait', () => {
  test('come out slot by slot, and in a slot as they were stored', () => {
    const timers = new PendingTimers()
    const all = Array.from({ length: 5_000 }, (_, i) => {
      return timer(((i * 7_919) % 61) * 1_000, { logOffset: i * 100, realTopic: `T${i % 3}` })
    })
    for (const each of all) timers.add(each)
    const order = (one: PendingTimer, other: PendingTimer): number =>
      one.wakeMs - other.wakeMs || one.logOffset - other.logOffset
    expect(takeAll(timers)).toEqual(all.toSorted(order))
    expect(timers.firstWakeMs).toBe(Number.POSITIVE_INFINITY)
  })

  test('that call others off come before the others of their slot', () => {
    const timers = new PendingTimers()
    timers.add(timer(2_000, { logOffset: 1 }))
    timers.add(timer(2_000, { logOffset: 2, isRecall: true }))
    timers.add(timer(1_000, { logOffset: 3 }))
    expect(takeAll(timers).map(({ logOffset }) => logOffset)).toEqual([3, 2, 1])
  })

  test('keep what they are for', () => {
    const timers = new PendingTimers()
    const wanted = timer(5, {
      logOffset: 2 ** 45,
      sizeBytes: 2 ** 24,
      isRoll: true,
      isRecall: true,
    })
    timers.add(wanted)
    expect(timers.takeFirst()).toEqual(wanted)
  })

  test('are counted by topic, but for those that call others off', () => {
    const timers = new PendingTimers()
    timers.add(timer(1, { realTopic: 'A' }))
    timers.add(timer(2, { realTopic: 'B' }))
    timers.add(timer(3, { realTopic: 'B' }))
    timers.add(timer(4, { realTopic: 'B', isRecall: true }))
    timers.takeFirst()
    expect([...timers.countsByTopic()]).toEqual([['B', 2]])
  })

  test('are the same after they were in a file, but for those that are gone', () => {
    const timers = new PendingTimers()
    for (let i = 0; i < 100; i++) timers.add(timer(100 - i, { logOffset: i * 200 }))
    const again = new PendingTimers()
    again.restore(timers.image(), new Set([200, 600]))
    const left = takeAll(timers).filter(({ logOffset }) => logOffset !== 0 && logOffset !== 400)
    expect(takeAll(again)).toEqual(left)
  })
})

test('those that are looked at without being taken come in the same order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 60 }), (list) => {
      const timers = new PendingTimers()
      for (const [i, [wakeMs, isRecall]] of list.entries()) {
        const rest = { logOffset: i * 100, sizeBytes: 90, isRoll: false, realTopic: `T${i % 3}` }
        timers.add({ wakeMs, isRecall, ...rest })
      }
      const seen = [...timers.earliest()]
      expect(seen).toEqual(list.map(() => timers.takeFirst()))
    }),
    { seed: 1 },
  )
})
