/**
 * Fields of a command's header: a table of named, typed fields, each with a sentence. From one table
 * come the TypeScript type of the header, the codecs (`header.ts`), the fuzz test and the reference.
 *
 * On the wire every value is text (`ext fields`, Apache class RemotingCommand), except in our own
 * msgpack heads, where the values stand in the order of the table: a table may only grow at its end.
 */

/** How a value looks in a program and as text. */
export type FieldKind =
  /** Any text. */
  | 'text'
  /** Text that repeats from request to request (a topic, a group): decoded to one shared string. */
  | 'name'
  /** Text that is passed on and not looked at, kept as UTF-8 bytes to save the conversion. */
  | 'bytes'
  /** A whole number of 32 bits. */
  | 'int32'
  /** A whole number of 64 bits. Beyond ±(2^53 − 1) it is clamped: such values mean "no bound". */
  | 'int64'
  /** `true`, in any case, is true; every other text is false (Java's Boolean.parseBoolean). */
  | 'bool'

interface ValueOfKind {
  text: string
  name: string
  bytes: Buffer
  int32: number
  int64: number
  bool: boolean
}

export type FieldValue = ValueOfKind[FieldKind]

export interface Field<K extends FieldKind = FieldKind, R extends boolean = boolean> {
  readonly kind: K
  /** Whether a header without it is refused. */
  readonly required: R
  /** The key on the wire; the name in the table when absent. */
  readonly wireName?: string
  /** One sentence for a reader of the reference. */
  readonly meaning: string
}

export type FieldTable = Readonly<Record<string, Field>>

type RequiredName<T extends FieldTable> = {
  [N in keyof T]: T[N] extends Field<FieldKind, true> ? N : never
}[keyof T]

type OptionalName<T extends FieldTable> = Exclude<keyof T, RequiredName<T>>

/** The header that a table describes: required fields are present, others may be undefined. */
export type Header<T extends FieldTable> = {
  -readonly [N in RequiredName<T>]: ValueOfKind[T[N]['kind']]
} & {
  -readonly [N in OptionalName<T>]?: ValueOfKind[T[N]['kind']] | undefined
}

const required =
  <K extends FieldKind>(kind: K) =>
  (meaning: string): Field<K, true> => ({ kind, required: true, meaning })

export const text = required('text')
export const name = required('name')
export const bytes = required('bytes')
export const int32 = required('int32')
export const int64 = required('int64')
export const bool = required('bool')

/** The same field, which a header may leave out. */
export function optional<K extends FieldKind>(field: Field<K>): Field<K, false> {
  return { ...field, required: false }
}

/** The same field under another key on the wire (the one-letter keys of SEND_MESSAGE_V2). */
export function renamed<K extends FieldKind, R extends boolean>(
  wireName: string,
  field: Field<K, R>,
): Field<K, R> {
  return { ...field, wireName }
}
