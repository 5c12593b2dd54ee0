/**
 * The wires between simulated hosts: who can reach whom, and how long bytes are on their way. Owns
 * the table of machines, the cuts, and the flows that wait for a cut to heal.
 */
import type { SimClock } from './clock.ts'
import type { DelayRange } from './delay.ts'
import { SimNode } from './node.ts'
import type { SimRandom } from './random.ts'
import type { SimTrace } from './trace.ts'

const LOOPBACK_LATENCY: DelayRange = [0.01, 0.05]
/** What is lost is sent again after so long, and after twice as long each time more. */
const RESEND_MS = 200

/** A flow of bytes that a cut has stopped. */
export interface StoppedFlow {
  readonly from: SimNode
  readonly to: SimNode
  goOn(): void
}

export interface FabricOptions {
  /** How long bytes are on their way between two machines; 0.1 to 1 ms when absent. */
  readonly latency?: DelayRange
  /** How often (0 to 1) what is written at once arrives in pieces; 0.2 when absent. */
  readonly splitChance?: number
}

export class SimFabric {
  readonly clock: SimClock
  readonly random: SimRandom
  readonly trace: SimTrace
  /** May be changed at any time; bytes that are under way arrive as they would have. */
  latency: DelayRange
  splitChance: number
  /** How often (0 to 1) what is sent between machines is lost, and has to be sent again. */
  lossChance = 0
  readonly #nodes = new Map<string, SimNode>()
  readonly #cuts = new Set<string>()
  /** Ways with a latency of their own. */
  readonly #ways = new Map<string, DelayRange>()
  #stopped = new Set<StoppedFlow>()

  constructor(clock: SimClock, random: SimRandom, trace: SimTrace, options: FabricOptions = {}) {
    this.clock = clock
    this.random = random
    this.trace = trace
    this.latency = options.latency ?? [0.1, 1]
    this.splitChance = options.splitChance ?? 0.2
  }

  /** Adds a machine that is reached by its name and by its address. */
  add(name: string, ip: string): SimNode {
    const node = new SimNode(name, ip)
    this.#nodes.set(name, node)
    this.#nodes.set(ip, node)
    return node
  }

  find(nameOrIp: string): SimNode | undefined {
    return this.#nodes.get(nameOrIp)
  }

  /** A delay for bytes from one machine to another. */
  latencyMs(from: SimNode, to: SimNode): number {
    if (from === to) return this.random.between(...LOOPBACK_LATENCY)
    const own = this.#ways.size === 0 ? undefined : this.#ways.get(wayOf(from, to))
    return this.random.between(...(own ?? this.latency)) + this.#resendMs()
  }

  /**
   * Gives the way from one machine to another a latency of its own, or none with `undefined`: what is
   * sent over other ways meanwhile overtakes what is sent over this one.
   */
  setWay(from: string, to: string, latency: DelayRange | undefined): void {
    this.trace.note(`way ${from} ${to}`)
    const way = wayOf(this.#demand(from), this.#demand(to))
    if (latency === undefined) this.#ways.delete(way)
    else this.#ways.set(way, latency)
  }

  /** Breaks all connections between two machines off: what is under way is lost, both ends are told. */
  reset(some: string, other: string): void {
    this.trace.note(`reset ${some} ${other}`)
    const [one, two] = [this.#demand(some), this.#demand(other)]
    one.breakOff(two)
    two.breakOff(one)
  }

  /** From now on nothing gets from one to the other; the way back stays open. */
  cutOneWay(from: string, to: string): void {
    this.trace.note(`cut ${from} ${to}`)
    this.#cuts.add(wayOf(this.#demand(from), this.#demand(to)))
  }

  /** Cuts all ways between the two groups of hosts. */
  partition(someNames: readonly string[], otherNames: readonly string[]): void {
    for (const some of someNames) {
      for (const other of otherNames) {
        this.cutOneWay(some, other)
        this.cutOneWay(other, some)
      }
    }
  }

  /** Mends all cuts. What was under way arrives now, as retransmission would bring it. */
  heal(): void {
    this.trace.note('heal')
    this.#cuts.clear()
    const stopped = this.#stopped
    this.#stopped = new Set()
    for (const flow of stopped) flow.goOn()
  }

  /** Mends the cuts between two hosts, in both directions, like `heal`. */
  mend(some: string, other: string): void {
    this.trace.note(`mend ${some} ${other}`)
    const [one, two] = [this.#demand(some), this.#demand(other)]
    this.#cuts.delete(wayOf(one, two))
    this.#cuts.delete(wayOf(two, one))
    const mended = [...this.#stopped].filter(({ from, to }) => !this.isCut(from, to))
    for (const flow of mended) {
      this.#stopped.delete(flow)
      flow.goOn()
    }
  }

  isCut(from: SimNode, to: SimNode): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(wayOf(from, to))
  }

  /** Lets the flow go on when all is healed. */
  waitForHeal(flow: StoppedFlow): void {
    this.#stopped.add(flow)
  }

  #resendMs(): number {
    let waitedMs = 0
    if (this.lossChance === 0) return waitedMs
    for (let waitMs = RESEND_MS; this.random.chance(this.lossChance); waitMs *= 2)
      waitedMs += waitMs
    return waitedMs
  }

  #demand(name: string): SimNode {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`there is no host "${name}" in this world`)
    return node
  }
}

function wayOf(from: SimNode, to: SimNode): string {
  return `${from.ip} ${to.ip}`
}
