/**
 * A world of simulated hosts under one virtual clock, from one seed. Everything that happens in it
 * follows from the seed and from what the test does, so that a failure is repeated by its seed. Owns
 * the hosts and what their processes said.
 */
import { SimClock } from './clock.ts'
import { type FabricOptions, SimFabric } from './fabric.ts'
import { SimHost, type SimHostOptions } from './host.ts'
import type { LogLine } from './process.ts'
import { SimRandom } from './random.ts'
import { SimTrace } from './trace.ts'

export interface WorldOptions {
  /** Wall time at which the world begins, in milliseconds since 1970. */
  readonly startMs?: number
  readonly network?: FabricOptions
  /** Keeps a line for each event beside the hash, to see where two runs part; costs memory. */
  readonly recordTrace?: boolean
}

export class SimWorld {
  readonly seed: number
  readonly clock: SimClock
  /** For the decisions of the test itself; hosts have generators of their own. */
  readonly random: SimRandom
  /** Cuts, partitions and latency between hosts. */
  readonly network: SimFabric
  /** What all processes said, in order. */
  readonly lines: LogLine[] = []
  readonly #trace: SimTrace
  readonly #hostRandom: SimRandom
  readonly #hosts = new Map<string, SimHost>()

  constructor(seed: number, options: WorldOptions = {}) {
    this.seed = seed
    this.#trace = new SimTrace(options.recordTrace)
    this.clock = new SimClock(options.startMs, this.#trace)
    const random = new SimRandom(seed)
    this.network = new SimFabric(this.clock, random.fork(), this.#trace, options.network)
    this.#hostRandom = random.fork()
    this.random = random.fork()
  }

  /**
   * The host of that name, made (with a running process) when it is asked for first; options count
   * then only. Addresses are given in order: 10.0.0.1, 10.0.0.2 …
   */
  host(name: string, options?: SimHostOptions): SimHost {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    const count = this.#hosts.size + 1
    const node = this.network.add(name, `10.0.${count >> 8}.${count & 255}`)
    const heard = (line: LogLine): void => this.#hear(line)
    const host = new SimHost(this.network, node, this.#hostRandom.fork(), heard, options)
    this.#hosts.set(name, host)
    return host
  }

  /** Makes something that applications did or saw part of the trace. */
  note(what: string): void {
    this.#trace.note(what, this.clock.monotonicMs())
  }

  /** The hash of everything that has happened; equal for equal runs. */
  trace(): string {
    return this.#trace.digest()
  }

  /** How many events are behind the hash. */
  get eventCount(): number {
    return this.#trace.count
  }

  /** The events behind the hash; empty unless they are recorded. */
  traceLines(): readonly string[] {
    return this.#trace.lines
  }

  #hear(line: LogLine): void {
    this.#trace.note(`${line.host} ${line.level} ${line.sentence}`, line.atMs)
    this.lines.push(line)
  }
}

export function createWorld(seed: number, options?: WorldOptions): SimWorld {
  return new SimWorld(seed, options)
}
