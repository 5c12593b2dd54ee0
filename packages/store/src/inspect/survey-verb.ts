/**
 * `rockhopper store inspect`. Owns nothing.
 */
import type { Command } from 'commander'
import {
  type CommonFlags,
  declareVerb,
  jsonText,
  linesText,
  type Surroundings,
  storeAt,
} from './command-line.ts'
import { InspectError } from './store-folder.ts'
import { surveyStore } from './survey.ts'
import { surveyLines } from './survey-text.ts'

interface Flags extends CommonFlags {
  readonly topic?: string
}

export function addSurveyVerb(program: Command, surroundings: Surroundings): void {
  declareVerb(program, 'inspect', 'Shows what is in a store, and what a start would make of it.')
    .option('--topic <NAME>', 'only the queues of this topic')
    .action((directory: string, flags: Flags) => survey(directory, flags, surroundings))
}

async function survey(directory: string, flags: Flags, surroundings: Surroundings): Promise<void> {
  const { host, print, timeText, useOf } = surroundings
  const folder = storeAt(directory, flags, surroundings)
  const seen = await surveyStore(host, folder, useOf(folder.root), flags.topic)
  if (flags.topic !== undefined && seen.queues.length === 0) {
    throw new InspectError(`The store has no queue of a topic "${flags.topic}".`)
  }
  const isNamed = flags.topic !== undefined
  print(flags.json === true ? jsonText(seen) : linesText(surveyLines(seen, timeText, isNamed)))
}
