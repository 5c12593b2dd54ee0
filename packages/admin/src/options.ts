/**
 * Options of a verb as a table: from one row come the flag, its line of help, the check of its value
 * and its TypeScript type. Owns nothing.
 */
import { InvalidArgumentError, Option } from 'commander'

type Value = string | number | boolean

export interface OptionRow<V extends Value = Value, Required extends boolean = boolean> {
  /** One letter, as Apache has it; empty when there is only the long name. */
  readonly letter: string
  /** One sentence without its full stop. */
  readonly meaning: string
  readonly required: Required
  /** What stands for the value in the help; absent when the option takes none. */
  readonly placeholder?: string
  /** Throws `InvalidArgumentError` when the text is not a value. */
  readonly read: (text: string) => V
}

/** Rows by the long name of the option. */
export type OptionTable = Readonly<Record<string, OptionRow>>

type ValueOf<R> = R extends OptionRow<infer V, boolean> ? V : never

type RequiredKey<T extends OptionTable> = {
  [K in keyof T]: T[K] extends OptionRow<Value, true> ? K : never
}[keyof T]

/** What was given on the command line. */
export type OptionsOf<T extends OptionTable> = {
  readonly [K in RequiredKey<T>]: ValueOf<T[K]>
} & {
  readonly [K in Exclude<keyof T, RequiredKey<T>>]?: ValueOf<T[K]>
}

/** A name or an address: blanks around it are dropped. */
export function text(letter: string, meaning: string): OptionRow<string, false> {
  return { letter, meaning, required: false, placeholder: 'text', read: (value) => value.trim() }
}

/** Any text, blanks included. */
export function verbatim(letter: string, meaning: string): OptionRow<string, false> {
  return { letter, meaning, required: false, placeholder: 'text', read: (value) => value }
}

/** A whole number of at least `min`. */
export function whole(letter: string, meaning: string, min = 0): OptionRow<number, false> {
  const read = (value: string): number => {
    const number = /^\d{1,15}$/.test(value.trim()) ? Number(value) : Number.NaN
    if (number >= min) return number
    throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`)
  }
  return { letter, meaning, required: false, placeholder: 'number', read }
}

/** `true` or `false`, in any case. */
export function truth(letter: string, meaning: string): OptionRow<boolean, false> {
  const read = (value: string): boolean => {
    const lower = value.trim().toLowerCase()
    if (lower === 'true' || lower === 'false') return lower === 'true'
    throw new InvalidArgumentError('It must be true or false.')
  }
  return { letter, meaning, required: false, placeholder: 'true|false', read }
}

/** An option without a value. */
export function flag(letter: string, meaning: string): OptionRow<boolean, false> {
  return { letter, meaning, required: false, read: () => true }
}

/** The same option, without which the verb does not run. */
export function required<V extends Value>(row: OptionRow<V, boolean>): OptionRow<V, true> {
  return { ...row, required: true }
}

/** The option as the parser of command lines wants it. */
export function commanderOption(name: string, row: OptionRow): Option {
  const { letter, placeholder, meaning } = row
  const value = placeholder === undefined ? '' : ` <${placeholder}>`
  const short = letter === '' ? '' : `-${letter}, `
  const option = new Option(`${short}--${name}${value}`, meaning)
  if (row.required) option.makeOptionMandatory()
  return placeholder === undefined ? option : option.argParser(row.read)
}
