/**
 * Does what the leader machine says: accepts followers, sends them the log, and tells how far they
 * are. It decides nothing. Owns the streams of the followers.
 */
import {
  type Address,
  every,
  formatAddress,
  type Host,
  type Listener,
  type Loop,
  type Stream,
} from '@rockhopper/host'
import type { Stretch } from './equal-prefix.ts'
import {
  encodeFrameHead,
  encodeLetter,
  type FollowerWord,
  HaWireError,
  type LeaderLetter,
  WordReader,
} from './ha-wire.ts'
import { Leader, type LeaderEffect, type LeaderEvent, type PeerId } from './leader.ts'
import { MAX_BUFFERED_BYTES, MAX_FOLLOWERS, STRETCH_BYTES, TICK_MS } from './limits.ts'
import { Notices } from './notices.ts'
import { type ReadableLog, sumOf } from './stretch-sum.ts'

/** The log that is sent. */
export interface LeaderLog extends ReadableLog {
  readonly written: Mark
}

/** A number that only grows. */
export interface Mark {
  readonly value: number
  /** Resolves to true when it is `point` or more, to false when `signal` aborts before. */
  reached(point: number, options: { readonly signal: AbortSignal }): true | Promise<boolean>
}

export interface LeaderOptions {
  readonly address: Address
  readonly log: LeaderLog
  /** Bytes of one frame at the most (haTransferBatchSize). */
  readonly frameBytes: number
  /** (haSendHeartbeatInterval) */
  readonly heartbeatMs: number
  /** (haHousekeepingInterval) */
  readonly silenceMs: number
  /** (haMaxGapNotInSync) */
  readonly maxLagBytes: number
  /** Bytes that a follower is sent per second at the most (maxHaTransferByteInSecond). */
  readonly maxBytesPerSecond: number
  /** How many followers have to have what counts as replicated, 1 or more. */
  readonly enough: number
  /** Told whenever enough followers have more. */
  readonly onReplicated: (to: number) => void
  /** Told when a follower is gone: who waits for it may be told so. */
  readonly onLost?: () => void
}

/** One follower, as an operator sees it. */
export interface FollowerFigures {
  readonly address: string
  readonly ackedOffset: number
  /** Offset of the next byte to send. */
  readonly sentOffset: number
  readonly isNear: boolean
}

function eventOf(word: FollowerWord, peer: PeerId, atMs: number): LeaderEvent {
  switch (word.kind) {
    case 'report':
      return { kind: 'reported', peer, offset: word.offset, atMs }
    case 'greeting':
      return { kind: 'greeted', peer, atMs }
    case 'question':
      return { kind: 'asked', peer, from: word.from, to: word.to, atMs }
    case 'begin':
      return { kind: 'begun', peer, offset: word.offset, atMs }
  }
}

interface Connection {
  readonly stream: Stream
  readonly name: string
}

export class LeaderDriver {
  readonly #host: Host
  readonly #options: LeaderOptions
  readonly #leader: Leader
  readonly #connections = new Map<PeerId, Connection>()
  readonly #notices: Notices
  readonly #stopping = new AbortController()
  #lastPeer = 0
  #listener: Listener | undefined
  #ticking: Loop | undefined
  #following: Promise<void> | undefined

  constructor(host: Host, options: LeaderOptions) {
    this.#host = host
    this.#options = options
    this.#notices = new Notices(host.clock, host.logger)
    const { enough, heartbeatMs, log, maxBytesPerSecond, maxLagBytes, silenceMs } = options
    const times = { heartbeatMs, silenceMs, tickMs: TICK_MS }
    const sizes = { maxBytesPerSecond, maxLagBytes, stretchBytes: STRETCH_BYTES }
    const rules = { ...times, ...sizes, enough, segmentBytes: log.segmentBytes }
    this.#leader = new Leader(rules, log.minOffset, log.written.value)
  }

  /** Listens for followers. Rejects with `NetworkError` when the address cannot be listened on. */
  async start(): Promise<void> {
    const { clock, logger, network } = this.#host
    this.#listener = await network.listen(this.#options.address, (stream) => this.#accept(stream))
    this.#ticking = every(
      clock,
      TICK_MS,
      () => this.#step({ kind: 'ticked', atMs: clock.monotonicMs() }),
      (error) => logger.error('The watch over slaves failed.', { error }),
    )
    this.#following = this.#followLog()
  }

  /** Where it listens; a port 0 shows what it became. */
  get address(): Address | undefined {
    return this.#listener?.address
  }

  /** How many followers could have a message that is stored now soon. */
  get followersNear(): number {
    return this.#leader.followersNear
  }

  get followers(): readonly FollowerFigures[] {
    const figures: FollowerFigures[] = []
    for (const [peer, progress] of this.#leader.followers) {
      const { ackedOffset, nextOffset = 0 } = progress
      const address = this.#connections.get(peer)?.name ?? ''
      const isNear = this.#leader.isNear(progress)
      figures.push({ address, ackedOffset, sentOffset: nextOffset, isNear })
    }
    return figures
  }

  /** Takes no followers any more and closes the connections of those there are. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#listener?.close()
    await this.#ticking?.stop()
    await this.#following
    const open = [...this.#connections]
    this.#connections.clear()
    for (const [peer, { stream }] of open) {
      this.#leader.step({ kind: 'closed', peer })
      stream.end()
    }
  }

  async #followLog(): Promise<void> {
    const { log } = this.#options
    const { signal } = this.#stopping
    let endOffset = log.written.value
    while (await this.#hasGrown(endOffset + 1, signal)) {
      endOffset = log.written.value
      this.#step({ kind: 'grown', minOffset: log.minOffset, endOffset })
    }
  }

  /** A log that has failed grows no more. */
  async #hasGrown(point: number, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#options.log.written.reached(point, { signal })
    } catch {
      return false
    }
  }

  #accept(stream: Stream): void {
    const { clock, logger } = this.#host
    const name = formatAddress(stream.remote)
    if (this.#connections.size >= MAX_FOLLOWERS || this.#stopping.signal.aborted) {
      logger.warn('A slave was refused: there are too many.', { slave: name, limit: MAX_FOLLOWERS })
      return stream.destroy()
    }
    this.#lastPeer += 1
    const peer = this.#lastPeer
    const words = new WordReader()
    const hear = (word: FollowerWord): void => this.#step(eventOf(word, peer, clock.monotonicMs()))
    this.#connections.set(peer, { stream, name })
    this.#step({ kind: 'opened', peer, atMs: clock.monotonicMs() })
    logger.info('A slave has connected.', { slave: name })
    stream.attach({
      data: (chunk) => {
        if (!this.#connections.has(peer)) return
        try {
          words.push(chunk, hear)
        } catch (error) {
          if (!(error instanceof HaWireError)) throw error
          this.#drop(peer, error.message)
        }
      },
      drained: () => this.#step({ kind: 'drained', peer }),
      closed: (cause) => {
        if (!this.#connections.delete(peer)) return
        logger.info('A slave has gone.', { slave: name, error: cause })
        this.#step({ kind: 'closed', peer })
      },
    })
  }

  #step(event: LeaderEvent): void {
    for (const effect of this.#leader.step(event)) this.#do(effect)
    if (event.kind === 'closed') this.#options.onLost?.()
  }

  #do(effect: LeaderEffect): void {
    switch (effect.kind) {
      case 'ship':
        this.#ship(effect.peer, effect.from, effect.to)
        return
      case 'heartbeat':
        this.#connections.get(effect.peer)?.stream.write([encodeFrameHead(effect.offset, 0)])
        return
      case 'welcome': {
        const { endOffset, minOffset, peer } = effect
        const { segmentBytes } = this.#options.log
        return this.#write(peer, { kind: 'welcome', minOffset, endOffset, segmentBytes })
      }
      case 'sum':
        this.#tellSum(effect.peer, effect, effect.isThere)
        return
      case 'close':
        this.#close(effect.peer, effect.reason)
        return this.#options.onLost?.()
      case 'replicated':
        return this.#options.onReplicated(effect.to)
    }
  }

  #ship(peer: PeerId, from: number, to: number): void {
    const bytes = this.#options.log.read(from, to)
    if (!(bytes instanceof Promise)) return this.#send(peer, from, bytes)
    bytes.then(
      (cold) => this.#send(peer, from, cold),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        this.#drop(peer, `what it lacks cannot be read: ${reason}`)
      },
    )
  }

  #send(peer: PeerId, from: number, bytes: Buffer): void {
    const stream = this.#connections.get(peer)?.stream
    if (stream === undefined) return
    const { frameBytes } = this.#options
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length; at += frameBytes) {
      const frame = bytes.subarray(at, at + frameBytes)
      chunks.push(encodeFrameHead(from + at, frame.length), frame)
    }
    stream.write(chunks)
    const isFull = stream.bufferedBytes >= MAX_BUFFERED_BYTES
    const atMs = this.#host.clock.monotonicMs()
    this.#step({ kind: 'shipped', peer, to: from + bytes.length, isFull, atMs })
  }

  async #tellSum(peer: PeerId, { from, to }: Stretch, isThere: boolean): Promise<void> {
    const { log } = this.#options
    try {
      const sum = isThere ? await sumOf(log, { from, to }, this.#host.clock) : undefined
      this.#write(peer, { kind: 'sum', from, to, sum })
      this.#step({ kind: 'answered', peer })
    } catch (error) {
      this.#drop(peer, `what it asks for cannot be read: ${String(error)}`)
    }
  }

  #write(peer: PeerId, letter: LeaderLetter): void {
    this.#connections.get(peer)?.stream.write([encodeLetter(letter)])
  }

  #drop(peer: PeerId, reason: string): void {
    this.#close(peer, reason)
    this.#step({ kind: 'closed', peer })
  }

  #close(peer: PeerId, reason: string): void {
    const connection = this.#connections.get(peer)
    if (connection === undefined) return
    this.#connections.delete(peer)
    const { host: slave } = connection.stream.remote
    this.#notices.warn('The connection of a slave was closed.', { slave }, reason)
    connection.stream.destroy()
  }
}
