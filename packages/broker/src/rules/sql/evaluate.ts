/**
 * Turns what a filter says into functions that look at the properties of one message. They throw
 * nothing: where Apache's evaluation throws, they give `FAILED`, and the message is not wanted.
 *
 *   true · false · null (unknown) · FAILED
 *
 * Whether FAILED comes out depends, as in Java, on what was looked at: AND and OR stop at the first
 * part that decides, and an order comparison does not look at its right side when the left is null.
 * Source: Apache classes ComparisonExpression, LogicExpression, UnaryExpression, PropertyExpression,
 * ConstantExpression; org.apache.rocketmq.broker.filter.MessageEvaluationContext.
 */
import {
  compareNumbers,
  compareTyped,
  parseDouble,
  parseNumber,
  type TypedNumber,
} from './java-numbers.ts'
import type { PropertySlots } from './property-slots.ts'
import {
  type ComparisonSign,
  type ConditionNode,
  isCondition,
  type PropertyNode,
  type SqlNode,
} from './tree.ts'

const FAILED = Symbol('Java throws here')

type Truth = boolean | null | typeof FAILED
type Condition = () => Truth
/** Texts are those of properties and of the filter; numbers are only those of the filter. */
type Value = Truth | string | TypedNumber
type Ordering = Exclude<ComparisonSign, '=' | '<>'>

const MAX_INT = 2 ** 31 - 1
const MIN_INT = -(2 ** 31)

/** A filter made into functions. */
export interface Evaluation {
  /** Whether the message that the slots look at is wanted. */
  readonly isWanted: () => boolean
  /** Functions that are called for one message at the most. */
  readonly parts: number
}

export function evaluationOf(node: ConditionNode, slots: PropertySlots): Evaluation {
  const compiler = new Compiler(slots)
  const condition = compiler.condition(node)
  return { isWanted: () => condition() === true, parts: compiler.parts }
}

class Compiler {
  parts = 0
  readonly #slots: PropertySlots

  constructor(slots: PropertySlots) {
    this.#slots = slots
  }

  condition(node: ConditionNode): Condition {
    this.parts++
    switch (node.kind) {
      case 'truth':
        return () => node.value
      case 'not':
        return not(this.condition(node.of))
      case 'and':
        return firstOf(
          node.parts.map((part) => this.condition(part)),
          false,
        )
      case 'or':
        return firstOf(
          node.parts.map((part) => this.condition(part)),
          true,
        )
      case 'comparison':
        return this.#comparison(node.sign, node.left, node.right)
      case 'is-null':
        return isNull(this.#value(node.of))
      case 'text-test':
        return textTest(node, this.#value(node.of))
      case 'in':
        return this.#in(node.of, new Set(node.values), node.isNegated)
      case 'cast':
        return this.#cast(node.of)
    }
  }

  #value(node: SqlNode): () => Value {
    if (isCondition(node)) return this.condition(node)
    this.parts++
    switch (node.kind) {
      case 'property': {
        const slots = this.#slots
        const slot = slots.slotOf(node.name)
        return () => slots.text(slot)
      }
      case 'string':
        return () => node.value
      case 'number':
        return () => node
      case 'negation':
        return this.#negation(node.of)
    }
  }

  /** Only numbers of the filter itself have a negative: properties are texts. */
  #negation(of: SqlNode): () => Value {
    const value = this.#value(of)
    return () => {
      const known = value()
      if (known === FAILED) return FAILED
      return isNumber(known) ? negated(known) : null
    }
  }

  #comparison(sign: ComparisonSign, left: SqlNode, right: SqlNode): Condition {
    const number = constantNumber(right)
    if (left.kind === 'property' && number !== undefined)
      return this.#withNumber(sign, left, number)
    if (left.kind === 'property' && right.kind === 'string' && (sign === '=' || sign === '<>')) {
      return this.#withText(sign === '=', left, right.value)
    }
    const leftValue = this.#value(left)
    const rightValue = this.#value(right)
    if (sign === '=') return equality(leftValue, rightValue)
    if (sign === '<>') return not(equality(leftValue, rightValue))
    return ordering(sign, leftValue, rightValue)
  }

  /** The most usual comparison, mostly without making a text of the property. */
  #withNumber(sign: ComparisonSign, { name }: PropertyNode, number: TypedNumber): Condition {
    const slots = this.#slots
    const slot = slots.slotOf(name)
    const isInt = number.type === 'int'
    const { value } = number
    return () => {
      if (!slots.has(slot)) return null
      const small = slots.smallWhole(slot)
      if (Number.isNaN(small) || small === 0) {
        const parsed = parseNumber(number.type, slots.text(slot) ?? '')
        return parsed === undefined ? FAILED : holds(sign, compareNumbers(parsed, value))
      }
      if (isInt && (small > MAX_INT || small < MIN_INT)) return FAILED
      return holds(sign, small < value ? -1 : small > value ? 1 : 0)
    }
  }

  #withText(isAsked: boolean, { name }: PropertyNode, text: string): Condition {
    const slots = this.#slots
    const slot = slots.slotOf(name)
    const bytes = Buffer.from(text)
    return () => (slots.has(slot) ? slots.isEqual(slot, bytes) === isAsked : null)
  }

  #in({ name }: PropertyNode, values: ReadonlySet<string>, isNegated: boolean): Condition {
    const slots = this.#slots
    const slot = slots.slotOf(name)
    return () => {
      const text = slots.text(slot)
      return text === null ? null : values.has(text) !== isNegated
    }
  }

  /** A text is no truth value, not even the text `true`. */
  #cast({ name }: PropertyNode): Condition {
    const slots = this.#slots
    const slot = slots.slotOf(name)
    return () => (slots.has(slot) ? false : null)
  }
}

function constantNumber(node: SqlNode): TypedNumber | undefined {
  if (node.kind === 'number') return node
  if (node.kind !== 'negation') return undefined
  const number = constantNumber(node.of)
  return number === undefined ? undefined : negated(number)
}

/** No literal is a double zero, and the whole one has no sign. */
function negated({ type, value }: TypedNumber): TypedNumber {
  return { type, value: typeof value === 'bigint' ? -value : 0 - value }
}

function not(condition: Condition): Condition {
  return () => {
    const truth = condition()
    return truth === null || truth === FAILED ? truth : !truth
  }
}

/** AND is decided by the first part that is false, OR by the first that is true. */
function firstOf(parts: readonly Condition[], deciding: boolean): Condition {
  return () => {
    let truth: Truth = !deciding
    for (const part of parts) {
      const each = part()
      if (each === deciding || each === FAILED) return each
      if (each === null) truth = null
    }
    return truth
  }
}

function isNull(value: () => Value): Condition {
  return () => {
    const known = value()
    return known === FAILED ? FAILED : known === null
  }
}

function textTest(
  { isNegated, search, test }: Extract<ConditionNode, { kind: 'text-test' }>,
  value: () => Value,
): Condition {
  if (search === '') return () => false
  return () => {
    const text = value()
    if (typeof text !== 'string') return text === FAILED ? FAILED : false
    return passes(test, text, search) !== isNegated
  }
}

function passes(
  test: 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH',
  text: string,
  search: string,
): boolean {
  switch (test) {
    case 'CONTAINS':
      return text.includes(search)
    case 'STARTSWITH':
      return text.startsWith(search)
    case 'ENDSWITH':
      return text.endsWith(search)
  }
}

/** Both absent is equal; a right side that is absent is different; a left one is unknown. */
function equality(leftValue: () => Value, rightValue: () => Value): Condition {
  return () => {
    const left = leftValue()
    if (left === FAILED) return FAILED
    const right = rightValue()
    if (right === FAILED) return FAILED
    if (left === null) return right === null ? true : null
    return right === null ? false : areEqual(left, right)
  }
}

function areEqual(left: Exclude<Value, Nothing>, right: Exclude<Value, Nothing>): Truth {
  if (typeof left === 'boolean') {
    // Java means to turn the text into a truth value, turns the wrong side, and throws.
    if (typeof right === 'string') return FAILED
    return left === right
  }
  if (typeof left === 'string') {
    if (typeof right === 'string') return left === right
    if (typeof right === 'boolean') return (left.toLowerCase() === 'true') === right
    return equalsText(right, left)
  }
  if (typeof right === 'boolean') return false
  return typeof right === 'string' ? equalsText(left, right) : compareTyped(left, right) === 0
}

type Nothing = null | typeof FAILED

function equalsText(number: TypedNumber, text: string): Truth {
  const parsed = parseNumber(number.type, text)
  return parsed === undefined ? FAILED : compareNumbers(parsed, number.value) === 0
}

function ordering(sign: Ordering, leftValue: () => Value, rightValue: () => Value): Condition {
  return () => {
    const left = leftValue()
    if (left === null || left === FAILED) return left
    const right = rightValue()
    if (right === null || right === FAILED) return right
    const order = compare(left, right)
    return order === undefined ? FAILED : holds(sign, order)
  }
}

/** Undefined where Java throws. Truth values never come here: the parser refuses them. */
function compare(
  left: Exclude<Value, Nothing>,
  right: Exclude<Value, Nothing>,
): number | undefined {
  if (isNumber(left)) {
    return isNumber(right) ? compareTyped(left, right) : negative(compareText(String(right), left))
  }
  if (isNumber(right)) return compareText(String(left), right)
  const leftNumber = parseDouble(String(left))
  const rightNumber = parseDouble(String(right))
  if (leftNumber === undefined || rightNumber === undefined) return undefined
  return compareNumbers(leftNumber, rightNumber)
}

function compareText(text: string, number: TypedNumber): number | undefined {
  const parsed = parseNumber(number.type, text)
  return parsed === undefined ? undefined : compareNumbers(parsed, number.value)
}

function negative(order: number | undefined): number | undefined {
  return order === undefined ? undefined : -order
}

function holds(sign: ComparisonSign, order: number): boolean {
  switch (sign) {
    case '=':
      return order === 0
    case '<>':
      return order !== 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
  }
}

function isNumber(value: Value): value is TypedNumber {
  return typeof value === 'object' && value !== null
}
