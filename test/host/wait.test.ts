/** What `pause` and `every` promise, in virtual time. */
import { every, pause } from '@rockhopper/host'
import { SimClock } from '@rockhopper/sim'
import { expect, test } from 'vitest'

function unexpected(error: unknown): void {
  throw error
}

test('a pause lasts as long as it says', async () => {
  const clock = new SimClock()
  await clock.settle(pause(clock, 25))
  expect(clock.monotonicMs()).toBe(25)
})

test('a pause ends at once when its signal aborts, and leaves no timer behind', async () => {
  const clock = new SimClock()
  const abort = new AbortController()
  clock.after(5, () => abort.abort())
  await clock.settle(pause(clock, 25, abort.signal))
  expect(clock.monotonicMs()).toBe(5)
  expect(clock.pendingCount).toBe(0)
})

test('a pause does not begin when its signal was aborted before', async () => {
  const clock = new SimClock()
  await clock.settle(pause(clock, 25, AbortSignal.abort()))
  expect(clock.monotonicMs()).toBe(0)
  expect(clock.pendingCount).toBe(0)
})

test('a loop that throws reports it and goes on', async () => {
  const clock = new SimClock()
  const errors: unknown[] = []
  let runs = 0
  const task = (): void => {
    runs += 1
    throw new Error(`run ${runs} failed`)
  }
  const loop = every(clock, 10, task, (error) => errors.push(error))
  await clock.advance(35)
  expect(errors.map(String)).toEqual([1, 2, 3].map((run) => `Error: run ${run} failed`))
  await clock.settle(loop.stop())
})

test('the period is counted from the end of a run, and runs never overlap', async () => {
  const clock = new SimClock()
  const started: number[] = []
  const task = async (): Promise<void> => {
    started.push(clock.monotonicMs())
    await pause(clock, 15)
  }
  const loop = every(clock, 10, task, unexpected, 3)
  await clock.advance(60)
  expect(started).toEqual([3, 28, 53])
  await clock.settle(loop.stop())
})

test('waking an idle loop runs it now, and its period starts anew', async () => {
  const clock = new SimClock()
  const started: number[] = []
  const loop = every(clock, 10, () => void started.push(clock.monotonicMs()), unexpected)
  await clock.advance(4)
  loop.wake()
  await clock.advance(12)
  expect(started).toEqual([4, 14])
  await clock.settle(loop.stop())
})

test('waking a running loop runs it once more, however often it was woken', async () => {
  const clock = new SimClock()
  const started: number[] = []
  const task = async (): Promise<void> => {
    started.push(clock.monotonicMs())
    await pause(clock, 5)
  }
  const loop = every(clock, 100, task, unexpected, 0)
  await clock.advance(1)
  for (let i = 0; i < 3; i += 1) loop.wake()
  await clock.advance(50)
  expect(started).toEqual([0, 5])
  await clock.settle(loop.stop())
})

test('stop waits for the run under way, and nothing runs after it', async () => {
  const clock = new SimClock()
  let finished = 0
  const task = async (): Promise<void> => {
    await pause(clock, 20)
    finished += 1
  }
  const loop = every(clock, 10, task, unexpected, 0)
  await clock.advance(5)
  loop.wake()
  await clock.settle(loop.stop())
  expect(clock.monotonicMs()).toBe(20)
  loop.wake()
  await clock.advance(100)
  expect(finished).toBe(1)
  expect(clock.pendingCount).toBe(0)
})
