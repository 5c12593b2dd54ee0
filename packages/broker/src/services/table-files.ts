/**
 * Brings tables to disk: one that announces its changes as soon as it changed, the offsets when
 * their period is over. Owns which state of each table the disk has.
 */
import { every, type Host, type Loop } from '@rockhopper/host'
import { Watermark, writeJsonFile } from '@rockhopper/store'

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
  readonly #saved: Watermark
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined

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

  /** Waits until the disk has the table as it is now. Rejects when it could not be written. */
  async upToDate(): Promise<void> {
    await this.#saved.reached(this.#table.revision.value)
  }

  /** Saves what is not saved yet, and ends. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    if (!this.isUpToDate) await this.#save()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (await this.#table.revision.reached(this.#saved.value + 1, { signal })) {
      try {
        await this.#save()
      } catch (error) {
        this.#host.logger.error('A table cannot be saved: requests that change it fail.', {
          path: this.#path,
          error,
        })
        this.#saved.fail(error instanceof Error ? error : new Error(String(error)))
        return
      }
    }
  }

  async #save(): Promise<void> {
    const revision = this.#table.revision.value
    await writeJsonFile(this.#host.disk, this.#path, this.#table.toJson())
    this.#saved.advance(revision)
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
      (error) =>
        this.#host.logger.error('A table cannot be saved; the broker tries again.', {
          path: this.#path,
          error,
        }),
    )
  }

  async save(): Promise<void> {
    const { commits } = this.#table
    if (commits === this.#savedCommits) return
    await writeJsonFile(this.#host.disk, this.#path, this.#table.toJson())
    this.#savedCommits = commits
  }

  async stop(): Promise<void> {
    await this.#loop?.stop()
    await this.save()
  }
}
