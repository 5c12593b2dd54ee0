/**
 * The program `rockhopper store`: gives `inspect/program.ts` the real disk, for reading, and the real
 * terminal. It and the host are the only ones of this package that know the machine.
 */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { folderUse, nodeHost } from '@rockhopper/host'
import { runStoreProgram } from './inspect/program.ts'

/** Runs one command line, without the word `store`, and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const host = nodeHost()
  process.exitCode = await runStoreProgram(argv, {
    host,
    target: host,
    useOf: folderUse,
    absolute: (path) => resolve(path),
    timeText,
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
    saveFile: writeFileSync,
  })
}

/** `2024-05-17 09:30:00.123` */
function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
  return `${day} ${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
