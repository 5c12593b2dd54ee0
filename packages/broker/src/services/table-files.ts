/**
 * Brings tables to disk: one that announces its changes as soon as it changed, the offsets when
 * their period is over. Owns which state of each table the disk has.
 */
import { every, type Host, type Loop, pause } from '@rockhopper/host'
import { responseCode } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import { Watermark, writeJsonFile } from '@rockhopper/store'

/** Pause before a table that could not be saved is tried again. */
const SAVE_AGAIN_MS = 1_000

/** A table that says how often it has changed. */
interface RevisedTable {
  readonly revision: Watermark
  toJson(): unknown
}

/** Saves a table after each change; changes that come together are saved together. */
export class SavedTable {
  readonly #host: Host
  readonly #path: string
  readonly #table: RevisedTable
  /** The revision that the disk has. An attempt that fails ends the waits for it; then it is new. */
  #saved: Watermark
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined
  #isFailing = false

  constructor(host: Host, path: string, table: RevisedTable) {
    this.#host = host
    this.#path = path
    this.#table = table
    this.#saved = new Watermark(host.clock, table.revision.value)
  }

  start(): void {
    this.#loop = this.#run()
  }

  /** Whether the disk has the table as it is now. */
  get isUpToDate(): boolean {
    return this.#saved.value >= this.#table.revision.value
  }

  /**
   * Waits until the disk has the table as it is now. Throws `Refusal` when the next attempt to write
   * it fails; more attempts follow without being asked for.
   */
  async upToDate(): Promise<void> {
    const reason = await this.attempted()
    if (reason === undefined) return
    throw new Refusal(
      responseCode.SERVICE_NOT_AVAILABLE,
      `the change is known but not on disk (${reason}): make room or see to the disk, and ask ` +
        'again; no restart is needed',
    )
  }

  /** Waits for the next attempt to write the table as it is now; resolves to why it failed. */
  async attempted(): Promise<string | undefined> {
    try {
      await this.#saved.reached(this.#table.revision.value)
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Saves what is not saved yet, and ends. Rejects when that fails. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    if (!this.isUpToDate) await this.#save()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { clock } = this.#host
    while (!signal.aborted) {
      if (!(await this.#table.revision.reached(this.#saved.value + 1, { signal }))) return
      try {
        await this.#save()
        this.#isFailing = false
      } catch (error) {
        this.#noteFailure(error instanceof Error ? error : new Error(String(error)))
        await pause(clock, SAVE_AGAIN_MS, signal)
      }
    }
  }

  async #save(): Promise<void> {
    const revision = this.#table.revision.value
    await writeJsonFile(this.#host.disk, this.#path, this.#table.toJson())
    this.#saved.advance(revision)
  }

  #noteFailure(error: Error): void {
    if (!this.#isFailing) {
      const path = this.#path
      this.#host.logger.error(
        'A table cannot be saved: requests that change it are refused. The broker tries again ' +
          'every second.',
        { path, error },
      )
    }
    this.#isFailing = true
    const failed = this.#saved
    this.#saved = new Watermark(this.#host.clock, failed.value)
    failed.fail(error)
  }
}

/** A table that changes with nearly every request. */
interface CountingTable {
  readonly commits: number
  toJson(): unknown
}

/** Saves a table every so often, if it changed. */
export class PeriodicallySavedTable {
  readonly #host: Host
  readonly #path: string
  readonly #table: CountingTable
  readonly #periodMs: number
  #savedCommits: number
  #loop: Loop | undefined
  #isFailing = false
  /** The attempt that is under way, or the last one: two must not write one file. */
  #saving: Promise<void> = Promise.resolve()

  constructor(host: Host, path: string, table: CountingTable, periodMs: number) {
    this.#host = host
    this.#path = path
    this.#table = table
    this.#periodMs = periodMs
    this.#savedCommits = table.commits
  }

  start(): void {
    this.#loop = every(
      this.#host.clock,
      this.#periodMs,
      () => this.save(),
      (error) => this.#noteFailure(error),
    )
  }

  /** Saves the table now, if it changed. Rejects with `DiskError`. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(
      () => this.#save(),
      () => this.#save(),
    )
    return this.#saving
  }

  async #save(): Promise<void> {
    const { commits } = this.#table
    if (commits === this.#savedCommits) return
    await writeJsonFile(this.#host.disk, this.#path, this.#table.toJson())
    this.#savedCommits = commits
    this.#isFailing = false
  }

  async stop(): Promise<void> {
    await this.#loop?.stop()
    await this.save()
  }

  #noteFailure(error: unknown): void {
    if (this.#isFailing) return
    this.#isFailing = true
    const path = this.#path
    this.#host.logger.error('A table cannot be saved; the broker tries again.', { path, error })
  }
}
