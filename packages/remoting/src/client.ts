/**
 * Connections to many addresses, opened when first needed and opened anew after they broke. Owns
 * the one connection per address.
 */
import { type Host, parseAddress } from '@rockhopper/host'
import {
  type Command,
  type FieldTable,
  type Header,
  type Serialization,
  serialization,
} from '@rockhopper/protocol'
import {
  type Answer,
  type CallOptions,
  Connection,
  successful,
  type Translation,
} from './connection.ts'
import { ConnectionError } from './errors.ts'
import { CONNECT_TIMEOUT_MS } from './limits.ts'
import { Router } from './router.ts'

export interface ClientOptions {
  /** Takes what servers ask of us; without it every request is answered as not supported. */
  readonly router?: Router
  /** Told when a connection is gone. */
  readonly onConnectionClosed?: (address: string) => void
  /** Heads of the first requests of a connection; ROCKETMQ binary when absent. */
  readonly serialization?: Serialization
  /** Absent: everything is sent and read as it is. */
  readonly translation?: Translation | undefined
}

export class RemotingClient {
  readonly #host: Host
  readonly #options: ClientOptions
  readonly #router: Router
  readonly #open = new Map<string, Connection>()
  readonly #opening = new Map<string, Promise<Connection>>()
  #closed = false

  constructor(host: Host, options: ClientOptions = {}) {
    this.#host = host
    this.#options = options
    this.#router = options.router ?? new Router(host.logger)
  }

  /**
   * The answer of the peer, whatever its code. Rejects with `ConnectionError` or `TimeoutError`;
   * the time to connect counts.
   */
  async call<Q extends FieldTable, A extends FieldTable>(
    address: string,
    command: Command<Q, A>,
    header: Header<Q>,
    options: CallOptions,
  ): Promise<Answer<A>> {
    const open = this.#open.get(address)
    if (open !== undefined) return open.call(command, header, options)
    const startMs = this.#host.clock.monotonicMs()
    const connection = await this.connect(address, options.timeoutMs)
    const spentMs = this.#host.clock.monotonicMs() - startMs
    return connection.call(command, header, {
      ...options,
      timeoutMs: Math.max(1, options.timeoutMs - spentMs),
    })
  }

  /** Like `call`, and rejects with `RemoteError` when the answer is not a success. */
  async request<Q extends FieldTable, A extends FieldTable>(
    address: string,
    command: Command<Q, A>,
    header: Header<Q>,
    options: CallOptions,
  ): Promise<Answer<A>> {
    const answer = await this.call(address, command, header, options)
    return successful(address, command as unknown as Command<FieldTable, A>, answer)
  }

  /** Sends without an answer; connects first when needed, and rejects if that fails. */
  async oneway<Q extends FieldTable, A extends FieldTable>(
    address: string,
    command: Command<Q, A>,
    header: Header<Q>,
    body?: readonly Uint8Array[],
  ): Promise<void> {
    const connection = this.#open.get(address) ?? (await this.connect(address))
    connection.oneway(command, header, body)
  }

  /** The open connection to an address, made now if there is none. */
  connect(address: string, timeoutMs: number = CONNECT_TIMEOUT_MS): Promise<Connection> {
    const open = this.#open.get(address)
    if (open !== undefined) return Promise.resolve(open)
    const opening = this.#opening.get(address)
    if (opening !== undefined) return opening
    const attempt = this.#connect(address, Math.min(timeoutMs, CONNECT_TIMEOUT_MS)).finally(() =>
      this.#opening.delete(address),
    )
    this.#opening.set(address, attempt)
    return attempt
  }

  /** Whether there is an open connection to the address at this moment. */
  isConnected(address: string): boolean {
    return this.#open.has(address)
  }

  /** How long nothing has come from an address that owes an answer, in ms; 0 when it owes none. */
  silentMs(address: string): number {
    return this.#open.get(address)?.silentMs ?? 0
  }

  /** Closes the connection to an address, if any. */
  disconnect(address: string, reason: string): void {
    this.#open.get(address)?.destroy(reason)
  }

  /** Sends what is pending and closes every connection. Requests without an answer are rejected. */
  close(): void {
    this.#closed = true
    for (const connection of [...this.#open.values()]) connection.end('this client was closed')
  }

  async #connect(address: string, timeoutMs: number): Promise<Connection> {
    if (this.#closed) throw new ConnectionError(address, 'this client was closed')
    const target = parseAddress(address)
    if (target === undefined) {
      throw new ConnectionError(address, `"${address}" is not an address: write it as host:port`)
    }
    const stream = await this.#host.network.connect(target, timeoutMs).catch((cause: Error) => {
      throw new ConnectionError(address, `${address} cannot be reached: ${cause.message}`, {
        cause,
      })
    })
    if (this.#closed) {
      stream.destroy()
      throw new ConnectionError(address, 'this client was closed')
    }
    const connection = new Connection(stream, {
      clock: this.#host.clock,
      logger: this.#host.logger,
      firstSerialization: this.#options.serialization ?? serialization.binary,
      translation: this.#options.translation,
      onRequest: this.#router.route,
      onClose: () => {
        this.#open.delete(address)
        this.#options.onConnectionClosed?.(address)
      },
    })
    this.#open.set(address, connection)
    return connection
  }
}
