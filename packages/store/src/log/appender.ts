/**
 * Takes messages in: gives each its place in the log and in its queue, and encodes it right there.
 * All of it happens without a pause, so that what was checked is still so when the place is given.
 * Owns the time that the messages of a turn bear: it is asked for once, and anew where it counts.
 * Source: Apache classes CommitLog, MessageExtEncoder; `store-runtime.md` section 1.
 */
import type { Clock } from '@rockhopper/host'
import {
  isQueued,
  MAX_PROPERTIES_BYTES,
  propertiesBytes,
  type RecordPlace,
  RecordWriter,
  recordBytesUnder,
  withCrcPlace,
  writeCrcProperty,
} from '@rockhopper/protocol'
import { MAX_TOPIC_BYTES } from '../limits.ts'
import type {
  AppendOutcome,
  BatchEntryToStore,
  BatchOutcome,
  BatchToStore,
  MessageToStore,
  Rejected,
} from '../outcome.ts'
import type { ConsumeQueue } from '../queues/consume-queue.ts'
import type { Dispatcher } from '../queues/dispatcher.ts'
import { isFolderName, type QueueTable } from '../queues/queue-table.ts'
import type { CommitLog } from './commit-log.ts'
import type { TailChunk } from './log-tail.ts'
import type { LogWriter } from './log-writer.ts'

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

type Growing<T> = { -readonly [Name in keyof T]: T[Name] }

export class Appender {
  readonly #clock: Clock
  readonly #log: CommitLog
  readonly #queues: QueueTable
  readonly #dispatcher: Dispatcher
  readonly #writer: LogWriter
  readonly #maxMessageBytes: number
  readonly #appendWholeCrc: boolean
  readonly #records = new RecordWriter()
  #turnTimestamp = 0
  /** Of the record in work: one for all, as each would be garbage. */
  readonly #place: Growing<RecordPlace> = { queueOffset: 0, logOffset: 0, storeTimestamp: 0 }

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
    const content = this.#contentOf(message)
    const sizeBytes = recordBytesUnder(queue.topicBytes, content)
    const problem = this.#problemOf(content, sizeBytes) ?? this.#tooLarge(sizeBytes)
    if (problem !== undefined) return problem
    const chunk = this.#log.place(sizeBytes)
    if ('reason' in chunk) return chunk
    this.#put(queue, chunk, sizeBytes, content)
    this.#writer.wake()
    const { logOffset, queueOffset, storeTimestamp } = this.#place
    const endOffset = logOffset + sizeBytes
    return { kind: 'appended', logOffset, queueOffset, endOffset, storeTimestamp }
  }

  /** Stores all or none of the messages, one behind the other in one segment. */
  appendBatch(common: BatchToStore, entries: readonly BatchEntryToStore[]): BatchOutcome {
    const queue = this.#queueOf(common.topic, common.queueId)
    if ('reason' in queue) return queue
    const message = messageOf(common)
    const totalBytes = this.#sizeOf(queue, message, entries)
    if (typeof totalBytes !== 'number') return totalBytes
    const chunk = this.#log.place(totalBytes)
    if ('reason' in chunk) return chunk
    const queueOffset = isQueued(common.sysFlag) ? queue.nextOffset : 0
    const logOffsets: number[] = []
    for (const entry of entries) {
      logOffsets.push(this.#log.endOffset)
      this.#fill(message, entry)
      this.#put(queue, chunk, recordBytesUnder(queue.topicBytes, message), message)
    }
    this.#writer.wake()
    const { storeTimestamp } = this.#place
    const endOffset = this.#log.endOffset
    return { kind: 'appended', logOffsets, queueOffset, endOffset, storeTimestamp }
  }

  /** What a batch takes in the log, or why it cannot be stored. */
  #sizeOf(
    { topicBytes }: ConsumeQueue,
    message: Growing<MessageToStore>,
    entries: readonly BatchEntryToStore[],
  ): number | Rejected {
    if (entries.length === 0) return illegal('The batch has no message.')
    let totalBytes = 0
    for (const entry of entries) {
      this.#fill(message, entry)
      const sizeBytes = recordBytesUnder(topicBytes, message)
      const problem = this.#problemOf(message, sizeBytes)
      if (problem !== undefined) return problem
      totalBytes += sizeBytes
    }
    return this.#tooLarge(totalBytes) ?? totalBytes
  }

  /** Makes the message of a batch out of the one before it: one object for all of them. */
  #fill(message: Growing<MessageToStore>, entry: BatchEntryToStore): void {
    message.flag = entry.flag
    message.body = entry.body
    message.properties = this.#appendWholeCrc ? withCrcPlace(entry.properties) : entry.properties
    message.tagsCode = entry.tagsCode
  }

  #contentOf(message: MessageToStore): MessageToStore {
    if (!this.#appendWholeCrc) return message
    return { ...message, properties: withCrcPlace(message.properties) }
  }

  /** Encodes a record into its place, and counts it in the log and in its queue. */
  #put(
    queue: ConsumeQueue,
    { bytes, usedBytes }: TailChunk,
    sizeBytes: number,
    content: MessageToStore,
  ): void {
    const place = this.#place
    const { logOffset, storeTimestamp } = this.#placeAtEnd(queue, content)
    this.#records.open(bytes)
    this.#records.write(usedBytes, sizeBytes, queue.topicBytes, content, place)
    if (this.#appendWholeCrc) writeCrcProperty(bytes, usedBytes, sizeBytes)
    this.#log.tail.take(sizeBytes)
    if (!isQueued(content.sysFlag)) return
    if (queue.isIdle) this.#queues.live.add(queue)
    this.#dispatcher.add(queue, logOffset, storeTimestamp)
    // A message that waits is known by the time at which it is due.
    const { delayMs } = content
    const tagsCode = delayMs === undefined ? content.tagsCode : storeTimestamp + delayMs
    queue.push({ logOffset, sizeBytes, tagsCode })
  }

  #placeAtEnd(queue: ConsumeQueue, message: MessageToStore): RecordPlace {
    const { delayMs, isTimed, sysFlag } = message
    const place = this.#place
    place.queueOffset = isQueued(sysFlag) ? queue.nextOffset : 0
    place.logOffset = this.#log.endOffset
    place.storeTimestamp = this.#now(delayMs !== undefined || isTimed === true)
    return place
  }

  #now(isTimed: boolean): number {
    if (isTimed || !this.#writer.isAwake) this.#turnTimestamp = this.#clock.nowMs()
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

  #problemOf(content: MessageToStore, sizeBytes: number): Rejected | undefined {
    const bodyBytes = content.body.length
    if (bodyBytes > this.#maxMessageBytes) {
      return illegal(
        `The body has ${bodyBytes} bytes, but maxMessageSize allows ${this.#maxMessageBytes}.`,
      )
    }
    if (sizeBytes <= MAX_PROPERTIES_BYTES) return undefined
    const bytes = propertiesBytes(content)
    if (bytes <= MAX_PROPERTIES_BYTES) return undefined
    return {
      kind: 'properties-too-long',
      reason: `The properties have ${bytes} bytes, but a record has room for ${MAX_PROPERTIES_BYTES}.`,
    }
  }

  #tooLarge(sizeBytes: number): Rejected | undefined {
    if (this.#log.fitsSegment(sizeBytes)) return undefined
    return illegal(
      `The message takes ${sizeBytes} bytes, more than a segment of the commit log has ` +
        '(mappedFileSizeCommitLog).',
    )
  }
}

const NOTHING = Buffer.alloc(0)

/** A message of a batch, as far as all have it in common. Field by field: what is handed in may have more. */
function messageOf(common: BatchToStore): Growing<MessageToStore> {
  return {
    topic: common.topic,
    queueId: common.queueId,
    flag: 0,
    sysFlag: common.sysFlag,
    bornTimestamp: common.bornTimestamp,
    bornHost: common.bornHost,
    storeHost: common.storeHost,
    reconsumeTimes: common.reconsumeTimes,
    preparedTransactionOffset: common.preparedTransactionOffset,
    body: NOTHING,
    properties: [],
    tagsCode: 0,
  }
}

function illegal(reason: string): Rejected {
  return { kind: 'message-illegal', reason }
}
