/** Two masters and two slaves as processes, of which one after the other is killed. */
import { expect, test } from 'vitest'
import { clusterStorm, lostDisk } from './cluster-storm.ts'

const TIMEOUT_MS = 400_000

test('nothing is lost, and sends and consumption go on, when a master and its slave are killed in turn', {
  timeout: TIMEOUT_MS,
}, async () => {
  const report = await clusterStorm({ seconds: 15, perSecond: 300, kills: 2 })
  expect(report.findings).toEqual([])
  expect(report.acknowledged).toBeGreaterThan(1_000)
  expect(report.delivered).toBeGreaterThanOrEqual(report.acknowledged)
})

test('what a synchronous master acknowledged is served by its slave when its disk is lost', {
  timeout: TIMEOUT_MS,
}, async () => {
  const report = await lostDisk({ seconds: 4, perSecond: 300 })
  expect(report.findings).toEqual([])
  expect(report.compared).toBeGreaterThan(500)
})
