/**
 * Delivers delayed messages when they are due, each level by itself, and saves every so often how far
 * that is. Owns the loops of the levels and which state the file has.
 *
 * The file never tells of a copy that a crash can take away: it is written when the log is on the
 * device as far as the copies go that it tells of.
 */
import { type Clock, type Disk, every, type Logger, type Loop, pause } from '@rockhopper/host'
import { type DelayLevels, delayOf } from '@rockhopper/protocol'
import { type Store, writeJsonFile } from '@rockhopper/store'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'
import { catchUp } from './delivered-before.ts'
import { LevelDelivery } from './level-delivery.ts'
import type { TrafficCounters } from './traffic.ts'

/** Levels that Apache has: messages of one that is not configured any more are delivered, too. */
const USUAL_LEVELS = 18

/** Pause before it is tried again to find out what was delivered. */
const CATCH_UP_AGAIN_MS = 1_000

export interface DelayedDeliveryParts {
  readonly clock: Clock
  readonly disk: Disk
  readonly logger: Logger
  readonly store: Store
  readonly offsets: DelayOffsetTable
  readonly traffic: TrafficCounters
  readonly delays: DelayLevels
  /** How long messages stay in the log at the least. */
  readonly keptMs: number
  readonly path: string
  readonly savePeriodMs: number
}

export class DelayedDelivery {
  readonly #parts: DelayedDeliveryParts
  readonly #stopping = new AbortController()
  #levels: readonly LevelDelivery[] = []
  #running: Promise<void> | undefined
  #saving: Loop | undefined
  /** The end of the log that the file has. */
  #savedLogOffset: number | undefined
  #isFailing = false

  constructor(parts: DelayedDeliveryParts) {
    this.#parts = parts
  }

  start(): void {
    const { delays, keptMs, logger } = this.#parts
    const delayMs = Math.max(...delays)
    if (delayMs >= keptMs) {
      const sentence =
        'A level of delay is longer than messages are kept: its messages may be gone before they are ' +
        'due. Raise fileReservedTime.'
      logger.warn(sentence, { delayMs, keptMs })
    }
    this.#running = this.#run()
  }

  /** Delivers nothing more, and saves how far that was. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const level of this.#levels) level.stop()
    await this.#running
    if (this.#saving === undefined) return
    await this.#saving.stop()
    try {
      await this.#parts.store.checkpoint()
      await this.#save()
    } catch (error) {
      this.#noteFailure(error)
    }
  }

  async #run(): Promise<void> {
    const { clock, delays, offsets, savePeriodMs } = this.#parts
    const { signal } = this.#stopping
    const count = Math.max(USUAL_LEVELS, delays.length, ...offsets.levels)
    const levels = Array.from({ length: count }, (_, i) => i + 1)
    while (!(await this.#hasCaughtUp(levels))) await pause(clock, CATCH_UP_AGAIN_MS, signal)
    if (signal.aborted) return
    const noteFailure = (error: unknown): void => this.#noteFailure(error)
    this.#saving = every(clock, savePeriodMs, () => this.#save(), noteFailure)
    this.#levels = levels.map((level) => {
      return new LevelDelivery(level, delayOf(level, delays), this.#parts)
    })
    await Promise.all(this.#levels.map((level) => level.run()))
  }

  /** Whether there is no need to try again. */
  async #hasCaughtUp(levels: readonly number[]): Promise<boolean> {
    const { logger } = this.#parts
    const { signal } = this.#stopping
    try {
      await catchUp(levels, this.#parts, signal)
      return true
    } catch (error) {
      if (!this.#isFailing) {
        const sentence = 'No delayed message is delivered, as it cannot be read which of them were.'
        logger.error(sentence, { error })
      }
      this.#isFailing = true
      return signal.aborted
    }
  }

  async #save(): Promise<void> {
    const { disk, offsets, path, store } = this.#parts
    const logOffset = store.runtime().appendedOffset
    if (logOffset === this.#savedLogOffset) return
    const json = offsets.toJson(logOffset)
    if (!(await store.marks.flushed.reached(logOffset))) return
    await writeJsonFile(disk, path, json)
    this.#savedLogOffset = logOffset
    this.#isFailing = false
  }

  #noteFailure(error: unknown): void {
    if (this.#isFailing) return
    this.#isFailing = true
    const { logger, path } = this.#parts
    logger.error('A table cannot be saved; the broker tries again.', { path, error })
  }
}
