/** Our mqadmin as an operator starts it: a process of bin/mqadmin for each command. */
import { join } from 'node:path'
import { Child } from '../processes/child.ts'
import type { AdminAnswer, AdminTool } from './mqadmin.ts'
import { patienceMs } from './patience.ts'
import { makeDir, repositoryDir } from './workplace.ts'

export function openOurAdmin(runDir: string, namesrv: string): AdminTool {
  const home = makeDir(runDir, 'our-mqadmin')
  const start = (args: readonly string[]): Child =>
    new Child({
      name: `our mqadmin ${args.join(' ')}`,
      command: process.execPath,
      args: [join(repositoryDir, 'bin', 'mqadmin'), ...args, '-n', namesrv],
      env: { NAMESRV_ADDR: '' },
      // Some commands write files below the current folder.
      cwd: home,
    })
  return {
    async run(...args) {
      const child = start(args)
      const code = await child.end(patienceMs)
      if (code !== 0) throw child.complaint(`did not succeed (exit code ${code})`)
      return wordsOf(child.lines)
    },
    async attempt(...args): Promise<AdminAnswer> {
      const child = start(args)
      await child.end(patienceMs)
      return { output: wordsOf(child.lines), errors: wordsOf(child.errorLines) }
    },
    close: () => undefined,
  }
}

function wordsOf(lines: readonly string[]): string[] {
  return lines.filter((line) => line.trim() !== '')
}
