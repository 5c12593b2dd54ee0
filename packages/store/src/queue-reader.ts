/**
 * What a consumer gets for "messages of this queue from this offset on". Owns nothing.
 *
 *   units of the queue → wanted by tag? → spots in the log → slices of the tail, or of files
 *
 * Source: Apache class DefaultMessageStore.getMessage; `store-runtime.md` section 8.
 */
import { DiskError } from '@rockhopper/host'
import { isPreBlank, readUnit, UNIT_BYTES } from '@rockhopper/protocol'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import { MAX_COLD_MESSAGES, MAX_UNITS_PER_READ } from './limits.ts'
import type { LogReader, RecordSpot } from './log-reader.ts'
import type { ReadOutcome, ReadRequest, ReadStatus } from './outcome.ts'
import type { QueueTable } from './queue-table.ts'

/** What was chosen of the units that were looked at. */
interface Choice {
  readonly spots: readonly RecordSpot[]
  readonly bytes: number
  /** Units looked at, chosen or not. */
  readonly scanned: number
  /** Whether a record is gone from the log. */
  readonly removed: boolean
}

export class QueueReader {
  readonly #queues: QueueTable
  readonly #log: CommitLog
  readonly #reader: LogReader

  constructor(queues: QueueTable, log: CommitLog, reader: LogReader) {
    this.#queues = queues
    this.#log = log
    this.#reader = reader
  }

  read(request: ReadRequest): ReadOutcome | Promise<ReadOutcome> {
    const queue = this.#queues.find(request.topic, request.queueId)
    if (queue === undefined) return nothing('NO_MATCHED_LOGIC_QUEUE', 0, undefined)
    const outside = outsideOf(queue, request.offset)
    if (outside !== undefined) return outside
    if (request.offset < queue.tailOffset) return this.#readCold(queue, request)
    const units = queue.hotUnits(request.offset, unitsFor(request))
    return this.#fetch(queue, request, choose(units, request, this.#log.minOffset, false))
  }

  async #readCold(queue: ConsumeQueue, request: ReadRequest): Promise<ReadOutcome> {
    let units: Buffer
    try {
      units = await queue.coldUnits(request.offset, unitsFor(request))
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'ENOENT')) throw error
      return nothing('OFFSET_FOUND_NULL', queue.nextSegmentOffset(request.offset), queue)
    }
    return this.#fetch(queue, request, choose(units, request, this.#log.minOffset, true))
  }

  #fetch(
    queue: ConsumeQueue,
    request: ReadRequest,
    choice: Choice,
  ): ReadOutcome | Promise<ReadOutcome> {
    const nextOffset = request.offset + choice.scanned
    const [first] = choice.spots
    if (first === undefined) {
      const status = choice.removed ? 'MESSAGE_WAS_REMOVING' : 'NO_MATCHED_MESSAGE'
      return nothing(status, nextOffset, queue)
    }
    const hotFrom = this.#log.tail.startOffset
    if (first.logOffset >= hotFrom) {
      return found(queue, nextOffset, choice, this.#reader.hotSlices(choice.spots))
    }
    return this.#fetchCold(queue, nextOffset, choice)
  }

  /** The slices in memory are taken before the wait, during which the tail may move on. */
  async #fetchCold(queue: ConsumeQueue, nextOffset: number, choice: Choice): Promise<ReadOutcome> {
    const hotFrom = this.#log.tail.startOffset
    const cold = choice.spots.filter(({ logOffset }) => logOffset < hotFrom)
    const hot = this.#reader.hotSlices(choice.spots.slice(cold.length))
    return found(queue, nextOffset, choice, [...(await this.#reader.coldSlices(cold)), ...hot])
  }
}

function unitsFor({ maxMessages }: ReadRequest): number {
  return Math.max(MAX_UNITS_PER_READ, maxMessages)
}

/** The answer for an offset at which the queue has nothing to read. */
function outsideOf(queue: ConsumeQueue, offset: number): ReadOutcome | undefined {
  const min = queue.minOffset
  const max = queue.end.value
  if (max === 0) return nothing('NO_MESSAGE_IN_QUEUE', 0, queue)
  if (offset < min) return nothing('OFFSET_TOO_SMALL', min, queue)
  if (offset === max) return nothing('OFFSET_OVERFLOW_ONE', offset, queue)
  return offset > max ? nothing('OFFSET_OVERFLOW_BADLY', max, queue) : undefined
}

/** Goes over units until enough of them are wanted. */
function choose(units: Buffer, request: ReadRequest, logMin: number, cold: boolean): Choice {
  const { tagHashes, maxBytes } = request
  const maxMessages = cold ? Math.min(request.maxMessages, MAX_COLD_MESSAGES) : request.maxMessages
  const spots: RecordSpot[] = []
  let bytes = 0
  let removed = false
  let at = 0
  for (; at < units.length; at += UNIT_BYTES) {
    const unit = readUnit(units, at)
    const full = spots.length >= maxMessages || bytes + unit.sizeBytes > maxBytes
    if (full && spots.length > 0) break
    if (isPreBlank(unit) || unit.logOffset < logMin) {
      removed = true
    } else if (tagHashes === undefined || tagHashes.has(unit.tagsCode | 0)) {
      spots.push(unit)
      bytes += unit.sizeBytes
    }
  }
  return { spots, bytes, scanned: at / UNIT_BYTES, removed }
}

function found(
  queue: ConsumeQueue,
  nextOffset: number,
  { spots, bytes }: Choice,
  slices: readonly Buffer[],
): ReadOutcome {
  return {
    status: 'FOUND',
    nextOffset,
    minOffset: queue.minOffset,
    maxOffset: queue.end.value,
    slices,
    messageCount: spots.length,
    bytes,
  }
}

function nothing(
  status: ReadStatus,
  nextOffset: number,
  queue: ConsumeQueue | undefined,
): ReadOutcome {
  return {
    status,
    nextOffset,
    minOffset: queue?.minOffset ?? 0,
    maxOffset: queue?.end.value ?? 0,
    slices: [],
    messageCount: 0,
    bytes: 0,
  }
}
