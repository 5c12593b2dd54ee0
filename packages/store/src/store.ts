/**
 * A store as its broker sees it: one commit log and the queues derived from it, on one disk.
 * Owns the life of its parts; each of them does one thing.
 *
 *   append → tail of the log → writer → flusher → dispatcher → queues → readers
 */
import assert from 'node:assert/strict'
import { type Disk, DiskError, type DiskLock, type Logger } from '@rockhopper/host'
import type { QueueUnit, RecordView } from '@rockhopper/protocol'
import type { StoreConfig } from './config.ts'
import type { Failure } from './failure.ts'
import type { OpenFiles } from './files/open-files.ts'
import type { KeyIndexReader } from './keys/key-index-reader.ts'
import type { KeyIndexWriter } from './keys/key-index-writer.ts'
import type { Appender } from './log/appender.ts'
import type { CommitLog } from './log/commit-log.ts'
import type { LogCopy } from './log/log-copy.ts'
import type { LogFlusher } from './log/log-flusher.ts'
import type { LogPieces } from './log/log-pieces.ts'
import type { LogReader } from './log/log-reader.ts'
import type { LogWriter } from './log/log-writer.ts'
import type { Marks } from './log/marks.ts'
import type {
  AppendOutcome,
  BatchEntryToStore,
  BatchOutcome,
  BatchToStore,
  CopyOutcome,
  KeyAnswer,
  KeyQuery,
  MessageToStore,
  QueueBounds,
  ReadOutcome,
  ReadRequest,
  Rejected,
  ReplicaOutcome,
  Replicas,
  SettleOptions,
  SettleOutcome,
  StoreFigures,
  TimeBoundary,
} from './outcome.ts'
import type { QueueReader } from './queues/queue-reader.ts'
import type { QueuePlace, QueueTable } from './queues/queue-table.ts'
import { searchByTime } from './queues/time-search.ts'
import { unitsFrom } from './queues/unit-reader.ts'
import type { Readers } from './readers.ts'
import type { Checkpointer } from './recovery/checkpointer.ts'
import type { DiskUsage } from './retention/disk-usage.ts'
import { despiteRemovals } from './retention/removed-files.ts'
import type { Retention } from './retention/retention.ts'
import type { Watermark } from './watermark.ts'

/** What finds messages by their keys. */
export interface KeyLookup {
  readonly writer: KeyIndexWriter
  readonly reader: KeyIndexReader
  /** Ends when `confirmed` is closed and the index has all of it, or the store is closing. */
  readonly indexing: Promise<void> | undefined
}

/** What a store is made of; `open-store.ts` puts it together. */
export interface StoreParts {
  readonly config: StoreConfig
  readonly disk: Disk
  readonly logger: Logger
  readonly lock: DiskLock
  readonly files: OpenFiles
  readonly abortPath: string
  readonly powerFailed: boolean
  readonly marks: Marks
  readonly failure: Failure
  readonly log: CommitLog
  readonly queues: QueueTable
  readonly appender: Appender
  readonly copy: LogCopy
  readonly writer: LogWriter
  readonly flusher: LogFlusher
  readonly checkpointer: Checkpointer
  readonly logPieces: LogPieces
  readonly logReader: LogReader
  readonly queueReader: QueueReader
  readonly unitRepair: Readers['unitRepair']
  readonly walk: Readers['walk']
  /** Absent, as is `retention`, when nothing is to be removed. */
  readonly usage: DiskUsage | undefined
  readonly retention: Retention | undefined
  /** Absent when nothing is to be found by its key. */
  readonly lookup: KeyLookup | undefined
  /** Absent when nobody else need have a message before it is acknowledged. */
  readonly replicas: Replicas | undefined
  /** Ends when `written` is closed and flushed. */
  readonly flushing: Promise<void>
  /** Ends when `confirmed` is closed and dispatched. */
  readonly dispatching: Promise<void>
}

export class Store {
  readonly marks: Marks
  /** Resolves with the first error of the disk: the store takes nothing more, stop the process. */
  readonly failed: Promise<Error>
  /**
   * Whether the system stopped while the store was in use: the log may lack an end that was not
   * synced, though it had been read.
   */
  readonly powerFailed: boolean
  readonly #parts: StoreParts
  readonly #syncFlush: boolean
  #closing: Promise<void> | undefined
  /** Whether the last checkpoint is written. */
  #isClean = false
  /** Whether it takes no messages, but bytes of another log. */
  #isCopy: boolean

  constructor(parts: StoreParts) {
    this.#parts = parts
    this.#syncFlush = parts.config.flushDisk === 'sync'
    this.#isCopy = parts.config.isCopy === true
    this.marks = parts.marks
    this.failed = parts.failure.happened
    this.powerFailed = parts.powerFailed
  }

  /** Stores a message. It is as safe as configured once `settled` says so of its end offset. */
  append(message: MessageToStore): AppendOutcome {
    return this.#notWritable() ?? this.#parts.appender.append(message)
  }

  /** The same for messages of one queue that are stored all or not at all. */
  appendBatch(common: BatchToStore, entries: readonly BatchEntryToStore[]): BatchOutcome {
    return this.#notWritable() ?? this.#parts.appender.appendBatch(common, entries)
  }

  /** When what was appended up to `endOffset` is as safe as its sender may expect. */
  settled(endOffset: number, options: SettleOptions): SettleOutcome | Promise<SettleOutcome> {
    const local = this.#settledHere(endOffset, options)
    const { replicas } = this.#parts
    if (replicas === undefined || !options.waitForFlush) return local
    const elsewhere = replicas.settled(endOffset)
    return elsewhere === 'ok' ? local : settledBoth(local, elsewhere)
  }

  #settledHere(endOffset: number, options: SettleOptions): SettleOutcome | Promise<SettleOutcome> {
    const { written, flushed } = this.marks
    const reached =
      this.#syncFlush && options.waitForFlush
        ? flushed.reached(endOffset, {
            timeoutMs: options.timeoutMs ?? this.#parts.config.syncFlushTimeoutMs,
          })
        : written.reached(endOffset)
    return reached === true ? 'ok' : reached.then(settleOutcome, failedOutcome)
  }

  /**
   * Takes bytes that have this offset in the log that this one is a copy of, where the next ones
   * belong. Only a store that is configured as a copy takes them.
   */
  appendCopy(offset: number, bytes: Buffer): CopyOutcome {
    assert(this.#isCopy, 'a store with messages of its own copies no other')
    return this.#broken() ?? this.#parts.copy.append(offset, bytes)
  }

  /** From now on it takes messages of its own. */
  endCopy(): void {
    this.dropCopiedPart()
    this.#isCopy = false
  }

  /** Where the next bytes of the log belong that this one is a copy of. */
  get nextCopyOffset(): number {
    return this.#parts.copy.nextOffset
  }

  /** Forgets the record of which only a part has come; returns where the next bytes belong. */
  dropCopiedPart(): number {
    this.#parts.copy.dropPart()
    return this.#parts.copy.nextOffset
  }

  /** Whether the log has no record. */
  get isEmpty(): boolean {
    return this.#parts.log.isEmpty
  }

  /**
   * Bytes of the log from `from` on, one at the least and those before `to` at the most; both must be
   * written and lie in one segment. At once when they are in memory. Rejects when the disk fails or
   * lies.
   */
  logBytes(from: number, to: number): Buffer | Promise<Buffer> {
    const { files, logPieces } = this.#parts
    return despiteRemovals(files, () => logPieces.read(from, to))
  }

  /** Offset of the first byte that the log still has. */
  get minOffset(): number {
    return this.#parts.log.minOffset
  }

  /** Messages of a queue, at once when they are in memory. Rejects when the disk fails or lies. */
  read(request: ReadRequest): ReadOutcome | Promise<ReadOutcome> {
    const { files, queueReader } = this.#parts
    return despiteRemovals(files, () => queueReader.read(request))
  }

  /**
   * The visible units of a queue from an offset on, at the most `count`; none where it has none.
   * Rejects when the disk fails or lies.
   */
  async units(topic: string, queueId: number, from: number, count: number): Promise<QueueUnit[]> {
    const { files, queues, unitRepair } = this.#parts
    const queue = queues.find(topic, queueId)
    if (queue === undefined) return []
    return despiteRemovals(files, () => unitsFrom(queue, from, count, unitRepair))
  }

  /**
   * The records of the log from an offset on, where one begins, up to what is written by now. Throws
   * `CorruptionError` at the first that is not sound, and `DiskError`.
   */
  records(from: number): AsyncGenerator<RecordView> {
    const { log, walk } = this.#parts
    return walk(Math.max(from, log.minOffset), this.marks.written.value)
  }

  /** 0 and 0 when there is no such queue. */
  queueBounds(topic: string, queueId: number): QueueBounds {
    const queue = this.#parts.queues.find(topic, queueId)
    return { minOffset: queue?.minOffset ?? 0, maxOffset: queue?.end.value ?? 0 }
  }

  /** Up to where a queue can be read: who waits for its next message waits for this. */
  queueEnd(topic: string, queueId: number): Watermark {
    return this.#parts.queues.open(topic, queueId).end
  }

  /** The queue offset that belongs to a time; that of the oldest message at the least. */
  async offsetByTime(
    topic: string,
    queueId: number,
    timestampMs: number,
    boundary: TimeBoundary,
  ): Promise<number> {
    const { files, queueReader, queues } = this.#parts
    const queue = queues.find(topic, queueId)
    if (queue === undefined) return 0
    return despiteRemovals(files, () => searchByTime(queue, timestampMs, boundary, queueReader))
  }

  /** When the message at a queue offset was stored, ms since 1970; -1 when there is none. */
  async storeTimeOf(topic: string, queueId: number, queueOffset: number): Promise<number> {
    const { files, queueReader, queues } = this.#parts
    const queue = queues.find(topic, queueId)
    if (queue === undefined) return -1
    return despiteRemovals(files, () => queueReader.storeTimeOf(queue, queueOffset))
  }

  /** The record that begins at a log offset; undefined when none does. */
  messageAt(logOffset: number): Buffer | undefined | Promise<Buffer | undefined> {
    const { files, logReader } = this.#parts
    return despiteRemovals(files, () => logReader.recordAt(logOffset, this.marks.confirmed.value))
  }

  /**
   * The newest messages that have a key (the unique id of one, or a word of its keys), oldest first.
   * Rejects when the disk fails or lies.
   */
  async queryByKey(topic: string, key: string, query: KeyQuery): Promise<KeyAnswer> {
    const answer = await this.#parts.lookup?.reader.query(topic, key, query)
    return answer ?? { records: [], indexLastUpdateTimestamp: 0, indexLastUpdateOffset: 0 }
  }

  /** Forgets topics: their queues begin at 0 again. Their messages stay in the log until they age. */
  async deleteTopics(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    for (const topic of topics) this.#parts.queues.deleteTopic(topic)
    await this.#settleRemoval()
  }

  /** The same for one topic. */
  deleteTopic(topic: string): Promise<void> {
    return this.deleteTopics([topic])
  }

  /** Topics that have a queue, whether or not anybody still knows them. */
  topics(): readonly string[] {
    return [...this.#parts.queues.topics()]
  }

  /** Removes what has expired, now and in some runs to come, whatever the hour. */
  removeExpired(): void {
    this.#parts.retention?.removeExpired()
  }

  /**
   * Forgets the queues of which the log has no message any more, but not those of topics that are to
   * stay. They begin at 0 again. Returns which they were.
   */
  async removeExpiredQueues(isToStay: (topic: string) => boolean): Promise<QueuePlace[]> {
    const { log, queues } = this.#parts
    const removed: QueuePlace[] = []
    for (const place of queues.places()) {
      const queue = isToStay(place.topic) ? undefined : queues.find(place.topic, place.queueId)
      await queue?.forgetBefore(log.minOffset)
      if (queue?.isExpired !== true) continue
      queues.delete(queue)
      removed.push(place)
    }
    if (removed.length > 0) await this.#settleRemoval(new Set(removed.map(({ topic }) => topic)))
    return removed
  }

  runtime(): StoreFigures {
    const { disk, log } = this.#parts
    const space = disk.volumeSpace(log.directory)
    return {
      minOffset: log.minOffset,
      appendedOffset: log.endOffset,
      writtenOffset: this.marks.written.value,
      flushedOffset: this.marks.flushed.value,
      confirmedOffset: this.marks.confirmed.value,
      dispatchedOffset: this.marks.dispatched.value,
      totalDiskBytes: space.totalBytes,
      freeDiskBytes: space.freeBytes,
    }
  }

  /** Makes everything that can be read by now durable, so that the next start is quick. */
  async checkpoint(): Promise<void> {
    await this.#parts.checkpointer.checkpoint()
  }

  /** Takes nothing more, makes everything durable, ends all waits and lets go of the folder. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { checkpointer, dispatching, failure, files, flusher, flushing } = this.#parts
    const { lock, logger, lookup, queues, retention, writer } = this.#parts
    await retention?.stop()
    writer.write()
    this.marks.written.close()
    flusher.stopPausing()
    await checkpointer.stop()
    await flushing
    this.marks.flushed.close()
    await dispatching
    this.marks.dispatched.close()
    lookup?.writer.finish()
    await lookup?.indexing
    for (const queue of queues.all()) queue.end.close()
    try {
      if (failure.error === undefined) await this.#leaveClean()
    } catch (error) {
      logger.warn('The store could not be closed in order: the next start will take longer.', {
        error,
      })
    }
    // Another store may have the folder from here on.
    await checkpointer.end()
    files.closeAll()
    lock.release()
  }

  /** Makes the removal of queues durable, and the next start not look at what was before it. */
  async #settleRemoval(topics: Iterable<string> = []): Promise<void> {
    const { checkpointer, disk, log, queues } = this.#parts
    await this.marks.dispatched.reached(log.endOffset)
    for (const topic of topics) {
      const directory = `${queues.directory}/${topic}`
      if (disk.stat(directory) !== undefined) await disk.syncDirectory(directory)
    }
    await disk.syncDirectory(queues.directory)
    if (await checkpointer.checkpoint()) return
    // The store is closing: its last checkpoint tells of the removal.
    await this.#closing
    if (this.#isClean) return
    const { directory } = queues
    const sentence = 'The store was closed before the removal of queues was durable: do it again.'
    throw new DiskError('ESHUTDOWN', directory, sentence)
  }

  async #leaveClean(): Promise<void> {
    const { abortPath, checkpointer, config, disk, lookup } = this.#parts
    await checkpointer.checkpoint()
    this.#isClean = true
    // Apache's broker does not index what it finds after an orderly end.
    if (lookup !== undefined && !lookup.writer.hasAll) return
    disk.remove(abortPath)
    await disk.syncDirectory(config.rootDirectory)
  }

  #notWritable(): Rejected | undefined {
    const { replicas, usage } = this.#parts
    if (this.#isCopy) return ONLY_COPIES
    const reason = replicas?.refusal
    if (reason !== undefined) return { kind: 'too-few-replicas', reason }
    return this.#broken() ?? usage?.refusal
  }

  #broken(): Rejected | undefined {
    const { error } = this.#parts.failure
    if (error !== undefined) {
      const { message } = error
      const reason = `The store takes no messages since its disk failed: ${message}. Restart it.`
      return { kind: 'not-writable', reason }
    }
    if (this.#closing === undefined) return undefined
    return { kind: 'not-writable', reason: 'The store is closing: send to another broker.' }
  }
}

const ONLY_COPIES = {
  kind: 'not-writable',
  reason: 'This broker is a slave and takes no messages: send to its master, or to another one.',
} as const

/** What others lack counts before what the device lacks. Source: Apache class CommitLog. */
async function settledBoth(
  here: SettleOutcome | Promise<SettleOutcome>,
  elsewhere: ReplicaOutcome | Promise<ReplicaOutcome>,
): Promise<SettleOutcome> {
  const [own, others] = await Promise.all([here, elsewhere])
  return own === 'failed' || others === 'ok' ? own : others
}

function settleOutcome(reached: boolean): SettleOutcome {
  return reached ? 'ok' : 'flush-timeout'
}

function failedOutcome(): SettleOutcome {
  return 'failed'
}
