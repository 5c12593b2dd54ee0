/**
 * A machine on the simulated wires. Owns its ports: what listens there, and the streams that are
 * open.
 */
import type { Address, Stream } from '@rockhopper/host'
import type { Life } from './life.ts'

/** The range of ports that are given to whoever asks for any (as on Linux, upwards). */
const FIRST_FREE_PORT = 32_768
const LAST_FREE_PORT = 65_535

/** Who takes the connections of a port. */
export interface PortOwner {
  readonly life: Life
  accept(stream: Stream): void
}

/** One end of a connection, as its machine sees it. */
export interface NodeStream {
  readonly remote: Address
  /** The process ended. */
  die(): void
  /** The wire says that there is no such connection. */
  breakOff(): void
}

export class SimNode {
  readonly name: string
  readonly ip: string
  readonly listeners = new Map<number, PortOwner>()
  /** Streams of the process that runs there; they end with it. */
  readonly streams = new Set<NodeStream>()
  /** False while the machine has no power: nobody answers. */
  on = true
  #nextPort = FIRST_FREE_PORT

  constructor(name: string, ip: string) {
    this.name = name
    this.ip = ip
  }

  freePort(): number {
    for (;;) {
      const port = this.#nextPort
      this.#nextPort = port === LAST_FREE_PORT ? FIRST_FREE_PORT : port + 1
      if (!this.listeners.has(port)) return port
    }
  }

  /** Breaks the connections with another machine off. */
  breakOff({ ip }: SimNode): void {
    for (const stream of [...this.streams]) if (stream.remote.host === ip) stream.breakOff()
  }

  /** The process ended, or the machine did: nothing listens, and no stream is open. */
  endProcess(): void {
    this.listeners.clear()
    for (const stream of [...this.streams]) stream.die()
  }
}
