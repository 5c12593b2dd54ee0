/**
 * Configuration files as Java reads them: lines `key=value`, comments, continued lines, escapes.
 * Source: the documentation of java.util.Properties.load.
 */

export interface Property {
  readonly key: string
  readonly value: string
  /** Line of the file it begins on, from 1. */
  readonly line: number
}

interface LogicalLine {
  readonly text: string
  /** The natural lines it covers, from 1, the last one included. */
  readonly first: number
  readonly last: number
}

/** Every entry in the order of the file; a key may come more than once. Text is taken as Unicode. */
export function parseProperties(text: string): Property[] {
  return logicalLines(text).flatMap((line) => {
    const property = propertyOf(line)
    return property === undefined ? [] : [property]
  })
}

/** One entry as a line without its end, escaped so that `parseProperties` gives the same value. */
export function formatProperty(key: string, value: string): string {
  const escapedKey = escaped(key).replace(/[ :=]|^[#!]/g, '\\$&')
  return `${escapedKey}=${escaped(value).replace(/^ /, '\\ ')}`
}

/**
 * The same file with other values for some keys: lines of these keys are replaced, new keys are put
 * at the end, and everything else, comments included, stays as it was.
 */
export function withProperties(text: string, changes: Readonly<Record<string, string>>): string {
  const lines = text.split(/\r\n|\r|\n/)
  const kept: string[] = []
  const wanted = new Map(Object.entries(changes))
  const remaining = new Map(wanted)
  const lastOf = new Map(parseProperties(text).map(({ key, line }) => [key, line]))
  let copied = 0
  for (const logical of logicalLines(text)) {
    const key = propertyOf(logical)?.key
    const value = key === undefined ? undefined : wanted.get(key)
    if (key === undefined || value === undefined) continue
    kept.push(...lines.slice(copied, logical.first - 1))
    copied = logical.last
    if (lastOf.get(key) === logical.first) kept.push(formatProperty(key, value))
    remaining.delete(key)
  }
  kept.push(...lines.slice(copied))
  while (kept.at(-1)?.trim() === '') kept.pop()
  const end = kept.pop()
  if (end !== undefined) kept.push(isContinued(end) ? end.slice(0, -1) : end)
  for (const [key, value] of remaining) kept.push(formatProperty(key, value))
  return kept.map((line) => `${line}\n`).join('')
}

/** Joins continued lines and drops blank ones and comments. */
function logicalLines(text: string): LogicalLine[] {
  const lines = text.split(/\r\n|\r|\n/).map(trimStart)
  const logical: LogicalLine[] = []
  for (let at = 0; at < lines.length; at++) {
    const first = at + 1
    let line = lines[at] ?? ''
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    const parts: string[] = []
    while (isContinued(line)) {
      parts.push(line.slice(0, -1))
      at++
      line = lines[at] ?? ''
    }
    logical.push({ text: parts.join('') + line, first, last: Math.min(at + 1, lines.length) })
  }
  return logical
}

function trimStart(line: string): string {
  return line.replace(/^[ \t\f]+/, '')
}

/** An odd number of backslashes at the end: the last one is not itself escaped. */
function isContinued(line: string): boolean {
  let start = line.length
  while (line[start - 1] === '\\') start--
  return (line.length - start) % 2 === 1
}

/** The key ends at the first `=`, `:` or blank that is not escaped. */
function propertyOf(line: LogicalLine): Property | undefined {
  const match = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(line.text)
  if (match === null) return undefined
  return { key: unescaped(match[1] ?? ''), value: unescaped(match[2] ?? ''), line: line.first }
}

const CONTROL: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(text: string): string {
  return text.replace(
    /\\(?:u([0-9a-fA-F]{4})|(.))/gs,
    (_, hex: string | undefined, char: string) =>
      hex === undefined ? (CONTROL[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function escaped(text: string): string {
  return text
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')
    .replace(/\f/g, '\\f')
}
