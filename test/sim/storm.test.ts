/**
 * Consumer groups whose members join, leave and die at random, from seeds: every message is handled,
 * orderly queues by one at a time, and messages come twice only after a kill. Bugs that are planted
 * are found.
 */
import { type StormOptions, simulateStorm, storyOfStorm } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import { losesLastCommits } from './storm-bugs.ts'

/** Smaller than from the command line (50 members, 200 events), so that some fit into a test. */
const small: StormOptions = { members: 10, events: 24 }
const MOST_SEEDS = 8
/** For machines that are busy with other things. */
const TIMEOUT_MS = 600_000

test('a storm repeats itself event for event from its seed', { timeout: TIMEOUT_MS }, async () => {
  const options = { members: 6, events: 10 }
  const first = await simulateStorm(7, options)
  expect(first.incidents.length).toBeGreaterThan(10)
  expect(await simulateStorm(7, options)).toEqual(first)
  expect((await simulateStorm(8, options)).trace).not.toBe(first.trace)
})

describe('no promise to a group is broken', () => {
  for (const seed of [1, 3]) {
    test(`by the storm of seed ${seed}`, { timeout: TIMEOUT_MS }, async () => {
      const report = await simulateStorm(seed, small)
      expect(report.findings.length === 0 ? '' : storyOfStorm(report)).toBe('')
      expect(report.acknowledgedCount).toBeGreaterThan(100)
      expect(report.deliveredCount).toBeGreaterThanOrEqual(2 * report.acknowledgedCount)
    })
  }
})

const REPEATED = 'a message comes twice only after a kill'
const UNOWNED = 'a queue without an owner gets one at once'
const OVERLAPPING = 'an orderly queue is handled by one at a time'

interface Planted extends StormOptions {
  readonly bug: string
  readonly rule: string
  /** The first seed that is known to show it; 1 when absent. */
  readonly from?: number
}

const PLANTED: readonly Planted[] = [
  {
    bug: 'a consumer that does not commit when it gives up a queue',
    rule: REPEATED,
    from: 2,
    doors: losesLastCommits,
  },
  {
    bug: 'a consumer that drops a queue instead of draining it',
    rule: REPEATED,
    consumerOptions: { drainTimeoutMs: 0 },
  },
  {
    bug: 'a consumer that takes a queue over before the other is done',
    rule: REPEATED,
    consumerOptions: { handoverMs: 0 },
  },
  {
    bug: 'a broker that does not tell the members of changes',
    rule: UNOWNED,
    brokerSettings: { notifyConsumerIdsChangedEnable: false },
  },
  {
    bug: 'a broker that gives one queue to two members',
    rule: OVERLAPPING,
    brokerSettings: { 'rocketmq.broker.rebalance.lockMaxLiveTime': 1 },
  },
]

describe('a planted bug is found within a few seeds:', () => {
  for (const { bug, from = 1, rule, ...options } of PLANTED) {
    test(bug, { timeout: TIMEOUT_MS }, async () => {
      expect(await brokenRules({ ...small, ...options }, rule, from)).toContain(rule)
    })
  }
})

/** The rules that are broken by the first seed that breaks the given one, or by the last one. */
async function brokenRules(options: StormOptions, wanted: string, from: number): Promise<string[]> {
  let rules: string[] = []
  for (let seed = from; seed < from + MOST_SEEDS && !rules.includes(wanted); seed++) {
    const { findings } = await simulateStorm(seed, options)
    rules = findings.map(({ rule }) => rule)
  }
  return rules
}
