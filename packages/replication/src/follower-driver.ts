/**
 * Does what the follower machine says: connects to the master, gives the bytes that come to the log,
 * and reports how far that is. It decides nothing. Owns the stream to the master.
 */
import {
  type Address,
  every,
  formatAddress,
  type Host,
  type Loop,
  type Stream,
} from '@rockhopper/host'
import { Follower, type FollowerEffect, type FollowerEvent } from './follower.ts'
import { encodeReport, FrameReader, HaWireError } from './ha-wire.ts'
import type { Mark } from './leader-driver.ts'
import { CONNECT_TIMEOUT_MS, RETRY_MS, TELL_AGAIN_MS, TICK_MS } from './limits.ts'

/** The log that is a copy of the master's. */
export interface FollowerLog {
  /** Whether there is nothing yet: it may begin with any segment. */
  readonly isEmpty: boolean
  /** Where the next bytes belong. */
  readonly nextOffset: number
  /** Takes bytes that belong there; returns why not, if it does not. */
  append(offset: number, bytes: Buffer): string | undefined
  /** Forgets the record of which only a part has come. */
  dropPart(): void
  /** Up to where it is as safe as the slave promises. */
  readonly safe: Mark
}

export interface FollowerOptions {
  readonly log: FollowerLog
  /** (haSendHeartbeatInterval) */
  readonly heartbeatMs: number
  /** (haHousekeepingInterval) */
  readonly silenceMs: number
}

export class FollowerDriver {
  readonly #host: Host
  readonly #log: FollowerLog
  readonly #follower: Follower
  readonly #stopping = new AbortController()
  #stream: Stream | undefined
  /** Counts attempts to connect: what an earlier one comes to counts no more. */
  #attempt = 0
  #masterName = ''
  #ticking: Loop | undefined
  #reporting: Promise<void> | undefined
  /** The same trouble is not told of all the time. */
  #told = ''
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(host: Host, { heartbeatMs, log, silenceMs }: FollowerOptions) {
    this.#host = host
    this.#log = log
    this.#follower = new Follower({ heartbeatMs, silenceMs, retryMs: RETRY_MS }, log.safe.value)
  }

  start(): void {
    const { clock, logger } = this.#host
    this.#ticking = every(
      clock,
      TICK_MS,
      () => this.#step({ kind: 'ticked', atMs: this.#nowMs }),
      (error) => logger.error('The watch over the master failed.', { error }),
    )
    this.#reporting = this.#report()
  }

  /** Where the master takes slaves; undefined when nobody knows. */
  follow(address: Address | undefined): void {
    this.#step({ kind: 'addressed', address, atMs: this.#nowMs })
  }

  /** Whether the log comes from the master at present. */
  get isFollowing(): boolean {
    return this.#follower.isFollowing
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#ticking?.stop()
    this.follow(undefined)
    await this.#reporting
  }

  get #nowMs(): number {
    return this.#host.clock.monotonicMs()
  }

  /** Tells the master of what is safe, as soon as it is. */
  async #report(): Promise<void> {
    const { safe } = this.#log
    const { signal } = this.#stopping
    let reported = safe.value
    try {
      while (await safe.reached(reported + 1, { signal })) {
        reported = safe.value
        this.#step({ kind: 'safe', to: reported, atMs: this.#nowMs })
      }
    } catch (error) {
      // The log has failed, and who owns it was told.
      this.#step({ kind: 'refused', reason: String(error), atMs: this.#nowMs })
    }
  }

  #step(event: FollowerEvent): void {
    for (const effect of this.#follower.step(event)) this.#do(effect)
  }

  #do(effect: FollowerEffect): void {
    switch (effect.kind) {
      case 'connect':
        this.#connect(effect.address)
        return
      case 'report':
        this.#stream?.write([encodeReport(effect.offset)])
        return
      case 'close':
        this.#tell('The connection to the master was closed.', effect.reason)
        return this.#disconnect()
    }
  }

  #connect(address: Address): void {
    this.#attempt += 1
    const attempt = this.#attempt
    this.#masterName = formatAddress(address)
    this.#host.network.connect(address, CONNECT_TIMEOUT_MS).then(
      (stream) => {
        if (attempt === this.#attempt && !this.#stopping.signal.aborted) this.#begin(stream)
        else stream.destroy()
      },
      (error: unknown) => {
        if (attempt === this.#attempt) this.#end(error instanceof Error ? error.message : '')
      },
    )
  }

  /** What is on its way to the device belongs to what the first report tells. */
  async #begin(stream: Stream): Promise<void> {
    this.#log.dropPart()
    this.#stream = stream
    const frames = new FrameReader()
    stream.attach({
      data: (chunk) => {
        if (this.#stream === stream) this.#take(stream, frames, chunk)
      },
      drained: () => {},
      closed: (cause) => {
        if (this.#stream === stream) this.#end(cause?.message ?? 'the master closed it')
      },
    })
    const isSafe = await this.#isSafe(this.#log.nextOffset)
    if (!isSafe || this.#stream !== stream) return
    this.#host.logger.info('This slave follows its master.', {
      master: this.#masterName,
      fromOffset: this.#log.nextOffset,
    })
    this.#step({ kind: 'connected', atMs: this.#nowMs })
  }

  async #isSafe(offset: number): Promise<boolean> {
    try {
      return await this.#log.safe.reached(offset, { signal: this.#stopping.signal })
    } catch {
      return false
    }
  }

  #take(stream: Stream, frames: FrameReader, chunk: Buffer): void {
    const log = this.#log
    try {
      frames.push(chunk, {
        begin: (offset) => {
          const { isEmpty, nextOffset: endOffset } = log
          this.#step({ kind: 'framed', offset, endOffset, isEmpty, atMs: this.#nowMs })
          return this.#stream === stream
        },
        bytes: (offset, bytes) => {
          const reason = log.append(offset, bytes)
          if (reason !== undefined) this.#step({ kind: 'refused', reason, atMs: this.#nowMs })
          return this.#stream === stream
        },
      })
    } catch (error) {
      if (!(error instanceof HaWireError)) throw error
      this.#step({ kind: 'refused', reason: error.message, atMs: this.#nowMs })
    }
  }

  #end(reason: string): void {
    this.#disconnect()
    this.#tell('There is no connection to the master; the slave tries again every second.', reason)
    this.#step({ kind: 'closed', atMs: this.#nowMs })
  }

  #disconnect(): void {
    this.#attempt += 1
    const stream = this.#stream
    this.#stream = undefined
    stream?.destroy()
    this.#log.dropPart()
  }

  #tell(sentence: string, reason: string): void {
    const isSame = reason === this.#told && this.#nowMs - this.#toldMs < TELL_AGAIN_MS
    if (isSame || this.#stopping.signal.aborted) return
    this.#told = reason
    this.#toldMs = this.#nowMs
    this.#host.logger.warn(sentence, { master: this.#masterName, reason })
  }
}
