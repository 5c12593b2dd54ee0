/**
 * Puts a unit of a queue right that does not say where its message is, or, as its checksum tells,
 * with what tag: the log is the truth. Owns the repairs that are under way, and the messages that the
 * log was found not to have.
 *
 *   queue   … | sound | wrong | … | sound | …
 *   log        ^ record … looked through … ^ record
 */
import assert from 'node:assert/strict'
import type { Logger } from '@rockhopper/host'
import {
  type DelayLevels,
  isQueued,
  type QueueUnit,
  type RecordView,
  readUnit,
  scanView,
  UNIT_BYTES,
  unitTagsCodeOf,
} from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import { MAX_LOST_MESSAGES } from '../limits.ts'
import type { CommitLog } from '../log/commit-log.ts'
import type { DamageNotices } from '../log/damage-notices.ts'
import type { LogPages } from '../log/log-pages.ts'
import type { LogReader } from '../log/log-reader.ts'
import { walkLog } from '../log/log-walk.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { QueueTable } from './queue-table.ts'
import type { UnitStretch } from './unit-sums.ts'

interface RepairParts {
  readonly log: CommitLog
  readonly pages: LogPages
  readonly reader: LogReader
  readonly queues: QueueTable
  readonly notices: DamageNotices
  readonly logger: Logger
  readonly delays: DelayLevels | undefined
}

/** Where in the log the record of a unit can be. */
interface Bounds {
  readonly from: number
  readonly to: number
  /** Otherwise there may have been another topic of this name before: the later record counts. */
  readonly isBehindSound: boolean
}

export class UnitRepair {
  readonly #parts: RepairParts
  /** By the place of the unit. */
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #lost = new Map<string, CorruptionError>()

  constructor(parts: RepairParts) {
    this.#parts = parts
  }

  /**
   * Compares the units of a queue from `from` to `to`, as far as they are in files, with their
   * checksums, and puts those right that do not say what their messages are. Those that the log does
   * not tell of stay. Rejects with `DiskError`.
   */
  async see(queue: ConsumeQueue, from: number, to: number): Promise<void> {
    for (let at = from; at < Math.min(to, queue.nextSegmentOffset(from), queue.tailOffset); ) {
      const stretch = queue.unseenStretch(at)
      if (stretch !== undefined && !(await queue.isSound(stretch))) {
        await this.#once(placeOf(queue, `sum ${stretch.page}`), () => this.#hold(queue, stretch))
      }
      at = queue.endOfSum(at)
    }
  }

  /**
   * Resolves when the unit in the file is right. Rejects with `CorruptionError` when the log does not
   * have its message, and with `DiskError`.
   */
  repair(queue: ConsumeQueue, queueOffset: number): Promise<void> {
    const place = placeOf(queue, `unit ${queueOffset}`)
    const lost = this.#lost.get(place)
    if (lost !== undefined) return Promise.reject(lost)
    return this.#once(place, () => this.#repair(queue, queueOffset, place))
  }

  #once(place: string, action: () => Promise<void>): Promise<void> {
    const underWay = this.#underWay.get(place)
    if (underWay !== undefined) return underWay
    const repair = action().finally(() => this.#underWay.delete(place))
    this.#underWay.set(place, repair)
    return repair
  }

  /** Holds each unit of a stretch against its record, the last first. */
  async #hold(queue: ConsumeQueue, stretch: UnitStretch): Promise<void> {
    const { logger } = this.#parts
    const sentence = 'Units of a queue do not have their checksum: they are held against the log.'
    logger.warn(sentence, { ...queue.placeOf(stretch.from), units: stretch.to - stretch.from })
    const units = await queue.unitsOf(stretch)
    for (let at = stretch.to - 1; at >= stretch.from; at--) {
      const unit = readUnit(units, (at - stretch.from) * UNIT_BYTES)
      const right = await this.#rightUnit(queue, at, unit)
      if (right === undefined && this.#isOld(unit)) break
      if (right !== undefined && !isSame(right, unit)) this.#mend(queue, at, right)
    }
    await queue.believe(stretch)
    this.#parts.queues.live.add(queue)
  }

  /** What a unit should say; undefined when the log does not tell. */
  async #rightUnit(
    queue: ConsumeQueue,
    queueOffset: number,
    unit: QueueUnit,
  ): Promise<QueueUnit | undefined> {
    if (queueOffset >= queue.tailOffset) return queue.unitAt(queueOffset)
    const record = await this.#recordOf(queue, queueOffset, unit)
    if (record === 'damaged') return unit
    if (record !== undefined) return unitOf(record, this.#parts.delays)
    return this.#find(queue, queueOffset, await this.#boundsOf(queue, queueOffset))
  }

  /** Whether the log may have removed its record, which was before all those that it has. */
  #isOld({ logOffset }: QueueUnit): boolean {
    return logOffset >= 0 && logOffset < this.#parts.log.minOffset
  }

  async #repair(queue: ConsumeQueue, queueOffset: number, place: string): Promise<void> {
    assert(queueOffset < queue.tailOffset, `unit ${place} is in memory, and wrong`)
    const known = await queue.unitAt(queueOffset)
    // Somebody else has put it right meanwhile.
    if (await this.#isSound(queue, queueOffset, known)) return
    const bounds = await this.#boundsOf(queue, queueOffset)
    const unit = await this.#find(queue, queueOffset, bounds)
    if (unit === undefined) throw this.#lose(place, lackOf(queue, queueOffset, bounds))
    this.#mend(queue, queueOffset, unit)
  }

  #mend(queue: ConsumeQueue, queueOffset: number, unit: QueueUnit): void {
    queue.mend(queueOffset, unit)
    this.#parts.queues.live.add(queue)
    const { logger } = this.#parts
    logger.warn('A consume queue was wrong: its unit was made anew from the commit log.', {
      ...queue.placeOf(queueOffset),
      queueOffset,
      logOffset: unit.logOffset,
    })
  }

  async #boundsOf(queue: ConsumeQueue, queueOffset: number): Promise<Bounds> {
    const { log } = this.#parts
    const before = await this.#nearestSound(queue, queueOffset, -1)
    const behind = await this.#nearestSound(queue, queueOffset, 1)
    return {
      from: before === undefined ? log.minOffset : before.logOffset + before.sizeBytes,
      to: behind?.logOffset ?? log.endOffset,
      isBehindSound: before !== undefined,
    }
  }

  /** Of the units 1, 2, 4, 8 … places away, the first whose record is where it says. */
  async #nearestSound(
    queue: ConsumeQueue,
    queueOffset: number,
    direction: 1 | -1,
  ): Promise<QueueUnit | undefined> {
    for (let distance = 1; ; distance *= 2) {
      const at = queueOffset + direction * distance
      if (at < queue.minOffset || at >= queue.end.value) return undefined
      const unit = await queue.unitAt(at)
      if (await this.#isSound(queue, at, unit)) return unit
    }
  }

  async #isSound(queue: ConsumeQueue, queueOffset: number, unit: QueueUnit): Promise<boolean> {
    const record = await this.#recordOf(queue, queueOffset, unit)
    return record !== undefined && record !== 'damaged'
  }

  /** The record that a unit means; undefined when it is not where the unit says. */
  async #recordOf(
    queue: ConsumeQueue,
    queueOffset: number,
    unit: QueueUnit,
  ): Promise<RecordView | 'damaged' | undefined> {
    const { reader } = this.#parts
    if (!reader.canHave(unit)) return undefined
    try {
      const read = await reader.coldSlices(queue, [{ ...unit, queueOffset }])
      if (read.kind !== 'read') return undefined
      const scanned = scanView(read.slices[0] ?? Buffer.alloc(0), 0, false)
      return scanned.kind === 'record' ? scanned.record : undefined
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      return 'damaged'
    }
  }

  async #find(
    queue: ConsumeQueue,
    queueOffset: number,
    { from, isBehindSound, to }: Bounds,
  ): Promise<QueueUnit | undefined> {
    let found: QueueUnit | undefined
    for await (const record of walkLog(this.#parts.pages, this.#parts.notices, from, to)) {
      if (record.queueOffset < queueOffset || !isOf(record, queue)) continue
      if (record.queueOffset === queueOffset) found = unitOf(record, this.#parts.delays)
      if (isBehindSound) return found
    }
    return found
  }

  #lose(place: string, error: CorruptionError): CorruptionError {
    if (this.#lost.size < MAX_LOST_MESSAGES) this.#lost.set(place, error)
    this.#parts.logger.error('The commit log lacks a message of a queue.', { error })
    return error
  }
}

function placeOf({ queueId, topic }: ConsumeQueue, part: string): string {
  return `${topic} ${queueId} ${part}`
}

function isSame(one: QueueUnit, other: QueueUnit): boolean {
  const { logOffset, sizeBytes, tagsCode } = one
  const isThere = logOffset === other.logOffset && sizeBytes === other.sizeBytes
  return isThere && tagsCode === other.tagsCode
}

function isOf(record: RecordView, queue: ConsumeQueue): boolean {
  return (
    record.queueId === queue.queueId && record.topic === queue.topic && isQueued(record.sysFlag)
  )
}

function unitOf(record: RecordView, delays: DelayLevels | undefined): QueueUnit {
  const { logOffset, sizeBytes } = record
  return { logOffset, sizeBytes, tagsCode: unitTagsCodeOf(record, delays) }
}

function lackOf(queue: ConsumeQueue, queueOffset: number, { from, to }: Bounds): CorruptionError {
  const { byte, path } = queue.placeOf(queueOffset)
  return new CorruptionError(
    path,
    byte,
    `The message with queue offset ${queueOffset} of queue ${queue.queueId} of topic ` +
      `"${queue.topic}" is lost: "${path}" does not say at byte ${byte} where it is, and the ` +
      `commit log does not have it between the offsets ${from} and ${to}. Bring the files back ` +
      'from a copy, or let consumers go on behind it.',
  )
}
