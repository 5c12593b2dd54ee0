/**
 * The programs of bin/ as an operator runs them: real processes, what they print, how they end. All
 * of them are killed when the test file is over, at the latest.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

const running = new Set<ChildProcess>()
const folders: string[] = []

/** Builds what is older than its sources: the programs run what was built. */
export function build(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-b'], { cwd: root })
  if (status !== 0) throw new Error(`the build failed:\n${stdout}`)
}

/** A folder of its own for a test, removed at the end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rockhopper-cli-'))
  folders.push(folder)
  return folder
}

afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export class Program {
  readonly pid: number
  out = ''
  errors = ''
  readonly #child: ChildProcess
  readonly #ended: Promise<Ended>

  /** `HOME` and the present folder are `folder`, so that nothing is left behind. */
  constructor(
    path: string,
    args: readonly string[],
    folder: string,
    extra: Readonly<Record<string, string>> = {},
  ) {
    const { NAMESRV_ADDR: _, ...environment } = process.env
    this.#child = spawn(process.execPath, [path, ...args], {
      cwd: folder,
      env: { ...environment, HOME: folder, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.#child)
    this.pid = this.#child.pid ?? 0
    this.#child.stdout?.on('data', (chunk) => {
      this.out += chunk
    })
    this.#child.stderr?.on('data', (chunk) => {
      this.errors += chunk
    })
    this.#ended = once(this.#child, 'close').then(([code]) => {
      running.delete(this.#child)
      return { code, out: this.out, errors: this.errors }
    })
  }

  /** Resolves when the output has a text; rejects when the program ends without it. */
  async says(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      const { stdout } = this.#child
      if (stdout === null) throw new Error('the output is not read')
      const ended = await Promise.race([once(stdout, 'data').then(() => undefined), this.#ended])
      if (ended === undefined || this.out.includes(text)) continue
      throw new Error(`the program ended with ${ended.code}:\n${ended.out}\n${ended.errors}`)
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  ended(): Promise<Ended> {
    return this.#ended
  }
}

/** Starts a program of bin/. */
export function start(
  name: string,
  args: readonly string[],
  folder: string,
  extra?: Readonly<Record<string, string>>,
): Program {
  return new Program(join(root, 'bin', name), args, folder, extra)
}

/** Runs a program of bin/ until it ends. */
export function run(name: string, args: readonly string[], folder: string): Promise<Ended> {
  return start(name, args, folder).ended()
}

/** Whether a process lives. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Ids of the processes that have a word in their command line, the asking one left out. */
export function processesNaming(word: string): number[] {
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .filter((line) => line.includes(word))
    .map((line) => Number.parseInt(line, 10))
}
