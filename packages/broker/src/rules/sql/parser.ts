/**
 * Reads an SQL92 filter by Apache's grammar, and refuses what Apache refuses when it compiles one.
 *
 *   or         = and { OR and }                         equality = comparison { = <> comparison | IS [NOT] NULL }
 *   and        = equality { AND equality }              unary    = { + - NOT } primary
 *   comparison = unary { > >= < <= unary | [NOT] BETWEEN unary AND unary | [NOT] IN (text, …)
 *              | [NOT] CONTAINS text | [NOT] STARTSWITH text | [NOT] ENDSWITH text }
 *   primary    = text | number | TRUE | FALSE | NULL | property | ( or )
 *
 * One difference: Apache ignores what stands behind the end of an expression (`a > 3 b < 4` is
 * `a > 3` to it); here it is refused. Owns where it stands.
 * Source: Apache grammar SelectorParser.jj, class ComparisonExpression.
 */
import { compareTyped, type NumberKind, parseDouble, parseNumber } from './java-numbers.ts'
import { SqlError } from './sql-error.ts'
import { type Token, Tokens } from './tokens.ts'
import {
  type ComparisonSign,
  type ConditionNode,
  isCondition,
  isConstant,
  type NumberNode,
  type SqlNode,
  type TextTest,
} from './tree.ts'

/** Parts within parts; deeper ones are refused, for each level is a call when the filter is applied. */
const MAX_DEPTH = 200
/** Different properties in one filter; more are refused. */
const MAX_PROPERTIES = 64

const LONGEST_IMAGE_SHOWN = 40
const MAX_INT = 2 ** 31 - 1

/** A part of the expression, and where it begins. */
interface Parsed<N extends SqlNode = SqlNode> {
  readonly node: N
  readonly at: number
  /** Levels of parts within it. */
  readonly depth: number
}

/** Throws `SqlError`. */
export function parseSql(source: string): ConditionNode {
  return new Parser(new Tokens(source)).parse()
}

class Parser {
  readonly #tokens: Tokens
  readonly #properties = new Set<string>()
  #token: Token
  #level = 0

  constructor(tokens: Tokens) {
    this.#tokens = tokens
    this.#token = tokens.next()
  }

  parse(): ConditionNode {
    const whole = this.#or()
    const isOver = this.#token.kind === 'end' || this.#tokens.isComment(this.#token)
    if (!isOver) throw this.#unexpected('a comparison, AND, OR or the end')
    return conditionOf(whole).node
  }

  #or(): Parsed {
    return this.#chain('or', 'OR', () => this.#and())
  }

  #and(): Parsed {
    return this.#chain('and', 'AND', () => this.#equality())
  }

  /** Parts of one kind in a row are one level: there may be thousands of them. */
  #chain(kind: 'and' | 'or', word: 'AND' | 'OR', part: () => Parsed): Parsed {
    const first = part()
    if (this.#token.kind !== word) return first
    const parts = [conditionOf(first)]
    while (this.#accept(word)) parts.push(conditionOf(part()))
    return within(first.at, { kind, parts: parts.map(({ node }) => node) }, ...parts)
  }

  #equality(): Parsed {
    let left = this.#comparison()
    for (;;) {
      const { kind } = this.#token
      if (kind === '=' || kind === '<>') {
        this.#advance()
        left = equality(kind, left, this.#comparison())
      } else if (kind === 'IS') {
        this.#advance()
        const isNegated = this.#accept('NOT')
        this.#expect('NULL', isNegated ? 'NULL' : 'NULL or NOT NULL')
        left = within(left.at, { kind: 'is-null', of: left.node }, left)
        if (isNegated) left = not(left)
      } else {
        return left
      }
    }
  }

  #comparison(): Parsed {
    let left = this.#unary()
    for (;;) {
      const { kind } = this.#token
      if (kind === '>' || kind === '>=' || kind === '<' || kind === '<=') {
        this.#advance()
        left = ordering(kind, left, this.#unary())
      } else if (kind === 'NOT' || isTest(kind)) {
        left = this.#test(left)
      } else {
        return left
      }
    }
  }

  /** What can stand behind NOT within a comparison. */
  #test(left: Parsed): Parsed {
    const isNegated = this.#accept('NOT')
    const { kind } = this.#token
    if (!isTest(kind)) {
      throw this.#unexpected('BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH after NOT')
    }
    this.#advance()
    if (kind === 'BETWEEN') return this.#between(left, isNegated)
    if (kind === 'IN') return this.#in(left, isNegated)
    const search = this.#string()
    return within(
      left.at,
      { kind: 'text-test', test: kind, isNegated, of: left.node, search },
      left,
    )
  }

  #between(value: Parsed, isNegated: boolean): Parsed {
    const low = this.#unary()
    this.#expect('AND', 'AND and the upper bound')
    const high = this.#unary()
    if (isNegated) {
      const parts = [ordering('<', value, low), ordering('>', value, high)]
      return within(value.at, { kind: 'or', parts: parts.map(({ node }) => node) }, ...parts)
    }
    const parts = [ordering('>=', value, low), ordering('<=', value, high)]
    checkBounds(low, high)
    return within(value.at, { kind: 'and', parts: parts.map(({ node }) => node) }, ...parts)
  }

  #in(left: Parsed, isNegated: boolean): Parsed {
    this.#expect('(', '"(" and a list of texts')
    const values = [this.#string()]
    while (this.#accept(',')) values.push(this.#string())
    this.#expect(')', '"," or ")"')
    if (left.node.kind !== 'property') {
      throw new SqlError(left.at, 'only a property can be tested by IN')
    }
    return within(left.at, { kind: 'in', isNegated, of: left.node, values }, left)
  }

  #unary(): Parsed {
    const { at, kind } = this.#token
    if (kind !== '+' && kind !== '-' && kind !== 'NOT') return this.#primary()
    this.#advance()
    this.#descend(at)
    const operand = this.#unary()
    this.#level--
    if (kind === '+') return { ...operand, at }
    if (kind === '-') return within(at, { kind: 'negation', of: operand.node }, operand)
    return { ...not(operand), at }
  }

  #primary(): Parsed {
    const { at, image, kind } = this.#token
    switch (kind) {
      case 'text':
        return leaf(at, { kind: 'string', value: this.#string() })
      case 'integer':
      case 'decimal':
        this.#advance()
        return leaf(at, numberNode(at, kind, image))
      case 'TRUE':
      case 'FALSE':
      case 'NULL':
        this.#advance()
        return leaf(at, { kind: 'truth', value: kind === 'NULL' ? null : kind === 'TRUE' })
      case 'name':
        this.#advance()
        this.#countProperty(at, image)
        return leaf(at, { kind: 'property', name: image })
      case '(':
        return this.#parenthesized()
      default:
        throw this.#unexpected('a property, a text, a number, TRUE, FALSE, NULL, NOT or "("')
    }
  }

  #parenthesized(): Parsed {
    const { at } = this.#token
    this.#advance()
    this.#descend(at)
    const inner = this.#or()
    this.#level--
    this.#expect(')', 'a comparison, AND, OR or ")"')
    return { ...inner, at }
  }

  #string(): string {
    const { image } = this.#expect('text', "a text in quotes such as 'a'")
    return image.slice(1, -1).replaceAll("''", "'")
  }

  #advance(): void {
    this.#token = this.#tokens.next()
  }

  #accept(kind: Token['kind']): boolean {
    if (this.#token.kind !== kind) return false
    this.#advance()
    return true
  }

  #expect(kind: Token['kind'], expected: string): Token {
    const token = this.#token
    if (token.kind !== kind) throw this.#unexpected(expected)
    this.#advance()
    return token
  }

  #unexpected(expected: string): SqlError {
    const { at, image, kind } = this.#token
    if (kind === 'end') return new SqlError(at, `${expected} is expected, but the text ends`)
    const isLong = image.length > LONGEST_IMAGE_SHOWN
    const shown = isLong ? `${image.slice(0, LONGEST_IMAGE_SHOWN)}…` : image
    return new SqlError(at, `${expected} is expected, not ${shown}`)
  }

  #descend(at: number): void {
    this.#level++
    if (this.#level > MAX_DEPTH) throw tooDeep(at)
  }

  #countProperty(at: number, name: string): void {
    this.#properties.add(name)
    if (this.#properties.size <= MAX_PROPERTIES) return
    throw new SqlError(at, `this is one property too many: ${MAX_PROPERTIES} are possible`)
  }
}

function isTest(kind: Token['kind']): kind is 'BETWEEN' | 'IN' | TextTest {
  switch (kind) {
    case 'BETWEEN':
    case 'IN':
    case 'CONTAINS':
    case 'STARTSWITH':
    case 'ENDSWITH':
      return true
    default:
      return false
  }
}

function leaf<N extends SqlNode>(at: number, node: N): Parsed<N> {
  return { node, at, depth: 1 }
}

function within<N extends SqlNode>(at: number, node: N, ...parts: readonly Parsed[]): Parsed<N> {
  let depth = 0
  for (const part of parts) depth = Math.max(depth, part.depth)
  if (depth >= MAX_DEPTH) throw tooDeep(at)
  return { node, at, depth: depth + 1 }
}

function not(operand: Parsed): Parsed<ConditionNode> {
  const { at, node, depth } = conditionOf(operand)
  return within(at, { kind: 'not', of: node }, { node, at, depth })
}

/** A property may stand for a condition, another value may not. */
function conditionOf({ at, node, depth }: Parsed): Parsed<ConditionNode> {
  if (isCondition(node)) return { at, node, depth }
  if (node.kind === 'property') return within(at, { kind: 'cast', of: node }, { at, node, depth })
  throw new SqlError(at, 'a condition is expected here, not a value: compare it with something')
}

function equality(sign: '=' | '<>', left: Parsed, right: Parsed): Parsed {
  for (const { at, node } of [left, right]) {
    if (node.kind === 'truth' && node.value === null) {
      throw new SqlError(at, `NULL cannot be compared by ${sign}: write IS NULL or IS NOT NULL`)
    }
  }
  if (left.node.kind === 'truth' && isConstant(right.node) && right.node.kind !== 'truth') {
    throw new SqlError(right.at, 'TRUE and FALSE cannot be compared with a text or a number')
  }
  const node: ConditionNode = { kind: 'comparison', sign, left: left.node, right: right.node }
  return within(left.at, node, left, right)
}

function ordering(
  sign: Exclude<ComparisonSign, '=' | '<>'>,
  left: Parsed,
  right: Parsed,
): Parsed<ConditionNode> {
  for (const { at, node } of [left, right]) {
    if (node.kind === 'string' || isCondition(node)) {
      const seen = node.kind === 'string' ? 'a text' : 'a condition'
      throw new SqlError(at, `only numbers and properties are greater or less, not ${seen}`)
    }
  }
  const node: ConditionNode = { kind: 'comparison', sign, left: left.node, right: right.node }
  return within(left.at, node, left, right)
}

function checkBounds(low: Parsed, high: Parsed): void {
  if (low.node.kind !== 'number' || high.node.kind !== 'number') return
  if (compareTyped(low.node, high.node) <= 0) return
  const bounds = `${high.node.value} is less than ${low.node.value}`
  throw new SqlError(high.at, `the upper bound ${bounds}, the lower one: nothing is between them`)
}

function numberNode(at: number, kind: 'integer' | 'decimal', image: string): NumberNode {
  const node = (type: NumberKind, value: number | bigint) =>
    ({ kind: 'number', type, value }) as const
  if (kind === 'integer') {
    const value = parseNumber('long', image.replace(/l$/i, ''))
    if (value === undefined) throw new SqlError(at, `${image} is more than 64 bits can hold`)
    return node(value <= MAX_INT ? 'int' : 'long', value)
  }
  const value = parseDouble(image)
  if (value === undefined || value === Number.POSITIVE_INFINITY) {
    throw new SqlError(at, `${image} is greater than ${Number.MAX_VALUE}`)
  }
  if (value === 0) {
    throw new SqlError(at, `${image} is less than ${Number.MIN_VALUE}: write 0 for zero`)
  }
  return node('double', value)
}

function tooDeep(at: number): SqlError {
  return new SqlError(at, `parts stand more than ${MAX_DEPTH} levels deep within others here`)
}
