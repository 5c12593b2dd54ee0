/**
 * What Apache's broker keeps of its timed messages, and is left here for it. Owns `timercheck`,
 * `timerlog` and `timerwheel`, which are Apache's.
 *
 *   timercheck   i64 × 7: lastReadTimeMs, lastTimerLogFlushPos, lastTimerQueueOffset,
 *                masterTimerQueueOffset, dataVersion; 4096 bytes
 *   timerlog/    52 bytes for each message that waits, those of a slot linked backwards
 *   timerwheel   for each slot, where its last one is: Apache makes it anew from timerlog
 *
 * While this broker runs there is a mark in the place of the first and nothing in that of the others:
 * after a kill, Apache's broker reads its timer topic from the beginning, which delivers again what was
 * delivered, but loses nothing. After an orderly end it finds what waits, and nothing else.
 * Source: Apache classes TimerCheckpoint, TimerLog, TimerMessageStore (recover); `store-format.md` 16.11.
 */
import { crc32 } from 'node:zlib'
import { type Disk, readWholeFile, replaceFile, writeBytes } from '@rockhopper/host'
import { readInt64, writeInt64 } from '@rockhopper/protocol'
import type { PendingTimer, PendingTimers } from '../tables/pending-timers.ts'

const CHECK_BYTES = 4_096
const COUNTED_BYTES = 56
const UNIT_BYTES = 52
/** What Apache leaves free at the end of a file, for a unit that says so. */
const BLANK_BYTES = 16
const BLANK_MAGIC = 0xcbd4_3194
const magic = { usual: 1, roll: 2, recall: 4 }

/** How far Apache's broker was. */
export interface TimerCheck {
  /** Messages of earlier slots were delivered, if their queue offset is below the next. */
  readonly readTimeMs: number
  /** Queue offset of the first message that it had not seen. */
  readonly queueOffset: number
}

/** What stands in the place of Apache's numbers while this broker has the store. */
const MARK_TEXT = 'this broker is not Apache: see timerPending'

export class TimerCheckFiles {
  readonly #disk: Disk
  readonly #root: string
  readonly #logFileBytes: number

  constructor(disk: Disk, root: string, logFileBytes: number) {
    this.#disk = disk
    this.#root = root
    this.#logFileBytes = logFileBytes
  }

  /** A sum of the file, 0 when there is none or when it is this broker's mark. Throws `DiskError`. */
  mark(): number {
    const bytes = readWholeFile(this.#disk, this.#path)
    return bytes === undefined || bytes.equals(markBytes()) ? 0 : crc32(bytes)
  }

  /** What Apache's broker left; undefined when it left nothing. Throws `DiskError`. */
  read(): TimerCheck | undefined {
    const bytes = readWholeFile(this.#disk, this.#path)
    if (bytes === undefined || bytes.length < COUNTED_BYTES) return undefined
    return { readTimeMs: readInt64(bytes, 0), queueOffset: readInt64(bytes, 16) }
  }

  /** Says that this broker has the store. Rejects with `DiskError`. */
  async take(): Promise<void> {
    await this.#write(markBytes())
    this.#disk.remove(`${this.#root}/timerlog`)
    this.#disk.remove(`${this.#root}/timerwheel`)
    await this.#disk.syncDirectory(this.#root)
  }

  /** What the file is to say, and the sum of it. */
  numbersOf({ queueOffset, readTimeMs }: TimerCheck): { bytes: Buffer; mark: number } {
    const bytes = Buffer.alloc(CHECK_BYTES)
    // Apache's broker reads its timer log from place 0 on.
    const numbers = [readTimeMs, 0, queueOffset, queueOffset, 0, readTimeMs, 1]
    for (const [i, number] of numbers.entries()) writeInt64(bytes, number, 8 * i)
    return { bytes, mark: crc32(bytes) }
  }

  /**
   * Leaves the store to whoever comes: the messages that wait, as they lie in the log, and behind
   * them the last message of the queue, which tells Apache's broker where to go on.
   */
  async leave(check: Buffer, timers: PendingTimers, last: LastTimer): Promise<void> {
    const waiting = [...timers.all()].sort((one, other) => one.logOffset - other.logOffset)
    await this.#writeUnits(unitsOf(waiting, last, this.#logFileBytes))
    await this.#write(check)
  }

  async #writeUnits(files: readonly Buffer[]): Promise<void> {
    const directory = `${this.#root}/timerlog`
    this.#disk.remove(directory)
    this.#disk.makeDirectory(directory)
    for (const [i, bytes] of files.entries()) {
      const name = String(i * this.#logFileBytes).padStart(20, '0')
      const file = this.#disk.open(`${directory}/${name}`, 'create')
      try {
        writeBytes(file, bytes, 0)
        file.setLength(this.#logFileBytes)
        await file.syncData()
      } finally {
        file.close()
      }
    }
    await this.#disk.syncDirectory(directory)
    await this.#disk.syncDirectory(this.#root)
  }

  /** Apache maps the file and does not take a shorter one. */
  async #write(bytes: Buffer): Promise<void> {
    this.#disk.makeDirectory(`${this.#root}/config`)
    await replaceFile(this.#disk, this.#path, 'dropped', (file) => writeBytes(file, bytes, 0))
  }

  get #path(): string {
    return `${this.#root}/config/timercheck`
  }
}

/** The last message of the timer topic that was seen. */
export interface LastTimer {
  readonly logOffset: number
  readonly sizeBytes: number
  /** A slot that is over. */
  readonly slotMs: number
  readonly precisionMs: number
}

function markBytes(): Buffer {
  const bytes = Buffer.alloc(CHECK_BYTES)
  bytes.write(MARK_TEXT, COUNTED_BYTES)
  return bytes
}

/** The files of Apache's timer log, each without the zeros at its end. */
function unitsOf(timers: readonly PendingTimer[], last: LastTimer, fileBytes: number): Buffer[] {
  const perFile = Math.floor((fileBytes - BLANK_BYTES) / UNIT_BYTES)
  const { logOffset, precisionMs, sizeBytes, slotMs } = last
  const end = {
    logOffset,
    sizeBytes,
    wakeMs: slotMs,
    isRoll: false,
    isRecall: false,
    realTopic: '',
  }
  const all = [...timers, end]
  const lastOfSlot = new Map<number, number>()
  const files: Buffer[] = []
  for (let from = 0; from < all.length; from += perFile) {
    const part = all.slice(from, from + perFile)
    const isLast = from + perFile >= all.length
    const bytes = Buffer.alloc(part.length * UNIT_BYTES + (isLast ? 0 : BLANK_BYTES))
    for (const [i, timer] of part.entries()) {
      const place = files.length * fileBytes + i * UNIT_BYTES
      writeUnit(bytes, i * UNIT_BYTES, timer, lastOfSlot.get(timer.wakeMs) ?? -1, precisionMs)
      lastOfSlot.set(timer.wakeMs, place)
    }
    if (!isLast) writeBlank(bytes, part.length * UNIT_BYTES, fileBytes)
    files.push(bytes)
  }
  return files
}

function writeUnit(
  bytes: Buffer,
  at: number,
  timer: PendingTimer,
  previous: number,
  precisionMs: number,
): void {
  bytes.writeInt32BE(UNIT_BYTES, at)
  writeInt64(bytes, previous, at + 4)
  const bits = (timer.isRoll ? magic.roll : 0) | (timer.isRecall ? magic.recall : 0)
  bytes.writeInt32BE(magic.usual | bits, at + 12)
  writeInt64(bytes, timer.wakeMs - precisionMs, at + 16)
  bytes.writeInt32BE(precisionMs, at + 24)
  writeInt64(bytes, timer.logOffset, at + 28)
  bytes.writeInt32BE(timer.sizeBytes, at + 36)
}

function writeBlank(bytes: Buffer, at: number, fileBytes: number): void {
  bytes.writeInt32BE(fileBytes - at, at)
  bytes.writeInt32BE(BLANK_MAGIC | 0, at + 12)
}
