/**
 * `rockhopper store verify`. Owns nothing.
 */
import type { Command } from 'commander'
import {
  type CommonFlags,
  declareVerb,
  demandFree,
  EXIT,
  jsonText,
  type Surroundings,
  storeAt,
} from './command-line.ts'
import { type Finding, findingLine } from './findings.ts'
import { type VerifySummary, verifyStore } from './verify.ts'
import { bytesText, countText } from './words.ts'

/** A store that is broken everywhere need not be told line by line. */
const MOST_TOLD = 10_000

export function addVerifyVerb(
  program: Command,
  surroundings: Surroundings,
  end: (code: number) => void,
): void {
  declareVerb(program, 'verify', 'Reads everything of a store, and tells what is wrong with it.')
    .addHelpText('after', '\nEnds with 0 when all is sound, with 1 when something is not.')
    .action((directory: string, flags: CommonFlags) => {
      const { findings } = verify(directory, flags, surroundings)
      end(findings === 0 ? EXIT.sound : EXIT.findings)
    })
}

function verify(directory: string, flags: CommonFlags, surroundings: Surroundings): VerifySummary {
  const { complain, host, print } = surroundings
  const folder = storeAt(directory, flags, surroundings)
  demandFree(folder, surroundings)
  const told: Finding[] = []
  let count = 0
  const summary = verifyStore(host, folder, {
    finding(finding) {
      count += 1
      if (count > MOST_TOLD) return
      if (flags.json === true) told.push(finding)
      else print(`${findingLine(finding)}\n`)
    },
    progress(doneBytes, totalBytes) {
      const percent = Math.floor((100 * doneBytes) / totalBytes)
      complain(`read ${bytesText(doneBytes)} of ${bytesText(totalBytes)} (${percent} %)\n`)
    },
  })
  print(flags.json === true ? jsonText({ ...summary, found: told }) : summaryText(summary))
  return summary
}

function summaryText(summary: VerifySummary): string {
  const { findings, indexEntries, logBytes, notes, pagesWithSums, queues, records, units } = summary
  const hidden = findings > MOST_TOLD ? [`… and ${findings - MOST_TOLD} more`] : []
  return [
    ...hidden,
    ...notes.map((note) => `note: ${note}; the next start puts it right`),
    `Read ${countText(records, 'record')} in ${bytesText(logBytes)} of log, ` +
      `${countText(pagesWithSums, 'page checksum')}, ${countText(units, 'unit')} of ` +
      `${countText(queues, 'queue')}, ${countText(indexEntries, 'index entry').replace('entrys', 'entries')}.`,
    findings === 0 ? 'All of it is sound.' : `${countText(findings, 'finding')}.`,
    '',
  ].join('\n')
}
