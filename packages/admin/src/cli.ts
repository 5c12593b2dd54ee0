/**
 * The mqadmin program: gives `program.ts` the real doors and the real terminal. It and the host are
 * the only ones of this package that know the machine.
 */
import { nodeHost } from '@rockhopper/host'
import { allVerbs } from './commands/all.ts'
import { runAdmin } from './program.ts'

/** Runs one command line and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await runAdmin(allVerbs, argv, {
    host: nodeHost(),
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
    timeText,
    timeOf,
  })
}

/** `2024-05-17 09:30:00,123`, as Java's tools print a time. */
function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
  return `${day} ${clock},${String(time.getMilliseconds()).padStart(3, '0')}`
}

/** Reads `2024-05-17#09:30:00:123`. */
function timeOf(text: string): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)#(\d\d):(\d\d):(\d\d):(\d{3})$/.exec(text)
  if (parts === null) return undefined
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number)
  const [day, hours, minutes, seconds, milliseconds] = rest
  return new Date(year, month - 1, day, hours, minutes, seconds, milliseconds).getTime()
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
