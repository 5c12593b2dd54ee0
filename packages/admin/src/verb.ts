/**
 * A verb of mqadmin as a value: its name, its options, and what it does. Adding one is one entry in
 * `commands/all.ts`.
 */
import type { AdminClient } from './admin-client.ts'
import type { OptionsOf, OptionTable } from './options.ts'

export interface VerbContext {
  readonly client: AdminClient
  /** `yyyy-MM-dd HH:mm:ss,SSS` of a time in ms since 1970, in the time zone of the reader. */
  readonly timeText: (timeMs: number) => string
  /** The time in ms since 1970 of `yyyy-MM-dd#HH:mm:ss:SSS`; undefined when it is none. */
  readonly timeOf: (text: string) => number | undefined
}

/** What a verb found out, in both forms; only one of them is printed. */
export interface Output {
  readonly lines: readonly string[]
  /** The same as a value for `--json`; maps become objects. */
  readonly json: unknown
}

interface Verb<T extends OptionTable = OptionTable> {
  /** As Apache spells it; any case is understood. */
  readonly name: string
  readonly description: string
  readonly options: T
  /** Rejects with an error whose message is a whole sentence. */
  readonly run: (context: VerbContext, options: OptionsOf<T>) => Promise<Output>
  /** Seconds after which the verb is to run again, if the options ask for that. */
  readonly repeatSeconds?: (options: OptionsOf<T>) => number | undefined
}

/** A verb of which only the name is known where it is kept. */
export type AnyVerb = Verb<Readonly<Record<never, never>>>

/** Checks an entry against its own options and forgets them. */
export function verb<T extends OptionTable>(entry: Verb<T>): AnyVerb {
  return entry as unknown as AnyVerb
}
