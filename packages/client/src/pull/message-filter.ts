/**
 * Which messages of a topic a consumer wants: by their tags, or by an SQL92 expression over their
 * properties. Source: Apache class MessageSelector; `client.md` section 4. Owns nothing.
 *
 *   bySql("region = 'eu' AND amount > 100")
 *   bySql`region = ${region} AND amount > ${limit} AND kind IN ${['new', 'paid']}`
 *   byTags('new', 'paid')
 */
import { badOption } from '../errors.ts'

/** What can stand in a `${…}` of `bySql`; a list of texts is for IN. */
export type SqlValue = string | number | bigint | boolean | readonly string[]

export interface MessageFilter {
  readonly type: 'TAG' | 'SQL92'
  /** Tags as `a || b`, or the SQL92 expression. */
  readonly expression: string
}

const LONG_LIMIT = 2n ** 63n

/** Wants messages with one of these tags. Throws `ClientError` BAD_OPTION. */
export function byTags(...tags: readonly string[]): MessageFilter {
  for (const tag of tags) {
    if (tag.includes('||') || tag === '' || tag !== tag.trim() || tag === '*') {
      throw badOption(`"${tag}" is no tag`, 'name tags without "||", "*" and blanks around them')
    }
  }
  if (tags.length > 0) return { type: 'TAG', expression: tags.join(' || ') }
  throw badOption('a filter by tags names none', 'name a tag, or subscribe to "*"')
}

/**
 * Wants messages whose properties fulfil an SQL92 expression: comparisons (`= <> > >= < <=`), BETWEEN,
 * IN, IS NULL, CONTAINS, STARTSWITH, ENDSWITH and their negations, joined by AND, OR and NOT. As a
 * template tag it writes the values as literals, with what is special in them escaped. Brokers compile
 * the expression when the consumer starts and say what is wrong with it. Throws `ClientError`
 * BAD_OPTION for an empty expression and for a value that has no literal.
 */
export function bySql(
  expression: string | TemplateStringsArray,
  ...values: readonly SqlValue[]
): MessageFilter {
  const parts = typeof expression === 'string' ? [expression] : expression
  const text = parts.map((part, i) => part + (i < values.length ? literal(values[i]) : '')).join('')
  if (text.trim() !== '') return { type: 'SQL92', expression: text }
  throw badOption('the SQL92 expression is empty', 'subscribe to "*" for all messages')
}

function literal(value: SqlValue | undefined): string {
  switch (typeof value) {
    case 'string':
      return `'${value.replaceAll("'", "''")}'`
    case 'boolean':
      return value ? 'TRUE' : 'FALSE'
    case 'bigint':
      if (-LONG_LIMIT < value && value < LONG_LIMIT) return String(value)
      throw badOption(`the filter value ${value} has more than 64 bits`, 'use a smaller number')
    case 'number':
      return numberLiteral(value)
    default:
      if (value === undefined || value.length === 0) {
        throw badOption('a list in the filter is empty', 'name at least one text for IN')
      }
      return `(${value.map(literal).join(', ')})`
  }
}

/** Whole numbers that Java holds in 64 bits are written as such, others with a point or exponent. */
function numberLiteral(value: number): string {
  if (!Number.isFinite(value)) {
    throw badOption(`the filter value ${value} is no number in SQL92`, 'use a finite number')
  }
  if (Number.isSafeInteger(value)) return String(value + 0)
  return Number.isInteger(value) ? value.toExponential() : String(value)
}
