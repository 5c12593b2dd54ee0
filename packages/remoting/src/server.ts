/**
 * Listens on an address and keeps the connections of its clients. Owns the set of connections; what
 * they ask for goes to the router.
 */
import {
  type Address,
  every,
  type Host,
  type Listener,
  type Loop,
  pause,
  type Stream,
} from '@rockhopper/host'
import { serialization } from '@rockhopper/protocol'
import { Connection } from './connection.ts'
import { DRAIN_TIMEOUT_MS, IDLE_CONNECTION_MS, IDLE_SWEEP_MS, MAX_CONNECTIONS } from './limits.ts'
import type { Router } from './router.ts'

export interface ServerOptions {
  readonly addresses: readonly Address[]
  readonly router: Router
  /** Told once for each connection that is gone. */
  readonly onConnectionClosed?: (connection: Connection) => void
  /** Silence after which a connection is closed, in milliseconds; 120 s when absent. */
  readonly idleMs?: number
}

export class RemotingServer {
  readonly #host: Host
  readonly #options: ServerOptions
  readonly #connections = new Set<Connection>()
  #listeners: Listener[] = []
  #sweep: Loop | undefined

  private constructor(host: Host, options: ServerOptions) {
    this.#host = host
    this.#options = options
  }

  /** Rejects with `NetworkError` when one of the addresses cannot be listened on. */
  static async listen(host: Host, options: ServerOptions): Promise<RemotingServer> {
    const server = new RemotingServer(host, options)
    try {
      for (const address of options.addresses) {
        const listener = await host.network.listen(address, (stream) => server.#accept(stream))
        server.#listeners.push(listener)
      }
    } catch (error) {
      await server.#stopListening()
      throw error
    }
    server.#sweep = every(
      host.clock,
      IDLE_SWEEP_MS,
      () => server.#closeIdle(),
      (error) => host.logger.error('The sweep of idle connections failed.', { error }),
    )
    return server
  }

  /** The addresses in use, in the order of the options; a port 0 shows what it became. */
  get addresses(): Address[] {
    return this.#listeners.map((listener) => listener.address)
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /** Takes no more connections, finishes the requests that are being worked on, then closes. */
  async close(): Promise<void> {
    await this.#stopListening()
    await this.#sweep?.stop()
    const waited = new AbortController()
    await Promise.race([
      this.#options.router.idle(),
      pause(this.#host.clock, DRAIN_TIMEOUT_MS, waited.signal),
    ])
    waited.abort()
    for (const connection of [...this.#connections]) connection.end('the server was closed')
  }

  async #stopListening(): Promise<void> {
    const listeners = this.#listeners
    this.#listeners = []
    await Promise.all(listeners.map((listener) => listener.close()))
  }

  #accept(stream: Stream): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      this.#host.logger.warn('A connection was refused: there are too many.', {
        limit: MAX_CONNECTIONS,
      })
      return stream.destroy()
    }
    const connection = new Connection(stream, {
      clock: this.#host.clock,
      logger: this.#host.logger,
      firstSerialization: serialization.binary,
      onRequest: this.#options.router.route,
      onClose: (closed) => {
        this.#connections.delete(closed)
        this.#options.onConnectionClosed?.(closed)
      },
    })
    this.#connections.add(connection)
  }

  #closeIdle(): void {
    const limitMs = this.#options.idleMs ?? IDLE_CONNECTION_MS
    const oldest = this.#host.clock.monotonicMs() - limitMs
    for (const connection of [...this.#connections]) {
      if (connection.lastActiveMs >= oldest) continue
      connection.destroy(`no byte was exchanged for ${limitMs} ms`)
    }
  }
}
