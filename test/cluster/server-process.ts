/**
 * One server of ours as a process that can be killed and started again on the same port and the
 * same files. Owns the process that runs at present.
 */
import type { Child } from '../processes/child.ts'
import { launchOurServer, untilUp } from '../processes/our-server.ts'

export interface ServerOptions {
  readonly program: 'mqnamesrv' | 'mqbroker'
  readonly port: number
  /** Its home and current folder. */
  readonly folder: string
  /** Lines of its configuration file, beside the port. */
  readonly settings: Readonly<Record<string, string>>
}

export class ServerProcess {
  /** Where clients reach it, `host:port`. */
  readonly address: string
  readonly #options: ServerOptions
  #child: Child | undefined

  constructor(options: ServerOptions) {
    this.#options = options
    this.address = `127.0.0.1:${options.port}`
  }

  /** The process that was started last. */
  get child(): Child {
    if (this.#child === undefined) throw new Error(`${this.#options.program} was not started yet`)
    return this.#child
  }

  /** Starts the process and waits for nothing; what it says, and its end, are the child's. */
  launch(): Child {
    const { folder, port, program, settings } = this.#options
    this.#child = launchOurServer({
      ...{ name: `${program} on port ${port}`, program, home: folder },
      settings: { listenPort: String(port), ...settings },
    })
    return this.#child
  }

  /** Starts the process and waits until it says that it is up. */
  start(): Promise<void> {
    return untilUp(this.launch())
  }

  /** The fields of the line in the log of the last start that says a sentence. */
  logged(sentence: string): Readonly<Record<string, unknown>> | undefined {
    const line = this.child.errorLines.find((text) => text.includes(`"msg":"${sentence}"`))
    return line === undefined ? undefined : JSON.parse(line)
  }

  /** Ends the process, if there is one, as a crash would (SIGKILL), and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill()
    await this.#child?.ended
  }

  /** Asks the process to end (SIGTERM); its exit code, null when it had to be killed. */
  terminate(timeoutMs: number): Promise<number | null> {
    this.child.terminate()
    return this.child.end(timeoutMs)
  }

  /**
   * Waits until a number has passed a point; fails with what the process said when time is up or the
   * process ends before.
   */
  async whileItRuns(what: string, passed: true | Promise<boolean>): Promise<void> {
    const { child } = this
    const ended = child.ended.then(() => 'ended' as const)
    const outcome = await Promise.race([passed, ended])
    if (outcome === true) return
    throw child.complaint(outcome === 'ended' ? `ended before ${what}` : `too late: ${what}`)
  }
}
