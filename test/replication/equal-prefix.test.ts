/** The search for the place where two logs part. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EqualPrefix } from '../../packages/replication/src/equal-prefix.ts'

/** Searches in logs that are equal before `parting`, and nowhere behind. */
function search(from: number, to: number, parting: number, windowBytes: number) {
  const prefix = new EqualPrefix(from, to, windowBytes)
  let questions = 0
  for (let asked = prefix.question; asked !== undefined; asked = prefix.question) {
    expect(asked.from).toBeGreaterThanOrEqual(from)
    expect(asked.to).toBeLessThanOrEqual(to)
    expect(asked.to).toBeGreaterThan(asked.from)
    expect(asked.to - asked.from).toBeLessThanOrEqual(windowBytes)
    prefix.answer(asked.to <= parting)
    questions += 1
  }
  return { end: prefix.endOffset, questions }
}

describe('two logs', () => {
  it('that are equal are known to be after one question', () => {
    expect(search(0, 1_000_000, 2_000_000, 4_096)).toEqual({ end: 1_000_000, questions: 1 })
  })

  it('part where they do, however far that is', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 40),
        fc.nat(2 ** 35),
        fc.nat(2 ** 35),
        fc.integer({ min: 1, max: 2 ** 25 }),
        (from, sizeBytes, common, windowBytes) => {
          const to = from + sizeBytes
          const { end, questions } = search(from, to, from + common, windowBytes)
          const expected = common === 0 || sizeBytes === 0 ? undefined : Math.min(to, from + common)
          expect(end).toBe(expected)
          expect(questions).toBeLessThan(40)
        },
      ),
      { seed: 1 },
    )
  })

  it('that have no byte in common have no common end', () => {
    expect(search(500, 1_000, 500, 64).end).toBeUndefined()
    expect(search(500, 400, 0, 64)).toEqual({ end: undefined, questions: 0 })
  })
})
