/** Apache's own mqadmin (5.3.3), kept running in one JVM that takes command after command. */

import { Child } from '../processes/child.ts'
import { gentleJvm, logDirOf, logTail } from './apache.ts'
import { patienceMs } from './patience.ts'
import { classPath } from './toolchain.ts'
import { makeDir } from './workplace.ts'

const endMark = '\u0001end'

export interface AdminAnswer {
  /** What the command printed, line by line, without empty lines. */
  readonly output: string[]
  /** What it wrote to standard error; mqadmin reports failures only there. */
  readonly errors: string[]
}

/** An mqadmin of either maker. */
export interface AdminTool {
  /** Runs one command, such as `run('topicRoute', '-t', 'orders')`; `-n` is added. */
  run(...args: readonly string[]): Promise<string[]>
  /** Like `run`, but a failure is part of the answer. */
  attempt(...args: readonly string[]): Promise<AdminAnswer>
  close(): void
}

export class MqAdmin implements AdminTool {
  readonly #child: Child
  readonly #namesrv: string
  /** The end of the last command: they run one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(child: Child, namesrv: string) {
    this.#child = child
    this.#namesrv = namesrv
  }

  static async open(runDir: string, namesrv: string): Promise<MqAdmin> {
    const home = makeDir(runDir, 'mqadmin')
    const child = new Child({
      name: 'mqadmin',
      command: 'java',
      args: [
        ...gentleJvm,
        ...['-Xms32m', '-Xmx192m', `-Duser.home=${home}`, `-Drocketmq.home.dir=${home}`],
        ...['-cp', classPath('apache-5'), 'AdminShell'],
      ],
      env: { NAMESRV_ADDR: '' },
      // Some commands write files below the current folder.
      cwd: home,
      explain: () => logTail(logDirOf(home)),
    })
    await child.waitFor('first end mark', () => untilMark(child.lines, 0), patienceMs)
    return new MqAdmin(child, namesrv)
  }

  /**
   * Runs one command, such as `run('topicRoute', '-t', 'orders')`; `-n` is added.
   * Fails when the command wrote to standard error.
   */
  async run(...args: readonly string[]): Promise<string[]> {
    const answer = await this.attempt(...args)
    if (answer.errors.length > 0) {
      const text = [...answer.output, ...answer.errors].slice(0, 30).join('\n')
      throw this.#child.complaint(`${args.join(' ')} failed:\n${text}`)
    }
    return answer.output
  }

  /** Like `run`, but a failure is part of the answer. */
  attempt(...args: readonly string[]): Promise<AdminAnswer> {
    const answer = this.#last.then(() => this.#perform(args))
    this.#last = answer.catch(() => undefined)
    return answer
  }

  async #perform(args: readonly string[]): Promise<AdminAnswer> {
    const outputStart = this.#child.lines.length
    const errorStart = this.#child.errorLines.length
    this.#child.write(`${[...args, '-n', this.#namesrv].join('\t')}\n`)
    const what = `end of ${args.join(' ')}`
    const output = await this.#child.waitFor(
      what,
      () => untilMark(this.#child.lines, outputStart),
      patienceMs,
    )
    const errors = await this.#child.waitFor(
      what,
      () => untilMark(this.#child.errorLines, errorStart),
      patienceMs,
    )
    return { output, errors }
  }

  close(): void {
    this.#child.kill()
  }
}

/** The lines between a position and the end mark after it, once the mark is there. */
function untilMark(lines: readonly string[], start: number): string[] | undefined {
  const end = lines.indexOf(endMark, start)
  return end < 0 ? undefined : lines.slice(start, end).filter((line) => line.trim() !== '')
}
