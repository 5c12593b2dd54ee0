/**
 * The address of each connected peer in the form that records carry it. Owns the cache; an entry
 * goes with its connection.
 */
import { type HostAddress, hostAddress } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'

export class PeerHosts {
  readonly #hosts = new WeakMap<Connection, HostAddress>()

  of(connection: Connection): HostAddress {
    const known = this.#hosts.get(connection)
    if (known !== undefined) return known
    const host = hostAddress(connection.remoteHost, connection.remotePort)
    this.#hosts.set(connection, host)
    return host
  }
}
