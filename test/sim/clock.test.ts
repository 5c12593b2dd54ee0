/** What virtual time promises: order, determinism, and that promises go on between events. */
import { every, pause } from '@rockhopper/host'
import { SimClock, SimRandom, SimTrace } from '@rockhopper/sim'
import { expect, test } from 'vitest'

test('events run in the order of their times, and of their scheduling at the same time', async () => {
  const clock = new SimClock()
  const seen: string[] = []
  clock.after(20, () => seen.push('late'))
  clock.after(10, () => seen.push('first of two'))
  clock.after(10, () => seen.push('second of two'))
  clock.soon(() => seen.push('soon'))
  clock.after(0, () => seen.push('at once'))
  await clock.advance(15)
  expect(seen).toEqual(['soon', 'at once', 'first of two', 'second of two'])
  expect(clock.monotonicMs()).toBe(15)
  await clock.advance(15)
  expect(seen.at(-1)).toBe('late')
})

test('every promise that can go on has gone on before the next event runs', async () => {
  const clock = new SimClock()
  const seen: string[] = []
  clock.after(1, async () => {
    for (let i = 0; i < 50; i += 1) await undefined
    seen.push('after fifty awaits')
  })
  clock.after(1, () => seen.push('next event'))
  await clock.advance(1)
  expect(seen).toEqual(['after fifty awaits', 'next event'])
})

test('a cancelled event does not run, and cancelling twice is harmless', async () => {
  const clock = new SimClock()
  const seen: string[] = []
  const timer = clock.after(5, () => seen.push('cancelled'))
  timer.cancel()
  timer.cancel()
  expect(clock.pendingCount).toBe(0)
  await clock.advance(10)
  expect(seen).toEqual([])
})

test('a random mix of events and cancellations runs sorted and complete', async () => {
  const clock = new SimClock()
  const random = new SimRandom(7)
  const seen: number[] = []
  const timers = Array.from({ length: 5000 }, () => {
    const atMs = random.below(1000)
    return { atMs, timer: clock.after(atMs, () => seen.push(atMs)) }
  })
  const cancelled = timers.filter(() => random.chance(0.7))
  for (const { timer } of cancelled) timer.cancel()
  const kept = timers.filter((each) => !cancelled.includes(each)).map(({ atMs }) => atMs)
  expect(clock.pendingCount).toBe(kept.length)
  await clock.advance(1000)
  expect(seen).toEqual(kept.sort((a, b) => a - b))
})

test('the wall clock jumps alone', async () => {
  const clock = new SimClock(1000)
  await clock.advance(5.5)
  clock.jumpWall(-500)
  expect(clock.nowMs()).toBe(505)
  expect(clock.monotonicMs()).toBe(5.5)
})

test('run waits for a condition, and says so when nothing can fulfil it', async () => {
  const clock = new SimClock()
  let count = 0
  clock.after(3, () => {
    count += 1
  })
  await clock.run(() => count === 1)
  expect(clock.monotonicMs()).toBe(3)
  await expect(clock.run(() => count === 2)).rejects.toThrow('no event is left')
  clock.after(100, () => {})
  await expect(clock.run(() => count === 2, 50)).rejects.toThrow('by 53 ms')
})

test('settle returns what a promise came to, and throws what it failed with', async () => {
  const clock = new SimClock()
  const work = async (): Promise<number> => {
    await pause(clock, 10)
    return clock.monotonicMs()
  }
  expect(await clock.settle(work())).toBe(10)
  const failing = async (): Promise<void> => {
    await pause(clock, 1)
    throw new Error('the work failed')
  }
  await expect(clock.settle(failing())).rejects.toThrow('the work failed')
})

test('an error of an event ends the run with it', async () => {
  const clock = new SimClock()
  clock.after(1, () => {
    throw new Error('a bug')
  })
  await expect(clock.advance(2)).rejects.toThrow('a bug')
})

test('two runs at a time are refused', async () => {
  const clock = new SimClock()
  const first = clock.advance(1)
  await expect(clock.advance(1)).rejects.toThrow('run already')
  await first
})

test('the same program leaves the same trace, and another one does not', async () => {
  const traceOf = async (periodMs: number): Promise<string> => {
    const trace = new SimTrace()
    const clock = new SimClock(0, trace)
    const loop = every(
      clock,
      periodMs,
      () => pause(clock, 3),
      () => {},
    )
    await clock.advance(100)
    await clock.settle(loop.stop())
    return trace.digest()
  }
  const digest = await traceOf(10)
  expect(digest).toMatch(/^[0-9a-f]{16}$/)
  expect(await traceOf(10)).toBe(digest)
  expect(await traceOf(11)).not.toBe(digest)
})
