/**
 * What an SQL92 filter says, as the parser gives it to the compiler. Owns nothing.
 * Source: Apache classes in org.apache.rocketmq.filter.expression.
 */
import type { TypedNumber } from './java-numbers.ts'

export type ComparisonSign = '=' | '<>' | '>' | '>=' | '<' | '<='
export type TextTest = 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH'

export interface NumberNode extends TypedNumber {
  readonly kind: 'number'
}

export interface PropertyNode {
  readonly kind: 'property'
  readonly name: string
}

/** What has a value of its own. */
type ValueNode =
  | PropertyNode
  | NumberNode
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'negation'; readonly of: SqlNode }

/** What is true, false or unknown. */
export type ConditionNode =
  | { readonly kind: 'truth'; readonly value: boolean | null }
  | { readonly kind: 'not'; readonly of: ConditionNode }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly ConditionNode[] }
  | {
      readonly kind: 'comparison'
      readonly sign: ComparisonSign
      readonly left: SqlNode
      readonly right: SqlNode
    }
  | { readonly kind: 'is-null'; readonly of: SqlNode }
  | {
      readonly kind: 'text-test'
      readonly test: TextTest
      readonly isNegated: boolean
      readonly of: SqlNode
      readonly search: string
    }
  | {
      readonly kind: 'in'
      readonly isNegated: boolean
      readonly of: PropertyNode
      readonly values: readonly string[]
    }
  /** A property that stands where a condition is asked for. */
  | { readonly kind: 'cast'; readonly of: PropertyNode }

export type SqlNode = ValueNode | ConditionNode

export function isCondition(node: SqlNode): node is ConditionNode {
  switch (node.kind) {
    case 'property':
    case 'number':
    case 'string':
    case 'negation':
      return false
    default:
      return true
  }
}

/** Whether the value is written in the filter itself. */
export function isConstant(node: SqlNode): boolean {
  return node.kind === 'number' || node.kind === 'string' || node.kind === 'truth'
}
