/**
 * One process started by a test: its lines of output, waiting for one of them, and its
 * end. Owns the list of running processes, so that none outlives the test process.
 */
import { type ChildProcess, spawn } from 'node:child_process'

const running = new Set<Child>()

/** Looks again each time any process has printed something or ended. */
const waiters = new Set<() => void>()

function lookAgain(): void {
  for (const look of waiters) look()
}

process.on('exit', () => {
  for (const child of running) child.kill()
})

export interface ChildOptions {
  /** What the process is called in messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** More to say about a process that failed, such as the end of its log file. */
  readonly explain?: () => string
  /** A server: what it complained of is shown when any process fails, because it may be the cause. */
  readonly isServer?: boolean
}

export class Child {
  readonly name: string
  readonly lines: string[] = []
  readonly errorLines: string[] = []
  /** The exit code once the process has ended; null when a signal ended it. */
  readonly ended: Promise<number | null>
  readonly #process: ChildProcess
  readonly isServer: boolean
  readonly #explain: () => string
  #hasEnded = false

  constructor(options: ChildOptions) {
    this.name = options.name
    this.isServer = options.isServer ?? false
    this.#explain = options.explain ?? (() => '')
    this.#process = spawn(options.command, options.args, {
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    running.add(this)
    this.#process.stdin?.on('error', () => {})
    this.#collect(this.#process.stdout, this.lines)
    this.#collect(this.#process.stderr, this.errorLines)
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => this.errorLines.push(String(error)))
      this.#process.once('close', (code) => {
        this.#hasEnded = true
        running.delete(this)
        resolve(code)
        lookAgain()
      })
    })
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /**
   * Waits until `look` finds something in what this process (or another one) has printed. Fails,
   * telling all that is known about this process, when it ends before or the time is up.
   */
  waitFor<T>(what: string, look: () => T | undefined, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer)
        waiters.delete(check)
      }
      const check = (): void => {
        const found = look()
        if (found === undefined && !this.#hasEnded) return
        stop()
        if (found !== undefined) resolve(found)
        else reject(this.complaint(`ended without ${what}`))
      }
      const timer = setTimeout(() => {
        stop()
        reject(this.complaint(`within ${timeoutMs} ms there was no ${what}`))
      }, timeoutMs)
      waiters.add(check)
      check()
    })
  }

  /** An error that shows the last things the process said. */
  complaint(text: string): Error {
    const parts = [
      `${this.name}: ${text}`,
      ...section('its last output', this.lines),
      ...section('its last errors', this.errorLines),
      this.#explain(),
      ...serverComplaints(this),
    ]
    return new Error(parts.filter((part) => part !== '').join('\n'))
  }

  write(text: string): void {
    this.#process.stdin?.write(text)
  }

  closeInput(): void {
    this.#process.stdin?.end()
  }

  terminate(): void {
    this.#process.kill('SIGTERM')
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** Waits for the end of the process; one that does not end in time is killed. */
  async end(timeoutMs: number): Promise<number | null> {
    const timer = setTimeout(() => this.kill(), timeoutMs)
    try {
      return await this.ended
    } finally {
      clearTimeout(timer)
    }
  }

  #collect(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    let rest = ''
    stream?.setEncoding('utf8')
    stream?.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) lines.push(line.replace(/\r$/, ''))
      lookAgain()
    })
    stream?.on('end', () => {
      if (rest !== '') lines.push(rest)
    })
  }
}

/** Kills what is still running; for the end of a test file. */
export async function endAll(): Promise<void> {
  const left = [...running]
  for (const child of left) child.kill()
  await Promise.all(left.map((child) => child.ended))
}

function serverComplaints(except: Child): string[] {
  return [...running]
    .filter((child) => child.isServer && child !== except)
    .flatMap((child) => section(`the last errors of ${child.name}`, child.errorLines))
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`--- ${title}:`, ...lines.slice(-15)]
}
