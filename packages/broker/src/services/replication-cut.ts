/**
 * A broker that is opened anew, in the same process, when the end of its log has to be cut off: a
 * slave whose master lost messages in a crash has more than its master. Owns the broker that runs.
 *
 *   running → diverged → closed → cut → running
 */
import type { Logger } from '@rockhopper/host'
import type { CutLog } from '@rockhopper/store'

/** A broker that can be closed. */
interface Running {
  readonly failed: Promise<Error>
  close(): Promise<void>
}

export interface ReopeningParts<T extends Running> {
  readonly logger: Logger
  /** Opens the broker, which calls `onDiverged` with where its log is to end. */
  readonly open: (onDiverged: (to: number) => void) => Promise<T>
  /** Cuts the log of the closed broker. */
  readonly cut: (to: number) => Promise<CutLog>
}

export class Reopening<T extends Running> {
  readonly failed: Promise<Error>
  readonly #parts: ReopeningParts<T>
  #fail: (error: Error) => void = () => {}
  #running: Promise<T> | undefined
  #reopening: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(parts: ReopeningParts<T>) {
    this.#parts = parts
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
  }

  /** Opens the broker for the first time; rejects as `open` does. */
  static async start<T extends Running>(
    parts: ReopeningParts<T>,
  ): Promise<{ readonly reopening: Reopening<T>; readonly first: T }> {
    const reopening = new Reopening(parts)
    return { reopening, first: await reopening.#open() }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#reopening
    const running = await this.#running
    await running?.close()
  }

  async #open(): Promise<T> {
    this.#running = this.#parts.open((to) => {
      this.#reopening = this.#reopen(to)
    })
    const running = await this.#running
    running.failed.then((error) => this.#fail(error))
    return running
  }

  async #reopen(to: number): Promise<void> {
    const { cut, logger } = this.#parts
    if (this.#closing !== undefined) return
    try {
      logger.warn('The log of the master goes on differently: the end of this one is cut off.', {
        to,
      })
      const running = await this.#running
      await running?.close()
      this.#running = undefined
      const { cutBytes, endOffset, keptPath } = await cut(to)
      logger.error(
        'The end of the log of this slave was cut off, as its master does not have it. What was cut ' +
          'off is kept: if its messages were acknowledged, the master has lost them.',
        { endOffset, cutBytes, keptPath },
      )
      await this.#open()
    } catch (error) {
      this.#running = undefined
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
