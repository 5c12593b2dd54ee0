/**
 * Finds out which stretches of a log are to be replaced, and which messages were in them. Owns what
 * is known of each queue meanwhile.
 *
 * A message is known to be lost when the next one of its queue is there, or a unit of its queue.
 */
import {
  fitsUnit,
  type HostAddress,
  hasSoundCrcProperty,
  hostAddress,
  isLive,
  isPreBlank,
  MessageKeys,
  type QueueUnit,
  type RecordView,
  scanView,
} from '@rockhopper/protocol'
import { MAX_RECORD_BYTES } from '../limits.ts'
import { isInQueue } from '../recovery/recovery.ts'
import { hasCrcProperty } from './crc-place.ts'
import { type LogEnd, scanWholeLog } from './log-scan.ts'
import type { PageVerdicts } from './page-verdicts.ts'
import { QueueUnits } from './queue-units.ts'
import type { SegmentFiles } from './segment-files.ts'
import { type LostMessage, type Stretch, standInBytes } from './stand-ins.ts'
import { queueFolders, type ReadingHost, type StoreFolder } from './store-folder.ts'

/** What a rebuild would do. */
export interface RebuildPlan {
  readonly firstOffset: number
  readonly endOffset: number
  readonly records: number
  readonly stretches: readonly Stretch[]
  /** Lost messages that no stretch has room for. */
  readonly unplaced: readonly LostMessage[]
  /** Messages of which only the body and the place are known to be right. */
  readonly doubtful: readonly LostMessage[]
  /** Offset of the last record with a key; -1 when there is none. */
  readonly lastKeyed: number
}

/** The shortest record takes so much. */
const LEAST_RECORD_BYTES = 92

interface PlannedQueue {
  first: number
  next: number
  lastLogOffset: number
}

/** A lost message, and between which offsets of the log it was. */
interface Missing extends LostMessage {
  readonly after: number
  readonly before: number
  readonly unit: QueueUnit | undefined
}

/** `pages` tells which pages of the log have a wrong checksum. Throws `DiskError`. */
export function planRebuild(
  { disk }: ReadingHost,
  folder: StoreFolder,
  log: SegmentFiles,
  pages: PageVerdicts,
  wasKilled: boolean,
): RebuildPlan {
  const units = new QueueUnits(disk, folder)
  const planner = new Planner(log, units, pages)
  const end = scanWholeLog(log, log.firstOffset, {
    record: (record, source, at, logOffset) => planner.record(record, source, at, logOffset),
    damage: (from, to, problem) => planner.addStretch(from, to, problem),
  })
  for (const { queueId, topic } of queueFolders(disk, folder)) {
    planner.missAtEnds(topic, queueId, wasKilled ? end.offset : Number.POSITIVE_INFINITY)
  }
  units.close()
  return planner.plan(end)
}

class Planner {
  readonly #log: SegmentFiles
  readonly #units: QueueUnits
  readonly #pages: PageVerdicts
  readonly #queues = new Map<string, PlannedQueue>()
  readonly #stretches: Stretch[] = []
  readonly #missing: Missing[] = []
  readonly #doubtful: LostMessage[] = []
  readonly #keys = new MessageKeys()
  #records = 0
  #lastKeyed = -1
  #storeTimestamp = 0
  #storeHost: HostAddress = hostAddress('127.0.0.1', 10_911)
  /** Behind the last unit that says where a message is. */
  #unitsEnd = 0

  constructor(log: SegmentFiles, units: QueueUnits, pages: PageVerdicts) {
    this.#log = log
    this.#units = units
    this.#pages = pages
  }

  record(record: RecordView, source: Buffer, at: number, logOffset: number): void {
    const { sizeBytes } = record
    const problem = this.#problemOf(record, source, at, logOffset)
    if (problem !== undefined) {
      this.addStretch(logOffset, logOffset + sizeBytes, problem)
      return
    }
    this.#records += 1
    this.#storeTimestamp = record.storeTimestamp
    const { ip, port } = record.storeHost
    if (this.#records === 1) this.#storeHost = { ip: Buffer.from(ip), port }
    this.#keys.read(source, record)
    if (this.#keys.count > 0) this.#lastKeyed = logOffset
    if (isInQueue(record)) this.#follow(record, logOffset)
  }

  addStretch(from: number, to: number, problem: string): void {
    const last = this.#stretches.at(-1)
    if (last?.to === from) {
      last.to = to
      return
    }
    this.#stretches.push({
      ...{ from, to, problem, lost: [], lostBytes: 0 },
      storeHost: this.#storeHost,
      storeTimestamp: this.#storeTimestamp,
    })
  }

  /** Units before the first and behind the last message of a queue, of messages that were there. */
  missAtEnds(topic: string, queueId: number, limit: number): void {
    const queue = this.#queues.get(`${topic}/${queueId}`)
    const wasThere = (unit: QueueUnit | undefined): unit is QueueUnit =>
      unit !== undefined &&
      isLive(unit) &&
      !isPreBlank(unit) &&
      unit.logOffset >= this.#log.firstOffset &&
      unit.logOffset < limit
    const miss = (queueOffset: number, unit: QueueUnit): void => {
      this.#missing.push({ topic, queueId, queueOffset, after: -1, before: -1, unit })
      this.#unitsEnd = Math.max(this.#unitsEnd, unit.logOffset + unit.sizeBytes)
    }
    const end = queue?.next ?? this.#units.endOf(topic, queueId)
    for (let at = (queue?.first ?? end) - 1; at >= 0; at--) {
      const unit = this.#units.read(topic, queueId, at)
      if (!wasThere(unit)) break
      miss(at, unit)
    }
    for (let at = end; ; at++) {
      const unit = this.#units.read(topic, queueId, at)
      if (!wasThere(unit)) break
      miss(at, unit)
    }
  }

  plan(end: LogEnd): RebuildPlan {
    const endOffset = this.#endFrom(end)
    const unplaced: LostMessage[] = []
    const ordered = this.#missing.toSorted((a, b) => a.queueOffset - b.queueOffset)
    for (const missing of ordered) {
      const { queueId, queueOffset, topic } = missing
      const stretch = this.#stretchFor(missing)
      if (stretch === undefined) unplaced.push({ topic, queueId, queueOffset })
      else {
        stretch.lost.push({ topic, queueId, queueOffset })
        stretch.lostBytes += standInBytes(missing, stretch.storeHost)
      }
    }
    return {
      firstOffset: this.#log.firstOffset,
      endOffset,
      records: this.#records,
      stretches: this.#stretches.toSorted((a, b) => a.from - b.from),
      unplaced,
      doubtful: this.#doubtful,
      lastKeyed: this.#lastKeyed,
    }
  }

  /** Messages that were lost at the end of the log are known by their units. */
  #endFrom({ offset, problem }: LogEnd): number {
    const to = Math.min(this.#unitsEnd, this.#log.endOffset)
    if (to <= offset) return offset
    this.addStretch(offset, to, problem ?? 'there are zeros')
    return to
  }

  /** Why a record that looks sound is not to be believed; undefined when it is. */
  #problemOf(
    record: RecordView,
    source: Buffer,
    at: number,
    logOffset: number,
  ): string | undefined {
    const { sizeBytes } = record
    const isSummed = hasCrcProperty(record, source)
    if (isSummed && !hasSoundCrcProperty(source, at, sizeBytes)) {
      return 'the checksum in the properties is wrong'
    }
    if (!isSummed && this.#pages.isDamaged(logOffset, logOffset + sizeBytes)) {
      const { queueId, queueOffset, topic } = record
      if (!this.#isConfirmed(record, logOffset) && !this.#isLikely(record, logOffset)) {
        return 'the checksum of its page is wrong'
      }
      this.#doubtful.push({ topic, queueId, queueOffset })
    }
    if (!isInQueue(record) || this.#isInOrder(record, logOffset)) return undefined
    if (this.#isConfirmed(record, logOffset)) return undefined
    return `it claims offset ${record.queueOffset} of its queue, which cannot be`
  }

  /** Whether its queue can go on with it: as many messages are missing as may have been lost. */
  #isInOrder({ queueId, queueOffset, topic }: RecordView, logOffset: number): boolean {
    const queue = this.#queues.get(`${topic}/${queueId}`)
    if (queue === undefined || queueOffset === queue.next || queueOffset === 0) return true
    if (queueOffset < queue.next) return false
    const lostBytes = this.#stretches
      .filter(({ from }) => from > queue.lastLogOffset && from < logOffset)
      .reduce((sum, { from, to }) => sum + to - from, 0)
    return (queueOffset - queue.next) * LEAST_RECORD_BYTES <= lostBytes
  }

  /** Whether it stands where its queue goes on, or begins. */
  #isLikely(record: RecordView, logOffset: number): boolean {
    const isKnown = this.#queues.has(`${record.topic}/${record.queueId}`)
    return isKnown ? this.#isInOrder(record, logOffset) : record.queueOffset === 0
  }

  #isConfirmed(record: RecordView, logOffset: number): boolean {
    const unit = this.#units.read(record.topic, record.queueId, record.queueOffset)
    return (
      unit?.logOffset === logOffset &&
      unit.sizeBytes === record.sizeBytes &&
      fitsUnit(unit.tagsCode, record)
    )
  }

  #follow({ queueId, queueOffset, topic }: RecordView, logOffset: number): void {
    const name = `${topic}/${queueId}`
    const queue = this.#queues.get(name)
    if (queue === undefined) {
      this.#queues.set(name, {
        first: queueOffset,
        next: queueOffset + 1,
        lastLogOffset: logOffset,
      })
      return
    }
    for (let lost = queue.next; lost < queueOffset; lost++) {
      const unit = this.#units.read(topic, queueId, lost)
      const between = { after: queue.lastLogOffset, before: logOffset }
      this.#missing.push({ topic, queueId, queueOffset: lost, unit, ...between })
    }
    if (queueOffset < queue.next) queue.first = queueOffset
    queue.next = queueOffset + 1
    queue.lastLogOffset = logOffset
  }

  /** The stretch in which a message was: its unit says so, or it has room for it. */
  #stretchFor(missing: Missing): Stretch | undefined {
    const { after, before, unit } = missing
    const said = this.#stretches.find(
      ({ from, to }) => unit !== undefined && unit.logOffset >= from && unit.logOffset < to,
    )
    if (said !== undefined && hasRoom(said, missing)) return said
    const blamed = said === undefined && unit !== undefined ? this.#blame(unit) : undefined
    if (blamed !== undefined && hasRoom(blamed, missing)) return blamed
    return this.#stretches.find(
      (each) => each.from > after && each.from < before && hasRoom(each, missing),
    )
  }

  /** The record where a lost message should be, if nobody says that it belongs where it claims. */
  #blame({ logOffset, sizeBytes }: QueueUnit): Stretch | undefined {
    const bytes = Buffer.alloc(Math.min(sizeBytes, MAX_RECORD_BYTES))
    const scanned = scanView(bytes.subarray(0, this.#log.read(bytes, logOffset)), 0, false)
    if (scanned.kind !== 'record' || this.#isConfirmed(scanned.record, logOffset)) return undefined
    if (scanned.record.sizeBytes !== sizeBytes) return undefined
    const stretch: Stretch = {
      from: logOffset,
      to: logOffset + sizeBytes,
      problem: 'the record there claims a place in a queue that is not its own',
      lost: [],
      lostBytes: 0,
      storeHost: this.#storeHost,
      storeTimestamp: scanned.record.storeTimestamp,
    }
    this.#stretches.push(stretch)
    this.#records -= 1
    return stretch
  }
}

function hasRoom(stretch: Stretch, message: LostMessage): boolean {
  const needed = stretch.lostBytes + standInBytes(message, stretch.storeHost)
  return needed <= stretch.to - stretch.from
}
