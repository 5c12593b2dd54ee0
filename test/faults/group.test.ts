/** Consumers in real processes that join, leave and are killed at random, as in the simulation. */
import { expect, test } from 'vitest'
import { groupStorm } from './group-storm.ts'

const TIMEOUT_MS = 300_000

test('20 events among 12 consumers cost no message and no order, and repeat only after kills', {
  timeout: TIMEOUT_MS,
}, async () => {
  const few = { processes: 4, consumersPerProcess: 3, gapMs: 800 }
  const report = await groupStorm({ ...few, events: 20, seed: 5 })
  expect(report.findings).toEqual([])
  expect(report.kills).toBeGreaterThan(0)
  expect(report.acknowledged).toBeGreaterThan(100)
  expect(report.delivered).toBeGreaterThanOrEqual(2 * report.acknowledged + report.repeats)
})
