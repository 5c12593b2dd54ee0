/** What is wrong with an SQL92 filter, and where. Owns nothing. */

/** Thrown while a filter is compiled, never while one is applied. */
export class SqlError extends Error {
  /** In UTF-16 units from the beginning of the expression. */
  readonly at: number

  constructor(at: number, problem: string) {
    super(problem)
    this.at = at
  }
}

/** Tells where in the expression something is wrong, and what; lines and columns count from 1. */
export function errorSentence(source: string, { at, message }: SqlError): string {
  const lines = source.slice(0, at).split(/\r\n|\n|\r/)
  const column = (lines.at(-1)?.length ?? 0) + 1
  return `the SQL92 expression is wrong at line ${lines.length}, column ${column}: ${message}`
}
