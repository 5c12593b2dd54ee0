/**
 * Configuration as a table: one row per key with its type, default, range and a sentence. From the
 * table come the TypeScript type, the strict reader of files, the checks of changes at run time, the
 * printed form and the reference. It owns nothing.
 *
 * A reader collects every problem before it refuses a text, so that one look is enough to mend it.
 */
import { formatProperty, type Property, parseProperties } from './java-properties.ts'
import { nearest } from './nearest.ts'

type SettingValue = number | boolean | string

/** A text with so many mistakes is something else: the rest of it is not looked at. */
const MAX_PROBLEMS = 50

/** What all kinds of settings have in common. */
interface Common<V extends SettingValue> {
  readonly default: V
  /** One sentence for a reader of the reference. */
  readonly meaning: string
  /** How the reference shows a default that depends on the machine. */
  readonly defaultShown?: string
  /** Whether it may be changed while the server runs; false when absent. */
  readonly changeable?: boolean
}

export interface IntOptions extends Common<number> {
  /** Smallest value that is taken; 0 when absent. */
  readonly min?: number
  /** Largest value that is taken; 2^53 − 1 when absent. */
  readonly max?: number
  /** What it counts: ms, seconds, bytes, hours … */
  readonly unit?: string
  /** Whether a number outside is taken for the nearest one inside, with a warning, as Apache does. */
  readonly clamped?: boolean
}

export interface TextOptions extends Common<string> {
  /** What a value must be (`an address ip:port`) when it is not that; undefined when it is fine. */
  readonly check?: (value: string) => string | undefined
}

export interface ChoiceOptions<C extends string> extends Common<C> {
  readonly choices: readonly C[]
}

/** What a text means, or what it would have to be. */
type Reading<V> =
  | { readonly value: V }
  /** Taken for the nearest that is allowed, which is `range`. */
  | { readonly value: V; readonly clampedTo: string }
  | { readonly mustBe: string }

export interface Setting<V extends SettingValue = SettingValue> extends Common<V> {
  /** The allowed values in words: `a whole number from 0 to 65535`. */
  readonly range: string
  readonly read: (text: string) => Reading<V>
}

export type ConfigTable = Readonly<Record<string, Setting>>

/** The values that a table describes. */
export type ConfigOf<T extends ConfigTable> = { readonly [N in keyof T]: T[N]['default'] }

/** The kinds of settings: rows of a table are made with these. */
export const setting = {
  int(options: IntOptions): Setting<number> {
    const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = options
    const range = intRange(min, max, unit)
    const read = (text: string): Reading<number> => {
      const value = /^[+-]?\d{1,19}$/.test(text) ? Number(text) : Number.NaN
      if (value >= min && value <= max) return { value }
      if (options.clamped !== true || Number.isNaN(value)) return { mustBe: range }
      return { value: Math.min(Math.max(value, min), max), clampedTo: range }
    }
    return { ...options, range, read }
  },

  bool(options: Common<boolean>): Setting<boolean> {
    const range = 'true or false'
    const read = (text: string): Reading<boolean> => {
      const lower = text.toLowerCase()
      return lower === 'true' || lower === 'false' ? { value: lower === 'true' } : { mustBe: range }
    }
    return { ...options, range, read }
  },

  text(options: TextOptions): Setting<string> {
    const read = (text: string): Reading<string> => {
      const mustBe = options.check?.(text)
      return mustBe === undefined ? { value: text } : { mustBe }
    }
    return { ...options, range: 'text', read }
  },

  choice<const C extends string>(options: ChoiceOptions<C>): Setting<C> {
    const range = `one of ${options.choices.join(', ')}`
    const read = (text: string): Reading<C> => {
      const value = options.choices.find(
        (choice) => choice === text.toUpperCase() || choice === text,
      )
      return value === undefined ? { mustBe: range } : { value }
    }
    return { ...options, range, read }
  },
} as const

function intRange(min: number, max: number, unit: string | undefined): string {
  const number = unit === undefined ? 'a whole number' : `a whole number of ${unit}`
  if (max < Number.MAX_SAFE_INTEGER) return `${number} from ${min} to ${max}`
  return `${number}, ${min} or more`
}

/** Names the rows. Throws `RangeError` when a default is not a value of its own row: a bug. */
export function configTable<T extends ConfigTable>(table: T): T {
  for (const [key, row] of Object.entries(table)) {
    const reading = row.read(String(row.default))
    if ('mustBe' in reading) {
      throw new RangeError(`the default of ${key} must be ${reading.mustBe}, not "${row.default}"`)
    }
  }
  return table
}

/** Refuses a configuration: `problems` are whole sentences, and the message has all of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

export interface ConfigSource {
  /** What the text is: a file name, or "the request". Each sentence begins with it. */
  readonly source: string
  /** Keys that only Apache's servers have, and why they have no effect here: a warning each. */
  readonly foreign?: Readonly<Record<string, string>>
  /** Other spellings of keys: old key to present key. */
  readonly spellings?: Readonly<Record<string, string>>
}

export interface ReadConfig<T extends ConfigTable> {
  readonly values: ConfigOf<T>
  /** The keys that the text names; all others have their defaults. */
  readonly given: ReadonlySet<keyof T & string>
  /** Whole sentences about lines that have no effect. */
  readonly warnings: readonly string[]
}

/** Reads Java properties text. Throws `ConfigError` naming every unknown key and bad value. */
export function readConfig<T extends ConfigTable>(
  table: T,
  text: string,
  source: ConfigSource,
): ReadConfig<T> {
  const { readings, warnings, problems } = readRows(table, text, source)
  if (problems.length > 0) throw new ConfigError(problems)
  const given = new Set<keyof T & string>(readings.map(({ key }) => key))
  return { values: withValues(defaultConfig(table), readings), given, warnings }
}

/** The values of an empty file. */
export function defaultConfig<T extends ConfigTable>(table: T): ConfigOf<T> {
  const entries = Object.entries(table).map(([key, row]) => [key, row.default])
  return Object.fromEntries(entries) as ConfigOf<T>
}

export interface UpdatedConfig<T extends ConfigTable> {
  readonly values: ConfigOf<T>
  /** The keys whose value is another one now, with the new value as text. */
  readonly changed: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
}

/**
 * Applies a change at run time, wholly or not at all. Throws `ConfigError` as `readConfig` does, and
 * when a key would change that needs a restart.
 */
export function updateConfig<T extends ConfigTable>(
  table: T,
  values: ConfigOf<T>,
  text: string,
  source: ConfigSource,
): UpdatedConfig<T> {
  const { readings, warnings, problems } = readRows(table, text, source)
  const changes = readings.filter(({ key, value }) => value !== values[key])
  for (const { key, line } of changes) {
    if (table[key]?.changeable === true) continue
    const where = `${source.source}, line ${line}`
    problems.push(
      `${where}: ${key} cannot change while the server runs: set it in its file, restart`,
    )
  }
  if (problems.length > 0) throw new ConfigError(problems)
  const changed = Object.fromEntries(changes.map(({ key, value }) => [key, String(value)]))
  return { values: withValues(values, changes), changed, warnings }
}

/** Lines `key=value`, sorted by key. */
export function formatConfig<T extends ConfigTable>(table: T, values: ConfigOf<T>): string {
  const keys = Object.keys(table).sort()
  return keys.map((key) => `${formatProperty(key, String(values[key]))}\n`).join('')
}

/** One row of the reference. */
export interface SettingHelp {
  readonly key: string
  readonly range: string
  readonly default: string
  readonly changeable: boolean
  readonly meaning: string
}

/** The rows of the reference, in the order of the table. */
export function helpOf(table: ConfigTable): SettingHelp[] {
  return Object.entries(table).map(([key, row]) => ({
    key,
    range: row.range,
    default: row.defaultShown ?? String(row.default),
    changeable: row.changeable ?? false,
    meaning: row.meaning,
  }))
}

interface RowReading<T extends ConfigTable> {
  readonly key: keyof T & string
  readonly value: SettingValue
  readonly line: number
}

interface Rows<T extends ConfigTable> {
  readonly readings: readonly RowReading<T>[]
  readonly warnings: string[]
  readonly problems: string[]
}

function readRows<T extends ConfigTable>(table: T, text: string, source: ConfigSource): Rows<T> {
  const readings = new Map<string, RowReading<T>>()
  const warnings: string[] = []
  const problems: string[] = []
  for (const property of parseProperties(text)) {
    if (problems.length >= MAX_PROBLEMS) break
    const where = `${source.source}, line ${property.line}`
    const key = ownValue(source.spellings, property.key) ?? property.key
    const row = ownValue(table, key)
    const foreign = ownValue(source.foreign, key)
    if (row === undefined) {
      if (foreign === undefined) problems.push(`${where}: ${unknownKey(table, source, key)}`)
      else warnings.push(`${where}: ${key} has no effect here: ${foreign}`)
      continue
    }
    const before = readings.get(key)?.line
    if (before !== undefined) {
      warnings.push(`${where}: ${key} is also set in line ${before}, which has no effect`)
    }
    const reading = row.read(property.value.trim())
    if ('mustBe' in reading) problems.push(`${where}: ${badValue(property, reading.mustBe)}`)
    else readings.set(key, { key, value: reading.value, line: property.line })
    if ('clampedTo' in reading) {
      const bad = badValue(property, reading.clampedTo)
      warnings.push(`${where}: ${bad}: it is taken for ${reading.value}`)
    }
  }
  return { readings: [...readings.values()], warnings, problems }
}

function unknownKey(table: ConfigTable, source: ConfigSource, key: string): string {
  const guess = nearest(key, [...Object.keys(table), ...Object.keys(source.foreign ?? {})])
  const way = guess === undefined ? 'remove the line' : `did you mean "${guess}"?`
  return `there is no key "${key}": ${way}`
}

function badValue(property: Property, mustBe: string): string {
  return `${property.key} must be ${mustBe}, not "${property.value.trim()}"`
}

function ownValue<V>(record: Readonly<Record<string, V>> | undefined, key: string): V | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}

function withValues<T extends ConfigTable>(
  values: ConfigOf<T>,
  readings: readonly RowReading<T>[],
): ConfigOf<T> {
  return { ...values, ...Object.fromEntries(readings.map(({ key, value }) => [key, value])) }
}
