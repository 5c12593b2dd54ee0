/**
 * Lives of delayed messages from seeds, with outages and clocks that are set: none is early, none is
 * lost, none comes twice. Bugs that are planted are found, and so is each broken promise by the judge.
 */
import { judgeTimers, simulateTimers, storyOfTimers, TimerHistory } from '@rockhopper/sim'
import { describe, expect, it, test } from 'vitest'
import {
  levelsAreEarly,
  levelsAreForgotten,
  levelsAreLate,
  levelsComeTwice,
  recallsAreIgnored,
  timersAreEarly,
  timersAreForgotten,
  timersComeTwice,
} from './timer-bugs.ts'

const MINUTE_MS = 60_000
/** Shorter than from the command line (6 to 60 hours), so that some fit into a test. */
const short = { lengthMs: 10 * MINUTE_MS }
/** Shows each of the bugs; more are looked through in case that it runs otherwise one day. */
const KNOWN_SEED = 2
const MOST_SEEDS = 10
/** For machines that are busy with other things. */
const TIMEOUT_MS = 600_000

test('lives of delayed messages keep their promises, each repeats itself from its seed', {
  timeout: TIMEOUT_MS,
}, async () => {
  const first = await simulateTimers(2, short)
  expect(first.incidents.length).toBeGreaterThan(2)
  expect(await simulateTimers(2, short)).toEqual(first)
  const others = [await simulateTimers(1, short), await simulateTimers(3, short)]
  for (const report of [first, ...others]) {
    expect(report.findings.length === 0 ? '' : storyOfTimers(report)).toBe('')
    expect(report.deliveredCount).toBeGreaterThan(10)
  }
  expect(new Set([first, ...others].map(({ trace }) => trace)).size).toBe(3)
})

const EARLY = 'no message is early'
const LOST = 'no message is lost'
const TWICE = 'no message is delivered twice'
const LATE = 'no message is late'
const RECALLED = 'what was called off is not delivered'

describe('a planted bug is found within a few seeds:', () => {
  type Bug = [name: string, plant: () => () => void, rule: string]
  test.each<Bug>([
    ['timed messages that are early', timersAreEarly, EARLY],
    ['timed messages that are forgotten by a restart', timersAreForgotten, LOST],
    ['timed messages that a restart delivers again', timersComeTwice, TWICE],
    ['timed messages that are called off in vain', recallsAreIgnored, RECALLED],
    ['a level that is early', levelsAreEarly, EARLY],
    ['a level that is late', levelsAreLate, LATE],
    ['a level that forgets some by a restart', levelsAreForgotten, LOST],
    ['a level that delivers some again after a restart', levelsComeTwice, TWICE],
  ])('%s', { timeout: TIMEOUT_MS }, async (_, plant, rule) => {
    const undo = plant()
    try {
      expect(await brokenRules(rule)).toContain(rule)
    } finally {
      undo()
    }
  })
})

/** The rules that are broken by the first seed that breaks the given one, or by the last one. */
async function brokenRules(wanted: string): Promise<string[]> {
  let rules: string[] = []
  for (let seed = KNOWN_SEED, last = KNOWN_SEED + MOST_SEEDS; seed < last; seed++) {
    if (rules.includes(wanted)) break
    const { findings } = await simulateTimers(seed, short)
    rules = findings.map(({ rule }) => rule)
  }
  return rules
}

/** A day of 100 s, wall time 1,000 s ahead, the broker there from the first second on. */
class Life {
  nowMs = 0
  readonly history = new TimerHistory(
    () => this.nowMs,
    1_000_000,
    () => undefined,
  )

  constructor() {
    this.at(1_000).history.brokerIsUp(true)
  }

  at(nowMs: number): this {
    this.nowMs = nowMs
    return this
  }

  /** Sends a message with a time of its own, and one of a level, at 10 s; both wait for 20 s. */
  withTwo(): this {
    this.at(10_000)
    for (const wish of [
      { kind: 'delay', unit: 'ms', delayMs: 20_000 },
      { kind: 'level', level: 4, delayMs: 20_000 },
    ] as const) {
      this.history.stored(this.history.send(wish.kind, wish, this.nowMs + 1_020_000))
    }
    return this
  }

  seeTwo(): this {
    for (const body of ['delay', 'level']) this.history.seen(body)
    return this
  }

  broken(change: { bodies?: string[]; storeTimestamp?: number; isSync?: boolean } = {}): string[] {
    const { bodies = ['delay', 'level'], isSync = true, storeTimestamp = 1_030_000 } = change
    const delivered = bodies.map((body, queueOffset) => ({ body, queueOffset, storeTimestamp }))
    const found = judgeTimers({ history: this.history, delivered, precisionMs: 100, isSync })
    return found.map(({ rule, sentence }) => `${rule}: ${sentence.split(' ')[0]}`)
  }
}

describe('the judge of delayed messages', () => {
  it('finds nothing wrong with messages that come when they are due', () => {
    expect(new Life().withTwo().at(30_050).seeTwo().broken()).toEqual([])
  })

  it('finds messages that are early', () => {
    const life = new Life().withTwo().at(29_900).seeTwo()
    expect(life.broken()).toEqual([`${EARLY}: delay`, `${EARLY}: level`])
  })

  it('finds messages that are early as the clock was set back, but for levels', () => {
    const life = new Life().withTwo().at(15_000)
    life.history.clockWasSet(-50_000)
    expect(life.at(30_050).seeTwo().broken()).toEqual([`${EARLY}: delay`])
  })

  it('takes the farthest that the clock was ahead for its time', () => {
    const life = new Life().withTwo().at(15_000)
    life.history.clockWasSet(60_000)
    life.at(15_500).history.clockWasSet(-60_000)
    expect(life.at(15_600).seeTwo().broken()).toEqual([])
  })

  it('finds copies that say that they were stored before their time', () => {
    const life = new Life().withTwo().at(30_050).seeTwo()
    expect(life.broken({ storeTimestamp: 1_029_999 })).toEqual([
      'no copy is stored before its time: delay',
    ])
  })

  it('finds messages that are late, each by what it was promised', () => {
    expect(new Life().withTwo().at(30_250).seeTwo().broken()).toEqual([`${LATE}: level`])
    expect(new Life().withTwo().at(30_350).seeTwo().broken()).toEqual([
      `${LATE}: delay`,
      `${LATE}: level`,
    ])
  })

  it('gives a broker that was away time to catch up', () => {
    const life = new Life().withTwo().at(29_000)
    life.history.brokerIsUp(false)
    life.at(40_000).history.brokerIsUp(true)
    expect(life.at(42_900).seeTwo().broken()).toEqual([])
    const later = new Life().withTwo().at(29_000)
    later.history.brokerIsUp(false)
    later.at(40_000).history.brokerIsUp(true)
    expect(later.at(43_500).seeTwo().broken()).toEqual([`${LATE}: delay`, `${LATE}: level`])
  })

  it('finds levels that wait for a clock that was set back, and no others', () => {
    const life = new Life().withTwo().at(15_000)
    life.history.clockWasSet(-50_000)
    expect(life.at(80_050).seeTwo().broken()).toEqual([`${LATE}: level`])
  })

  it('finds messages that are lost, twice there, or nobody’s', () => {
    const life = new Life().withTwo().at(30_050).seeTwo()
    expect(life.broken({ bodies: ['delay'] })).toEqual([`${LOST}: level`])
    expect(life.broken({ bodies: ['delay', 'level', 'delay'] })).toEqual([`${TWICE}: delay`])
    const strange = life.broken({ bodies: ['delay', 'level', 'other'] })
    expect(strange).toEqual(['what is delivered was sent: "other"'])
  })

  it('expects nothing of what may have been lost with the power', () => {
    const life = new Life().withTwo().at(12_000)
    life.history.powerWasLost()
    expect(life.broken({ bodies: [], isSync: false })).toEqual([])
    expect(life.broken({ bodies: [] })).toEqual([
      ...[`${LOST}: delay`, `${LOST}: level`],
      ...[`${LATE}: delay`, `${LATE}: level`],
    ])
  })

  it('finds messages that are delivered though they were called off', () => {
    const life = new Life().withTwo().at(20_000)
    const [sent] = life.history.sends
    if (sent !== undefined) life.history.recall(sent)
    if (sent !== undefined) life.history.recalled(sent)
    expect(life.at(30_050).seeTwo().broken()).toEqual([`${RECALLED}: delay`])
    expect(life.broken({ bodies: ['level'] })).toEqual([])
  })
})
