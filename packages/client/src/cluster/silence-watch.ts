/**
 * Finds connections to brokers that are dead without a word, as behind a switch that loses everything:
 * the kernel of this machine goes on trying, at longer and longer intervals, and says nothing for many
 * minutes. Whoever owes an answer and says nothing for some seconds is asked for a sign of life; without
 * one the connection is given up, and the next request makes a new one. Owns the loop.
 *
 * Apache's clients close a connection whenever a request on it was not answered in time
 * (clientCloseSocketIfTimeout), and so notice a dead one on which a pull is held only after that.
 */
import { every, type Host, type Loop } from '@rockhopper/host'
import { GET_MAX_OFFSET } from '@rockhopper/protocol'
import { type RemotingClient, TimeoutError } from '@rockhopper/remoting'

const LOOK_MS = 1_000
/** A broker may hold a pull for longer than this. */
const SILENCE_MS = 5_000
const SIGN_TIMEOUT_MS = 2_000

export interface SilenceWatchParts {
  readonly host: Host
  readonly remoting: RemotingClient
  /** Addresses of the brokers that there are. */
  readonly brokers: () => Iterable<string>
  /** A topic that brokers may be asked about. */
  readonly topic: () => string
}

export class SilenceWatch {
  readonly #parts: SilenceWatchParts
  readonly #loop: Loop

  /** Begins to watch. */
  constructor(parts: SilenceWatchParts) {
    const { clock, logger } = parts.host
    this.#parts = parts
    this.#loop = every(
      clock,
      LOOK_MS,
      () => this.#look(),
      (error) => logger.error('The watch over silent brokers failed.', { error }),
    )
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
  }

  async #look(): Promise<void> {
    const silent = [...this.#parts.brokers()].filter((address) => this.#isSilent(address))
    await Promise.all(silent.map((address) => this.#ask(address)))
  }

  /** Any answer is a sign of life, and so is anything else that comes meanwhile. */
  async #ask(address: string): Promise<void> {
    const { remoting, topic } = this.#parts
    const header = { topic: topic(), queueId: 0 }
    try {
      await remoting.call(address, GET_MAX_OFFSET, header, { timeoutMs: SIGN_TIMEOUT_MS })
    } catch (error) {
      if (!(error instanceof TimeoutError) || !this.#isSilent(address)) return
      const silence = `nothing came from it for ${Math.round(remoting.silentMs(address))} ms`
      remoting.disconnect(address, `the connection to ${address} is dead: ${silence}`)
    }
  }

  #isSilent(address: string): boolean {
    return this.#parts.remoting.silentMs(address) >= SILENCE_MS
  }
}
