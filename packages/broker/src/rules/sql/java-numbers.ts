/**
 * Texts read as numbers, and numbers compared, as Java does it: filters compare the texts of
 * properties with numbers, and one that Java refuses makes its filter fail.
 * Source: Java methods Integer.valueOf, Long.valueOf, Double.valueOf, Double.compare.
 */

/** `long` values beyond ±(2^53 − 1) are bigints, all others numbers. */
export type NumberKind = 'int' | 'long' | 'double'

const LIMITS = {
  int: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  long: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
} as const

const WHOLE = /^[+-]?\d+$/
/** The sign, and zeros that say nothing. */
const LEADING = /^[+-]?0*(?=\d)/
const OTHER_DIGITS = /\p{Nd}/gu
const DECIMAL = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?$/
const HEXADECIMAL =
  /^([+-]?)0[xX](?:([\da-fA-F]+)\.?|([\da-fA-F]*)\.([\da-fA-F]+))[pP]([+-]?\d+)[fFdD]?$/
const WORD = /^([+-]?)(NaN|Infinity)$/
/** Digits of the longest whole number of 64 bits, and one more. */
const MOST_CHARS = 20

/** The number a text stands for; undefined where Java throws NumberFormatException. */
export function parseNumber(kind: NumberKind, text: string): number | bigint | undefined {
  return kind === 'double' ? parseDouble(text) : parseWhole(kind, text)
}

function parseWhole(kind: 'int' | 'long', text: string): number | bigint | undefined {
  const latin = WHOLE.test(text) ? text : text.replace(OTHER_DIGITS, latinDigit)
  if (!WHOLE.test(latin)) return undefined
  const digits = latin.replace(LEADING, '')
  if (digits.length > MOST_CHARS) return undefined
  const value = BigInt(latin.startsWith('-') ? `-${digits}` : digits)
  if (value < LIMITS[kind].min || value > LIMITS[kind].max) return undefined
  return narrowed(value)
}

/** As a number where that has the same value. */
function narrowed(value: bigint): number | bigint {
  const narrow = Number(value)
  return Number.isSafeInteger(narrow) ? narrow : value
}

/** Java knows the digits of all scripts, as far as one UTF-16 unit says which one it is. */
function latinDigit(digit: string): string {
  if (digit.length > 1) return digit
  const code = digit.charCodeAt(0)
  let zero = code
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCharCode(zero - 1))) zero--
  return String(code - zero)
}

export function parseDouble(text: string): number | undefined {
  const trimmed = trim(text)
  const decimal = DECIMAL.exec(trimmed)?.[1]
  if (decimal !== undefined) return Number(decimal)
  const word = WORD.exec(trimmed)
  if (word !== null) return word[1] === '-' ? -Number(word[2]) : Number(word[2])
  const hexadecimal = HEXADECIMAL.exec(trimmed)
  return hexadecimal === null ? undefined : hexadecimalOf(hexadecimal)
}

/** Java cuts off all characters up to the blank, at both ends. */
function trim(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && text.charCodeAt(from) <= 32) from++
  while (to > from && text.charCodeAt(to - 1) <= 32) to--
  return text.slice(from, to)
}

function hexadecimalOf([, sign, whole, before, behind, exponent]: RegExpExecArray): number {
  const fraction = behind ?? ''
  const digits = BigInt(`0x${whole ?? `${before ?? ''}${fraction}`}`)
  const power = Number(exponent) - 4 * fraction.length
  // In two steps: the power alone may be too large or too small for a number.
  const half = Math.trunc(Math.min(Math.max(power, -4_000), 4_000) / 2)
  const rest = Math.min(Math.max(power, -4_000), 4_000) - half
  const size = digits === 0n ? 0 : Number(digits) * 2 ** half * 2 ** rest
  return sign === '-' ? -size : size
}

/** A number that knows how Java holds it. */
export interface TypedNumber {
  readonly type: NumberKind
  readonly value: number | bigint
}

/** Compares as Java does: if one of them is a double, both are. */
export function compareTyped(left: TypedNumber, right: TypedNumber): number {
  const areWhole = left.type !== 'double' && right.type !== 'double'
  if (areWhole) return compareNumbers(left.value, right.value)
  return compareNumbers(Number(left.value), Number(right.value))
}

/** Less than 0, 0, or more than 0: exact for whole numbers of any size, and as Java for others. */
export function compareNumbers(left: number | bigint, right: number | bigint): number {
  if (left < right) return -1
  if (left > right) return 1
  if (typeof left === 'bigint' || typeof right === 'bigint') return 0
  if (left === right && left !== 0) return 0
  return rankOf(left) - rankOf(right)
}

/** Java puts -0 before 0, and what is no number behind everything. */
function rankOf(value: number): number {
  if (Number.isNaN(value)) return 2
  return Object.is(value, -0) ? -1 : 0
}
