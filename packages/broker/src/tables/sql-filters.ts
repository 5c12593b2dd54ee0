/**
 * The SQL92 filters that were used last, compiled, by their expressions. Owns them. Nothing of them
 * is on disk: the members of a group announce its expressions with every heartbeat. (Apache keeps
 * them in `config/consumerFilter.json` for its Bloom filters, which this broker does without.)
 */
import { MAX_COMPILED_CHARS } from '../limits.ts'
import { type CompiledSql, compileSql } from '../rules/sql/sql-filter.ts'

/** What a short expression counts for, so that there cannot be too many of them either. */
const LEAST_CHARS = 1_000

export class SqlFilters {
  /** The one used last at the end. */
  readonly #compiled = new Map<string, CompiledSql>()
  #chars = 0

  get(expression: string): CompiledSql {
    const known = this.#compiled.get(expression)
    if (known !== undefined) this.#compiled.delete(expression)
    else this.#makeRoom(expression)
    const compiled = known ?? compileSql(expression)
    this.#compiled.set(expression, compiled)
    return compiled
  }

  #makeRoom(expression: string): void {
    this.#chars += charsOf(expression)
    for (const oldest of this.#compiled.keys()) {
      if (this.#chars <= MAX_COMPILED_CHARS) return
      this.#compiled.delete(oldest)
      this.#chars -= charsOf(oldest)
    }
  }
}

function charsOf(expression: string): number {
  return Math.max(expression.length, LEAST_CHARS)
}
