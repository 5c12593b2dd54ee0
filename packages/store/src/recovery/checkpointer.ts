/**
 * Now and then saves the queues to their files, makes everything durable and says so in the
 * checkpoint: the next start looks only at what came after. Owns the offset of the last checkpoint.
 *
 * Much new log makes a checkpoint due early. Many queues are saved in a small part of the time, so
 * that senders hardly notice, unless somebody waits for it or very much log has come meanwhile.
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
import type { Failure } from '../failure.ts'
import type { KeyIndex } from '../keys/key-index.ts'
import {
  CHECKPOINT_INTERVAL_MS,
  CHECKPOINT_LOG_BYTES,
  CHECKPOINT_TICK_MS,
  HURRY_LOG_BYTES,
  LEAST_PAUSE_MS,
  SAVING_SHARE,
  SYNCS_AT_A_TIME,
} from '../limits.ts'
import type { CommitLog } from '../log/commit-log.ts'
import type { LogFlusher } from '../log/log-flusher.ts'
import type { Marks } from '../log/marks.ts'
import type { ConsumeQueue } from '../queues/consume-queue.ts'
import type { Dispatcher } from '../queues/dispatcher.ts'
import type { QueueEnd } from '../queues/queue-ends.ts'
import type { QueueTable } from '../queues/queue-table.ts'
import { type Checkpoint, type KeyIndexState, writeCheckpoint } from './checkpoint-file.ts'

interface CheckpointerParts {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly path: string
  readonly marks: Marks
  readonly log: CommitLog
  readonly queues: QueueTable
  readonly keyIndex: KeyIndex | undefined
  readonly dispatcher: Dispatcher
  readonly flusher: LogFlusher
  readonly failure: Failure
}

export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #loop: Loop
  #lastOffset: number
  #lastMs: number
  #lastDurationMs = 0
  /** The end of the last checkpoint that was begun: two never run at a time. */
  #current: Promise<unknown> = Promise.resolve()
  #warned = false
  #hasEnded = false
  /** Time that is to be left to others. */
  #owedMs = 0
  /** Ends the pauses of the checkpoint under way. */
  #hurry = new AbortController()

  constructor(parts: CheckpointerParts, lastOffset: number) {
    this.#parts = parts
    this.#lastOffset = lastOffset
    this.#lastMs = parts.clock.monotonicMs()
    const tick = (): Promise<void> => this.#tick()
    this.#loop = every(parts.clock, CHECKPOINT_TICK_MS, tick, parts.failure.report)
  }

  /**
   * Everything that is dispatched by now becomes durable. Rejects with what the disk said; false when
   * the store is closing, which makes a checkpoint at its end.
   */
  checkpoint(): Promise<boolean> {
    this.#hurry.abort()
    return this.#run('in a hurry')
  }

  /** Writes no checkpoint any more; resolves when the one under way has ended. */
  async end(): Promise<void> {
    this.#hasEnded = true
    await this.#current
  }

  #run(pace: 'in a hurry' | 'at leisure'): Promise<boolean> {
    if (this.#hasEnded) return Promise.resolve(false)
    const run = this.#current.then(() => this.#write(pace))
    this.#current = run.catch(() => false)
    return run
  }

  /** Offset of the last checkpoint: a start needs nothing of the log before it. */
  get offset(): number {
    return this.#lastOffset
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #tick(): Promise<void> {
    if (this.#parts.failure.error !== undefined) return
    try {
      if (!this.#isDue()) return
      await this.#run('at leisure')
      this.#warned = false
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'ENOSPC')) throw error
      this.#warnOnce(error)
    }
  }

  #isDue(): boolean {
    const { clock, keyIndex, marks } = this.#parts
    const bytes = marks.dispatched.value - this.#lastOffset
    const sinceMs = clock.monotonicMs() - this.#lastMs
    const isUrgent = bytes >= CHECKPOINT_LOG_BYTES || keyIndex?.isSavedAnew === true
    if (isUrgent) return sinceMs >= this.#lastDurationMs
    const hasNews = bytes > 0 || keyIndex?.hasNews === true
    return hasNews && sinceMs >= CHECKPOINT_INTERVAL_MS
  }

  async #write(pace: 'in a hurry' | 'at leisure'): Promise<boolean> {
    const { clock, disk, dispatcher, failure, flusher, log, marks, path, queues } = this.#parts
    const { keyIndex } = this.#parts
    const begunMs = clock.monotonicMs()
    const logOffset = marks.dispatched.value
    const dispatchedMs = dispatcher.storeTimestamp
    const { minOffset } = log
    const ends = this.#queueEnds()
    this.#hurry = new AbortController()
    if (pace === 'in a hurry') this.#hurry.abort()
    flusher.hurry()
    await this.#saveQueues(ends)
    await queues.ends.add(logOffset, endsOf(ends))
    this.#dropIdle(ends)
    let noted: Omit<Checkpoint, 'endsBytes'> & { readonly logOffset: number }
    try {
      await keyIndex?.sync()
      const durable = keyIndex?.durable
      const indexTimestamp = durable?.saved.endTimestamp ?? 0
      const storeTimestamp = Math.min(dispatchedMs, indexedMs(durable))
      // What is in the index by now is confirmed, but maybe not on the device.
      flusher.hurry()
      if (!(await marks.flushed.reached(marks.confirmed.value))) return false
      await log.syncNew()
      await log.sums.sync()
      // What another part of the store could not make durable is not to be called so.
      if (failure.error !== undefined) throw failure.error
      noted = { storeTimestamp, indexTimestamp, minOffset, logOffset, keyIndex: durable }
      await writeCheckpoint(disk, path, { ...noted, endsBytes: queues.ends.fileBytes })
      keyIndex?.removeForgotten()
    } catch (error) {
      failure.report(error)
      throw error
    }
    if (await queues.ends.tidy(logOffset)) {
      await writeCheckpoint(disk, path, { ...noted, endsBytes: queues.ends.fileBytes })
    }
    this.#lastOffset = logOffset
    this.#lastMs = clock.monotonicMs()
    this.#lastDurationMs = this.#lastMs - begunMs
    return true
  }

  /** Where the queues end that may have grown since the last checkpoint, of all if none was yet. */
  #queueEnds(): Map<ConsumeQueue, number> {
    const { queues } = this.#parts
    const changed = queues.ends.isComplete ? queues.live : queues.all()
    return new Map(Array.from(changed, (queue) => [queue, queue.end.value]))
  }

  /** Brings the queues that have grown to their files, and these to the device, a few at a time. */
  async #saveQueues(ends: ReadonlyMap<ConsumeQueue, number>): Promise<void> {
    const waiting = [...this.#parts.queues.live]
    const directories = new Set<string>()
    await sideBySide(waiting, async (queue) => {
      const tookMs = await this.#saveQueue(queue, ends.get(queue) ?? 0, directories)
      await this.#leaveTime(tookMs)
    })
    await sideBySide([...directories], (directory) => this.#syncDirectory(directory))
  }

  /** Queues that have nothing more to tell the next checkpoint than what this one was told. */
  #dropIdle(ends: ReadonlyMap<ConsumeQueue, number>): void {
    for (const [queue, end] of ends) {
      if (queue.isIdle && queue.end.value === end) this.#parts.queues.live.delete(queue)
    }
  }

  /**
   * Brings a queue to its file and the device as far as the checkpoint goes. Returns how long others
   * had to wait for it.
   */
  async #saveQueue(
    queue: ConsumeQueue,
    endOffset: number,
    directories: Set<string>,
  ): Promise<number> {
    const { clock, failure, log } = this.#parts
    const begunMs = clock.monotonicMs()
    queue.save(log.tail.startOffset, endOffset)
    const tookMs = clock.monotonicMs() - begunMs
    try {
      await queue.sync(directories)
    } catch (error) {
      failure.report(error)
      throw error
    }
    return tookMs
  }

  /** Saving takes its share of the time, and no more while nobody waits for it. */
  async #leaveTime(tookMs: number): Promise<void> {
    const { clock, marks } = this.#parts
    this.#owedMs += tookMs * SYNCS_AT_A_TIME * (1 / SAVING_SHARE - 1)
    const isFarBehind = marks.dispatched.value - this.#lastOffset > HURRY_LOG_BYTES
    if (isFarBehind || this.#hurry.signal.aborted) {
      this.#owedMs = 0
      await new Promise<void>((next) => clock.soon(next))
    } else if (this.#owedMs >= LEAST_PAUSE_MS) {
      const owedMs = this.#owedMs
      this.#owedMs = 0
      await pause(clock, owedMs, this.#hurry.signal)
    }
  }

  /** A folder may be gone with its topic meanwhile. */
  async #syncDirectory(directory: string): Promise<void> {
    const { disk, failure } = this.#parts
    try {
      if (disk.stat(directory) !== undefined) await disk.syncDirectory(directory)
    } catch (error) {
      failure.report(error)
      throw error
    }
  }

  /** The queues' files come from the log: that they cannot grow now harms nobody. */
  #warnOnce(error: DiskError): void {
    if (this.#warned) return
    this.#warned = true
    this.#parts.logger.warn('The queues cannot be saved, as their volume is full: make room.', {
      error,
    })
  }
}

/**
 * Up to which store time, in ms, the files of the key index know all keys. After a crash Apache goes
 * through the log from the time of the checkpoint on: keys of older messages it would never add.
 */
function indexedMs(durable: KeyIndexState | undefined): number {
  if (durable === undefined) return Number.POSITIVE_INFINITY
  const { header, saved } = durable
  const isWhole = saved.nextEntry === header.nextEntry
  return isWhole ? Number.POSITIVE_INFINITY : saved.endTimestamp
}

/** A queue whose topic was deleted meanwhile ends nowhere: a start would make it anew. */
function endsOf(ends: ReadonlyMap<ConsumeQueue, number>): QueueEnd[] {
  const left = [...ends].filter(([queue]) => !queue.isRemoved)
  return left.map(([queue, endOffset]) => {
    const { minOffset, queueId, topic } = queue
    return { topic, queueId, endOffset, beginOffset: minOffset, sums: queue.newSums(endOffset) }
  })
}

/** Does it for each, for a few at a time; after an error for no more, and rejects with it. */
async function sideBySide<T>(all: readonly T[], action: (each: T) => Promise<void>): Promise<void> {
  const waiting = [...all].reverse()
  const worker = async (): Promise<void> => {
    for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
      await action(each).catch((error: unknown) => {
        waiting.length = 0
        throw error
      })
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: SYNCS_AT_A_TIME }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
