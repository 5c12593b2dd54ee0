/**
 * `rockhopper store …` without the machine: reads the command line, lets a verb work, and says what
 * went wrong. Owns nothing.
 */
import { DiskError } from '@rockhopper/host'
import { Command, CommanderError } from 'commander'
import { CorruptionError } from '../errors.ts'
import { EXIT, type Surroundings } from './command-line.ts'
import { addMessageVerb } from './message-verb.ts'
import { addRebuildVerb } from './rebuild-verb.ts'
import { InspectError } from './store-folder.ts'
import { addSurveyVerb } from './survey-verb.ts'
import { addVerifyVerb } from './verify-verb.ts'

/** Runs one command line, without the word `store`; resolves to the exit code. */
export async function runStoreProgram(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const words = args.length === 0 ? ['--help'] : [...args]
  let code: number = EXIT.sound
  const end = (verdict: number): void => {
    code = verdict
  }
  try {
    await programOf(surroundings, end).parseAsync(words, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.sound
    surroundings.complain(`${sentenceOf(error)}\n`)
    return EXIT.failed
  }
}

function programOf(surroundings: Surroundings, end: (code: number) => void): Command {
  const { complain, print } = surroundings
  const program = new Command('rockhopper store')
    .description('Looks into the folder of a store, Rockhopper’s or Apache RocketMQ’s, offline.')
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .helpCommand(false)
    .configureOutput({ writeOut: print, writeErr: complain, outputError: () => {} })
  addSurveyVerb(program, surroundings)
  addVerifyVerb(program, surroundings, end)
  addMessageVerb(program, surroundings)
  addRebuildVerb(program, surroundings)
  return program
}

/** What went wrong, as a sentence with a way out. */
function sentenceOf(error: unknown): string {
  if (error instanceof CommanderError) return usageSentence(error)
  if (error instanceof InspectError || error instanceof CorruptionError) return error.message
  if (error instanceof DiskError) return `The disk does not do it: ${error.message}`
  throw error
}

function usageSentence(error: CommanderError): string {
  const [problem = ''] = error.message.replace(/^error: /, '').split('\n')
  const sentence = problem.charAt(0).toUpperCase() + problem.slice(1).replace(/\.$/, '')
  return `${sentence}. See rockhopper store --help.`
}
