/** What the judge of a storm of transactions finds, each with the smallest story that shows it. */
import { expect, it } from 'vitest'
import { answerTo, bodyOf, fateOf, type TransactionFate } from './transaction-fates.mjs'
import { judgeTransactions, type TransactionEvidence } from './transaction-judge.ts'

const numbers = Array.from({ length: 200 }, (_, number) => number)
const committed = numbers.filter((number) => fateOf(number).end === 'commit').map(bodyOf)

/** 200 transactions of which each ended as it should, and two were asked about twice. */
const fine: TransactionEvidence = {
  begun: new Set(numbers),
  stored: new Set(numbers),
  asked: new Set(numbers),
  visible: committed,
  delivered: [...committed, ...committed.slice(0, 3)],
  halves: [...numbers, 7, 8].map((number, queueOffset) => ({ queueOffset, body: bodyOf(number) })),
  over: new Set(numbers.map((_, i) => (i === 7 || i === 8 ? 193 + i : i))),
  givenUp: [],
}

function first(manner: TransactionFate['manner'], end: TransactionFate['end']): number {
  const found = numbers.find((number) => {
    return fateOf(number).manner === manner && fateOf(number).end === end
  })
  return found ?? -1
}

function brokenBy(change: Partial<TransactionEvidence>): string[] {
  const found = judgeTransactions({ ...fine, ...change }).map(({ rule }) => rule)
  return [...new Set(found)]
}

const without = (set: ReadonlySet<number>, number: number): Set<number> =>
  new Set([...set].filter((each) => each !== number))

it('transactions that ended as they should are found to be so', () => {
  expect(fine.over.size).toBe(numbers.length)
  expect(judgeTransactions(fine)).toEqual([])
})

it('transactions whose half was not acknowledged may be there or not', () => {
  const number = first('at once', 'commit')
  const visible = committed.filter((body) => body !== bodyOf(number))
  const stored = without(fine.stored, number)
  expect(brokenBy({ stored })).toEqual([])
  expect(brokenBy({ stored, visible, delivered: visible })).toEqual([])
})

it.each([
  ['at once', 'what was committed is stored'],
  ['late', 'what was committed is stored'],
  ['when asked', 'what was committed is stored'],
] as const)('a commit that was told of %s and is lost is found', (manner, rule) => {
  const lost = bodyOf(first(manner, 'commit'))
  const visible = committed.filter((body) => body !== lost)
  expect(brokenBy({ visible, delivered: visible })).toEqual([rule])
})

it('a message that is stored twice is found, though it was consumed once', () => {
  const visible = [...committed, bodyOf(first('late', 'commit'))]
  expect(brokenBy({ visible })).toEqual(['what was committed is stored once'])
})

it('a message that was rolled back is found, in the topic or at a consumer', () => {
  const body = bodyOf(first('at once', 'rollback'))
  const rule = 'what was rolled back is never seen'
  const [visible, delivered] = [
    [...committed, body],
    [...fine.delivered, body],
  ]
  expect(brokenBy({ visible, delivered })).toEqual([rule])
  expect(brokenBy({ delivered })).toEqual([rule, 'what was consumed stays'])
})

it('a message that nobody sent is found', () => {
  for (const body of ['hello', bodyOf(1_000_003)]) {
    const change = { visible: [...committed, body], delivered: [...fine.delivered, body] }
    expect(brokenBy(change)).toContain('what is seen was sent')
  }
})

it('a message that nobody consumed is found', () => {
  expect(brokenBy({ delivered: committed.slice(1) })).toEqual(['what is stored is consumed'])
})

it('a half message that is lost is found, also of one that was rolled back', () => {
  const body = bodyOf(first('at once', 'rollback'))
  const halves = fine.halves.filter((half) => half.body !== body)
  expect(brokenBy({ halves })).toEqual(['a half message that was acknowledged is stored'])
})

it('a half message that is left open is found, also where an older copy is done with', () => {
  const rule = 'no half message is left open'
  expect(brokenBy({ over: without(fine.over, 50) })).toEqual([rule])
  expect(brokenBy({ over: new Set([...without(fine.over, 200), 7]) })).toEqual([rule])
})

it('an end that nobody was asked for is found', () => {
  const asked = without(fine.asked, first('when asked', 'rollback'))
  expect(brokenBy({ asked })).toEqual(['nobody decides for a producer that does not know'])
})

it('what was given up is found', () => {
  expect(brokenBy({ givenUp: [bodyOf(3)] })).toEqual(['nothing is given up'])
})

it('fates are of all kinds, and are told after the third question at the latest', () => {
  const kinds = new Set(numbers.map((number) => `${fateOf(number).end} ${fateOf(number).manner}`))
  expect(kinds.size).toBe(6)
  expect(numbers.some((number) => answerTo(number, 1) === 'unknown')).toBe(true)
  expect(numbers.map((number) => answerTo(number, 3))).not.toContain('unknown')
})
