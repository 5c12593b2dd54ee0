/**
 * Takes messages in: gives each its place in the log and in its queue, and encodes it right there.
 * All of it happens without a pause, so that what was checked is still so when the place is given.
 * Owns the time that the messages of a turn bear: it is asked for once.
 * Source: Apache classes CommitLog, MessageExtEncoder; `store-runtime.md` section 1.
 */
import type { Clock } from '@rockhopper/host'
import {
  isQueued,
  MAX_PROPERTIES_BYTES,
  propertiesBytes,
  type RecordContent,
  type RecordPlace,
  recordBytes,
  withCrcPlace,
  writeCrcProperty,
  writeRecord,
} from '@rockhopper/protocol'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { Dispatcher } from './dispatcher.ts'
import { MAX_TOPIC_BYTES } from './limits.ts'
import type { TailChunk } from './log-tail.ts'
import type { LogWriter } from './log-writer.ts'
import type {
  AppendOutcome,
  BatchEntryToStore,
  BatchOutcome,
  BatchToStore,
  MessageToStore,
  Rejected,
} from './outcome.ts'
import { isFolderName, type QueueTable } from './queue-table.ts'

interface AppenderParts {
  readonly clock: Clock
  readonly log: CommitLog
  readonly queues: QueueTable
  readonly dispatcher: Dispatcher
  readonly writer: LogWriter
  readonly maxMessageBytes: number
  readonly appendWholeCrc: boolean
}

/** Behind the last queue that an int32 can name. */
const QUEUE_ID_LIMIT = 2 ** 31

export class Appender {
  readonly #clock: Clock
  readonly #log: CommitLog
  readonly #queues: QueueTable
  readonly #dispatcher: Dispatcher
  readonly #writer: LogWriter
  readonly #maxMessageBytes: number
  readonly #appendWholeCrc: boolean
  #turnTimestamp = 0

  constructor(parts: AppenderParts) {
    this.#clock = parts.clock
    this.#log = parts.log
    this.#queues = parts.queues
    this.#dispatcher = parts.dispatcher
    this.#writer = parts.writer
    this.#maxMessageBytes = parts.maxMessageBytes
    this.#appendWholeCrc = parts.appendWholeCrc
  }

  append(message: MessageToStore): AppendOutcome {
    const queue = this.#queueOf(message.topic, message.queueId)
    if ('reason' in queue) return queue
    const content = this.#contentOf(message, message, queue)
    const sizeBytes = recordBytes(content)
    const problem = this.#problemOf(content) ?? this.#tooLarge(sizeBytes)
    if (problem !== undefined) return problem
    const chunk = this.#log.place(sizeBytes)
    if ('reason' in chunk) return chunk
    const place = {
      queueOffset: isQueued(content.sysFlag) ? queue.nextOffset : 0,
      logOffset: this.#log.endOffset,
      storeTimestamp: this.#now(),
    }
    this.#write(chunk, sizeBytes, content, place)
    this.#take(queue, sizeBytes, content.sysFlag, message.tagsCode, place.storeTimestamp)
    this.#writer.wake()
    return {
      kind: 'appended',
      logOffset: place.logOffset,
      queueOffset: place.queueOffset,
      endOffset: place.logOffset + sizeBytes,
      storeTimestamp: place.storeTimestamp,
    }
  }

  /** Stores all or none of the messages, one behind the other in one segment. */
  appendBatch(common: BatchToStore, entries: readonly BatchEntryToStore[]): BatchOutcome {
    const queue = this.#queueOf(common.topic, common.queueId)
    if ('reason' in queue) return queue
    const contents = entries.map((entry) => this.#contentOf(common, entry, queue))
    const sizes = contents.map(recordBytes)
    const totalBytes = sizes.reduce((sum, size) => sum + size, 0)
    const problem = this.#batchProblem(contents) ?? this.#tooLarge(totalBytes)
    if (problem !== undefined) return problem
    const chunk = this.#log.place(totalBytes)
    if ('reason' in chunk) return chunk
    const storeTimestamp = this.#now()
    const queueOffset = isQueued(common.sysFlag) ? queue.nextOffset : 0
    const logOffsets: number[] = []
    for (const [i, content] of contents.entries()) {
      const sizeBytes = sizes[i] ?? 0
      const logOffset = this.#log.endOffset
      const nextOffset = isQueued(common.sysFlag) ? queue.nextOffset : 0
      const place = { queueOffset: nextOffset, logOffset, storeTimestamp }
      this.#write(chunk, sizeBytes, content, place)
      this.#take(queue, sizeBytes, common.sysFlag, entries[i]?.tagsCode ?? 0, storeTimestamp)
      logOffsets.push(logOffset)
    }
    this.#writer.wake()
    const endOffset = this.#log.endOffset
    return { kind: 'appended', logOffsets, queueOffset, endOffset, storeTimestamp }
  }

  #contentOf(common: BatchToStore, entry: BatchEntryToStore, queue: ConsumeQueue): RecordContent {
    const content = contentOf(common, entry, queue)
    if (!this.#appendWholeCrc) return content
    return { ...content, properties: withCrcPlace(content.properties) }
  }

  #write(
    { bytes, usedBytes }: TailChunk,
    sizeBytes: number,
    content: RecordContent,
    place: RecordPlace,
  ): void {
    writeRecord(bytes, usedBytes, sizeBytes, content, place)
    if (this.#appendWholeCrc) writeCrcProperty(bytes, usedBytes, sizeBytes)
  }

  /** Counts a record that was just encoded, in the log and in its queue. */
  #take(
    queue: ConsumeQueue,
    sizeBytes: number,
    flags: number,
    tagsCode: number,
    storeTimestamp: number,
  ): void {
    const logOffset = this.#log.endOffset
    this.#log.tail.take(sizeBytes)
    if (!isQueued(flags)) return
    if (queue.isIdle) this.#queues.live.add(queue)
    queue.push({ logOffset, sizeBytes, tagsCode })
    this.#dispatcher.add(queue, queue.nextOffset, logOffset + sizeBytes, storeTimestamp)
  }

  #now(): number {
    if (!this.#writer.isAwake) this.#turnTimestamp = this.#clock.nowMs()
    return this.#turnTimestamp
  }

  #queueOf(topic: string, queueId: number): ConsumeQueue | Rejected {
    const known = this.#queues.known(topic, queueId)
    if (known !== undefined) return known
    if (!isFolderName(topic) || Buffer.byteLength(topic) > MAX_TOPIC_BYTES) {
      const limits = `1 to ${MAX_TOPIC_BYTES} bytes without "/" and "\\"`
      return illegal(`The topic "${topic}" cannot be stored: its name must have ${limits}.`)
    }
    if (!Number.isInteger(queueId) || queueId < 0 || queueId >= QUEUE_ID_LIMIT) {
      return illegal(`The message cannot be stored: there is no queue ${queueId}.`)
    }
    return this.#queues.open(topic, queueId)
  }

  #problemOf(content: RecordContent): Rejected | undefined {
    const bodyBytes = content.body.length
    if (bodyBytes > this.#maxMessageBytes) {
      return illegal(
        `The body has ${bodyBytes} bytes, but maxMessageSize allows ${this.#maxMessageBytes}.`,
      )
    }
    const bytes = propertiesBytes(content)
    if (bytes <= MAX_PROPERTIES_BYTES) return undefined
    return {
      kind: 'properties-too-long',
      reason: `The properties have ${bytes} bytes, but a record has room for ${MAX_PROPERTIES_BYTES}.`,
    }
  }

  #batchProblem(contents: readonly RecordContent[]): Rejected | undefined {
    if (contents.length === 0) return illegal('The batch has no message.')
    for (const content of contents) {
      const problem = this.#problemOf(content)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  #tooLarge(sizeBytes: number): Rejected | undefined {
    if (this.#log.fitsSegment(sizeBytes)) return undefined
    return illegal(
      `The message takes ${sizeBytes} bytes, more than a segment of the commit log has ` +
        '(mappedFileSizeCommitLog).',
    )
  }
}

function contentOf(
  common: BatchToStore,
  entry: BatchEntryToStore,
  queue: ConsumeQueue,
): RecordContent {
  return {
    topic: queue.topicBytes,
    queueId: common.queueId,
    flag: entry.flag,
    sysFlag: common.sysFlag,
    bornTimestamp: common.bornTimestamp,
    bornHost: common.bornHost,
    storeHost: common.storeHost,
    reconsumeTimes: common.reconsumeTimes,
    preparedTransactionOffset: common.preparedTransactionOffset,
    body: entry.body,
    properties: entry.properties,
  }
}

function illegal(reason: string): Rejected {
  return { kind: 'message-illegal', reason }
}
