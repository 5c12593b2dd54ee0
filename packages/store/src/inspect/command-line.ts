/**
 * What the verbs of `rockhopper store` have in common: what they may use, how they are declared, and
 * how they print. Owns nothing.
 */
import type { FolderUse, Host } from '@rockhopper/host'
import type { Command } from 'commander'
import { findStore, InspectError, type ReadingHost, type StoreFolder } from './store-folder.ts'
import type { TimeText } from './words.ts'

/** What the program may use. */
export interface Surroundings {
  readonly host: ReadingHost
  /** The doors of a rebuild, the only verb that writes: into a folder that it makes. */
  readonly target: Host
  /** Who has a folder at the moment. */
  readonly useOf: (directory: string) => FolderUse
  /** An absolute path, from where the operator stands. */
  readonly absolute: (path: string) => string
  readonly timeText: TimeText
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
  /** Writes a file that the operator named. */
  readonly saveFile: (path: string, bytes: Uint8Array) => void
}

/** What scripts learn from the end of the program. */
export const EXIT = { sound: 0, findings: 1, failed: 2 } as const

export interface CommonFlags {
  readonly commitLog?: string
  readonly indexSlots?: string
  readonly json?: boolean
}

/** Declares a verb; its handler gets the folder first. */
export function declareVerb(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument('<DIR>', 'the folder of the store (storePathRootDir)')
    .option('--commit-log <FOLDER>', 'where the log is, if not in DIR (storePathCommitLog)')
    .option('--index-slots <N>', 'maxHashSlotNum, if it is not a quarter of maxIndexNum')
    .option('--json', 'print one JSON document')
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
}

/** Throws `InspectError` when there is no store. */
export function storeAt(
  directory: string,
  { commitLog, indexSlots }: CommonFlags,
  { absolute, host }: Surroundings,
): StoreFolder {
  return findStore(host.disk, absolute(directory), {
    commitLog: commitLog === undefined ? undefined : absolute(commitLog),
    indexSlots: indexSlots === undefined ? undefined : numberIn(indexSlots, '--index-slots'),
  })
}

/** Throws `InspectError` when the value of a flag is no whole number. */
export function numberIn(text: string, flag: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InspectError(`"${text}" is no whole number, which ${flag} needs.`)
}

/** Throws `InspectError` naming the holder when a broker has the store: what it writes is half there. */
export function demandFree({ root }: StoreFolder, { useOf }: Surroundings): void {
  const use = useOf(root)
  if (use.kind !== 'held') return
  throw new InspectError(
    `"${root}" is in use by ${use.holder}, which changes it all the time: stop that process first, ` +
      'or work on a copy of the folder.',
  )
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

export function linesText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
