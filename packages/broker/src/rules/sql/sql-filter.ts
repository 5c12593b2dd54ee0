/**
 * An SQL92 filter, compiled: it says of the properties of a message whether they are wanted.
 * Source: Apache classes SqlFilter, ExpressionMessageFilter; `store-runtime.md` section 8.
 */
import { type Evaluation, evaluationOf } from './evaluate.ts'
import { parseSql } from './parser.ts'
import { PropertySlots } from './property-slots.ts'
import { errorSentence, SqlError } from './sql-error.ts'

/** Longer expressions are refused; a list for IN can have some thousand texts. */
const MAX_EXPRESSION_CHARS = 64 * 1024

/** What a part of a filter costs, in the time that a byte of the properties takes. */
const WORK_PER_PART = 16

export class SqlFilter {
  /** Cost of one message, beside that of walking over its properties, in bytes of these. */
  readonly work: number
  readonly #slots: PropertySlots
  readonly #isWanted: () => boolean

  constructor(slots: PropertySlots, { isWanted, parts }: Evaluation) {
    this.#slots = slots
    this.#isWanted = isWanted
    this.work = parts * WORK_PER_PART
  }

  /** Whether a message with these properties is wanted; one on which the filter fails is not. */
  matches(bytes: Buffer, from: number, to: number): boolean {
    this.#slots.open(bytes, from, to)
    return this.#isWanted()
  }
}

export type CompiledSql =
  | { readonly kind: 'filter'; readonly filter: SqlFilter }
  /** `problem` is a sentence that names line and column. */
  | { readonly kind: 'wrong'; readonly problem: string }

export function compileSql(expression: string): CompiledSql {
  if (expression.length > MAX_EXPRESSION_CHARS) {
    const size = `${expression.length} characters, ${MAX_EXPRESSION_CHARS} are possible`
    return { kind: 'wrong', problem: `the SQL92 expression is too long: it has ${size}` }
  }
  try {
    const slots = new PropertySlots()
    const evaluation = evaluationOf(parseSql(expression), slots)
    return { kind: 'filter', filter: new SqlFilter(slots, evaluation) }
  } catch (error) {
    if (!(error instanceof SqlError)) throw error
    return { kind: 'wrong', problem: errorSentence(expression, error) }
  }
}
