/** Room for messages is given first come, first served, and never beyond the limits. */
import { SimClock } from '@rockhopper/sim'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_WAITING_SENDS, Room } from '../../packages/client/src/produce/room.ts'

const LATER_MS = 1_000_000

test('whoever enters and leaves, the limits hold, nobody overtakes and nobody is forgotten', async () => {
  const steps = fc.array(
    fc.oneof(fc.record({ bytes: fc.integer({ min: 1, max: 40 }) }), fc.constant('leave' as const)),
    { maxLength: 100 },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const room = new Room(new SimClock(), { maxCount: 4, maxBytes: 50 })
      const inside: number[] = []
      const order: number[] = []
      let asked = 0
      for (const step of script) {
        if (step === 'leave') {
          const bytes = inside.shift()
          if (bytes !== undefined) room.leave(bytes)
        } else {
          const mine = asked++
          const entered = room.enterLater(step.bytes, LATER_MS)
          void entered.then(() => {
            order.push(mine)
            inside.push(step.bytes)
          })
        }
        await Promise.resolve()
        await Promise.resolve()
        expect(room.count).toBe(inside.length)
        expect(room.count).toBeLessThanOrEqual(4)
        expect(room.bytes).toBeLessThanOrEqual(50)
      }
      while (inside.length > 0) {
        room.leave(inside.shift() ?? 0)
        await Promise.resolve()
        await Promise.resolve()
      }
      expect(order).toEqual(Array.from({ length: asked }, (_, i) => i))
    }),
    { seed: 1 },
  )
})

test('the line has a limit, beyond which a send fails at once', async () => {
  const room = new Room(new SimClock(), { maxCount: 1, maxBytes: 10 })
  const waiting: Promise<void>[] = []
  for (let i = 0; i < MAX_WAITING_SENDS + 1; i++) waiting.push(room.enterLater(1, LATER_MS))
  await expect(room.enterLater(1, LATER_MS)).rejects.toThrow(
    `1 messages of 1 bytes are in flight and ${MAX_WAITING_SENDS} wait: await earlier sends`,
  )
  for (let i = 0; i < waiting.length; i++) room.leave(1)
  await Promise.all(waiting)
  expect(room.count).toBe(0)
})

test('each of those who wait has a deadline of its own', async () => {
  const clock = new SimClock()
  const room = new Room(clock, { maxCount: 1, maxBytes: 10 })
  room.enter(5)
  const ends: string[] = []
  const wait = (name: string, deadlineMs: number): void => {
    room.enterLater(1, deadlineMs).then(
      () => ends.push(`${name} in`),
      () => ends.push(`${name} late at ${clock.monotonicMs()}`),
    )
  }
  wait('a', 300)
  wait('b', 100)
  wait('c', 500)
  await clock.advance(350)
  expect(ends).toEqual(['b late at 100', 'a late at 300'])
  room.leave(5)
  await clock.advance(1000)
  expect(ends).toEqual(['b late at 100', 'a late at 300', 'c in'])
  expect(clock.pendingCount).toBe(0)
})
