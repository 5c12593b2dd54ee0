/** What the real clock promises, measured with its own hands. */
import { NodeClock, nextTurn, pause } from '@rockhopper/host'
import { expect, test } from 'vitest'

const clock = new NodeClock()

function keepBusy(durationMs: number): void {
  const endMs = clock.monotonicMs() + durationMs
  while (clock.monotonicMs() < endMs);
}

test('a task does not run early, even when it was set at the end of a long turn', async () => {
  for (let round = 0; round < 5; round += 1) {
    await nextTurn()
    keepBusy(20)
    const startMs = clock.monotonicMs()
    await pause(clock, 4.5)
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(4.5)
  }
})

test('a delay longer than a timer of the system can take does not run at once', async () => {
  let ran = false
  const timer = clock.after(2 ** 31 + 10, () => {
    ran = true
  })
  await pause(clock, 5)
  timer.cancel()
  expect(ran).toBe(false)
})

test('a cancelled task does not run', async () => {
  let ran = false
  const timer = clock.after(1, () => {
    ran = true
  })
  timer.cancel()
  timer.cancel()
  await pause(clock, 5)
  expect(ran).toBe(false)
})

test('soon runs in this turn of the loop, after microtasks and before timers of later', async () => {
  const seen: string[] = []
  clock.soon(() => seen.push('soon'))
  queueMicrotask(() => seen.push('microtask'))
  await pause(clock, 5)
  expect(seen).toEqual(['microtask', 'soon'])
})

test('wall time is in milliseconds since 1970', () => {
  expect(clock.nowMs()).toBeGreaterThan(1_700_000_000_000)
  expect(Number.isInteger(clock.nowMs())).toBe(true)
})
