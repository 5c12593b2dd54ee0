/**
 * Asks name servers and brokers on behalf of an operator. Owns the connections of one run of
 * operations.
 */
import type { Host } from '@rockhopper/host'
import type { Command, FieldTable, Header } from '@rockhopper/protocol'
import {
  type Answer,
  type CallOptions,
  ConnectionError,
  RemotingClient,
  TimeoutError,
} from '@rockhopper/remoting'
import { AdminError, brokerError, nameServerError } from './errors.ts'

/** How long a name server or broker may take to answer (Apache: 5 s). */
const ANSWER_TIMEOUT_MS = 5_000

export interface AdminClientOptions {
  /** Addresses of name servers, `host:port`. */
  readonly nameServers: readonly string[]
  /** How long to wait for an answer, in milliseconds; 5 s when absent. */
  readonly timeoutMs?: number
}

type Extra = Omit<CallOptions, 'timeoutMs'> & { readonly timeoutMs?: number }

export class AdminClient {
  readonly host: Host
  readonly nameServers: readonly string[]
  readonly #remoting: RemotingClient
  readonly #timeoutMs: number

  constructor(host: Host, options: AdminClientOptions) {
    this.host = host
    this.nameServers = options.nameServers
    this.#timeoutMs = options.timeoutMs ?? ANSWER_TIMEOUT_MS
    this.#remoting = new RemotingClient(host)
  }

  /**
   * The answer of the first name server that can be reached. Rejects with `AdminError` when none
   * can, and with `RemoteError` when it refuses.
   */
  async askNameServer<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
  ): Promise<Answer<A>> {
    const failures: Error[] = []
    for (const address of this.nameServers) {
      try {
        return await this.#request(address, command, header, {})
      } catch (error) {
        const failure = nameServerError(address, error)
        if (!isOutOfReach(error)) throw failure
        failures.push(failure)
      }
    }
    throw new AdminError(
      failures.map(({ message }) => message).join('\n') || 'No name server is named: give one.',
    )
  }

  /** Tells every name server, for they do not tell each other. Rejects with the first failure. */
  async tellNameServers<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
  ): Promise<void> {
    for (const address of this.nameServers) {
      await this.#request(address, command, header, {}).catch((error: unknown) => {
        throw nameServerError(address, error)
      })
    }
  }

  /** The answer of a broker. Rejects with `AdminError`, whose cause is the error of the wire. */
  askBroker<Q extends FieldTable, A extends FieldTable>(
    address: string,
    command: Command<Q, A>,
    header: Header<Q>,
    extra: Extra = {},
  ): Promise<Answer<A>> {
    return this.#request(address, command, header, extra).catch((error: unknown) => {
      throw brokerError(address, error)
    })
  }

  /** The answer of a broker whatever its code is; rejects as `askBroker` when there is none. */
  callBroker<Q extends FieldTable, A extends FieldTable>(
    address: string,
    command: Command<Q, A>,
    header: Header<Q>,
    extra: Extra = {},
  ): Promise<Answer<A>> {
    const options = { timeoutMs: this.#timeoutMs, ...extra }
    return this.#remoting.call(address, command, header, options).catch((error: unknown) => {
      throw brokerError(address, error)
    })
  }

  close(): void {
    this.#remoting.close()
  }

  #request<Q extends FieldTable, A extends FieldTable>(
    address: string,
    command: Command<Q, A>,
    header: Header<Q>,
    extra: Extra,
  ): Promise<Answer<A>> {
    return this.#remoting.request(address, command, header, {
      timeoutMs: this.#timeoutMs,
      ...extra,
    })
  }
}

function isOutOfReach(error: unknown): boolean {
  return error instanceof ConnectionError || error instanceof TimeoutError
}
