/** A number that grows, and those who wait for it. */
import { SimClock } from '@rockhopper/sim'
import { Watermark } from '@rockhopper/store'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('a watermark', () => {
  it('answers at once when it has passed the point', () => {
    const mark = new Watermark(new SimClock(), 5)
    expect(mark.reached(5)).toBe(true)
    mark.advance(9)
    expect(mark.reached(9)).toBe(true)
    expect(mark.value).toBe(9)
  })

  it('never goes back', () => {
    const mark = new Watermark(new SimClock(), 5)
    mark.advance(3)
    expect(mark.value).toBe(5)
  })

  it('wakes those whose point is passed, in the order of their points, and no others', async () => {
    const mark = new Watermark(new SimClock(), 0)
    const woken: number[] = []
    for (const point of [3, 1, 2, 3, 7]) {
      Promise.resolve(mark.reached(point)).then(() => woken.push(point))
    }
    mark.advance(3)
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
    expect(woken).toEqual([1, 2, 3, 3])
    expect(mark.waiting).toBe(1)
  })

  it('gives a waiter up when its time is over, each at its own', async () => {
    const clock = new SimClock()
    const mark = new Watermark(clock, 0)
    const outcomes = [300, 100, 200].map((timeoutMs) => mark.reached(1, { timeoutMs }))
    await clock.advance(150)
    expect(await outcomes[1]).toBe(false)
    expect(mark.waiting).toBe(2)
    mark.advance(1)
    expect(await Promise.all(outcomes)).toEqual([true, false, true])
  })

  it('leaves no timer behind when nobody waits', async () => {
    const clock = new SimClock()
    const mark = new Watermark(clock, 0)
    const waits = [mark.reached(1, { timeoutMs: 1_000 }), mark.reached(2, { timeoutMs: 500 })]
    expect(clock.pendingCount).toBe(1)
    mark.advance(2)
    expect(clock.pendingCount).toBe(0)
    expect(await Promise.all(waits)).toEqual([true, true])
  })

  it('gives a waiter up when its signal aborts, before or during the wait', async () => {
    const mark = new Watermark(new SimClock(), 0)
    const controller = new AbortController()
    const wait = mark.reached(1, { signal: controller.signal })
    controller.abort()
    expect(await wait).toBe(false)
    expect(await mark.reached(1, { signal: controller.signal })).toBe(false)
    expect(mark.waiting).toBe(0)
  })

  it('ends all waits when it is closed, and still answers for what it has passed', async () => {
    const mark = new Watermark(new SimClock(), 2)
    const wait = mark.reached(3)
    mark.close()
    expect(await wait).toBe(false)
    expect(await mark.reached(4)).toBe(false)
    expect(mark.reached(2)).toBe(true)
  })

  it('rejects all waits when it fails, and those to come', async () => {
    const mark = new Watermark(new SimClock(), 2)
    const wait = Promise.resolve(mark.reached(3))
    mark.fail(new Error('the disk is gone'))
    await expect(wait).rejects.toThrow('the disk is gone')
    await expect(mark.reached(4)).rejects.toThrow('the disk is gone')
  })

  it('keeps many waiters apart, whatever becomes of each', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('wait' as const), point: fc.nat(200), timeoutMs: fc.nat(50) }),
      fc.record({ kind: fc.constant('advance' as const), by: fc.nat(5) }),
      fc.record({ kind: fc.constant('pause' as const), ms: fc.nat(20) }),
    )
    const lives = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new SimClock()
      const mark = new Watermark(clock, 0)
      const waits: { point: number; dueMs: number; outcome: boolean | undefined }[] = []
      for (const each of steps) {
        if (each.kind === 'advance') mark.advance(mark.value + each.by)
        else if (each.kind === 'pause') await clock.advance(each.ms)
        else {
          const { point, timeoutMs } = each
          const dueMs = clock.monotonicMs() + timeoutMs
          const wait = { point, dueMs, outcome: undefined as boolean | undefined }
          waits.push(wait)
          Promise.resolve(mark.reached(point, { timeoutMs })).then((outcome) => {
            wait.outcome = outcome
          })
        }
        await clock.advance(0)
        for (const { point, dueMs, outcome } of waits) {
          if (outcome === true) expect(point).toBeLessThanOrEqual(mark.value)
          if (outcome === false) expect(dueMs).toBeLessThanOrEqual(clock.monotonicMs())
          if (outcome === undefined) {
            expect(point).toBeGreaterThan(mark.value)
            expect(dueMs).toBeGreaterThan(clock.monotonicMs())
          }
        }
      }
    })
    await fc.assert(lives, { seed: 4, numRuns: 60 })
  })
})
