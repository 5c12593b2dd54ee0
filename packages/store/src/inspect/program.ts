/**
 * `rockhopper store …` without the machine: reads the command line, lets the library look, and prints
 * what it found. Owns nothing.
 */
import { DiskError, type FolderUse } from '@rockhopper/host'
import { Command, CommanderError } from 'commander'
import { findStore, InspectError, type ReadingHost } from './store-folder.ts'
import { surveyStore } from './survey.ts'
import { surveyLines } from './survey-text.ts'
import type { TimeText } from './words.ts'

/** What the program may use. */
export interface Surroundings {
  readonly host: ReadingHost
  /** Who has a folder at the moment. */
  readonly useOf: (directory: string) => FolderUse
  /** An absolute path, from where the operator stands. */
  readonly absolute: (path: string) => string
  readonly timeText: TimeText
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
}

/** What scripts learn from the end of the program. */
const EXIT = { sound: 0, findings: 1, failed: 2 } as const

interface CommonFlags {
  readonly commitLog?: string
  readonly json?: boolean
}

/** Runs one command line, without the word `store`; resolves to the exit code. */
export async function runStoreProgram(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const ended = { code: EXIT.sound as number }
  try {
    await programOf(surroundings, ended).parseAsync([...args], { from: 'user' })
    return ended.code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.sound
    surroundings.complain(`${sentenceOf(error)}\n`)
    return EXIT.failed
  }
}

function programOf(surroundings: Surroundings, _ended: { code: number }): Command {
  const { complain, print } = surroundings
  const program = new Command('rockhopper store')
    .description('Looks into the folder of a store, Rockhopper’s or Apache RocketMQ’s, offline.')
    .exitOverride()
    .helpCommand(false)
    .configureOutput({ writeOut: print, writeErr: complain, outputError: () => {} })
  addInspect(program, surroundings)
  return program
}

function addInspect(program: Command, surroundings: Surroundings): void {
  verb(program, 'inspect', 'Shows what is in a store, and what a start would make of it.')
    .option('--topic <name>', 'only the queues of this topic')
    .action(async (directory: string, flags: CommonFlags & { readonly topic?: string }) => {
      const { host, print, timeText, useOf } = surroundings
      const folder = storeAt(directory, flags, surroundings)
      const survey = await surveyStore(host, folder, useOf(folder.root), flags.topic)
      if (flags.topic !== undefined && survey.queues.length === 0) {
        throw new InspectError(`The store has no queue of a topic "${flags.topic}".`)
      }
      if (flags.json === true) print(jsonText(survey))
      else print(linesText(surveyLines(survey, timeText, flags.topic !== undefined)))
    })
}

function verb(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument('<DIR>', 'the folder of the store (storePathRootDir)')
    .option('--commit-log <FOLDER>', 'where the log is, if not in DIR (storePathCommitLog)')
    .option('--json', 'print one JSON document')
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
}

function storeAt(directory: string, { commitLog }: CommonFlags, surroundings: Surroundings) {
  const { absolute, host } = surroundings
  const log = commitLog === undefined ? undefined : absolute(commitLog)
  return findStore(host.disk, absolute(directory), log)
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

function linesText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

/** What went wrong, as a sentence with a way out. */
function sentenceOf(error: unknown): string {
  if (error instanceof CommanderError) return usageSentence(error)
  if (error instanceof InspectError) return error.message
  if (error instanceof DiskError) return `The store cannot be read: ${error.message}`
  throw error
}

function usageSentence(error: CommanderError): string {
  const [problem = ''] = error.message.replace(/^error: /, '').split('\n')
  const sentence = problem.charAt(0).toUpperCase() + problem.slice(1).replace(/\.$/, '')
  return `${sentence}. See rockhopper store --help.`
}
