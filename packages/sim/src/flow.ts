/**
 * One direction of a simulated connection. Bytes wait with the sender while the window is full,
 * then are under way for a random time, in order, cut and joined at random as on a real wire, and
 * then lie with the receiver until it reads them. Owns the bytes in all three places.
 */
import type { SimFabric, StoppedFlow } from './fabric.ts'
import type { SimNode } from './node.ts'

/** So many bytes can be under way or unread; more wait in the sender's process. */
const WINDOW_BYTES = 256 * 1024
/** As with real streams, `drained` follows when so many bytes had waited. */
const HIGH_WATER_BYTES = 64 * 1024

/** What the two ends of a flow are told. */
export interface FlowEnds {
  /** Sender: everything that waited has left the process. */
  drained(): void
  /** Sender: the end was sent, behind all bytes. */
  endSent(): void
  /** Receiver: there is something to read, or the end has come. */
  arrived(): void
  /** Receiver: the sender broke the connection; `arrived` follows. */
  reset(): void
}

interface Segment {
  readonly kind: 'bytes' | 'end' | 'reset'
  readonly atMs: number
  readonly parts: readonly Uint8Array[]
}

export class Flow implements StoppedFlow {
  readonly from: SimNode
  readonly to: SimNode
  readonly #fabric: SimFabric
  readonly #ends: FlowEnds
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #wasHigh = false
  #ending = false
  /** Nothing more can be sent: the end was, or the sender is gone. */
  #broken = false
  #resetSent = false
  #underWay: Segment[] = []
  #windowBytes = 0
  #unread: Uint8Array[] = []
  #ended = false

  constructor(fabric: SimFabric, from: SimNode, to: SimNode, ends: FlowEnds) {
    this.#fabric = fabric
    this.from = from
    this.to = to
    this.#ends = ends
  }

  /** Bytes that wait in the sender's process. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  get hasUnread(): boolean {
    return this.#unread.length > 0
  }

  /** The end has come, and all that was before it was read. */
  get atEnd(): boolean {
    return this.#ended && this.#unread.length === 0
  }

  send(chunks: readonly Uint8Array[]): void {
    if (this.#ending || this.#broken) return
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#waiting.push(chunk)
      this.#waitingBytes += chunk.length
    }
    this.#transmit()
    if (this.#waitingBytes >= HIGH_WATER_BYTES) this.#wasHigh = true
  }

  /** Ends the flow behind what is waiting. */
  end(): void {
    if (this.#ending || this.#broken) return
    this.#ending = true
    this.#transmit()
  }

  /** Breaks the connection; what is under way still arrives before the receiver hears of it. */
  sendReset(): void {
    if (this.#resetSent) return
    this.#resetSent = true
    this.abandon()
    this.#dispatch('reset', [])
  }

  /** The sender is no more: what waited is lost, nothing further is sent. */
  abandon(): void {
    this.#broken = true
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /** The sender's machine is off: nobody sends again what a cut has stopped. */
  lose(): void {
    this.abandon()
    if (this.#fabric.isCut(this.from, this.to)) this.#underWay = []
  }

  /** All unread bytes as one fresh chunk. A sender that changed its chunks since is found out. */
  read(): Buffer {
    const chunk = Buffer.concat(this.#unread)
    this.#unread = []
    this.#windowBytes -= chunk.length
    if (this.#waitingBytes > 0) {
      this.#fabric.clock.after(this.#fabric.latencyMs(this.to, this.from), () => this.#transmit())
    }
    return chunk
  }

  /** Drops what the receiver has not read. */
  dropUnread(): void {
    this.#unread = []
  }

  /** After a cut was healed: all that is under way sets out anew. */
  goOn(): void {
    const segments = this.#underWay
    this.#underWay = []
    for (const segment of segments) this.#dispatch(segment.kind, segment.parts)
  }

  #transmit(): void {
    if (this.#broken) return
    const parts = this.#takeWaiting(WINDOW_BYTES - this.#windowBytes)
    for (const group of this.#split(parts)) this.#dispatch('bytes', group)
    if (this.#waitingBytes > 0) return
    if (this.#wasHigh) {
      this.#wasHigh = false
      this.#fabric.clock.soon(() => this.#ends.drained())
    }
    if (!this.#ending) return
    this.#broken = true
    this.#dispatch('end', [])
    this.#ends.endSent()
  }

  #takeWaiting(limitBytes: number): Uint8Array[] {
    const taken: Uint8Array[] = []
    let room = limitBytes
    while (room > 0) {
      const chunk = this.#waiting.shift()
      if (chunk === undefined) break
      const part = chunk.subarray(0, room)
      if (part.length < chunk.length) this.#waiting.unshift(chunk.subarray(room))
      taken.push(part)
      room -= part.length
    }
    this.#windowBytes += limitBytes - room
    this.#waitingBytes -= limitBytes - room
    return taken
  }

  /** Now and then cuts the bytes in two at a random place, each to travel on its own. */
  #split(parts: readonly Uint8Array[]): (readonly Uint8Array[])[] {
    const { random, splitChance } = this.#fabric
    if (parts.length === 0) return []
    if (!random.chance(splitChance)) return [parts]
    const index = random.below(parts.length)
    const chunk = parts[index] ?? new Uint8Array(0)
    const cut = random.below(chunk.length + 1)
    const head = [...parts.slice(0, index), chunk.subarray(0, cut)]
    const tail = [chunk.subarray(cut), ...parts.slice(index + 1)]
    return [head, tail].filter((group) => group.some((part) => part.length > 0))
  }

  #dispatch(kind: Segment['kind'], parts: readonly Uint8Array[]): void {
    const { clock } = this.#fabric
    const atMs = clock.monotonicMs() + this.#fabric.latencyMs(this.from, this.to)
    this.#underWay.push({ kind, atMs, parts })
    clock.at(atMs, () => this.#arrive())
  }

  /** Nothing overtakes: what came before an earlier segment arrives joined with that one. */
  #arrive(): void {
    const nowMs = this.#fabric.clock.monotonicMs()
    const first = this.#underWay[0]
    if (first === undefined || first.atMs > nowMs) return
    if (this.#fabric.isCut(this.from, this.to)) {
      this.#fabric.waitForHeal(this)
      return
    }
    while (this.#underWay[0] !== undefined && this.#underWay[0].atMs <= nowMs) this.#take()
    this.#ends.arrived()
  }

  #take(): void {
    const segment = this.#underWay.shift()
    if (segment === undefined) return
    this.#fabric.trace.note(segment.kind, ...segment.parts.map((part) => part.length))
    switch (segment.kind) {
      case 'bytes':
        this.#unread.push(...segment.parts)
        return
      case 'end':
        this.#ended = true
        return
      case 'reset':
        this.#ends.reset()
        return
    }
  }
}
