/**
 * `rockhopper store rebuild`. Owns nothing.
 */
import type { Command } from 'commander'
import {
  type CommonFlags,
  declareVerb,
  demandFree,
  jsonText,
  linesText,
  type Surroundings,
  storeAt,
} from './command-line.ts'
import { REPORT_NAME, type RebuildReport, rebuildStore } from './rebuild.ts'
import { LOST_PROPERTY } from './stand-ins.ts'
import { countText } from './words.ts'

interface Flags extends CommonFlags {
  readonly into: string
}

export function addRebuildVerb(program: Command, surroundings: Surroundings): void {
  declareVerb(program, 'rebuild', 'Copies all that is sound of a store into a new one.')
    .requiredOption('--into <NEW>', 'the folder of the new store, empty or not there yet')
    .addHelpText('after', `\n${EXPLANATION}`)
    .action((directory: string, flags: Flags) => rebuild(directory, flags, surroundings))
}

const EXPLANATION = `DIR is only read. In the new store all sound messages have their old offsets. A message that was
lost is replaced by an empty one with the property ${LOST_PROPERTY}, so that its queue has no hole.
Queues, key index and checkpoint are made anew. ${REPORT_NAME} in NEW tells what was replaced.`

async function rebuild(directory: string, flags: Flags, surroundings: Surroundings): Promise<void> {
  const { absolute, host, print, target } = surroundings
  const folder = storeAt(directory, flags, surroundings)
  demandFree(folder, surroundings)
  const into = absolute(flags.into)
  const report = await rebuildStore({ source: host, folder, target, into })
  print(flags.json === true ? jsonText(report) : linesText(reportLines(report)))
}

/** What is said of each kind; the report file has all of it. */
const MOST_TOLD = 20

function reportLines(report: RebuildReport): string[] {
  const { doubtful, endOffset, firstOffset, into, leftBehind, records, replaced } = report
  const lost = replaced.flatMap((stretch) => stretch.lost)
  const place = ({ queueId, queueOffset, topic }: (typeof lost)[number]): string =>
    `  queue ${queueId} of topic "${topic}", offset ${queueOffset}`
  const listed = (title: string, places: readonly (typeof lost)[number][]): string[] => {
    if (places.length === 0) return []
    const more = places.length > MOST_TOLD ? [`  … and ${places.length - MOST_TOLD} more`] : []
    return [title, ...places.slice(0, MOST_TOLD).map(place), ...more]
  }
  return [
    `${countText(records, 'sound record')} were copied, from offset ${firstOffset} to ${endOffset} of the log.`,
    ...replaced
      .slice(0, MOST_TOLD)
      .map(
        ({ fromOffset, problem, toOffset }) =>
          `Replaced: offsets ${fromOffset} to ${toOffset} of the log (${problem}).`,
      ),
    ...(report.mended.length === 0
      ? []
      : [`Mended: ${countText(report.mended.length, 'bit')} that had changed.`]),
    ...listed('Lost, with an empty message in their place:', lost),
    ...listed('Lost, with nothing in their place:', report.withoutStandIn),
    ...listed('To be looked at, as only body and place of them are proved:', doubtful),
    ...(leftBehind.length === 0 ? [] : [`Not taken over: ${leftBehind.join(', ')}.`]),
    `The new store is "${into}"; ${REPORT_NAME} there has the whole report.`,
  ]
}
