/**
 * Asks the name servers: one at a time, and the next one when that does not answer.
 * Source: `client.md` sections 1.2 and 1.3. Owns which one is in use.
 */
import { type Host, parseAddress } from '@rockhopper/host'
import type { Command, FieldTable, Header } from '@rockhopper/protocol'
import {
  type Answer,
  ConnectionError,
  type RemotingClient,
  TimeoutError,
} from '@rockhopper/remoting'
import { badOption, ClientError } from '../errors.ts'

/** How long one name server may take to answer (Apache: 3 s). */
const NAME_SERVER_TIMEOUT_MS = 3_000

/** Reads the option `namesrvAddr`, or the environment in its place. Throws BAD_OPTION. */
export function nameServerAddresses(
  option: string | readonly string[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const given = option ?? environment['NAMESRV_ADDR'] ?? ''
  const texts = typeof given === 'string' ? given.split(';') : given
  const addresses = texts.map((text) => text.trim()).filter((text) => text !== '')
  if (addresses.length === 0) {
    throw badOption(
      'no name server is given',
      'set the option namesrvAddr or the variable NAMESRV_ADDR to host:port;host:port',
    )
  }
  for (const address of addresses) {
    if (parseAddress(address) !== undefined) continue
    throw badOption(`the name server "${address}" is not an address`, 'write it as host:port')
  }
  return [...new Set(addresses)]
}

export class NameServers {
  readonly #remoting: RemotingClient
  readonly #addresses: readonly string[]
  #current: number

  constructor(host: Host, remoting: RemotingClient, addresses: readonly string[]) {
    this.#remoting = remoting
    this.#addresses = addresses
    this.#current = host.random.below(addresses.length)
  }

  /**
   * The answer of the first name server that gives one, whatever its code. Throws `ClientError`
   * NAME_SERVER_UNREACHABLE when none does.
   */
  async call<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
  ): Promise<Answer<A>> {
    let cause: unknown
    const first = this.#current
    for (let tries = 0; tries < this.#addresses.length; tries++) {
      const index = (first + tries) % this.#addresses.length
      const address = this.#addresses[index] ?? ''
      const options = { timeoutMs: NAME_SERVER_TIMEOUT_MS }
      try {
        const answer = await this.#remoting.call(address, command, header, options)
        this.#current = index
        return answer
      } catch (error) {
        if (!(error instanceof ConnectionError) && !(error instanceof TimeoutError)) throw error
        cause = error
        // A connection on which not even this is answered may be dead: the next try makes a new one.
        if (error instanceof TimeoutError) this.#remoting.disconnect(address, error.message)
      }
    }
    throw this.#unreachable(cause)
  }

  #unreachable(cause: unknown): ClientError {
    const list = this.#addresses.join(';')
    const why = cause instanceof Error ? ` (${cause.message})` : ''
    return new ClientError('NAME_SERVER_UNREACHABLE', `no name server of ${list} answers${why}`, {
      retryable: true,
      hint: 'start one, or correct namesrvAddr',
      cause,
    })
  }
}
