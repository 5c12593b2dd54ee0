/**
 * A command is a value: its code, its name, and the fields of its request and of its answer.
 * Everything else is derived from it. The tables are in `commands/`, one file per capability.
 */
import type { FieldTable } from './field.ts'
import { FieldSet } from './header.ts'

export interface Command<Q extends FieldTable = FieldTable, A extends FieldTable = FieldTable> {
  /** Request code. Source: Apache class RequestCode. */
  readonly code: number
  readonly name: string
  readonly request: FieldSet<Q>
  readonly answer: FieldSet<A>
  /** How an error names the request, and its answer. */
  readonly requestSubject: string
  readonly answerSubject: string
  /** The tables themselves, for the fuzz test and the reference. */
  readonly tables: { readonly request: Q; readonly answer: A }
}

// biome-ignore lint/complexity/noBannedTypes: an empty table is what a command without fields has
export function command<Q extends FieldTable = {}, A extends FieldTable = {}>(
  code: number,
  name: string,
  tables: { readonly request?: Q; readonly answer?: A } = {},
): Command<Q, A> {
  const request = tables.request ?? ({} as Q)
  const answer = tables.answer ?? ({} as A)
  return {
    code,
    name,
    request: new FieldSet(request),
    answer: new FieldSet(answer),
    requestSubject: `the request ${name}`,
    answerSubject: `the answer to ${name}`,
    tables: { request, answer },
  }
}
