/**
 * One end of a simulated connection, with the manners of a real socket: it closes when both
 * directions have ended; a peer that ends makes it end, too; what is sent to an end that is gone is
 * answered with a reset. Owns whether it is open.
 */
import {
  type Address,
  formatAddress,
  NetworkError,
  type Stream,
  type StreamEvents,
} from '@rockhopper/host'
import type { SimFabric } from './fabric.ts'
import { Flow, type FlowEnds } from './flow.ts'
import type { Life } from './life.ts'
import type { NodeStream, SimNode } from './node.ts'

/** What is in a chunk that was only lent. */
const OVERWRITTEN = 0xa5

/** One end of a connection to be: the machine, its process, and the port. */
export interface Place {
  readonly node: SimNode
  readonly life: Life
  readonly port: number
}

export class SimStream implements Stream, NodeStream {
  readonly local: Address
  readonly remote: Address
  /** Whether chunks are overwritten as soon as the receiver has seen them. */
  lendsChunks = false
  readonly #fabric: SimFabric
  readonly #place: Place
  readonly #outbound: Flow
  readonly #inbound: Flow
  #events: StreamEvents | undefined
  #paused = false
  #ending = false
  #endSent = false
  #wasReset = false
  #closed = false
  #cause: Error | undefined

  constructor(fabric: SimFabric, place: Place, remote: Place, outbound: Flow, inbound: Flow) {
    this.#fabric = fabric
    this.#place = place
    this.local = { host: place.node.ip, port: place.port }
    this.remote = { host: remote.node.ip, port: remote.port }
    this.#outbound = outbound
    this.#inbound = inbound
    place.node.streams.add(this)
  }

  get bufferedBytes(): number {
    return this.#outbound.waitingBytes
  }

  attach(events: StreamEvents): void {
    if (this.#events !== undefined) throw new Error('a stream has one receiver of its events')
    this.#events = events
    if (this.#closed) this.#tell((receiver) => receiver.closed(this.#cause))
    else this.#fabric.clock.soon(() => this.#deliver())
  }

  write(chunks: readonly Uint8Array[]): void {
    if (!this.#closed && !this.#ending) this.#outbound.send(chunks)
  }

  pauseReading(paused: boolean): void {
    this.#paused = paused
    if (!paused) this.#fabric.clock.soon(() => this.#deliver())
  }

  end(): void {
    if (this.#closed) return
    this.#ending = true
    this.#outbound.end()
  }

  destroy(): void {
    if (this.#closed) return
    this.#leave()
    this.#close(undefined)
  }

  /** The process ended: the system closes the stream for it, unless the machine died as well. */
  die(): void {
    if (this.#place.node.on) this.#leave()
    else this.#outbound.lose()
    this.#close(undefined)
  }

  /** Nobody sends anything more, and its process is told that the connection was reset. */
  breakOff(): void {
    this.#close(this.#resetError())
  }

  /** What the two flows tell: `sender` is for the outbound, `receiver` for the inbound one. */
  drained(): void {
    if (!this.#closed) this.#tell((receiver) => receiver.drained())
  }

  endSent(): void {
    this.#endSent = true
    this.#closeWhenBothEnded()
  }

  arrived(): void {
    if (!this.#closed) return this.#place.life.run(() => this.#deliver())
    const answer = this.#inbound.hasUnread && this.#place.node.on
    this.#inbound.dropUnread()
    if (answer) this.#outbound.sendReset()
  }

  reset(): void {
    this.#wasReset = true
  }

  #deliver(): void {
    const events = this.#events
    if (this.#closed || events === undefined || !this.#place.life.alive) return
    if (!this.#paused && this.#inbound.hasUnread) this.#handOver(events, this.#inbound.read())
    if (this.#wasReset) this.#close(this.#resetError())
    // The receiver may have stopped reading in the midst of it.
    if (this.#paused || !this.#inbound.atEnd) return
    this.end()
    this.#closeWhenBothEnded()
  }

  #handOver(events: StreamEvents, chunk: Buffer): void {
    events.data(chunk)
    if (this.lendsChunks) chunk.fill(OVERWRITTEN)
  }

  #closeWhenBothEnded(): void {
    if (this.#endSent && this.#inbound.atEnd) this.#close(undefined)
  }

  /** What the peer gets to hear: an end, or a reset when bytes were lost on either side. */
  #leave(): void {
    if (this.#inbound.hasUnread || this.#outbound.waitingBytes > 0) this.#outbound.sendReset()
    else this.#outbound.end()
  }

  #close(cause: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#cause = cause
    this.#place.node.streams.delete(this)
    this.#inbound.dropUnread()
    this.#outbound.abandon()
    this.#tell((receiver) => receiver.closed(cause))
  }

  /** Events come from the loop, never from inside a method. */
  #tell(event: (receiver: StreamEvents) => void): void {
    const receiver = this.#events
    if (receiver === undefined) return
    this.#fabric.clock.soon(() => this.#place.life.run(() => event(receiver)))
  }

  #resetError(): NetworkError {
    const peer = formatAddress(this.remote)
    return new NetworkError('ECONNRESET', `the connection to ${peer} broke (ECONNRESET)`)
  }
}

/** Makes the two ends of one connection; the first is the one that asked for it. */
export function connectStreams(fabric: SimFabric, from: Place, to: Place): [SimStream, SimStream] {
  const there = new Flow(
    fabric,
    from.node,
    to.node,
    endsOf(() => [near, far]),
  )
  const back = new Flow(
    fabric,
    to.node,
    from.node,
    endsOf(() => [far, near]),
  )
  const near: SimStream = new SimStream(fabric, from, to, there, back)
  const far: SimStream = new SimStream(fabric, to, from, back, there)
  return [near, far]
}

/** A flow speaks of its sender and its receiver, which are made after it. */
function endsOf(streams: () => readonly [sender: SimStream, receiver: SimStream]): FlowEnds {
  return {
    drained: () => streams()[0].drained(),
    endSent: () => streams()[0].endSent(),
    arrived: () => streams()[1].arrived(),
    reset: () => streams()[1].reset(),
  }
}
