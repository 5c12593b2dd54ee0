/**
 * The way to the master of one broker. It outlives connections and changes of address, so that a
 * queue can point at it and a send needs no look-up. Owns the address and the open connection.
 */
import type { Command, FieldTable, Header } from '@rockhopper/protocol'
import {
  type Answer,
  type CallOptions,
  type Connection,
  ConnectionError,
  type RemotingClient,
} from '@rockhopper/remoting'

export class BrokerLink {
  readonly brokerName: string
  readonly #remoting: RemotingClient
  #address: string | undefined
  #connection: Connection | undefined

  constructor(remoting: RemotingClient, brokerName: string) {
    this.#remoting = remoting
    this.brokerName = brokerName
  }

  /** Where the master is at present; undefined while the broker has none. */
  get address(): string | undefined {
    return this.#address
  }

  /** Follows the broker to another address. */
  moveTo(address: string | undefined): void {
    if (address === this.#address) return
    this.#address = address
    this.#connection = undefined
  }

  /**
   * The answer of the master, whatever its code. Rejects with `ConnectionError` or `TimeoutError`;
   * the time to connect counts.
   */
  call<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
    options: CallOptions,
  ): Promise<Answer<A>> {
    const connection = this.#connection
    if (connection?.isOpen === true) return connection.call(command, header, options)
    return this.#connectAndCall(command, header, options)
  }

  /** Sends without an answer; connects first when needed, and rejects if that fails. */
  async oneway<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
    body: readonly Uint8Array[] | undefined,
    timeoutMs: number,
  ): Promise<void> {
    const open = this.#connection?.isOpen === true ? this.#connection : undefined
    const connection = open ?? (await this.#connect(timeoutMs))
    connection.oneway(command, header, body)
  }

  async #connectAndCall<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
    options: CallOptions,
  ): Promise<Answer<A>> {
    const address = this.#knownAddress()
    const answer = this.#remoting.call(address, command, header, options)
    this.#keep(address, options.timeoutMs)
    return await answer
  }

  async #connect(timeoutMs: number): Promise<Connection> {
    const address = this.#knownAddress()
    this.#keep(address, timeoutMs)
    return await this.#remoting.connect(address, timeoutMs)
  }

  /** Remembers the connection that is being opened anyway; who asked for it hears of a failure. */
  #keep(address: string, timeoutMs: number): void {
    this.#remoting.connect(address, timeoutMs).then(
      (connection) => {
        if (this.#address === address) this.#connection = connection
      },
      () => undefined,
    )
  }

  #knownAddress(): string {
    if (this.#address !== undefined) return this.#address
    const name = this.brokerName
    throw new ConnectionError(name, `the broker "${name}" has no master at present`)
  }
}
