/**
 * The network as one simulated process sees it. Owns nothing: ports and streams belong to the
 * machine, wires to the fabric. What a dead process asked for is never answered.
 */
import {
  type Address,
  type ConnectOptions,
  formatAddress,
  type Listener,
  type Network,
  NetworkError,
  type Stream,
  type Timer,
} from '@rockhopper/host'
import type { SimFabric } from './fabric.ts'
import type { Life } from './life.ts'
import type { PortOwner, SimNode } from './node.ts'
import { connectStreams, type Place, type SimStream } from './stream.ts'

/** A connection request that nobody answers is sent again after this time. */
const RETRY_MS = 1000
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '127.0.0.1', 'localhost'])

export class SimNetwork implements Network {
  readonly #fabric: SimFabric
  readonly #node: SimNode
  readonly #life: Life

  constructor(fabric: SimFabric, node: SimNode, life: Life) {
    this.#fabric = fabric
    this.#node = node
    this.#life = life
  }

  listen(address: Address, accept: (stream: Stream) => void): Promise<Listener> {
    if (!this.#life.alive) return new Promise(() => {})
    if (!this.#isOurs(address.host)) return Promise.reject(refusedListen('EADDRNOTAVAIL', address))
    const { listeners } = this.#node
    const port = address.port === 0 ? this.#node.freePort() : address.port
    if (listeners.has(port)) return Promise.reject(refusedListen('EADDRINUSE', address))
    const owner: PortOwner = { life: this.#life, accept }
    listeners.set(port, owner)
    this.#fabric.trace.note('listen', port)
    const close = (): Promise<void> => {
      if (listeners.get(port) === owner) listeners.delete(port)
      return Promise.resolve()
    }
    return Promise.resolve({ address: { host: address.host, port }, close })
  }

  connect(address: Address, timeoutMs: number, options: ConnectOptions = {}): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: SimStream | NetworkError): void => {
        if (outcome instanceof NetworkError) return reject(outcome)
        outcome.lendsChunks = options.lendsChunks ?? false
        resolve(outcome)
      }
      new Attempt(this.#fabric, this.#node, this.#life, address, settle).begin(timeoutMs)
    })
  }

  #isOurs(host: string): boolean {
    return EVERY_ADDRESS.has(host) || this.#fabric.find(host) === this.#node
  }
}

/** One connection that is asked for. */
class Attempt {
  readonly #fabric: SimFabric
  readonly #node: SimNode
  readonly #life: Life
  readonly #address: Address
  readonly #settle: (outcome: SimStream | NetworkError) => void
  #timer: Timer | undefined
  #given = false

  constructor(
    fabric: SimFabric,
    node: SimNode,
    life: Life,
    address: Address,
    settle: (outcome: SimStream | NetworkError) => void,
  ) {
    this.#fabric = fabric
    this.#node = node
    this.#life = life
    this.#address = address
    this.#settle = settle
  }

  begin(timeoutMs: number): void {
    const target = EVERY_ADDRESS.has(this.#address.host)
      ? this.#node
      : this.#fabric.find(this.#address.host)
    this.#timer = this.#fabric.clock.after(timeoutMs, () => this.#give(this.#refusal('ETIMEDOUT')))
    if (target === undefined) this.#fabric.clock.soon(() => this.#give(this.#refusal('ENOTFOUND')))
    else this.#knock(target)
  }

  /** Sends the request; asks again while nobody can answer. */
  #knock(target: SimNode): void {
    this.#fabric.clock.after(this.#fabric.latencyMs(this.#node, target), () => {
      if (this.#given || !this.#life.alive) return
      if (this.#isAnswered(target)) this.#arrive(target)
      else this.#fabric.clock.after(RETRY_MS, () => this.#knock(target))
    })
  }

  #isAnswered(target: SimNode): boolean {
    const cut = this.#fabric.isCut(this.#node, target) || this.#fabric.isCut(target, this.#node)
    return target.on && !cut
  }

  #arrive(target: SimNode): void {
    const owner = target.listeners.get(this.#address.port)
    this.#fabric.trace.note('connect', this.#address.port, owner === undefined ? 0 : 1)
    const backMs = this.#fabric.latencyMs(target, this.#node)
    if (owner === undefined) {
      this.#fabric.clock.after(backMs, () => this.#give(this.#refusal('ECONNREFUSED')))
      return
    }
    const from: Place = { node: this.#node, life: this.#life, port: this.#node.freePort() }
    const to: Place = { node: target, life: owner.life, port: this.#address.port }
    const [near, far] = connectStreams(this.#fabric, from, to)
    this.#fabric.clock.after(backMs, () => this.#giveStream(near))
    owner.life.run(() => owner.accept(far))
  }

  #giveStream(stream: SimStream): void {
    if (this.#given) stream.destroy()
    else this.#give(stream)
  }

  #give(outcome: SimStream | NetworkError): void {
    if (this.#given || !this.#life.alive) return
    this.#given = true
    this.#timer?.cancel()
    this.#life.run(() => this.#settle(outcome))
  }

  #refusal(code: keyof typeof CONNECT_REASONS): NetworkError {
    const reason = CONNECT_REASONS[code]
    const message = `cannot connect to ${formatAddress(this.#address)}: ${reason} (${code})`
    return new NetworkError(code, message)
  }
}

const CONNECT_REASONS = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'no simulated host has that name',
  ETIMEDOUT: 'no answer in time',
} as const

const LISTEN_REASONS = {
  EADDRINUSE: 'the port is taken',
  EADDRNOTAVAIL: 'that is not an address of this host',
} as const

function refusedListen(code: keyof typeof LISTEN_REASONS, address: Address): NetworkError {
  const message = `cannot listen on ${formatAddress(address)}: ${LISTEN_REASONS[code]} (${code})`
  return new NetworkError(code, message)
}
