/**
 * Where each queue ended at the last checkpoint, so that a start knows which files of queues are
 * missing, short or damaged, instead of believing them, and which checksums their units have. Owns
 * the file `queueends`.
 *
 *   one part for each checkpoint, with the queues that had grown since the one before:
 *     sizeBytes i32, crc32 u32 of what follows, logOffset i64 of the checkpoint,
 *     then for each queue: endOffset i64 (-1: it was deleted), beginOffset i64, queueId i32,
 *     topic u16 + UTF-8, and of its checksums (`unit-sums.ts`) those that are new: fromOffset i64,
 *     oldestPage u32, firstPage u32, their number u32 and themselves u32
 *
 * The checkpoint says how many bytes of the file belong to it. When most of the file is out of date,
 * it is replaced by one part with all queues. Apache ignores it.
 */
import { crc32 } from 'node:zlib'
import { type Disk, readWholeFile, writeBytes } from '@rockhopper/host'
import { readInt64, writeInt64 } from '@rockhopper/protocol'
import { parentOf } from '../files/durable-folder.ts'
import { QUEUE_ENDS_SLACK_BYTES } from '../limits.ts'
import { mergeSums, NO_SUMS, type StoredSums } from './unit-sums.ts'

const SUM_AT = 4
const LOG_OFFSET_AT = 8
const HEAD_BYTES = 16
/** Without the topic and the sums. */
const ENTRY_BYTES = 42
const TOPIC_AT = 22
const SUM_BYTES = 4
const DELETED = -1

export interface QueueEnd {
  readonly topic: string
  readonly queueId: number
  /** Queue offset behind its last message; -1 when the queue was deleted. */
  readonly endOffset: number
  /** Queue offset of its first message; the log may have older ones that do not count any more. */
  readonly beginOffset: number
  /** Checksums of its units, in what is added only those that are new. */
  readonly sums: StoredSums
}

/** Where the messages of a queue begin and end, and the checksums of their units. */
export type QueueStretch = Pick<QueueEnd, 'beginOffset' | 'endOffset' | 'sums'>

export class QueueEnds {
  readonly #disk: Disk
  readonly #path: string
  readonly #topics = new Map<string, Map<number, QueueStretch>>()
  #fileBytes = 0
  #isComplete = false
  /** Whether the file has all that is known here. */
  #isSaved = false
  /** Deleted since the last part. */
  #deleted: QueueEnd[] = []

  /**
   * Reads what belongs to the last checkpoint: so many bytes of the file, undefined when that is not
   * known. Throws `DiskError`.
   */
  constructor(disk: Disk, path: string, fileBytes: number | undefined) {
    this.#disk = disk
    this.#path = path
    if (fileBytes !== undefined) this.#load(fileBytes)
  }

  /** Whether every queue that had messages at the checkpoint is known. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** What a queue had at the checkpoint; undefined when that was no message. */
  get(topic: string, queueId: number): QueueStretch | undefined {
    return this.#topics.get(topic)?.get(queueId)
  }

  *all(): Generator<QueueEnd> {
    for (const [topic, queues] of this.#topics) {
      for (const [queueId, stretch] of queues) yield { topic, queueId, ...stretch }
    }
  }

  /** Forgets a queue: it begins at 0 again. */
  delete(topic: string, queueId: number): void {
    if (this.get(topic, queueId) === undefined) return
    const end = { topic, queueId, endOffset: DELETED, beginOffset: 0, sums: NO_SUMS }
    this.#set(end)
    this.#deleted.push(end)
  }

  deleteTopic(topic: string): void {
    for (const queueId of [...(this.#topics.get(topic)?.keys() ?? [])]) this.delete(topic, queueId)
  }

  /** Makes durable what `ends` say for the checkpoint at `logOffset`, before that is written. */
  async add(logOffset: number, ends: readonly QueueEnd[]): Promise<void> {
    const changed = ends.filter(({ beginOffset, endOffset, queueId, sums, topic }) => {
      const known = this.get(topic, queueId)
      const isSame = known?.endOffset === endOffset && known.beginOffset === beginOffset
      return !isSame || sums.sums.length > 0
    })
    for (const end of changed) this.#set(end)
    const news = [...this.#deleted, ...changed]
    this.#deleted = []
    this.#isComplete = true
    if (!this.#isSaved) return this.#replace(logOffset)
    if (news.length === 0) return
    this.#isSaved = false
    const part = encodePart(logOffset, news)
    const file = this.#disk.open(this.#path, 'update')
    try {
      // What a crash left there must not be taken for a part behind this one.
      file.setLength(this.#fileBytes)
      writeBytes(file, part, this.#fileBytes)
      await file.syncData()
    } finally {
      file.close()
    }
    this.#fileBytes += part.length
    this.#isSaved = true
  }

  /** For the checkpoint: what of the file belongs to it. */
  get fileBytes(): number {
    return this.#fileBytes
  }

  /**
   * Shortens the file if it is worth it, after the checkpoint at `logOffset` was written, which then
   * has to be written once more.
   */
  async tidy(logOffset: number): Promise<boolean> {
    let neededBytes = HEAD_BYTES
    for (const end of this.all()) neededBytes += entryBytes(end, Buffer.byteLength(end.topic))
    if (this.#fileBytes <= 2 * neededBytes + QUEUE_ENDS_SLACK_BYTES) return false
    await this.#replace(logOffset)
    return true
  }

  /** All in one part, which takes the place of the file at once or not at all. */
  async #replace(logOffset: number): Promise<void> {
    const fresh = `${this.#path}.new`
    const part = encodePart(logOffset, [...this.all()])
    const file = this.#disk.open(fresh, 'create')
    try {
      file.setLength(0)
      writeBytes(file, part, 0)
      await file.syncData()
    } finally {
      file.close()
    }
    this.#disk.rename(fresh, this.#path)
    await this.#disk.syncDirectory(parentOf(this.#path))
    this.#fileBytes = part.length
    this.#isSaved = true
  }

  /** Believes all of it or nothing: with a part less queues would seem shorter than they are. */
  #load(fileBytes: number): void {
    const bytes = (readWholeFile(this.#disk, this.#path) ?? Buffer.alloc(0)).subarray(0, fileBytes)
    const ends: QueueEnd[] = []
    let at = 0
    for (let end = partEnd(bytes, at); end !== undefined; end = partEnd(bytes, at)) {
      ends.push(...decodePart(bytes.subarray(at, end)))
      at = end
    }
    if (at === 0 || at !== fileBytes) return
    for (const each of ends) this.#set(each)
    this.#fileBytes = fileBytes
    this.#isSaved = true
    this.#isComplete = true
  }

  #set({ beginOffset, endOffset, queueId, sums, topic }: QueueEnd): void {
    let queues = this.#topics.get(topic)
    if (queues === undefined) {
      queues = new Map()
      this.#topics.set(topic, queues)
    }
    if (endOffset === DELETED) queues.delete(queueId)
    else {
      const merged = mergeSums(queues.get(queueId)?.sums, sums)
      queues.set(queueId, { beginOffset, endOffset, sums: merged })
    }
    if (queues.size === 0) this.#topics.delete(topic)
  }
}

function encodePart(logOffset: number, ends: readonly QueueEnd[]): Buffer {
  const topics = ends.map(({ topic }) => Buffer.from(topic))
  const entries = ends.map((end, i) => entryBytes(end, topics[i]?.length ?? 0))
  const sizeBytes = entries.reduce((sum, each) => sum + each, HEAD_BYTES)
  const part = Buffer.alloc(sizeBytes)
  part.writeInt32BE(sizeBytes, 0)
  writeInt64(part, logOffset, LOG_OFFSET_AT)
  let at = HEAD_BYTES
  for (const [i, { beginOffset, endOffset, queueId, sums }] of ends.entries()) {
    const topic = topics[i] ?? Buffer.alloc(0)
    writeInt64(part, endOffset, at)
    writeInt64(part, beginOffset, at + 8)
    part.writeInt32BE(queueId, at + 16)
    part.writeUInt16BE(topic.length, at + 20)
    at += TOPIC_AT + topic.copy(part, at + TOPIC_AT)
    at = writeSums(part, at, sums)
  }
  part.writeUInt32BE(crc32(part.subarray(LOG_OFFSET_AT)), SUM_AT)
  return part
}

function entryBytes({ sums }: QueueEnd, topicBytes: number): number {
  return ENTRY_BYTES + topicBytes + sums.sums.length * SUM_BYTES
}

/** Returns the place behind them. */
function writeSums(
  part: Buffer,
  at: number,
  { firstPage, fromOffset, oldestPage, sums }: StoredSums,
): number {
  writeInt64(part, fromOffset, at)
  part.writeUInt32BE(oldestPage, at + 8)
  part.writeUInt32BE(firstPage, at + 12)
  let behind = part.writeUInt32BE(sums.length, at + 16)
  for (const sum of sums) behind = part.writeUInt32BE(sum, behind)
  return behind
}

/** Behind the sound part at `at`; undefined when there is none. */
function partEnd(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < HEAD_BYTES) return undefined
  const end = at + bytes.readInt32BE(at)
  if (end < at + HEAD_BYTES || end > bytes.length) return undefined
  const sum = crc32(bytes.subarray(at + LOG_OFFSET_AT, end))
  return sum === bytes.readUInt32BE(at + SUM_AT) ? end : undefined
}

function* decodePart(part: Buffer): Generator<QueueEnd> {
  for (let at = HEAD_BYTES; at < part.length; ) {
    const topicBytes = part.readUInt16BE(at + 20)
    const topic = part.toString('utf8', at + TOPIC_AT, at + TOPIC_AT + topicBytes)
    const stretch = { endOffset: readInt64(part, at), beginOffset: readInt64(part, at + 8) }
    const sums = readSums(part, at + TOPIC_AT + topicBytes)
    const end = { topic, queueId: part.readInt32BE(at + 16), ...stretch, sums }
    yield end
    at += entryBytes(end, topicBytes)
  }
}

function readSums(part: Buffer, at: number): StoredSums {
  const count = part.readUInt32BE(at + 16)
  const sums: number[] = []
  for (let i = 0; i < count; i++) sums.push(part.readUInt32BE(at + 20 + i * SUM_BYTES))
  const pages = { oldestPage: part.readUInt32BE(at + 8), firstPage: part.readUInt32BE(at + 12) }
  return { fromOffset: readInt64(part, at), ...pages, sums }
}
