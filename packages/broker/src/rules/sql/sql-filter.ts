/**
 * An SQL92 filter, compiled: it says of a record whether its properties are wanted.
 * Source: Apache classes SqlFilter, ExpressionMessageFilter; `store-runtime.md` section 8.
 */
import { propertiesAtOf } from '@rockhopper/protocol'
import { predicateOf } from './evaluate.ts'
import { parseSql } from './parser.ts'
import { PropertySlots } from './property-slots.ts'
import { errorSentence, SqlError } from './sql-error.ts'

/** Longer expressions are refused; a list for IN can have some thousand texts. */
const MAX_EXPRESSION_CHARS = 64 * 1024

export class SqlFilter {
  readonly #slots: PropertySlots
  readonly #isWanted: () => boolean

  constructor(slots: PropertySlots, isWanted: () => boolean) {
    this.#slots = slots
    this.#isWanted = isWanted
  }

  /** Whether a message with these properties is wanted; one on which the filter fails is not. */
  matches(bytes: Buffer, from: number, to: number): boolean {
    this.#slots.open(bytes, from, to)
    return this.#isWanted()
  }

  /** The same of the record that begins at `at`. */
  matchesRecord(source: Buffer, at: number): boolean {
    return this.matches(source, propertiesAtOf(source, at), at + source.readInt32BE(at))
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
    return {
      kind: 'filter',
      filter: new SqlFilter(slots, predicateOf(parseSql(expression), slots)),
    }
  } catch (error) {
    if (!(error instanceof SqlError)) throw error
    return { kind: 'wrong', problem: errorSentence(expression, error) }
  }
}
