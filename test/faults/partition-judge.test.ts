/** What is said of a cluster whose network was healed, and the patterns in which it is cut. */
import { describe, expect, it } from 'vitest'
import { HealWatch, liesIn, queueName } from './partition-judge.ts'
import { HOSTS, PATTERNS, turnsOf } from './partition-patterns.ts'

const LIMIT_MS = 10_000
const A = queueName('broker-a', 0)
const B = queueName('broker-b', 3)

function watch(): HealWatch {
  const masterEnds = new Map([['broker-a-s', 500]])
  return new HealWatch({ healedMs: 1_000, firstNumber: 70, queues: [A, B], masterEnds })
}

/** A cluster in which everything came back after 1, 2 and 3 s. */
function healed(): HealWatch {
  const seen = watch()
  for (const queue of [A, B]) {
    seen.acknowledged(70, queue, true, 2_000)
    seen.delivered(71, queue, 3_000)
  }
  seen.slaveEnd('broker-a-s', 500, 4_000)
  return seen
}

describe('a cluster whose network was healed', () => {
  it('is well when each queue takes and gives new messages and the slaves have caught up', () => {
    const seen = healed()
    expect(seen.isOver).toBe(true)
    expect(seen.healing).toEqual({ sendsMs: 1_000, consumersMs: 2_000, slavesMs: 3_000 })
    expect(seen.findings(LIMIT_MS)).toEqual([])
    expect(seen.slavesBehind).toEqual([])
  })

  it('is late when the last of its queues is', () => {
    const seen = healed()
    expect(seen.findings(999)).toHaveLength(3)
    expect(seen.findings(2_999)).toEqual([
      'slaves had not what their masters had within 2999 ms of the network, but after 3000 ms',
    ])
  })

  it('is not well while one queue takes no message, and it is named', () => {
    const seen = watch()
    seen.acknowledged(80, A, true, 2_000)
    expect(seen.isOver).toBe(false)
    expect(seen.findings(LIMIT_MS)[0]).toContain(`nor later: ${B}`)
  })

  it('is not judged by messages that were begun before', () => {
    const seen = watch()
    for (const queue of [A, B]) {
      seen.acknowledged(69, queue, true, 2_000)
      seen.delivered(69, queue, 2_000)
    }
    expect(seen.findings(LIMIT_MS)).toHaveLength(3)
  })

  it('is not well by acknowledgements that say the slave is not there', () => {
    const seen = watch()
    for (const queue of [A, B]) seen.acknowledged(75, queue, false, 2_000)
    expect(seen.healing.sendsMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('is not well while a slave lacks a byte of what its master had', () => {
    const seen = watch()
    seen.slaveEnd('broker-a-s', 499, 2_000)
    expect(seen.slavesBehind).toEqual(['broker-a-s'])
    expect(seen.findings(LIMIT_MS)[1]).toContain('nor later: broker-a-s')
  })

  it('keeps the first time of what comes again', () => {
    const seen = healed()
    seen.acknowledged(90, A, true, 9_000)
    seen.slaveEnd('broker-a-s', 900, 9_000)
    expect(seen.healing).toEqual({ sendsMs: 1_000, consumersMs: 2_000, slavesMs: 3_000 })
  })
})

describe('a slave', () => {
  it('may have more than was acknowledged, and never less', () => {
    expect(liesIn([{ queue: A, safeEnd: 10, slaveEnd: 10 }])).toEqual([])
    expect(liesIn([{ queue: A, safeEnd: 10, slaveEnd: 12 }])).toEqual([])
    expect(liesIn([{ queue: A, safeEnd: 10, slaveEnd: 9 }])).toEqual([
      'broker-a queue 0: acknowledged as safe up to 10, but the slave ends at 9',
    ])
  })
})

describe('the patterns', () => {
  const cuts = PATTERNS.filter(({ ways }) => ways.length > 0)

  it('are twelve that cut something and one that slows all, with names of their own', () => {
    expect(new Set(PATTERNS.map(({ name }) => name)).size).toBe(13)
    expect(cuts).toHaveLength(12)
    expect(PATTERNS.filter(({ slowed }) => slowed?.length === HOSTS.length)).toHaveLength(1)
  })

  it('cut each way once, and no machine from itself', () => {
    for (const { name, ways } of PATTERNS) {
      const pairs = ways.map(({ from, to }) => `${from} to ${to}`)
      expect(new Set(pairs).size, name).toBe(pairs.length)
      expect(
        ways.every(({ from, to }) => from !== to),
        name,
      ).toBe(true)
    }
  })

  it('are of both kinds: one way, and both', () => {
    const isOneWay = cuts.map(({ ways }) => {
      return ways.every(({ from, to }) => !ways.some((way) => way.from === to && way.to === from))
    })
    expect(isOneWay.filter(Boolean)).toHaveLength(3)
  })

  it('leave the two halves of the network whole in themselves', () => {
    const halves = PATTERNS.find(({ name }) => name === 'one half from the other')
    const reached = HOSTS.map((host) => halves?.ways.filter(({ from }) => from === host).length)
    expect(reached).toEqual(HOSTS.map(() => HOSTS.length / 2))
  })

  it('that flap end as they begin: cut, before their time is over', () => {
    for (const pattern of PATTERNS.filter(({ flaps }) => flaps !== undefined)) {
      const turns = turnsOf(pattern, 15_000)
      expect(turns.length % 2).toBe(0)
      expect(turns.length).toBeGreaterThan(8)
      expect(turns).toEqual([...turns].sort((one, other) => one - other))
      expect(turns.at(-1)).toBeLessThan(15_000)
      expect(turnsOf(pattern, 400)).toEqual([])
    }
    expect(PATTERNS.flatMap((pattern) => (pattern.flaps ? [] : turnsOf(pattern, 15_000)))).toEqual(
      [],
    )
  })
})
