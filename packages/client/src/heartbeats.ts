/**
 * Tells the brokers every 30 s who we are, and takes leave of them at the end. A broker that has
 * not heard of a consumer gives it nothing; after 120 s of silence it forgets it.
 * Source: `client.md` sections 2.3 and 2.4. Owns the loop.
 */
import { every, type Host, type Loop, type Timer } from '@rockhopper/host'
import {
  encodeHeartbeat,
  HEART_BEAT,
  type HeartbeatData,
  UNREGISTER_CLIENT,
} from '@rockhopper/protocol'
import { type RemotingClient, TimeoutError } from '@rockhopper/remoting'

/** Source: Apache heartbeatBrokerInterval. */
const HEARTBEAT_MS = 30_000
const HEARTBEAT_TIMEOUT_MS = 3_000

/** A broker whose connection broke is told anew after this pause, in case it is only restarting. */
const AFTER_CLOSE_MS = 500

export interface HeartbeatParts {
  readonly host: Host
  readonly remoting: RemotingClient
  /** Addresses of the brokers to tell. */
  readonly targets: () => readonly string[]
  /** What to tell them. */
  readonly content: () => HeartbeatData
}

export class Heartbeats {
  readonly #parts: HeartbeatParts
  #loop: Loop | undefined
  #planned: Timer | undefined

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
  }

  /** Begins the regular heartbeats, the first in 30 s. */
  start(): void {
    const { clock, logger } = this.#parts.host
    this.#loop = every(
      clock,
      HEARTBEAT_MS,
      () => this.beat(),
      (error) => logger.error('The heartbeats failed for a reason nobody foresaw.', { error }),
    )
  }

  /** Tells all brokers now; resolves when each has answered or failed to. */
  async beat(): Promise<void> {
    const targets = this.#parts.targets()
    if (targets.length === 0) return
    const body = [encodeHeartbeat(this.#parts.content())]
    await Promise.all(targets.map((address) => this.#tell(address, body)))
  }

  /** Tells all brokers in a moment: one of them may have forgotten us. */
  soon(): void {
    if (this.#loop === undefined || this.#planned !== undefined) return
    this.#planned = this.#parts.host.clock.after(AFTER_CLOSE_MS, () => {
      this.#planned = undefined
      this.#loop?.wake()
    })
  }

  /** Ends the heartbeats and takes leave of the brokers. */
  async stop(leave: { producerGroup?: string; consumerGroup?: string }): Promise<void> {
    this.#planned?.cancel()
    const loop = this.#loop
    this.#loop = undefined
    await loop?.stop()
    const header = { clientID: this.#parts.content().clientID, ...leave }
    const targets = this.#parts.targets().filter((address) => this.#isConnected(address))
    await Promise.all(
      targets.map((address) =>
        this.#parts.remoting
          .request(address, UNREGISTER_CLIENT, header, { timeoutMs: HEARTBEAT_TIMEOUT_MS })
          .catch((error: unknown) =>
            this.#parts.host.logger.warn('A broker was not told that this client leaves.', {
              address,
              error,
            }),
          ),
      ),
    )
  }

  async #tell(address: string, body: readonly Uint8Array[]): Promise<void> {
    const { remoting, host } = this.#parts
    const options = { body, timeoutMs: HEARTBEAT_TIMEOUT_MS }
    try {
      await remoting.request(address, HEART_BEAT, {}, options)
    } catch (error) {
      host.logger.warn('A heartbeat to a broker failed.', { address, error })
      // A connection on which even this is not answered is dead: the next call makes a new one.
      if (error instanceof TimeoutError) remoting.disconnect(address, error.message)
    }
  }

  #isConnected(address: string): boolean {
    return this.#parts.remoting.isConnected(address)
  }
}
