/**
 * Puts a unit of a queue right that does not say where its message is: the log is the truth. Owns
 * the repairs that are under way, and the messages that the log was found not to have.
 *
 *   queue   … | sound | wrong | … | sound | …
 *   log        ^ record … looked through … ^ record
 */
import assert from 'node:assert/strict'
import type { Logger } from '@rockhopper/host'
import { isQueued, type QueueUnit, type RecordView, unitTagsCodeOf } from '@rockhopper/protocol'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { DamageNotices } from './damage-notices.ts'
import { CorruptionError } from './errors.ts'
import { MAX_LOST_MESSAGES } from './limits.ts'
import type { LogPages } from './log-pages.ts'
import type { LogReader } from './log-reader.ts'
import { walkLog } from './log-walk.ts'
import type { QueueTable } from './queue-table.ts'

interface RepairParts {
  readonly log: CommitLog
  readonly pages: LogPages
  readonly reader: LogReader
  readonly queues: QueueTable
  readonly notices: DamageNotices
  readonly logger: Logger
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
   * Resolves when the unit in the file is right. Rejects with `CorruptionError` when the log does not
   * have its message, and with `DiskError`.
   */
  repair(queue: ConsumeQueue, queueOffset: number): Promise<void> {
    const place = `${queue.topic} ${queue.queueId} ${queueOffset}`
    const lost = this.#lost.get(place)
    if (lost !== undefined) return Promise.reject(lost)
    const underWay = this.#underWay.get(place)
    if (underWay !== undefined) return underWay
    const repair = this.#repair(queue, queueOffset, place)
    this.#underWay.set(place, repair)
    return repair.finally(() => this.#underWay.delete(place))
  }

  async #repair(queue: ConsumeQueue, queueOffset: number, place: string): Promise<void> {
    assert(queueOffset < queue.tailOffset, `unit ${place} is in memory, and wrong`)
    const known = await queue.unitAt(queueOffset)
    // Somebody else has put it right meanwhile.
    if (await this.#isSound(queue, queueOffset, known)) return
    const bounds = await this.#boundsOf(queue, queueOffset)
    const unit = await this.#find(queue, queueOffset, bounds)
    if (unit === undefined) throw this.#lose(place, lackOf(queue, queueOffset, bounds))
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
    const { reader } = this.#parts
    if (!reader.canHave(unit)) return false
    try {
      return (await reader.coldSlices(queue, [{ ...unit, queueOffset }])).kind === 'read'
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      return false
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
      if (record.queueOffset === queueOffset) found = unitOf(record)
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

function isOf(record: RecordView, queue: ConsumeQueue): boolean {
  return (
    record.queueId === queue.queueId && record.topic === queue.topic && isQueued(record.sysFlag)
  )
}

function unitOf(record: RecordView): QueueUnit {
  const { logOffset, sizeBytes } = record
  return { logOffset, sizeBytes, tagsCode: unitTagsCodeOf(record) }
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
