/**
 * Keeps stretches of the log's files in memory, so that who reads on, or behind another, finds them
 * there. Owns the windows, of which the one unused for the longest time is forgotten first.
 *
 *   a few reads in a window     only the pages that are asked for are read, and not kept
 *   more of them                the window is read whole and kept
 *   one window after another    those that follow are read ahead
 *
 * All readers share the windows, whatever queues they read.
 */
import {
  COLD_PIECE_BYTES,
  COLD_WINDOW_BYTES,
  MAX_COLD_WINDOWS,
  MAX_TOUCHED_WINDOWS,
  MAX_WINDOWS_AHEAD,
  PIECES_PER_WINDOW,
  READ_AHEAD_WINDOWS,
} from '../limits.ts'
import type { LogPages } from './log-pages.ts'
import type { LogStretch } from './log-stretch.ts'
import type { LogTail } from './log-tail.ts'

/** Bytes of the log, of one segment. */
interface LogRange {
  readonly from: number
  readonly to: number
}

interface Window {
  readonly stretch: LogStretch
  /** How many windows right before it were kept when it was read. */
  readonly run: number
  /** Whether somebody asked for it; until then it was only read ahead. */
  isUsed: boolean
}

type Soon<T> = T | Promise<T>

export class LogWindows {
  readonly #pages: LogPages
  readonly #tail: LogTail
  /** By the log offset of the first byte; the one used last at the end. */
  readonly #held = new Map<number, Window>()
  readonly #loading = new Map<number, Promise<Window>>()
  /** How much was read in pieces of windows that are not kept; the one read last at the end. */
  readonly #touched = new Map<number, number>()
  /** Windows that are read or kept and that nobody has asked for yet. */
  #aheadCount = 0

  constructor(pages: LogPages, tail: LogTail) {
    this.#pages = pages
    this.#tail = tail
  }

  /** Offset behind the window that has the byte at `offset`; each lies within one segment. */
  windowEnd(offset: number): number {
    return Math.min(this.#startOf(offset) + COLD_WINDOW_BYTES, this.#pages.segmentEnd(offset))
  }

  /**
   * Stretches with at least these bytes, all of which are written: at once where they are in memory.
   * The others reject with `DiskError`, and with `CorruptionError` when a file is too short.
   */
  read(ranges: readonly LogRange[]): Soon<LogStretch>[] {
    for (const range of ranges) this.#touch(range)
    return ranges.map((range) => this.#stretch(range))
  }

  /** Something in these bytes is not right: who asks for them gets what the file has by then. */
  drop(from: number, to: number): void {
    for (const offset of [from, to - 1]) this.#forget(this.#startOf(offset))
  }

  #stretch(range: LogRange): Soon<LogStretch> {
    const { from, to } = range
    const border = this.windowEnd(from)
    const first = this.#within(from, Math.min(to, border))
    if (first !== undefined && to <= border) return first
    const isNext = first !== undefined && to <= this.windowEnd(border)
    const second = isNext ? this.#within(border, to) : undefined
    if (first === undefined || second === undefined) {
      if (first instanceof Promise) first.catch(() => {})
      return this.#pages.read(from, to)
    }
    if (!(first instanceof Promise || second instanceof Promise))
      return first.join(second, from, to)
    return Promise.all([first, second]).then(([one, two]) => one.join(two, from, to))
  }

  /** From the window that has these bytes; undefined when it is not worth to be read whole. */
  #within(from: number, to: number): Soon<LogStretch> | undefined {
    const start = this.#startOf(from)
    const held = this.#held.get(start)
    if (held !== undefined && held.stretch.endOffset >= to) return this.#use(start, held)
    const loading = this.#loading.get(start)
    if (loading !== undefined) return this.#take(loading, from, to)
    return this.#isWorth(start) ? this.#take(this.#load(start), from, to) : undefined
  }

  async #take(loading: Promise<Window>, from: number, to: number): Promise<LogStretch> {
    // What ails another part of the window is nothing to this one.
    const window = await loading.catch(() => undefined)
    if (window === undefined || window.stretch.endOffset < to) return this.#pages.read(from, to)
    return this.#use(this.#startOf(from), window)
  }

  #use(start: number, window: Window): LogStretch {
    if (this.#held.delete(start)) this.#held.set(start, window)
    if (!window.isUsed) {
      window.isUsed = true
      this.#aheadCount -= 1
      this.#readAhead(window)
    }
    return window.stretch
  }

  /** The longer windows were read one after another, the more of those that follow. */
  #readAhead({ run, stretch }: Window): void {
    let start = this.windowEnd(stretch.startOffset)
    for (let i = 0; i < Math.min(run + 1, READ_AHEAD_WINDOWS); i++) {
      if (start >= this.#tail.startOffset || this.#aheadCount >= MAX_WINDOWS_AHEAD) return
      // Whoever asks for these bytes meets the error.
      if (!this.#isKnown(start)) this.#load(start).catch(() => {})
      start = this.windowEnd(start)
    }
  }

  #load(start: number): Promise<Window> {
    this.#forget(start)
    this.#touched.delete(start)
    const loading = this.#readWhole(start, this.#runBefore(start))
    this.#loading.set(start, loading)
    return loading
  }

  async #readWhole(start: number, run: number): Promise<Window> {
    this.#aheadCount += 1
    try {
      const stretch = await this.#pages.read(start, this.windowEnd(start))
      if (stretch.isDamaged) throw new Error('a window with damage is not kept')
      return this.#hold(start, { stretch, run, isUsed: false })
    } catch (error) {
      this.#aheadCount -= 1
      throw error
    } finally {
      this.#loading.delete(start)
    }
  }

  #hold(start: number, window: Window): Window {
    this.#held.set(start, window)
    const [oldest] = this.#held.keys()
    if (this.#held.size > MAX_COLD_WINDOWS && oldest !== undefined) this.#forget(oldest)
    return window
  }

  #forget(start: number): void {
    const window = this.#held.get(start)
    if (window === undefined) return
    this.#held.delete(start)
    if (window.isUsed) return
    window.isUsed = true
    this.#aheadCount -= 1
  }

  #touch({ from, to }: LogRange): void {
    const start = this.#startOf(from)
    if (this.#isKnown(start)) return
    const pieces = 1 + Math.floor((to - from) / COLD_PIECE_BYTES)
    const sum = (this.#touched.get(start) ?? 0) + pieces
    this.#touched.delete(start)
    this.#touched.set(start, sum)
    const [oldest] = this.#touched.keys()
    if (this.#touched.size > MAX_TOUCHED_WINDOWS && oldest !== undefined) {
      this.#touched.delete(oldest)
    }
  }

  /** Who comes from the window before reads on, and who reads many pieces wants them all. */
  #isWorth(start: number): boolean {
    return (
      (this.#touched.get(start) ?? 0) >= PIECES_PER_WINDOW ||
      this.#held.get(this.#startOf(start - 1))?.isUsed === true
    )
  }

  #runBefore(start: number): number {
    const before = this.#startOf(start - 1)
    if (this.#loading.has(before)) return 1
    const run = this.#held.get(before)?.run
    return run === undefined ? 0 : run + 1
  }

  #isKnown(start: number): boolean {
    return this.#held.has(start) || this.#loading.has(start)
  }

  #startOf(offset: number): number {
    return offset - (this.#pages.atInSegment(offset) % COLD_WINDOW_BYTES)
  }
}
