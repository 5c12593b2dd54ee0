/**
 * What a consumer gets for "messages of this queue from this offset on". Owns nothing.
 *
 *   units of the queue → wanted by tag? → spots in the log → slices of the tail, or of files
 *
 * A filter over records looks at those in memory while units are chosen, and at those from files when
 * they were read.
 * A unit from a file that cannot be right, or whose record is not where it says, is put right from
 * the log, and the read begins anew.
 * Source: Apache class DefaultMessageStore.getMessage; `store-runtime.md` section 8.
 */
import assert from 'node:assert/strict'
import { DiskError } from '@rockhopper/host'
import { isPreBlank, type QueueUnit, readUnit } from '@rockhopper/protocol'
import type { StoreConfig } from '../config.ts'
import { COLD_FILTER_BYTES, MAX_UNITS_PER_READ } from '../limits.ts'
import type { CommitLog } from '../log/commit-log.ts'
import type { ColdSlices, LogReader } from '../log/log-reader.ts'
import type { TailChunk } from '../log/log-tail.ts'
import type { ReadOutcome, ReadRequest, ReadStatus, RecordFilter } from '../outcome.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { QueueTable } from './queue-table.ts'
import { type Choice, choose, sift, type UnitState } from './unit-choice.ts'
import type { UnitRepair } from './unit-repair.ts'
import { UnitWindows } from './unit-windows.ts'

/** The unit that has to be put right before there can be an answer. */
interface WrongUnit {
  readonly status: 'WRONG_UNIT'
  readonly queueOffset: number
}

type Attempt = ReadOutcome | WrongUnit

interface QueueReaderParts {
  readonly queues: QueueTable
  readonly log: CommitLog
  readonly reader: LogReader
  readonly repair: UnitRepair
  readonly config: StoreConfig
}

export class QueueReader {
  readonly #queues: QueueTable
  readonly #log: CommitLog
  readonly #reader: LogReader
  readonly #repair: UnitRepair
  readonly #units: UnitWindows
  readonly #maxColdMessages: number
  readonly #maxColdBytes: number
  readonly #maxUnits: number

  constructor({ config, log, queues, reader, repair }: QueueReaderParts) {
    this.#queues = queues
    this.#log = log
    this.#reader = reader
    this.#repair = repair
    this.#units = new UnitWindows(repair)
    this.#maxColdMessages = config.maxColdMessages ?? Number.POSITIVE_INFINITY
    this.#maxColdBytes = config.maxColdBytes ?? Number.POSITIVE_INFINITY
    this.#maxUnits = config.maxUnitsPerRead ?? MAX_UNITS_PER_READ
  }

  read(request: ReadRequest): ReadOutcome | Promise<ReadOutcome> {
    const queue = this.#queues.find(request.topic, request.queueId)
    if (queue === undefined) return nothing('NO_MATCHED_LOGIC_QUEUE', 0, undefined)
    const outside = outsideOf(queue, request.offset)
    if (outside !== undefined) return outside
    const attempt = this.#attempt(queue, request)
    const isAnswer = !(attempt instanceof Promise) && attempt.status !== 'WRONG_UNIT'
    return isAnswer ? attempt : this.#seeThrough(queue, request, attempt)
  }

  /** When the message at a queue offset was stored, in ms since 1970; -1 when there is none. */
  async storeTimeOf(queue: ConsumeQueue, queueOffset: number): Promise<number> {
    if (queueOffset < queue.minOffset || queueOffset >= queue.end.value) return -1
    await this.#repair.see(queue, queueOffset, queueOffset + 1)
    const time = await this.#timeAt(queue, queueOffset)
    if (time !== undefined) return time
    await this.#putRight(queue, queueOffset)
    const again = await this.#timeAt(queue, queueOffset)
    assert(again !== undefined, `unit ${queueOffset} was put right, and is wrong`)
    return again
  }

  /** Puts units right until there is an answer. */
  async #seeThrough(
    queue: ConsumeQueue,
    request: ReadRequest,
    first: Attempt | Promise<Attempt>,
  ): Promise<ReadOutcome> {
    const repaired = new Set<number>()
    let attempt = await first
    while (attempt.status === 'WRONG_UNIT') {
      const { queueOffset } = attempt
      assert(!repaired.has(queueOffset), `unit ${queueOffset} was put right, and is wrong`)
      await this.#putRight(queue, queueOffset)
      repaired.add(queueOffset)
      attempt = await this.#attempt(queue, request)
    }
    return attempt
  }

  async #putRight(queue: ConsumeQueue, queueOffset: number): Promise<void> {
    await this.#repair.repair(queue, queueOffset)
    this.#units.forget(queue)
  }

  #attempt(queue: ConsumeQueue, request: ReadRequest): Attempt | Promise<Attempt> {
    if (request.offset < queue.tailOffset) return this.#readCold(queue, this.#coldRequest(request))
    const logMin = this.#log.minOffset
    const hotFrom = this.#log.tail.startOffset
    const stateOf = (unit: QueueUnit): UnitState => (unit.logOffset < logMin ? 'removed' : 'live')
    const units = queue.hotUnits(request.offset, this.#unitsFor(request))
    const isCold = readUnit(units, 0).logOffset < hotFrom
    const bounded = isCold ? this.#coldRequest(request) : request
    const choice = this.#choose(units, bounded, stateOf)
    const [first] = choice.spots
    if (first !== undefined && first.logOffset < hotFrom) {
      return this.#fetch(queue, bounded, choice)
    }
    return found(queue, bounded, choice, this.#reader.hotSlices(choice.spots))
  }

  /** Who takes what comes needs no more units than messages. */
  #unitsFor({ filter, maxMessages, tagHashes }: ReadRequest): number {
    const takesAll = tagHashes === undefined && filter === undefined
    return takesAll ? maxMessages : Math.max(this.#maxUnits, maxMessages)
  }

  /**
   * A filter looks at records in memory here. Of those in files all are candidates, up to where
   * memory begins.
   */
  #choose(units: Buffer, request: ReadRequest, stateOf: (unit: QueueUnit) => UnitState): Choice {
    const { filter, tagHashes } = request
    const hasTag = ({ tagsCode }: QueueUnit): boolean =>
      tagHashes === undefined || tagHashes.has(tagsCode | 0)
    const bounds = { ...request, logLimit: Number.POSITIVE_INFINITY }
    if (filter === undefined) return choose(units, bounds, stateOf, hasTag)
    const { tail } = this.#log
    if (readUnit(units, 0).logOffset < tail.startOffset) {
      const maxMessages = Number.POSITIVE_INFINITY
      const candidates = { maxMessages, maxBytes: COLD_FILTER_BYTES, logLimit: tail.startOffset }
      return choose(units, { ...bounds, ...candidates }, stateOf, hasTag)
    }
    return choose(units, bounds, stateOf, (unit) => {
      return hasTag(unit) && isWanted(filter, tail.peek(unit.logOffset), unit)
    })
  }

  #coldRequest(request: ReadRequest): ReadRequest {
    return {
      ...request,
      maxMessages: Math.min(request.maxMessages, this.#maxColdMessages),
      maxBytes: Math.min(request.maxBytes, this.#maxColdBytes),
    }
  }

  #readCold(queue: ConsumeQueue, request: ReadRequest): Attempt | Promise<Attempt> {
    const units = this.#units.read(queue, request.offset, this.#unitsFor(request))
    if (!(units instanceof Promise)) return this.#fromUnits(queue, request, units)
    return units.then(
      (read) => this.#fromUnits(queue, request, read),
      (error: unknown) => {
        if (!(error instanceof DiskError && error.code === 'ENOENT')) throw error
        // It may have been removed meanwhile, as all of it is old.
        const outside = outsideOf(queue, request.offset)
        return (
          outside ?? nothing('OFFSET_FOUND_NULL', queue.nextSegmentOffset(request.offset), queue)
        )
      },
    )
  }

  /** What was removed is only before what was not. */
  #fromUnits(queue: ConsumeQueue, request: ReadRequest, units: Buffer): Attempt | Promise<Attempt> {
    if (this.#stateOf(readUnit(units, 0)) !== 'removed') {
      return this.#fromCold(queue, request, units, false)
    }
    return this.#isLive(queue, request.offset - 1).then((behindLive) => {
      return this.#fromCold(queue, request, units, behindLive)
    })
  }

  #fromCold(
    queue: ConsumeQueue,
    request: ReadRequest,
    units: Buffer,
    behindLive: boolean,
  ): Attempt | Promise<Attempt> {
    let seenLive = behindLive
    const choice = this.#choose(units, request, (unit) => {
      const state = this.#stateOf(unit)
      if (state === 'removed' && seenLive) return 'wrong'
      seenLive ||= state === 'live'
      return state
    })
    if (choice.scanned === 0) return { status: 'WRONG_UNIT', queueOffset: request.offset }
    return this.#fetch(queue, request, choice)
  }

  async #isLive(queue: ConsumeQueue, offset: number): Promise<boolean> {
    return offset >= queue.minOffset && this.#stateOf(await queue.unitAt(offset)) === 'live'
  }

  #stateOf(unit: QueueUnit): UnitState {
    if (isPreBlank(unit)) return 'removed'
    if (this.#reader.canHave(unit)) return 'live'
    const { logOffset, sizeBytes } = unit
    return sizeBytes > 0 && logOffset >= 0 && logOffset < this.#log.minOffset ? 'removed' : 'wrong'
  }

  /** The slices in memory are taken before the wait, during which the tail may move on. */
  #fetch(queue: ConsumeQueue, request: ReadRequest, choice: Choice): Attempt | Promise<Attempt> {
    const hotFrom = this.#log.tail.startOffset
    const cold = choice.spots.filter(({ logOffset }) => logOffset < hotFrom)
    const hot = this.#reader.hotSlices(choice.spots.slice(cold.length))
    const read = this.#reader.coldSlices(queue, cold)
    const finish = (each: ColdSlices): Attempt => {
      if (each.kind === 'misplaced') return { status: 'WRONG_UNIT', queueOffset: each.queueOffset }
      const slices = [...each.slices, ...hot]
      if (request.filter === undefined || cold.length === 0) {
        return found(queue, request, choice, slices)
      }
      const sifted = sift(choice, slices, request.filter, request)
      return found(queue, request, sifted.choice, sifted.slices)
    }
    return read instanceof Promise ? read.then(finish) : finish(read)
  }

  /** Undefined when the unit is wrong. */
  async #timeAt(queue: ConsumeQueue, queueOffset: number): Promise<number | undefined> {
    const isHot = queueOffset >= queue.tailOffset
    const unit = await queue.unitAt(queueOffset)
    const hotTime = isHot ? this.#reader.hotTime(unit.logOffset) : undefined
    if (hotTime !== undefined) return hotTime
    const state = this.#stateOf(unit)
    if (state === 'removed') return (await this.#isLive(queue, queueOffset - 1)) ? undefined : -1
    if (state === 'wrong') return undefined
    const read = await this.#reader.coldTime(queue, { ...unit, queueOffset })
    return read.kind === 'read' ? read.timestampMs : undefined
  }
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

/** Whether a filter wants the record of a unit, which is in memory. */
function isWanted(
  filter: RecordFilter,
  chunk: TailChunk | undefined,
  { logOffset }: QueueUnit,
): boolean {
  return chunk === undefined || filter.matches(chunk.bytes, logOffset - chunk.startOffset)
}

function found(
  queue: ConsumeQueue,
  request: ReadRequest,
  { bytes, removed, scanned, spots }: Choice,
  slices: readonly Buffer[],
): ReadOutcome {
  const nextOffset = request.offset + scanned
  if (spots.length === 0) {
    return nothing(removed ? 'MESSAGE_WAS_REMOVING' : 'NO_MATCHED_MESSAGE', nextOffset, queue)
  }
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
