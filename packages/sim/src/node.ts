/**
 * A machine on the simulated wires. Owns its ports: what listens there, and the streams that are
 * open.
 */
import type { Stream } from '@rockhopper/host'
import type { Life } from './life.ts'

/** The range of ports that are given to whoever asks for any (as on Linux, upwards). */
const FIRST_FREE_PORT = 32_768
const LAST_FREE_PORT = 65_535

/** Who takes the connections of a port. */
export interface PortOwner {
  readonly life: Life
  accept(stream: Stream): void
}

export class SimNode {
  readonly name: string
  readonly ip: string
  readonly listeners = new Map<number, PortOwner>()
  /** Streams of the process that runs there; they end with it. */
  readonly streams = new Set<{ die(): void }>()
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

  /** The process ended, or the machine did: nothing listens, and no stream is open. */
  endProcess(): void {
    this.listeners.clear()
    for (const stream of [...this.streams]) stream.die()
  }
}
