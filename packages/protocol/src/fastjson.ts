/**
 * Reads the JSON dialect of fastjson 1.x, in which Java peers write their bodies and files: numeric
 * and object keys without quotes, back references, whole numbers beyond 2^53.
 * Source: `remoting.md` section 9.
 *
 * Most texts are standard JSON and go through `JSON.parse`; the dialect is read by hand.
 */

import { isNestedTooDeep, MAX_JSON_DEPTH } from './json-depth.ts'

/** Maybe a whole number beyond 2^53, which `JSON.parse` would change to one that Java refuses. */
const LONG_NUMBER = /\d{16}/
const WHOLE_NUMBER = /^-?\d+$/

/**
 * The value of a JSON text, standard or fastjson. An object in key position becomes a key that is
 * its standard JSON text; a number as key becomes its digits; `{"$ref": …}` stays as it is. Whole
 * numbers beyond 2^53 are clamped. Throws `SyntaxError` naming the position.
 */
export function parseFastjson(text: string): unknown {
  if (isNestedTooDeep(text)) throw tooDeep()
  if (LONG_NUMBER.test(text)) return new FastjsonReader(text).document()
  try {
    return JSON.parse(text)
  } catch {
    return new FastjsonReader(text).document()
  }
}

class FastjsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): unknown {
    const value = this.#value(0)
    this.#blanks()
    if (this.#at < this.#text.length) throw this.#unexpected()
    return value
  }

  #value(depth: number): unknown {
    if (depth > MAX_JSON_DEPTH) throw tooDeep()
    this.#blanks()
    const char = this.#text[this.#at]
    if (char === '{') return this.#object(depth)
    if (char === '[') return this.#list(depth)
    if (char === '"' || char === "'") return this.#string(char)
    return this.#word()
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null)
    this.#at++
    while (!this.#closes('}')) {
      const key = this.#value(depth + 1)
      this.#blanks()
      if (this.#text[this.#at] !== ':') throw this.#unexpected()
      this.#at++
      object[typeof key === 'object' ? JSON.stringify(key) : String(key)] = this.#value(depth + 1)
    }
    return { ...object }
  }

  #list(depth: number): unknown[] {
    const list: unknown[] = []
    this.#at++
    while (!this.#closes(']')) list.push(this.#value(depth + 1))
    return list
  }

  /** Passes a comma, or the end of an object or list. */
  #closes(end: string): boolean {
    this.#blanks()
    if (this.#text[this.#at] === ',') {
      this.#at++
      this.#blanks()
    }
    if (this.#at >= this.#text.length) throw this.#unexpected()
    if (this.#text[this.#at] !== end) return false
    this.#at++
    return true
  }

  #string(quote: string): string {
    const start = this.#at
    for (let at = start + 1; at < this.#text.length; at++) {
      const char = this.#text[at]
      if (char === '\\') at++
      else if (char === quote) {
        this.#at = at + 1
        return unquote(this.#text.slice(start + 1, at), quote)
      }
    }
    this.#at = this.#text.length
    throw this.#unexpected()
  }

  /** A number, `true`, `false`, `null`, or a name without quotes. */
  #word(): unknown {
    const match = /[^\s,:{}[\]"']+/y
    match.lastIndex = this.#at
    const word = match.exec(this.#text)?.[0]
    if (word === undefined) throw this.#unexpected()
    this.#at += word.length
    if (word === 'null') return null
    if (word === 'true' || word === 'false') return word === 'true'
    const number = Number(word)
    if (Number.isNaN(number)) return word
    return WHOLE_NUMBER.test(word) ? clamp(number) : number
  }

  #blanks(): void {
    while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 32) this.#at++
  }

  #unexpected(): SyntaxError {
    const found = this.#text[this.#at]
    const what = found === undefined ? 'the text ends' : `"${found}" is unexpected`
    return new SyntaxError(`not JSON: ${what} at position ${this.#at}`)
  }
}

function tooDeep(): SyntaxError {
  return new SyntaxError(`JSON nested deeper than ${MAX_JSON_DEPTH} levels`)
}

function clamp(number: number): number {
  if (Number.isSafeInteger(number)) return number
  return Math.sign(number) * Number.MAX_SAFE_INTEGER
}

function unquote(inner: string, quote: string): string {
  if (!inner.includes('\\') && quote === '"') return inner
  const standard = inner.replace(/\\'|"/g, (found) => (found === '"' ? '\\"' : "'"))
  return String(JSON.parse(`"${quote === '"' ? inner : standard}"`))
}
