/**
 * Now and then saves the queues to their files, makes everything durable and says so in the
 * checkpoint: the next start looks only at what came after. Owns the offset of the last checkpoint.
 *
 * Much new log makes a checkpoint due early, but half of the time belongs to others.
 */
import { type Clock, type Disk, DiskError, every, type Logger, type Loop } from '@rockhopper/host'
import { writeCheckpoint } from './checkpoint-file.ts'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Failure } from './failure.ts'
import type { KeyIndex } from './key-index.ts'
import {
  CHECKPOINT_INTERVAL_MS,
  CHECKPOINT_LOG_BYTES,
  CHECKPOINT_TICK_MS,
  QUEUES_PER_TURN,
  SYNCS_AT_A_TIME,
} from './limits.ts'
import type { LogFlusher } from './log-flusher.ts'
import type { Marks } from './marks.ts'
import type { QueueEnd } from './queue-ends.ts'
import type { QueueTable } from './queue-table.ts'

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
  #current: Promise<void> = Promise.resolve()
  #warned = false

  constructor(parts: CheckpointerParts, lastOffset: number) {
    this.#parts = parts
    this.#lastOffset = lastOffset
    this.#lastMs = parts.clock.monotonicMs()
    const tick = (): Promise<void> => this.#tick()
    this.#loop = every(parts.clock, CHECKPOINT_TICK_MS, tick, parts.failure.report)
  }

  /** Everything that is dispatched by now becomes durable. Rejects with what the disk said. */
  checkpoint(): Promise<void> {
    const run = this.#current.then(() => this.#write())
    this.#current = run.catch(() => {})
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
      await this.checkpoint()
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

  async #write(): Promise<void> {
    const { clock, disk, dispatcher, failure, flusher, log, marks, path, queues } = this.#parts
    const { keyIndex } = this.#parts
    const begunMs = clock.monotonicMs()
    const logOffset = marks.dispatched.value
    const { storeTimestamp } = dispatcher
    const ends = this.#queueEnds()
    flusher.hurry()
    await this.#save()
    await queues.ends.add(logOffset, ends)
    try {
      await this.#sync()
      await keyIndex?.sync()
      const durable = keyIndex?.durable
      const indexTimestamp = durable?.saved.endTimestamp ?? 0
      // What is in the index by now is confirmed, but maybe not on the device.
      flusher.hurry()
      if (!(await marks.flushed.reached(marks.confirmed.value))) return
      await log.sums.sync()
      const checkpoint = { storeTimestamp, logOffset, indexTimestamp, keyIndex: durable }
      await writeCheckpoint(disk, path, checkpoint)
      keyIndex?.removeForgotten()
    } catch (error) {
      failure.report(error)
      throw error
    }
    await queues.ends.tidy(logOffset)
    this.#lastOffset = logOffset
    this.#lastMs = clock.monotonicMs()
    this.#lastDurationMs = this.#lastMs - begunMs
  }

  /** Where the queues end that may have grown since the last checkpoint, of all if none was yet. */
  #queueEnds(): QueueEnd[] {
    const { queues } = this.#parts
    const changed = queues.ends.isComplete ? queues.live : queues.all()
    return Array.from(changed, ({ end, queueId, topic }) => {
      return { topic, queueId, endOffset: end.value }
    })
  }

  /** Writes the units that the files lack, some queues in each turn. */
  async #save(): Promise<void> {
    const { clock, log, queues } = this.#parts
    let count = 0
    for (const queue of [...queues.live]) {
      queue.save(log.tail.startOffset)
      if (queue.isIdle) queues.live.delete(queue)
      count += 1
      if (count % QUEUES_PER_TURN === 0) await new Promise<void>((next) => clock.soon(next))
    }
  }

  async #sync(): Promise<void> {
    const waiting: ConsumeQueue[] = [...this.#parts.queues.live]
    const worker = async (): Promise<void> => {
      for (let queue = waiting.pop(); queue !== undefined; queue = waiting.pop()) {
        await queue.sync()
      }
    }
    await Promise.all(Array.from({ length: SYNCS_AT_A_TIME }, worker))
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
