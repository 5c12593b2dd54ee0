/**
 * Two masters and their slaves under load, from seeds: no promise of their modes is broken, and a seed
 * repeats itself.
 */
import { type ReplicaReport, simulateReplicas, storyOfReplicas } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

/** For machines that are busy with other things. */
const TIMEOUT_MS = 120_000

test('a run of masters and slaves repeats itself event for event from its seed', {
  timeout: TIMEOUT_MS,
}, async () => {
  const first = await simulateReplicas(7)
  expect(await simulateReplicas(7)).toEqual(first)
  expect((await simulateReplicas(8)).trace).not.toBe(first.trace)
})

describe('no promise of masters and slaves is broken', () => {
  test('in quiet times, and then every message is acknowledged', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const report = await simulateReplicas(1, { faults: false })
    expectKept(report)
    expect(report.storedCount).toBe(report.sentCount)
  })
})

function expectKept(report: ReplicaReport): void {
  expect(report.findings.length === 0 ? '' : storyOfReplicas(report)).toBe('')
  expect(report.acknowledgedCount).toBeGreaterThan(0)
  expect(report.deliveredCount).toBeGreaterThanOrEqual(report.acknowledgedCount)
}
