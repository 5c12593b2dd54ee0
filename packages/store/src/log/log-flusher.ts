/**
 * Makes the written log durable. Owns the mark `flushed`.
 *
 * Synchronous flush is group commit: a sync takes everything written before it began, and those who
 * come during it wait for the next: the more there are, the more share one. Asynchronous flush
 * pauses before each sync.
 * Source: Apache classes GroupCommitService, FlushRealTimeService; `store-runtime.md` section 4.
 */
import { type Clock, pause } from '@rockhopper/host'
import type { StoreConfig } from '../config.ts'
import { FLUSH_THOROUGH_MS } from '../limits.ts'
import type { CommitLog } from './commit-log.ts'
import type { Marks } from './marks.ts'

const PAGE_BYTES = 4096

/** When asynchronous flush syncs. */
interface FlushPolicy {
  /** How long it pauses. */
  readonly pauseMs: number
  /** Pages without which it pauses again, unless they end a segment. */
  readonly leastPages: number
  /** Time since the last sync from which on it pauses no more, however few pages there are. */
  readonly thoroughMs: number
  /** Whether so many pages end a pause. */
  readonly isEager: boolean
}

/** Undefined for group commit. */
export function flushPolicyOf(config: StoreConfig): FlushPolicy | undefined {
  if (config.flushDisk === 'sync') return undefined
  return {
    pauseMs: config.flushIntervalMs,
    leastPages: config.flushLeastPages ?? 0,
    thoroughMs: config.flushThoroughMs ?? FLUSH_THOROUGH_MS,
    isEager: config.flushesAtOnce ?? false,
  }
}

export class LogFlusher {
  readonly #log: CommitLog
  readonly #marks: Marks
  readonly #clock: Clock
  readonly #policy: FlushPolicy | undefined
  /** Ends the pause that is under way. */
  #pause = new AbortController()
  /** Whether somebody waits for the next sync. */
  #hurried = false
  #stopping = false
  #syncedMs: number

  constructor(log: CommitLog, marks: Marks, clock: Clock, policy: FlushPolicy | undefined) {
    this.#log = log
    this.#marks = marks
    this.#clock = clock
    this.#policy = policy
    this.#syncedMs = clock.monotonicMs()
  }

  /** Ends, with everything flushed, after `written` was closed. Rejects when a sync fails. */
  async run(): Promise<void> {
    const { written, flushed } = this.#marks
    while (await written.reached(flushed.value + 1)) {
      if (this.#policy !== undefined) await this.#rest(this.#policy)
      const end = written.value
      await this.#log.sync(flushed.value, end)
      flushed.advance(end)
      this.#syncedMs = this.#clock.monotonicMs()
    }
  }

  /** Lets `run` sync what is written by now without a pause. */
  hurry(): void {
    this.#hurried = this.#marks.written.value > this.#marks.flushed.value
    this.#pause.abort()
  }

  /** Lets `run` go on without pauses from now on. */
  stopPausing(): void {
    this.#stopping = true
    this.hurry()
  }

  /** Returns when the next sync is due. */
  async #rest(policy: FlushPolicy): Promise<void> {
    while (!this.#stopping && !this.#hurried) {
      await this.#pauseOnce(policy)
      if (this.#isDue(policy)) break
    }
    this.#hurried = false
  }

  async #pauseOnce({ isEager, leastPages, pauseMs }: FlushPolicy): Promise<void> {
    this.#pause = new AbortController()
    const { signal } = this.#pause
    if (!isEager) return pause(this.#clock, pauseMs, signal)
    const { flushed, written } = this.#marks
    const point = Math.max(flushed.value + 1, (pageOf(flushed.value) + leastPages) * PAGE_BYTES)
    await written.reached(point, { timeoutMs: pauseMs, signal })
  }

  #isDue({ leastPages, thoroughMs }: FlushPolicy): boolean {
    const flushed = this.#marks.flushed.value
    const written = this.#marks.written.value
    return (
      pageOf(written) - pageOf(flushed) >= leastPages ||
      written >= this.#log.segmentEnd(flushed) ||
      this.#clock.monotonicMs() - this.#syncedMs >= thoroughMs
    )
  }
}

function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_BYTES)
}
