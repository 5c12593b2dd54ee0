/**
 * One queue of one topic: for each message, 20 bytes that say where in the log it is. Owns the
 * units, in memory and in files; the dispatcher says up to where they are visible.
 *
 *   minOffset          unitTail.startOffset     end (visible)   nextOffset
 *   | in files only    | in files and memory … | memory only … |
 *
 * The log is the truth and the files of a queue follow it lazily: what they lack after a crash is
 * made anew from the log. Source: Apache class ConsumeQueue; `store-format.md` section 8.
 */
import type { Clock } from '@rockhopper/host'
import {
  isLive,
  isPreBlank,
  PRE_BLANK_UNIT,
  type QueueUnit,
  readUnit,
  UNIT_BYTES,
  writeUnit,
} from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import { parentOf } from '../files/durable-folder.ts'
import type { SegmentFolder } from '../files/segment-folder.ts'
import { Watermark } from '../watermark.ts'
import { firstWhere, firstWhereAsync } from './binary-search.ts'
import type { QueueStretch } from './queue-ends.ts'
import { NO_SUMS, type StoredSums, type UnitStretch, UnitSums } from './unit-sums.ts'
import { UnitTail } from './unit-tail.ts'

const SIZE_KEY = 'mappedFileSizeConsumeQueue'

/** For one unit at a time; shared, as there may be very many queues. */
const SCRATCH = Buffer.alloc(UNIT_BYTES)

/** What a queue has to know of the log when its files are read. */
export interface LogBounds {
  readonly minOffset: number
  /** Units of records from here on are not taken from the files: the log gives them anew. */
  readonly limitOffset: number
  /** Whether files may be shorter than they should, as their process was killed. */
  readonly wasKilled: boolean
  /** Whether what lies behind those units has to be cleared, as it may be anything. */
  readonly hasStrays: boolean
  /** Whether old files of the log, and so of queues, may have been removed since the checkpoint. */
  readonly mayBeginLater: boolean
}

interface QueueToOpen {
  readonly topic: string
  readonly queueId: number
  /** Whether files that are damaged can be filled from the log: only at the start. */
  readonly mayBeginAnew: boolean
}

export class ConsumeQueue {
  readonly topic: string
  readonly topicBytes: Buffer
  readonly queueId: number
  /** Whether its files lack what they should have: it was begun anew, and has to be filled. */
  readonly isDamaged: boolean
  /** Visible up to here; follows what is confirmed. The dispatcher advances it. */
  readonly end: Watermark
  readonly #folder: SegmentFolder
  #tail: UnitTail
  #minOffset: number
  /** Units before it are in the files. */
  #savedOffset: number
  /** Checksums of the units in the files. */
  #sums: UnitSums
  /** Starts of the segments that were written since the last sync. */
  readonly #unsynced = new Set<number>()
  #newNames = false
  #removed = false
  /** The end of the last removal of old files that was begun: two never run at a time. */
  #forgetting: Promise<unknown> = Promise.resolve()

  /**
   * Reads what the files hold. `known` is what the queue has before the limit, undefined when only the
   * files can tell. Throws `DiskError`, and `CorruptionError` also when files are damaged that cannot
   * be begun anew any more.
   */
  constructor(
    clock: Clock,
    folder: SegmentFolder,
    place: QueueToOpen,
    bounds: LogBounds,
    known: QueueStretch | undefined,
  ) {
    this.#folder = folder
    this.topic = place.topic
    this.topicBytes = Buffer.from(place.topic)
    this.queueId = place.queueId
    folder.load(bounds.wasKilled, SIZE_KEY)
    if (known === undefined) folder.demandContiguous(SIZE_KEY)
    this.isDamaged = known !== undefined && !this.#hasAll(known, bounds)
    if (this.isDamaged && !place.mayBeginAnew) throw this.#damage()
    const found = this.isDamaged ? 0 : (known?.endOffset ?? this.#findEnd(bounds.limitOffset))
    const end = bounds.hasStrays || this.isDamaged ? this.#clearBehind(found) : found
    this.#sums = new UnitSums(folder.segmentBytes, end, this.isDamaged ? NO_SUMS : known?.sums)
    this.#minOffset = this.#findMin(bounds.minOffset, known?.beginOffset ?? 0, end)
    this.#savedOffset = end
    this.#tail = new UnitTail(end)
    this.end = new Watermark(clock, end)
  }

  get minOffset(): number {
    return this.#minOffset
  }

  /** Queue offset at which its files begin. */
  get fileOffset(): number {
    return (this.#folder.firstOffset ?? 0) / UNIT_BYTES
  }

  /** Whether it had messages, and the log has none of them any more. */
  get isExpired(): boolean {
    return this.#minOffset > 0 && this.#minOffset === this.nextOffset
  }

  /** Whether its topic was deleted. */
  get isRemoved(): boolean {
    return this.#removed
  }

  /** The offset that the next message gets. */
  get nextOffset(): number {
    return this.#tail.endOffset
  }

  /** Units from here on are in memory. */
  get tailOffset(): number {
    return this.#tail.startOffset
  }

  /** Nothing in memory, and nothing that the files or the device lack. */
  get isIdle(): boolean {
    const { startOffset, endOffset } = this.#tail
    return startOffset === endOffset && this.#unsynced.size === 0 && !this.#newNames
  }

  /** Whether all of its messages are visible. */
  get isVisible(): boolean {
    return this.#tail.endOffset === this.end.value
  }

  push(unit: QueueUnit): void {
    this.#tail.push(unit)
  }

  /** Makes the messages before `logOffset` visible; returns whether those are all. */
  show(logOffset: number): boolean {
    const isLater = (at: number): boolean => this.#tail.logEndAt(at) > logOffset
    const { endOffset } = this.#tail
    const isAll = !isLater(endOffset - 1)
    this.end.advance(isAll ? endOffset : firstWhere(this.end.value, endOffset, isLater))
    return isAll
  }

  /** A queue that has no unit yet may begin at any offset. */
  beginAt(queueOffset: number): void {
    this.#folder.remove()
    this.#tail = new UnitTail(queueOffset)
    this.#savedOffset = queueOffset
    this.#sums = new UnitSums(this.#folder.segmentBytes, queueOffset)
    this.#minOffset = queueOffset
    this.end.advance(queueOffset)
  }

  /** The bytes of units from `from` on, at the most `count`, of what is visible and in memory. */
  hotUnits(from: number, count: number): Buffer {
    return this.#tail.slice(from, Math.min(from + count, this.end.value))
  }

  /** The same from the files; ends where a segment or the units in files only end. */
  async coldUnits(from: number, count: number): Promise<Buffer> {
    const segmentEnd = this.#segmentEnd(from)
    const to = Math.min(from + count, this.#tail.startOffset, segmentEnd)
    const units = Buffer.alloc((to - from) * UNIT_BYTES)
    await this.#folder.read(units, from * UNIT_BYTES)
    return units
  }

  /** The visible unit at `queueOffset`. */
  async unitAt(queueOffset: number): Promise<QueueUnit> {
    if (queueOffset >= this.#tail.startOffset) return this.#tail.get(queueOffset)
    return readUnit(await this.coldUnits(queueOffset, 1), 0)
  }

  /** Puts the unit of a message right in the file. Throws `DiskError`. */
  mend(queueOffset: number, unit: QueueUnit): void {
    if (this.#removed) return
    writeUnit(SCRATCH, 0, unit)
    this.#folder.write(SCRATCH, queueOffset * UNIT_BYTES)
    this.#unsynced.add(queueOffset * UNIT_BYTES)
  }

  /** For the checkpoint: the checksums that are new, when all before `endOffset` is saved. */
  newSums(endOffset: number): StoredSums {
    return this.#sums.takeNew(endOffset)
  }

  /** The units that share a checksum with that of `queueOffset`, unless they were found sound. */
  unseenStretch(queueOffset: number): UnitStretch | undefined {
    return this.#sums.unseen(queueOffset)
  }

  /** Behind the units that share a checksum with that of `queueOffset`, or have none, too. */
  endOfSum(queueOffset: number): number {
    return this.#sums.endOfPage(queueOffset)
  }

  /** What the files have of a stretch. Rejects with `DiskError`. */
  async unitsOf({ from, to }: UnitStretch): Promise<Buffer> {
    const units = Buffer.alloc((to - from) * UNIT_BYTES)
    await this.#folder.read(units, from * UNIT_BYTES)
    return units
  }

  /** Whether the files have what the checksum is of. Rejects with `DiskError`. */
  async isSound(stretch: UnitStretch): Promise<boolean> {
    return this.#sums.compare(stretch, await this.unitsOf(stretch))
  }

  /** Every unit of a stretch was held against the log: what the files have is right. */
  async believe(stretch: UnitStretch): Promise<void> {
    this.#sums.correct(stretch, await this.unitsOf(stretch))
  }

  /** Where the unit of a message is, for who has to look at it. */
  placeOf(queueOffset: number): { readonly path: string; readonly byte: number } {
    const offset = queueOffset * UNIT_BYTES
    return { path: this.#folder.pathOf(offset), byte: offset - this.#folder.startOf(offset) }
  }

  /** The first offset whose segment comes behind that of `queueOffset`. */
  nextSegmentOffset(queueOffset: number): number {
    return this.#segmentEnd(queueOffset)
  }

  /**
   * Writes the units before `endOffset`, all visible, that the files lack, and forgets those whose
   * records are cold. Throws `DiskError`.
   */
  save(hotLogOffset: number, endOffset: number): void {
    if (this.#removed) return
    while (this.#savedOffset < endOffset) {
      const from = this.#savedOffset
      const stop = Math.min(endOffset, this.#segmentEnd(from))
      const units = this.#tail.slice(from, stop)
      this.#readySegment(from)
      this.#folder.write(units, from * UNIT_BYTES)
      this.#sums.cover(units, from)
      this.#unsynced.add(from * UNIT_BYTES)
      this.#savedOffset = stop
    }
    this.#forgetCold(hotLogOffset)
  }

  /**
   * Makes what was saved durable, but for names: the folders that have new ones are added to
   * `directories`, for the caller to sync. Rejects with `DiskError`.
   */
  async sync(directories: Set<string>): Promise<void> {
    const dirty = [...this.#unsynced]
    if (this.#newNames) this.#addDirectories(directories)
    this.#unsynced.clear()
    this.#newNames = false
    for (const offset of dirty) {
      if (this.#folder.has(offset)) await this.#folder.file(offset).syncData()
    }
  }

  /**
   * Forgets the units of records that the log has no more, and removes the files with nothing else,
   * except the last. Returns whether a file was removed. Rejects with `DiskError`.
   */
  forgetBefore(logMinOffset: number): Promise<boolean> {
    const forgetting = this.#forgetting.then(() => this.#forget(logMinOffset))
    this.#forgetting = forgetting.catch(() => {})
    return forgetting
  }

  async #forget(logMinOffset: number): Promise<boolean> {
    const lives = async (at: number): Promise<boolean> => {
      const unit = await this.unitAt(at)
      return isLiveIn(logMinOffset, unit) || (await this.#isDoubtful(at))
    }
    try {
      const from = this.#minOffset
      if (from < this.end.value && !(await lives(from))) {
        this.#minOffset = await firstWhereAsync(from + 1, this.end.value, lives)
      }
      this.#sums.dropBefore(this.#minOffset)
      return await this.#removeOldFiles()
    } catch (error) {
      // Its topic was deleted meanwhile: it has no files any more.
      if (this.#removed) return false
      throw error
    }
  }

  async #removeOldFiles(): Promise<boolean> {
    let count = 0
    for (; !this.#removed; count++) {
      const second = this.#folder.starts[1]
      if (second === undefined || second / UNIT_BYTES > this.#minOffset) break
      this.#folder.removeFirst()
      await this.#folder.syncNames()
    }
    return count > 0
  }

  /** The topic was deleted: nothing more is written, and nobody waits any longer. */
  remove(): void {
    this.#removed = true
    this.#unsynced.clear()
    this.#newNames = false
    this.#folder.remove()
    this.end.close()
  }

  #segmentEnd(queueOffset: number): number {
    const { segmentBytes } = this.#folder
    return (this.#folder.startOf(queueOffset * UNIT_BYTES) + segmentBytes) / UNIT_BYTES
  }

  #unitInFile(queueOffset: number): QueueUnit {
    this.#folder.readSync(SCRATCH, queueOffset * UNIT_BYTES)
    return readUnit(SCRATCH, 0)
  }

  /** Behind the last unit of a record before the limit. */
  #findEnd(limitOffset: number): number {
    for (const start of this.#folder.starts.toReversed()) {
      const first = start / UNIT_BYTES
      const end = firstWhere(first, this.#segmentEnd(first), (at) => {
        const unit = this.#unitInFile(at)
        return !isLive(unit) || unit.logOffset >= limitOffset
      })
      if (end > first || start === this.#folder.firstOffset) return end
    }
    return 0
  }

  /**
   * The first unit whose record the log still has, `beginOffset` at the least. Source:
   * `store-format.md` section 8.3.
   */
  #findMin(logMinOffset: number, beginOffset: number, end: number): number {
    const first = Math.min(end, Math.max(beginOffset, this.fileOffset))
    const lives = (at: number): boolean => {
      const unit = this.#unitInFile(at)
      // While the log has everything, no unit is to be believed that says otherwise.
      const isThere = logMinOffset === 0 ? !isPreBlank(unit) : isLiveIn(logMinOffset, unit)
      return isThere || this.#isDoubtfulNow(at)
    }
    return first === end || lives(first) ? first : firstWhere(first + 1, end, lives)
  }

  #damage(): CorruptionError {
    const { directory } = this.#folder
    return new CorruptionError(
      directory,
      0,
      `Files in "${directory}" are missing or damaged since the broker was started: start it again, ` +
        'and it makes them anew from the commit log.',
    )
  }

  /** Whether a unit in the files may not be what was written. */
  async #isDoubtful(queueOffset: number): Promise<boolean> {
    const stretch = this.#sums.unseen(queueOffset)
    return stretch !== undefined && !(await this.isSound(stretch))
  }

  #isDoubtfulNow(queueOffset: number): boolean {
    const stretch = this.#sums.unseen(queueOffset)
    if (stretch === undefined) return false
    const units = Buffer.alloc((stretch.to - stretch.from) * UNIT_BYTES)
    this.#folder.readSync(units, stretch.from * UNIT_BYTES)
    return !this.#sums.compare(stretch, units)
  }

  /** Whether the files begin and end where they should. */
  #hasAll({ beginOffset, endOffset }: QueueStretch, bounds: LogBounds): boolean {
    if (endOffset === 0) return true
    if (!this.#folder.isContiguous || !this.#folder.has((endOffset - 1) * UNIT_BYTES)) return false
    if (this.fileOffset > beginOffset && !bounds.mayBeginLater) return false
    return isEnd(this.#unitInFile(endOffset - 1), bounds)
  }

  /** Clears what a crash may have left there, all if nothing but filling is before: then it is 0. */
  #clearBehind(end: number): number {
    const first = (this.#folder.firstOffset ?? 0) / UNIT_BYTES
    if (end <= first || isPreBlank(this.#unitInFile(end - 1))) {
      this.#folder.remove()
      return 0
    }
    this.#folder.clearFrom(end * UNIT_BYTES)
    this.#newNames = true
    if (this.#folder.has(end * UNIT_BYTES)) this.#unsynced.add(end * UNIT_BYTES)
    return end
  }

  /** Makes the segment of a unit that is to be written, filling what lies before a first one. */
  #readySegment(queueOffset: number): void {
    const offset = queueOffset * UNIT_BYTES
    if (this.#folder.has(offset)) return
    const start = this.#folder.startOf(offset)
    this.#folder.create(start)
    this.#newNames = true
    if (offset === start) return
    try {
      this.#folder.write(preBlankUnits((offset - start) / UNIT_BYTES), start)
    } catch (error) {
      this.#folder.remove()
      throw error
    }
  }

  #forgetCold(hotLogOffset: number): void {
    const { startOffset } = this.#tail
    const isHot = (at: number): boolean => this.#tail.logOffsetAt(at) >= hotLogOffset
    this.#tail.dropBefore(firstWhere(startOffset, this.#savedOffset, isHot))
  }

  /** A new folder is durable when its parents know it. */
  #addDirectories(directories: Set<string>): void {
    const { directory } = this.#folder
    const topicDirectory = parentOf(directory)
    for (const each of [directory, topicDirectory, parentOf(topicDirectory)]) directories.add(each)
  }
}

/** Whether a unit can be the last one of a queue that is believed as far as its bounds say. */
export function isEnd(unit: QueueUnit, { limitOffset }: LogBounds): boolean {
  return isLive(unit) && !isPreBlank(unit) && unit.logOffset < limitOffset
}

function isLiveIn(logMinOffset: number, unit: QueueUnit): boolean {
  return !isPreBlank(unit) && unit.logOffset >= logMinOffset
}

function preBlankUnits(count: number): Buffer {
  const bytes = Buffer.alloc(count * UNIT_BYTES)
  for (let at = 0; at < bytes.length; at += UNIT_BYTES) writeUnit(bytes, at, PRE_BLANK_UNIT)
  return bytes
}
