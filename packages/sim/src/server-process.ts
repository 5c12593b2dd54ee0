/**
 * A server of a simulated cluster with somebody who looks after it: what a service manager is to a
 * real one. Owns the server that runs at present; starts it anew when it has ended by itself.
 */
import { type Host, pause } from '@rockhopper/host'
import type { SimHost } from './host.ts'

/** Pause before a server that ended by itself is started again. */
const START_AGAIN_MS = 1_000

/** A server that runs. */
export interface Running {
  /** Resolves when it cannot go on and its process is to end; absent when that never happens. */
  readonly failed?: Promise<Error>
  close(): Promise<void>
}

export interface ServerParts {
  readonly host: SimHost
  /** Starts the server inside a process. */
  readonly start: (doors: Host) => Promise<Running>
  /** Told when the server ended by itself, or not in order, with the reason. */
  readonly onFailure: (error: Error) => void
}

export class ServerProcess {
  readonly host: SimHost
  readonly #parts: ServerParts
  /** The process that the server was started in last. */
  #process: Host | undefined
  #running: Running | undefined

  constructor(parts: ServerParts) {
    this.host = parts.host
    this.#parts = parts
  }

  /** Whether it has started and serves. */
  get isUp(): boolean {
    return this.#running !== undefined
  }

  /** Starts the server in a fresh process; one that is still there is killed. */
  start(): void {
    if (this.host.running && this.host.doors === this.#process) this.kill()
    const process = this.host.running ? this.host.doors : this.host.restart()
    this.#process = process
    this.#run(process).catch((error: unknown) => this.#ended(process, error))
  }

  /** Ends the process (kill -9). */
  kill(): void {
    this.#running = undefined
    if (this.host.running) this.host.kill()
  }

  /** The machine loses power. */
  crash(): void {
    this.#running = undefined
    this.host.crash()
  }

  /** Ends the server in order, and its process with it, whether all of that succeeds or not. */
  async stop(): Promise<void> {
    const running = this.#running
    const process = this.#process
    this.#running = undefined
    try {
      await running?.close()
    } catch (error) {
      this.#tell(error)
    }
    if (this.host.doors === process) this.kill()
  }

  async #run(process: Host): Promise<void> {
    const running = await this.#parts.start(process)
    if (!this.#isPresent(process)) return
    this.#running = running
    running.failed?.then((error) => this.#ended(process, error))
  }

  #ended(process: Host, cause: unknown): void {
    if (!this.#isPresent(process)) return
    this.#tell(cause)
    this.kill()
    void pause(this.host.restart().clock, START_AGAIN_MS).then(() => this.start())
  }

  #tell(cause: unknown): void {
    this.#parts.onFailure(cause instanceof Error ? cause : new Error(String(cause)))
  }

  /** What a process does that was killed meanwhile does not count. */
  #isPresent(process: Host): boolean {
    return this.host.running && this.host.doors === process
  }
}
