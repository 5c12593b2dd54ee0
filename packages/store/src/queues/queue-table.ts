/**
 * All queues by topic and number. Owns the map; a queue that only its files know is read when it is
 * first asked for.
 *
 *   consumequeue/<topic>/<queueId>/<segments>
 */
import { type Clock, type Disk, DiskError, type DiskFile } from '@rockhopper/host'
import { readUnit, UNIT_BYTES } from '@rockhopper/protocol'
import type { OpenFiles } from '../files/open-files.ts'
import { SegmentFolder, segmentName } from '../files/segment-folder.ts'
import { ConsumeQueue, isEnd, type LogBounds } from './consume-queue.ts'
import type { QueueEnds, QueueStretch } from './queue-ends.ts'
import { NO_SUMS } from './unit-sums.ts'

/** A queue without a message. */
export const NOTHING: QueueStretch = { beginOffset: 0, endOffset: 0, sums: NO_SUMS }

export interface QueuePlace {
  readonly topic: string
  readonly queueId: number
}

export class QueueTable {
  /** Queues with something in memory, or that the device lacks something of. */
  readonly live = new Set<ConsumeQueue>()
  readonly directory: string
  /** Where the queues ended at the last checkpoint. */
  readonly ends: QueueEnds
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #files: OpenFiles
  readonly #segmentBytes: number
  readonly #bounds: LogBounds
  #hasBegun = false
  readonly #topics = new Map<string, Map<number, ConsumeQueue>>()

  constructor(
    disk: Disk,
    clock: Clock,
    files: OpenFiles,
    options: { readonly directory: string; readonly segmentBytes: number },
    bounds: LogBounds,
    ends: QueueEnds,
  ) {
    this.#disk = disk
    this.#clock = clock
    this.#files = files
    this.directory = options.directory
    this.#segmentBytes = options.segmentBytes
    this.#bounds = bounds
    this.ends = ends
  }

  /** The start is over: files that turn out damaged are not begun anew. */
  begun(): void {
    this.#hasBegun = true
  }

  /** The queue if it was asked for before. */
  known(topic: string, queueId: number): ConsumeQueue | undefined {
    return this.#topics.get(topic)?.get(queueId)
  }

  /** The queue, unless nothing was ever stored or waited for in it. */
  find(topic: string, queueId: number): ConsumeQueue | undefined {
    const known = this.known(topic, queueId)
    if (known !== undefined || !isFolderName(topic)) return known
    const stat = this.#disk.stat(this.#directoryOf(topic, queueId))
    return stat?.kind === 'directory' ? this.#load(topic, queueId) : undefined
  }

  /** The queue, an empty one if there is none. The topic must be a folder name. */
  open(topic: string, queueId: number): ConsumeQueue {
    return this.known(topic, queueId) ?? this.#load(topic, queueId)
  }

  /** Reads all queues that have files. */
  loadAll(): void {
    for (const topic of this.#disk.list(this.directory)) {
      for (const queueId of this.#disk.list(`${this.directory}/${topic}`)) {
        if (isQueueId(queueId)) this.open(topic, Number(queueId))
      }
    }
  }

  /** Queues whose files do not go as far as they should; each is empty, and has to be filled. */
  findDamaged(): ConsumeQueue[] {
    const damaged: ConsumeQueue[] = []
    for (const { topic, queueId, ...stretch } of this.ends.all()) {
      if (this.known(topic, queueId) === undefined && this.#hasFiles(topic, queueId, stretch)) {
        continue
      }
      const queue = this.open(topic, queueId)
      if (queue.isDamaged) damaged.push(queue)
    }
    return damaged
  }

  /** Topics that have a queue, in files or in memory. */
  topics(): Set<string> {
    return new Set([...this.#disk.list(this.directory), ...this.#topics.keys()])
  }

  /** Every queue there is, in files or in memory. */
  *places(): Generator<QueuePlace> {
    for (const topic of this.topics()) {
      const known = this.#topics.get(topic)?.keys() ?? []
      const stored = this.#disk.list(`${this.directory}/${topic}`).filter(isQueueId).map(Number)
      for (const queueId of new Set([...known, ...stored])) yield { topic, queueId }
    }
  }

  /** Whether it is known, or has another file than the last, which is kept in any case. */
  mayHaveOldFiles({ topic, queueId }: QueuePlace): boolean {
    if (this.known(topic, queueId) !== undefined) return true
    return this.#disk.list(this.#directoryOf(topic, queueId)).length > 1
  }

  /** Every queue that was asked for so far. */
  *all(): Generator<ConsumeQueue> {
    for (const queues of this.#topics.values()) yield* queues.values()
  }

  /** Removes the queues of a topic and their files. */
  deleteTopic(topic: string): void {
    if (!isFolderName(topic)) return
    for (const queue of this.#topics.get(topic)?.values() ?? []) this.#remove(queue)
    this.#topics.delete(topic)
    this.ends.deleteTopic(topic)
    this.#disk.remove(`${this.directory}/${topic}`)
  }

  /** Removes a queue and its files. */
  delete(queue: ConsumeQueue): void {
    this.#remove(queue)
    this.#topics.get(queue.topic)?.delete(queue.queueId)
  }

  /** Puts an empty queue in the place of another. */
  replace(queue: ConsumeQueue): ConsumeQueue {
    this.#remove(queue)
    return this.#load(queue.topic, queue.queueId)
  }

  #remove(queue: ConsumeQueue): void {
    queue.remove()
    this.live.delete(queue)
    this.ends.delete(queue.topic, queue.queueId)
  }

  #load(topic: string, queueId: number): ConsumeQueue {
    if (!isFolderName(topic)) throw new RangeError(`topic "${topic}" cannot be a folder`)
    const folder = new SegmentFolder(
      this.#disk,
      this.#files,
      this.#directoryOf(topic, queueId),
      this.#segmentBytes,
    )
    const place = { topic, queueId, mayBeginAnew: !this.#hasBegun }
    const known = this.ends.isComplete ? (this.ends.get(topic, queueId) ?? NOTHING) : undefined
    const queue = new ConsumeQueue(this.#clock, folder, place, this.#bounds, known)
    const queues = this.#topics.get(topic)
    if (queues === undefined) this.#topics.set(topic, new Map([[queueId, queue]]))
    else queues.set(queueId, queue)
    if (!queue.isIdle) this.live.add(queue)
    return queue
  }

  /** Whether files begin and end where they should: opening many queues takes long. */
  #hasFiles(topic: string, queueId: number, { beginOffset, endOffset }: QueueStretch): boolean {
    if (endOffset === 0) return true
    const lastAt = (endOffset - 1) * UNIT_BYTES
    const start = lastAt - (lastAt % this.#segmentBytes)
    const directory = this.#directoryOf(topic, queueId)
    const firstAt = beginOffset * UNIT_BYTES
    const beginPath = `${directory}/${segmentName(firstAt - (firstAt % this.#segmentBytes))}`
    const isBegun = firstAt >= start || this.#bounds.mayBeginLater
    if (!isBegun && this.#disk.stat(beginPath) === undefined) return false
    const path = `${directory}/${segmentName(start)}`
    const unit = Buffer.alloc(UNIT_BYTES)
    let file: DiskFile
    try {
      file = this.#disk.open(path, 'read')
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return false
      throw error
    }
    try {
      if (file.readSync(unit, lastAt - start) !== UNIT_BYTES) return false
      return isEnd(readUnit(unit, 0), this.#bounds)
    } finally {
      file.close()
    }
  }

  #directoryOf(topic: string, queueId: number): string {
    return `${this.directory}/${topic}/${queueId}`
  }
}

function isQueueId(name: string): boolean {
  return /^\d+$/.test(name)
}

/** Whether a topic can be the name of a folder: what it may be else is for the broker to say. */
export function isFolderName(topic: string): boolean {
  return topic !== '' && topic !== '.' && topic !== '..' && !/[/\\\0]/.test(topic)
}
