/** SQL92 filters against the verdicts of Apache's classes; see sql-golden/SqlGolden.java. */
import { readFileSync } from 'node:fs'
import { encodeProperties } from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileSql, type SqlFilter } from '../../packages/broker/src/rules/sql/sql-filter.ts'

interface Golden {
  readonly messages: readonly Readonly<Record<string, string>>[]
  readonly cases: readonly (readonly [expression: string, verdict: string])[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('./sql-golden/cases.json', import.meta.url), 'utf8'),
)
const messages = golden.messages.map((message) => Buffer.from(encodeProperties(message)))

/** As the generator writes it. */
function verdictOf(expression: string): string {
  const compiled = compileSql(expression)
  if (compiled.kind === 'wrong') return 'error'
  const bits = messages.map((each) => (compiled.filter.matches(each, 0, each.length) ? '1' : '0'))
  const digits = bits.join('').match(/.{1,4}/g) ?? []
  return digits.map((four) => Number.parseInt(four.padEnd(4, '0'), 2).toString(16)).join('')
}

function filterOf(expression: string): SqlFilter {
  const compiled = compileSql(expression)
  if (compiled.kind === 'wrong') throw new Error(compiled.problem)
  return compiled.filter
}

function wants(expression: string, properties: string): boolean {
  const bytes = Buffer.from(properties)
  return filterOf(expression).matches(bytes, 0, bytes.length)
}

function problemOf(expression: string): string {
  const compiled = compileSql(expression)
  return compiled.kind === 'wrong' ? compiled.problem : 'none'
}

describe('a filter', () => {
  test('wants what Apache wants, and is refused where Apache refuses it', () => {
    const wrong = golden.cases.filter(([expression, verdict]) => {
      if (verdict !== 'rest') return verdictOf(expression) !== verdict
      // Apache ignores the rest; here it is refused, but for a comment at the very end.
      return verdictOf(expression) !== 'error' && !/--[^\n]*$/.test(expression)
    })
    expect(
      wrong.map(([expression, verdict]) => [expression, verdict, verdictOf(expression)]),
    ).toEqual([])
  })

  test.each([
    ['of repeated names the last', "a = '2'", 'a\x011\x02a\x012\x02'],
    ['a pair that is not ended', "a = '2'", 'b\x011\x02a\x012'],
    ['a value with the sign that ends names', "a = 'x\x01y'", 'a\x01x\x01y\x02'],
    ['what stands behind broken pairs', 'a = 1', 'b\x02\x01c\x02a\x02\x02a\x011\x02'],
    ['the last value but an empty one', 'a = 1', 'a\x011\x02a\x01\x02'],
    ['names in full, not where others end or begin', 'a = 1', 'ba\x012\x02a\x011\x02aa\x013\x02'],
    ['texts beyond ASCII', "a = 'ü😀'", 'a\x01ü😀\x02'],
  ])('sees %s', (_name, expression, properties) => {
    expect(wants(expression, properties)).toBe(true)
    expect(wants(`NOT (${expression})`, properties)).toBe(false)
  })

  test('forgets one message over the next', () => {
    const filter = filterOf("a IS NULL AND b = 'x'")
    const seen = ['b\x01x\x02', 'a\x01y\x02b\x01x\x02', 'b\x01x\x02', 'b\x01z\x02', ''].map(
      (text) => {
        const bytes = Buffer.from(text)
        return filter.matches(bytes, 0, bytes.length)
      },
    )
    expect(seen).toEqual([true, false, true, false, false])
  })

  test('takes thousands of parts in a row, and long lists', () => {
    const parts = Array.from({ length: 3_000 }, (_, i) => `a = ${i}`)
    expect(wants(parts.join(' OR '), 'a\x012999\x02')).toBe(true)
    expect(wants(parts.map((part) => `NOT ${part}`).join(' AND '), 'a\x015000\x02')).toBe(false)
    const list = Array.from({ length: 5_000 }, (_, i) => `'k${i}'`)
    expect(wants(`a IN (${list.join()})`, 'a\x01k4999\x02')).toBe(true)
  })
})

describe('the error of a filter', () => {
  test.each([
    [
      'a >',
      1,
      4,
      'a property, a text, a number, TRUE, FALSE, NULL, NOT or "(" is expected, but the text ends',
    ],
    ['a = 3 b = 4', 1, 7, 'a comparison, AND, OR or the end is expected, not b'],
    ["a = 1 AND\n  (b > 'x')", 2, 8, 'only numbers and properties are greater or less, not a text'],
    ['a\r\n= NULL', 2, 3, 'NULL cannot be compared by =: write IS NULL or IS NOT NULL'],
    ["a = 'x", 1, 5, "the text that begins here has no end: close it by '"],
    ['a = 1 && b = 2', 1, 7, 'the character "&" has no meaning here'],
    ['a IN (1)', 1, 7, "a text in quotes such as 'a' is expected, not 1"],
    ["1 IN ('1')", 1, 1, 'only a property can be tested by IN'],
    [
      'a BETWEEN 5 AND 3',
      1,
      17,
      'the upper bound 3 is less than 5, the lower one: nothing is between them',
    ],
    [
      'a NOT LIKE 1',
      1,
      7,
      'BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH after NOT is expected, not LIKE',
    ],
    ['a = 9223372036854775808', 1, 5, '9223372036854775808 is more than 64 bits can hold'],
    ['a AND 3', 1, 7, 'a condition is expected here, not a value: compare it with something'],
    ['/* x', 1, 1, 'the comment that begins here has no end'],
  ])('of %j names its place', (expression, line, column, problem) => {
    const place = `line ${line}, column ${column}`
    expect(problemOf(expression)).toBe(`the SQL92 expression is wrong at ${place}: ${problem}`)
  })

  test.each([
    [
      'a long expression',
      `a = '${'x'.repeat(70_000)}'`,
      /too long: it has 70006 characters, 65536/,
    ],
    ['deep parentheses', `${'('.repeat(9_000)}a = 1${')'.repeat(9_000)}`, /more than 200 levels/],
    ['a row of NOT', `${'NOT '.repeat(9_000)} a`, /more than 200 levels/],
    ['a row of signs', `${'-'.repeat(60_000)}1 = a`, /more than 200 levels/],
    ['a row of comparisons', `a${' = a'.repeat(9_000)}`, /more than 200 levels/],
    [
      'many properties',
      Array.from({ length: 65 }, (_, i) => `p${i} = 1`).join(' OR '),
      /64 are possible/,
    ],
  ])('of %s comes without a harm', (_name, expression, problem) => {
    expect(problemOf(expression)).toMatch(problem)
  })
})

/**
 * What an action costs the processor, however many others use it, too: the least of some attempts.
 * What grows with the square of a length takes seconds.
 */
function milliseconds(action: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const start = process.cpuUsage()
    action()
    const { system, user } = process.cpuUsage(start)
    return (user + system) / 1_000
  })
  return Math.min(...times)
}

const QUICK_MS = 500

describe('however odd they are,', () => {
  test('texts that look like numbers for long are looked at quickly', () => {
    const digits = '1'.repeat(30_000)
    const blanks = ' '.repeat(30_000)
    for (const text of [digits, `${digits}x`, blanks, `1${blanks}x`, `0x${digits}`, `${digits}.`]) {
      for (const number of ['3', '3000000000', '3.5']) {
        const properties = `a\x01${text}\x02`
        expect(milliseconds(() => wants(`a > ${number}`, properties))).toBeLessThan(QUICK_MS)
      }
    }
  })

  test('long expressions are refused or compiled quickly', () => {
    const rows = [
      "'",
      "''",
      '-',
      '--',
      '/*',
      '*/',
      '(',
      'a ',
      '1',
      '1.',
      '.',
      'a=1 OR ',
      '+',
      '\n--',
    ]
    for (const row of rows) {
      const expression = row.repeat(65_000 / row.length)
      expect(milliseconds(() => compileSql(expression))).toBeLessThan(QUICK_MS)
    }
  })

  test('expressions and properties cause no other error than that of a wrong expression', () => {
    const words = [
      'a',
      'b',
      '3',
      '2147483648',
      '.5',
      "'x'",
      'AND',
      'OR',
      'NOT',
      'IN',
      'BETWEEN',
      'IS',
    ]
    const signs = [
      'NULL',
      'TRUE',
      'CONTAINS',
      '=',
      '<>',
      '>',
      '<=',
      '(',
      ')',
      ',',
      '-',
      '+',
      '/*',
      '--',
    ]
    const soup = fc.array(fc.constantFrom(...words, ...signs), { maxLength: 12 })
    const expression = fc.oneof(
      fc.string({ unit: 'binary' }),
      soup.map((each) => each.join(' ')),
    )
    const bytes = fc.array(fc.constantFrom(1, 2, 97, 98, 49, 51, 120, 255), { maxLength: 20 })
    fc.assert(
      fc.property(expression, bytes, (text, properties) => {
        const compiled = compileSql(text)
        if (compiled.kind === 'wrong') expect(compiled.problem).toMatch(/^the SQL92 expression is/)
        else compiled.filter.matches(Buffer.from(properties), 0, properties.length)
      }),
      { seed: 1, numRuns: 500 },
    )
  })
})
