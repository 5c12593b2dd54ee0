/**
 * The life of a client of the cluster: new, started once, closed once. Owns where it is.
 */
import { badOption, ClientError } from './errors.ts'

export class Life {
  readonly #who: string
  #state: 'new' | 'starting' | 'started' | 'closed' = 'new'
  #starting: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  /** `who`: as sentences begin, such as `the consumer`. */
  constructor(who: string) {
    this.#who = who
  }

  get isStarted(): boolean {
    return this.#state === 'started'
  }

  /**
   * Begins with `prepare`, after whose failure another start may be tried, then `run`. Rejects with
   * what they reject with, with BAD_OPTION on a second start, and with CLOSED.
   */
  start(prepare: () => Promise<void>, run: () => Promise<void>): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(this.#closed())
    if (this.#state !== 'new') {
      return Promise.reject(badOption(`${this.#who} was started before`, 'start once'))
    }
    this.#state = 'starting'
    this.#starting = this.#start(prepare, run)
    return this.#starting
  }

  /** Ends with `end`, once, after a start under way; `wasNew`: nothing was started before. */
  close(end: (wasNew: boolean) => Promise<void>): Promise<void> {
    this.#closing ??= this.#close(end)
    return this.#closing
  }

  /** Throws `ClientError` NOT_STARTED or CLOSED. */
  checkStarted(): void {
    if (this.#state === 'started') return
    if (this.#state === 'closed') throw this.#closed()
    throw new ClientError('NOT_STARTED', `${this.#who} was not started`, {
      retryable: false,
      hint: 'await start() first',
    })
  }

  async #start(prepare: () => Promise<void>, run: () => Promise<void>): Promise<void> {
    try {
      await prepare()
    } catch (error) {
      if (this.#state === 'starting') this.#state = 'new'
      throw error
    }
    if (this.#state === 'closed') throw this.#closed()
    this.#state = 'started'
    await run()
  }

  async #close(end: (wasNew: boolean) => Promise<void>): Promise<void> {
    const wasNew = this.#state === 'new'
    this.#state = 'closed'
    await this.#starting.catch(() => undefined)
    await end(wasNew)
  }

  #closed(): ClientError {
    return new ClientError('CLOSED', `${this.#who} was closed`, {
      retryable: false,
      hint: 'make a new one',
    })
  }
}
