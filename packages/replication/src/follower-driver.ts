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
import type { Stretch } from './equal-prefix.ts'
import { Follower, type FollowerEffect, type FollowerEnds, type FollowerEvent } from './follower.ts'
import {
  encodeWord,
  type FollowerWord,
  FrameReader,
  HaWireError,
  type LeaderLetter,
} from './ha-wire.ts'
import type { Mark } from './leader-driver.ts'
import { CONNECT_TIMEOUT_MS, REFUSED_RETRY_MS, RETRY_MS, TICK_MS, WELCOME_MS } from './limits.ts'
import { Notices } from './notices.ts'
import { type ReadableLog, sumOf } from './stretch-sum.ts'

/** A record begins with its size. */
const RECORD_SIZE_BYTES = 4

/** The log that is a copy of the master's. */
export interface FollowerLog extends ReadableLog {
  /** Whether there is nothing yet: it may begin with any segment. */
  readonly isEmpty: boolean
  /** Where the next bytes belong. */
  readonly nextOffset: number
  /** Takes bytes that belong there, which are only lent; returns why not, if it does not. */
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
  /** Whether only a master is followed that lets itself be asked: one of ours. */
  readonly needsWelcome: boolean
  /** Bytes that may be cut off where the master's log goes on differently. */
  readonly maxCutBytes: number
  /**
   * Told once, at the most, that the log has to end at `to` or before to be like the master's. The
   * driver does nothing more then.
   */
  readonly onDiverged: (to: number, endOffset: number) => void
}

export class FollowerDriver {
  readonly #host: Host
  readonly #log: FollowerLog
  readonly #follower: Follower
  readonly #onDiverged: FollowerOptions['onDiverged']
  readonly #notices: Notices
  readonly #stopping = new AbortController()
  #stream: Stream | undefined
  /** Takes the sum that the master was asked for. */
  #answer: (sum: number | undefined) => void = () => {}
  /** Counts attempts to connect: what an earlier one comes to counts no more. */
  #attempt = 0
  #masterName = ''
  #ticking: Loop | undefined
  #reporting: Promise<void> | undefined

  constructor(host: Host, options: FollowerOptions) {
    const { heartbeatMs, log, maxCutBytes, needsWelcome, onDiverged, silenceMs } = options
    this.#host = host
    this.#log = log
    this.#onDiverged = onDiverged
    this.#notices = new Notices(host.clock, host.logger)
    const { segmentBytes } = log
    const pauses = { refusedRetryMs: REFUSED_RETRY_MS, retryMs: RETRY_MS, welcomeMs: WELCOME_MS }
    const rules = { heartbeatMs, maxCutBytes, needsWelcome, segmentBytes, silenceMs }
    this.#follower = new Follower({ ...pauses, ...rules }, log.safe.value)
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
      case 'greet':
        return this.#say({ kind: 'greeting' })
      case 'begin':
        this.#host.logger.info('This slave begins with an empty log.', {
          fromOffset: effect.offset,
        })
        return this.#say({ kind: 'begin', offset: effect.offset })
      case 'report':
        return this.#say({ kind: 'report', offset: effect.offset })
      case 'compare':
        this.#compare(effect)
        return
      case 'cut':
        this.#disconnect()
        return this.#onDiverged(effect.to, effect.endOffset)
      case 'close':
        this.#tell('The connection to the master was closed.', effect.reason)
        return this.#disconnect()
    }
  }

  #say(word: FollowerWord): void {
    this.#stream?.write([encodeWord(word)])
  }

  /** The own log is summed while the master sums its. */
  async #compare({ from, to }: Stretch): Promise<void> {
    const stream = this.#stream
    this.#say({ kind: 'question', from, to })
    try {
      const [own, its] = await Promise.all([
        sumOf(this.#log, { from, to }, this.#host.clock),
        new Promise<number | undefined>((resolve) => {
          this.#answer = resolve
        }),
      ])
      if (this.#stream !== stream) return
      this.#step({ kind: 'compared', isEqual: own === its, atMs: this.#nowMs })
    } catch (error) {
      if (this.#stream !== stream) return
      this.#step({ kind: 'refused', reason: String(error), atMs: this.#nowMs })
    }
  }

  #connect(address: Address): void {
    this.#attempt += 1
    const attempt = this.#attempt
    this.#masterName = formatAddress(address)
    this.#host.network.connect(address, CONNECT_TIMEOUT_MS, { lendsChunks: true }).then(
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
          this.#step({ kind: 'framed', offset, own: this.#ends, atMs: this.#nowMs })
          return this.#stream === stream
        },
        bytes: (offset, bytes) => {
          const reason = log.append(offset, bytes)
          if (reason !== undefined) this.#step({ kind: 'refused', reason, atMs: this.#nowMs })
          return this.#stream === stream
        },
        letter: (letter) => {
          this.#read(letter)
          return this.#stream === stream
        },
      })
    } catch (error) {
      if (!(error instanceof HaWireError)) throw error
      this.#step({ kind: 'refused', reason: error.message, atMs: this.#nowMs })
    }
  }

  #read(letter: LeaderLetter): void {
    if (letter.kind === 'sum') return this.#answer(letter.sum)
    this.#meet(letter)
  }

  async #meet(welcome: Extract<LeaderLetter, { kind: 'welcome' }>): Promise<void> {
    const stream = this.#stream
    const { endOffset, minOffset, segmentBytes } = welcome
    const own = this.#ends
    const its = { minOffset, endOffset, segmentBytes }
    try {
      const firstEndOffset = await this.#firstEnd(Math.max(minOffset, own.minOffset))
      if (this.#stream !== stream) return
      this.#step({ kind: 'welcomed', ...its, own, firstEndOffset, atMs: this.#nowMs })
    } catch (error) {
      if (this.#stream !== stream) return
      this.#step({ kind: 'refused', reason: String(error), atMs: this.#nowMs })
    }
  }

  /** Behind the record at `offset`, where a segment begins; far behind all if there is none. */
  async #firstEnd(offset: number): Promise<number> {
    const head = offset + RECORD_SIZE_BYTES
    if (head > this.#log.nextOffset) return Number.POSITIVE_INFINITY
    const bytes = await this.#log.read(offset, head)
    return offset + bytes.readInt32BE(0)
  }

  get #ends(): FollowerEnds {
    const { isEmpty, minOffset, nextOffset } = this.#log
    return { isEmpty, minOffset, endOffset: nextOffset }
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
    if (this.#stopping.signal.aborted) return
    this.#notices.warn(sentence, { master: this.#masterName }, reason)
  }
}
