/**
 * A whole cluster under load and faults, from seeds: no promise is broken, a seed repeats itself, and
 * bugs that are planted into brokers, or between them and their doors, are found.
 */
import { type ReplicaReport, simulateReplicas, storyOfReplicas } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import {
  acknowledgesBeforeReplicating,
  keepsDivergedTail,
  servesUnconfirmed,
} from './replica-bugs.ts'

const SEEDS = 10
/** Looked through from the seed that is known to find a bug, in case that runs otherwise one day. */
const MOST_SEEDS = 100
/** For machines that are busy with other things. */
const TIMEOUT_MS = 120_000

test('a run of masters and slaves repeats itself event for event from its seed', {
  timeout: TIMEOUT_MS,
}, async () => {
  const first = await simulateReplicas(1017)
  expect(first.incidents.length).toBeGreaterThan(4)
  expect(await simulateReplicas(1017)).toEqual(first)
  expect((await simulateReplicas(1018)).trace).not.toBe(first.trace)
})

describe('no promise of masters and slaves is broken', () => {
  test(`by the faults of the seeds 1 to ${SEEDS}`, { timeout: TIMEOUT_MS }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) expectKept(await simulateReplicas(seed))
  })

  test('in quiet times, and then every message is acknowledged and delivered once', {
    timeout: TIMEOUT_MS,
  }, async () => {
    for (const seed of [1, 2]) {
      const report = await simulateReplicas(seed, { faults: false })
      expectKept(report)
      const { acknowledgedCount, deliveredCount, sentCount, storedCount } = report
      expect([acknowledgedCount, deliveredCount, storedCount]).toEqual(Array(3).fill(sentCount))
    }
  })
})

function expectKept(report: ReplicaReport): void {
  expect(report.findings.length === 0 ? '' : storyOfReplicas(report)).toBe('')
  expect(report.acknowledgedCount).toBeGreaterThan(0)
  expect(report.deliveredCount).toBeGreaterThan(0)
}

describe('a planted bug is found:', () => {
  test.each([
    {
      bug: 'a synchronous master that acknowledges before its slaves have it',
      plant: acknowledgesBeforeReplicating,
      seed: 1017,
      rule: 'an acknowledged message is where its result says',
    },
    {
      bug: 'a slave that keeps what its master does not have',
      plant: keepsDivergedTail,
      seed: 1032,
      rule: 'the log of each slave becomes that of its master',
    },
    {
      bug: 'a broker that serves what is not on its device yet, though it was told to wait for that',
      plant: servesUnconfirmed,
      seed: 1095,
      rule: 'what was delivered is what is stored',
    },
  ])('$bug', { timeout: TIMEOUT_MS }, async ({ plant, rule, seed }) => {
    const undo = plant()
    try {
      expect(await brokenRules(seed, rule)).toContain(rule)
    } finally {
      undo()
    }
  })
})

/** The rules that are broken by the first seed that breaks the given one, or by the last one. */
async function brokenRules(from: number, wanted: string): Promise<string[]> {
  let rules: string[] = []
  for (let seed = from; seed < from + MOST_SEEDS && !rules.includes(wanted); seed++) {
    const { findings } = await simulateReplicas(seed)
    rules = findings.map(({ rule }) => rule)
  }
  return rules
}
