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

/**
 * A broker whose connection broke, or that could not be told, is told anew after this pause, again
 * and again: it may be just starting, and until it knows the members of a group it shares its
 * queues among those that it has heard of.
 */
const AGAIN_MS = 500

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
  /** Addresses whose last heartbeat failed. */
  readonly #untold = new Set<string>()
  #again: Timer | undefined

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
  }

  /** Begins the regular heartbeats, the first in 30 s; those that missed one before hear it soon. */
  start(): void {
    const { clock, logger } = this.#parts.host
    this.#loop = every(
      clock,
      HEARTBEAT_MS,
      () => this.beat(),
      (error) => logger.error('The heartbeats failed for a reason nobody foresaw.', { error }),
    )
    if (this.#untold.size > 0) this.#planAgain()
  }

  /** Tells all brokers now; resolves when each has answered or failed to. */
  async beat(): Promise<void> {
    await this.#tellAll(this.#parts.targets())
  }

  /** Tells all brokers in a moment: one of them may have forgotten us. */
  soon(): void {
    if (this.#loop === undefined || this.#planned !== undefined) return
    this.#planned = this.#parts.host.clock.after(AGAIN_MS, () => {
      this.#planned = undefined
      this.#loop?.wake()
    })
  }

  /** Ends the heartbeats and takes leave of the brokers. */
  async stop(leave: { producerGroup?: string; consumerGroup?: string }): Promise<void> {
    this.#planned?.cancel()
    this.#again?.cancel()
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

  async #tellAll(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) return
    const body = [encodeHeartbeat(this.#parts.content())]
    await Promise.all(addresses.map((address) => this.#tell(address, body)))
    if (this.#untold.size > 0) this.#planAgain()
  }

  async #tell(address: string, body: readonly Uint8Array[]): Promise<void> {
    const { remoting, host } = this.#parts
    try {
      await remoting.request(address, HEART_BEAT, {}, { body, timeoutMs: HEARTBEAT_TIMEOUT_MS })
      this.#untold.delete(address)
    } catch (error) {
      if (!this.#untold.has(address)) {
        host.logger.warn('A heartbeat to a broker failed; it will be repeated.', { address, error })
      }
      this.#untold.add(address)
      // A connection on which even this is not answered is dead: the next call makes a new one.
      if (error instanceof TimeoutError) remoting.disconnect(address, error.message)
    }
  }

  /** Tells those that could not be told, as long as they are targets. */
  #planAgain(): void {
    if (this.#loop === undefined || this.#again !== undefined) return
    this.#again = this.#parts.host.clock.after(AGAIN_MS, async () => {
      this.#again = undefined
      const targets = new Set(this.#parts.targets())
      for (const address of this.#untold) if (!targets.has(address)) this.#untold.delete(address)
      await this.#tellAll([...this.#untold])
    })
  }

  #isConnected(address: string): boolean {
    return this.#parts.remoting.isConnected(address)
  }
}
