/** What the real clock promises, measured with its own hands. */
import { NodeClock, nextTurn, pause } from '@rockhopper/host'
import { expect, test } from 'vitest'

const clock = new NodeClock()

test('a task never runs early, not by the part of a millisecond that timers ignore', async () => {
  for (let round = 0; round < 60; round += 1) {
    const startMs = clock.monotonicMs()
    let lastedMs = 0
    void pause(clock, 1).then(() => {
      lastedMs = clock.monotonicMs() - startMs
    })
    // A loop that is busy looks at its timers often, and so sees the next millisecond begin.
    while (lastedMs === 0) await nextTurn()
    expect(lastedMs).toBeGreaterThanOrEqual(1)
  }
})

test('a delay longer than a timer of the system can take does not run at once', async () => {
  const warnings: string[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', onWarning)
  let ran = false
  const timer = clock.after(2 ** 31 + 10, () => {
    ran = true
  })
  await pause(clock, 5)
  timer.cancel()
  process.off('warning', onWarning)
  expect(ran).toBe(false)
  expect(warnings).toEqual([])
})

test('wall time and the offset from UTC give the hour that a local clock shows', () => {
  const before = process.env['TZ']
  try {
    for (const zone of ['UTC', 'Asia/Shanghai', 'America/St_Johns', 'Europe/Berlin']) {
      process.env['TZ'] = zone
      for (const atMs of [Date.UTC(2024, 0, 15, 4, 30), Date.UTC(2024, 6, 15, 22, 45)]) {
        const local = new Date(atMs + clock.utcOffsetMs(atMs))
        expect(local.getUTCHours()).toBe(new Date(atMs).getHours())
        expect(local.getUTCMinutes()).toBe(new Date(atMs).getMinutes())
      }
    }
    expect(clock.utcOffsetMs(Date.UTC(2024, 6, 15))).toBe(2 * 3_600_000)
  } finally {
    if (before === undefined) delete process.env['TZ']
    else process.env['TZ'] = before
  }
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
