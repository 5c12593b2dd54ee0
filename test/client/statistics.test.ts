/** How fast a consumer is, over the last minute and hour. */
import { createWorld } from '@rockhopper/sim'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConsumeStatistics } from '../../packages/client/src/handle/consume-statistics.ts'
import { SlidingSum } from '../../packages/client/src/handle/sliding-sum.ts'

describe('a sliding sum', () => {
  test('has everything of the last eleven twelfths of its span, and nothing older than it', () => {
    const event = fc.record({ afterMs: fc.nat(30_000), value: fc.nat(100) })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.nat(70_000), (events, laterMs) => {
        const sum = new SlidingSum(60_000)
        let nowMs = 0
        const added = events.map(({ afterMs, value }) => {
          nowMs += afterMs
          sum.add(nowMs, value)
          return { atMs: nowMs, value }
        })
        nowMs += laterMs
        const since = (agoMs: number): number =>
          added
            .filter(({ atMs }) => atMs > nowMs - agoMs)
            .reduce((total, { value }) => total + value, 0)
        const total = sum.total(nowMs)
        expect(total).toBeGreaterThanOrEqual(since(55_000))
        expect(total).toBeLessThanOrEqual(since(60_001))
      }),
      { seed: 1 },
    )
  })
})

test('rates are of the last minute, failures of the last hour', async () => {
  const { clock } = createWorld(1)
  const statistics = new ConsumeStatistics(clock)
  await clock.advance(120_000)
  for (let i = 0; i < 60; i++) {
    await clock.advance(1000)
    statistics.pulled('t', 20, 4)
    statistics.handled('t', 9, 1, 10, clock.monotonicMs())
  }
  const { consumeOKTPS, consumeFailedTPS, pullTPS, ...rest } = statistics.of('t')
  expect(consumeOKTPS).toBeCloseTo(9, -0.5)
  expect(consumeFailedTPS).toBeCloseTo(1, 0)
  expect(pullTPS).toBeCloseTo(20, -1)
  expect(rest).toEqual({ consumeFailedMsgs: 60, consumeRT: 10, pullRT: 4 })
  await clock.advance(600_000)
  expect(statistics.of('t')).toEqual({
    consumeFailedMsgs: 60,
    consumeFailedTPS: 0,
    consumeOKTPS: 0,
    consumeRT: 0,
    pullRT: 0,
    pullTPS: 0,
  })
})

test('a topic of which nothing is known has done nothing', () => {
  const statistics = new ConsumeStatistics(createWorld(1).clock)
  expect(statistics.of('t').consumeOKTPS).toBe(0)
})
