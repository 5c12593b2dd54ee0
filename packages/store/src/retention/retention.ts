/**
 * Removes what is old: files of the commit log as the rules say, and behind them what was derived
 * from them. Owns the loop, and what an operator has asked for.
 *
 *   look at the volumes → oldest file of the log → … → its sums → key index → files of the queues
 *
 * The oldest goes first, the newest never, and nothing that a start would need. Each removal in a
 * folder is durable before the next, so that a loss of power leaves no gap. What a run that was cut
 * short has left, the next one removes. Source: `store-runtime.md` section 7.
 */
import {
  type Clock,
  type Disk,
  DiskError,
  every,
  type Logger,
  type Loop,
  pause,
} from '@rockhopper/host'
import type { RetentionConfig } from '../config.ts'
import { CorruptionError } from '../errors.ts'
import type { Failure } from '../failure.ts'
import type { SegmentFolder } from '../files/segment-folder.ts'
import type { KeyIndex } from '../keys/key-index.ts'
import { ASKED_RETENTION_RUNS, QUEUES_PER_TURN, RETENTION_PERIODS_BEFORE_FIRST } from '../limits.ts'
import type { LogSums } from '../log/log-sums.ts'
import type { QueuePlace, QueueTable } from '../queues/queue-table.ts'
import type { Checkpointer } from '../recovery/checkpointer.ts'
import type { DiskUsage } from './disk-usage.ts'
import { hourOf, type RemovalReason, removalReason } from './retention-rules.ts'

export interface RetentionParts {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly failure: Failure
  readonly config: RetentionConfig
  readonly usage: DiskUsage
  /** The files of the commit log. */
  readonly folder: SegmentFolder
  readonly sums: LogSums
  readonly queues: QueueTable
  readonly keyIndex: KeyIndex | undefined
  readonly checkpointer: Checkpointer
}

export class Retention {
  readonly #parts: RetentionParts
  readonly #loop: Loop
  readonly #stopping = new AbortController()
  /** Runs to come in which expired files are removed at any hour. */
  #askedRuns = 0
  /** What was derived from the log before this offset is removed. */
  #derivedOffset = 0
  /** Whether the disk refused something in this run, and since when nobody was told of it. */
  #hasFailed = false
  #hasWarned = false

  constructor(parts: RetentionParts) {
    const { clock, config } = parts
    this.#parts = parts
    this.#loop = every(
      clock,
      config.periodMs,
      () => this.#run(),
      (error) => this.#note(error),
      config.periodMs * RETENTION_PERIODS_BEFORE_FIRST,
    )
  }

  /** Removes what has expired, now and in some runs to come, whatever the hour. */
  removeExpired(): void {
    this.#askedRuns = ASKED_RETENTION_RUNS
    this.#loop.wake()
  }

  /** Ends the loop; resolves when a removal under way is finished. */
  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#loop.stop()
  }

  async #run(): Promise<void> {
    if (this.#parts.failure.error !== undefined) return
    this.#hasFailed = false
    await this.#removeFiles()
    await this.#removeDerived(this.#parts.folder.firstOffset ?? 0)
    this.#hasWarned = this.#hasFailed
  }

  /** Removes files of the log, as many as a run may; looks at the volume before each. */
  async #removeFiles(): Promise<void> {
    const { clock, config, usage } = this.#parts
    const isAsked = this.#askedRuns > 0
    if (isAsked) this.#askedRuns -= 1
    for (let count = 0; ; count++) {
      const usedPercent = usage.look()
      if (count >= config.maxFilesPerRun || this.#isStopping) return
      if (!(await this.#removeOldest(usedPercent, isAsked))) return
      await pause(clock, config.logPauseMs, this.#stopping.signal)
    }
  }

  /** Removes the oldest file of the log, if that is due and it may go. */
  async #removeOldest(usedPercent: number, isAsked: boolean): Promise<boolean> {
    const { disk, folder, logger } = this.#parts
    const [first, second] = folder.starts
    if (first === undefined || second === undefined) return false
    const path = folder.pathOf(first)
    const because = this.#reasonFor(disk.stat(path)?.modifiedMs ?? 0, usedPercent, isAsked)
    if (because === undefined || !(await this.#isNeededNoMore(second))) return false
    folder.removeFirst()
    await this.#settleNames()
    logger.info('A file of the commit log was removed.', { path, because, usedPercent })
    return true
  }

  /** What became of a removal whose sync failed nobody knows: nothing more may follow it. */
  async #settleNames(): Promise<void> {
    const { failure, folder } = this.#parts
    try {
      await folder.syncNames()
    } catch (error) {
      failure.report(error)
      throw error
    }
  }

  #reasonFor(modifiedMs: number, usedPercent: number, isAsked: boolean): RemovalReason | undefined {
    const { clock, config } = this.#parts
    const nowMs = clock.nowMs()
    const localHour = hourOf(nowMs, clock.utcOffsetMs(nowMs))
    return removalReason(config, { nowMs, localHour, usedPercent, isAsked }, modifiedMs)
  }

  /** Whether a start can do without the log before `offset`; a checkpoint is made if it helps. */
  async #isNeededNoMore(offset: number): Promise<boolean> {
    const { checkpointer } = this.#parts
    if (checkpointer.offset >= offset) return true
    try {
      await checkpointer.checkpoint()
    } catch (error) {
      this.#note(error)
    }
    return checkpointer.offset >= offset
  }

  /** Removes what only tells of what the log has no more. */
  async #removeDerived(logMinOffset: number): Promise<void> {
    if (logMinOffset <= this.#derivedOffset) return
    const { clock, config, keyIndex, queues, sums } = this.#parts
    sums.removeBefore(logMinOffset)
    keyIndex?.removeBefore(logMinOffset)
    let count = 0
    let isComplete = true
    for (const place of queues.places()) {
      if (this.#isStopping) return
      count += 1
      if (count % QUEUES_PER_TURN === 0) await new Promise<void>((next) => clock.soon(next))
      if (!queues.mayHaveOldFiles(place)) continue
      const outcome = await this.#trim(place, logMinOffset)
      if (outcome === 'removed') await pause(clock, config.queuePauseMs, this.#stopping.signal)
      if (outcome === 'failed') isComplete = false
    }
    if (isComplete) this.#derivedOffset = logMinOffset
  }

  async #trim(
    { topic, queueId }: QueuePlace,
    logMinOffset: number,
  ): Promise<'removed' | 'kept' | 'failed'> {
    try {
      const queue = this.#parts.queues.find(topic, queueId)
      const isRemoved = (await queue?.forgetBefore(logMinOffset)) ?? false
      return isRemoved ? 'removed' : 'kept'
    } catch (error) {
      this.#note(error)
      return 'failed'
    }
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  /** What the disk refuses is tried again with the next run. */
  #note(error: unknown): void {
    const isExpected = error instanceof DiskError || error instanceof CorruptionError
    if (!isExpected) return this.#parts.failure.report(error)
    this.#hasFailed = true
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#parts.logger.warn('Old files cannot be removed: the store tries again.', { error })
  }
}
