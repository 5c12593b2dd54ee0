/**
 * Cuts the text of an SQL92 filter into words, numbers, texts and signs, each with its place.
 * Source: Apache grammar SelectorParser.jj (tokens).
 */
import { SqlError } from './sql-error.ts'

const keywords = [
  ...['AND', 'OR', 'NOT', 'BETWEEN', 'IN', 'IS', 'TRUE', 'FALSE', 'NULL'],
  ...['CONTAINS', 'STARTSWITH', 'ENDSWITH'],
] as const
const signs = ['<>', '>=', '<=', '=', '>', '<', '(', ')', ',', '+', '-'] as const

type TokenKind =
  | (typeof keywords)[number]
  | (typeof signs)[number]
  | 'name'
  | 'text'
  | 'integer'
  | 'decimal'
  | 'end'

export interface Token {
  readonly kind: TokenKind
  /** As it is written. */
  readonly image: string
  /** Where it begins, in UTF-16 units. */
  readonly at: number
}

/** The longest match counts, of equally long ones the first; so decimals stand before integers. */
const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['decimal', /(?:\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)/y],
  ['integer', /(?:[1-9]\d*[lL]?|0)/y],
  ['text', /'[^']*'(?:'[^']*')*/y],
  ['name', /[A-Za-z_$][A-Za-z0-9_$]*/y],
]
const keywordKinds = new Map<string, TokenKind>(keywords.map((word) => [word, word]))

/** Gives one token after the other. Owns how far it has come. */
export class Tokens {
  readonly #source: string
  readonly #lastLineEnd: number
  #at = 0

  constructor(source: string) {
    this.#source = source
    this.#lastLineEnd = Math.max(source.lastIndexOf('\n'), source.lastIndexOf('\r'))
  }

  /** The next token, `end` for good behind the last. Throws `SqlError`. */
  next(): Token {
    const source = this.#source
    const at = gapEnd(source, this.#at, this.#lastLineEnd)
    const token: Token = at < source.length ? tokenAt(source, at) : { kind: 'end', image: '', at }
    this.#at = at + token.image.length
    return token
  }

  /** Whether a comment without another line behind it begins with this token. */
  isComment({ at }: Token): boolean {
    return this.#source.startsWith('--', at)
  }
}

function tokenAt(source: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    const image = pattern.exec(source)?.[0]
    if (image === undefined) continue
    const keyword = kind === 'name' ? keywordKinds.get(image.toUpperCase()) : undefined
    return { kind: keyword ?? kind, image, at }
  }
  const sign = signs.find((each) => source.startsWith(each, at))
  if (sign !== undefined) return { kind: sign, image: sign, at }
  if (source[at] === "'")
    throw new SqlError(at, "the text that begins here has no end: close it by '")
  if (source.startsWith('/*', at)) throw new SqlError(at, 'the comment that begins here has no end')
  const character = String.fromCodePoint(source.codePointAt(at) ?? 0)
  throw new SqlError(at, `the character ${JSON.stringify(character)} has no meaning here`)
}

/** Behind blanks and comments. */
function gapEnd(source: string, from: number, lastLineEnd: number): number {
  const blanks = /[ \t\n\r\f]*/y
  for (let at = from; ; ) {
    blanks.lastIndex = at
    at += blanks.exec(source)?.[0].length ?? 0
    const commentEnd = commentEndAt(source, at, lastLineEnd)
    if (commentEnd === undefined) return at
    at = commentEnd
  }
}

/**
 * Behind the comment that begins here, if one does. Two dashes begin one only if there is another
 * line behind them: in the last line they are two signs, of which only the parser knows better.
 */
function commentEndAt(source: string, at: number, lastLineEnd: number): number | undefined {
  if (source.startsWith('--', at) && at < lastLineEnd) {
    const lineEnd = /[\n\r]/g
    lineEnd.lastIndex = at
    return (lineEnd.exec(source)?.index ?? lastLineEnd) + 1
  }
  if (!source.startsWith('/*', at)) return undefined
  const end = source.indexOf('*/', at + 2)
  return end === -1 ? undefined : end + 2
}
