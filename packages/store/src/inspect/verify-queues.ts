/**
 * Holds the queues against the log while that is read: each message has its unit, offsets have no
 * hole and no repeat, and nothing stands behind the last. Owns what is known of each queue.
 *
 *   log    … | record of queue 1, offset 7 | …
 *   queue 1  unit 6 | unit 7: log offset, size and tags of that record | …
 */
import type { ReadOnlyDisk } from '@rockhopper/host'
import {
  fitsUnit,
  isLive,
  isPreBlank,
  type RecordView,
  readUnit,
  scanRecord,
  UNIT_BYTES,
} from '@rockhopper/protocol'
import { OpenFiles } from '../files/open-files.ts'
import { segmentName } from '../files/segment-folder.ts'
import { isFolderName } from '../queues/queue-table.ts'
import { isInQueue } from '../recovery/recovery.ts'
import { DryDisk } from './dry-disk.ts'
import { ADVICE, type Findings } from './findings.ts'
import type { SegmentFiles } from './segment-files.ts'
import { queueFolders, type StoreFolder } from './store-folder.ts'

/** All windows of queues together have so much. */
const WINDOWS_BYTES = 32 * 1024 * 1024
const MOST_WINDOW_UNITS = 3_000
const LEAST_WINDOW_UNITS = 32
/** Units that do not fit the record just read, looked at once more at the end. */
const MOST_SUSPECTS = 100_000
/** Queues of light topics list messages of other topics: they are not looked at. */
const LIGHT_PREFIX = '%LMQ%'
/** A tags code this small is an address in the queue's extension. Source: ConsumeQueueExt. */
const LARGEST_EXTENSION_ADDRESS = -2_147_483_649

interface CheckedQueue {
  readonly topic: string
  readonly queueId: number
  readonly directory: string
  /** Starts of its files. */
  readonly starts: ReadonlySet<number>
  /** Queue offset of the first message in the log, and the one that comes next; -1 before. */
  first: number
  next: number
  /** Units at `windowFrom` and behind. */
  window: Buffer
  windowFrom: number
  /** A run of messages that have no unit, up to the one looked at last. */
  missingFrom: number
  missing: number
}

interface Suspect {
  readonly queue: CheckedQueue
  readonly queueOffset: number
}

export class QueueVerifier {
  units = 0
  readonly #folder: StoreFolder
  readonly #log: SegmentFiles
  readonly #findings: Findings
  readonly #wasKilled: boolean
  /** Topics that have queues as far as the metadata say. */
  readonly #topicsKnown: ReadonlySet<string>
  readonly #disk: ReadOnlyDisk
  readonly #files: OpenFiles
  readonly #queues = new Map<string, Map<number, CheckedQueue>>()
  readonly #windowUnits: number
  readonly #suspects: Suspect[] = []
  #tooMany = false

  constructor(
    disk: ReadOnlyDisk,
    folder: StoreFolder,
    log: SegmentFiles,
    findings: Findings,
    options: { readonly wasKilled: boolean; readonly topicsKnown: ReadonlySet<string> },
  ) {
    this.#disk = disk
    this.#folder = folder
    this.#log = log
    this.#findings = findings
    this.#wasKilled = options.wasKilled
    this.#topicsKnown = options.topicsKnown
    this.#files = new OpenFiles(new DryDisk(disk))
    const folders = queueFolders(disk, folder)
    const units = Math.floor(WINDOWS_BYTES / UNIT_BYTES / Math.max(1, folders.length))
    this.#windowUnits = Math.max(LEAST_WINDOW_UNITS, Math.min(MOST_WINDOW_UNITS, units))
    for (const { queueId, topic } of folders) this.#queueOf(topic, queueId)
  }

  get queueCount(): number {
    let count = 0
    for (const queues of this.#queues.values()) count += queues.size
    return count
  }

  /** A record of the log, in the order of its offsets. */
  record(record: RecordView, logOffset: number): void {
    if (!isInQueue(record)) return
    const queue = this.#queueOf(record.topic, record.queueId)
    const { queueOffset } = record
    this.#checkOrder(queue, queueOffset, logOffset)
    this.#checkUnit(queue, queueOffset, record, logOffset)
    queue.next = queueOffset + 1
  }

  /** What can be said when the whole log was read. */
  finish(): void {
    for (const suspect of this.#suspects) this.#checkSuspect(suspect)
    if (this.#tooMany) {
      const problem = `more than ${MOST_SUSPECTS} units do not fit the log, so not all are told`
      this.#findings.add(this.#folder.queues, 0, problem, ADVICE.remakeQueue)
    }
    for (const queues of this.#queues.values()) {
      for (const queue of queues.values()) this.#finishQueue(queue)
    }
    this.#files.closeAll()
  }

  #checkOrder(queue: CheckedQueue, queueOffset: number, logOffset: number): void {
    if (queue.next === -1) {
      queue.first = queueOffset
      return
    }
    if (queueOffset === queue.next) return
    const name = `queue ${queue.queueId} of topic "${queue.topic}"`
    // A topic that was deleted and made anew begins at 0 again, and has units of its own only.
    if (queueOffset === 0) {
      queue.missing = 0
      queue.first = 0
      return
    }
    const problem =
      queueOffset > queue.next
        ? `${name} goes on with offset ${queueOffset}, but its messages from ${queue.next} on are not in the log`
        : `${name} has offset ${queueOffset} once more, behind ${queue.next - 1}`
    const at = logOffset % this.#log.segmentBytes
    this.#findings.add(this.#log.pathOf(logOffset), at, problem, ADVICE.rebuild)
  }

  #checkUnit(
    queue: CheckedQueue,
    queueOffset: number,
    record: RecordView,
    logOffset: number,
  ): void {
    const unit = this.#read(queue, queueOffset)
    if (unit === undefined || !isLive(unit)) {
      if (queue.missing === 0) queue.missingFrom = queueOffset
      queue.missing += 1
      return
    }
    if (queue.missing > 0) this.#tellMissing(queue, false)
    this.units += 1
    const isRight =
      unit.logOffset === logOffset &&
      unit.sizeBytes === record.sizeBytes &&
      isTags(unit.tagsCode, record)
    if (!isRight) this.#suspect(queue, queueOffset)
  }

  #suspect(queue: CheckedQueue, queueOffset: number): void {
    if (this.#suspects.length < MOST_SUSPECTS) this.#suspects.push({ queue, queueOffset })
    else this.#tooMany = true
  }

  /** The record may be one of a topic that was deleted since: what counts is where the unit points. */
  #checkSuspect({ queue, queueOffset }: Suspect): void {
    const at = this.#unitAt(queue, queueOffset)
    const unit = readUnit(queue.window, at)
    const problem = this.#problemOf(
      queue,
      queueOffset,
      unit.logOffset,
      unit.sizeBytes,
      unit.tagsCode,
    )
    if (problem !== undefined) this.#tell(queue, queueOffset, problem, ADVICE.remakeQueue)
  }

  #problemOf(
    { queueId, topic }: CheckedQueue,
    queueOffset: number,
    logOffset: number,
    sizeBytes: number,
    tagsCode: number,
  ): string | undefined {
    const place = `unit ${queueOffset} of queue ${queueId} of topic "${topic}" says offset ${logOffset} of the log`
    const { endOffset, firstOffset } = this.#log
    if (logOffset < firstOffset || logOffset >= endOffset) return `${place}, which is outside of it`
    const bytes = Buffer.alloc(Math.min(sizeBytes, endOffset - logOffset))
    const scanned = scanRecord(bytes.subarray(0, this.#log.read(bytes, logOffset)), 0, false)
    if (scanned.kind !== 'record') return `${place}, where no record of ${sizeBytes} bytes begins`
    const { record } = scanned
    const isSame = record.topic === topic && record.queueId === queueId
    if (!isSame || record.queueOffset !== queueOffset) {
      return `${place}, where message ${record.queueOffset} of queue ${record.queueId} of topic "${record.topic}" is`
    }
    if (record.sizeBytes !== sizeBytes) return `${place}, whose record has not ${sizeBytes} bytes`
    return isTags(tagsCode, record) ? undefined : `${place}, whose tag is another one`
  }

  #finishQueue(queue: CheckedQueue): void {
    if (queue.missing > 0) this.#tellMissing(queue, true)
    if (queue.topic.startsWith(LIGHT_PREFIX)) return
    this.#checkLayout(queue)
    if (queue.next === -1) this.#checkWithoutMessages(queue)
    else this.#checkBehind(queue)
  }

  /** Queues grow by whole files, each behind the one before. */
  #checkLayout({ directory, starts }: CheckedQueue): void {
    const { queueSegmentBytes } = this.#folder
    const sorted = [...starts].sort((a, b) => a - b)
    for (const [i, start] of sorted.entries()) {
      const path = `${directory}/${segmentName(start)}`
      const sizeBytes = this.#disk.stat(path)?.sizeBytes ?? 0
      if (sizeBytes !== queueSegmentBytes) {
        const problem = `the file has ${sizeBytes} bytes instead of ${queueSegmentBytes}`
        this.#findings.add(
          path,
          Math.min(sizeBytes, queueSegmentBytes),
          problem,
          ADVICE.remakeQueue,
        )
      }
      const before = sorted[i - 1] ?? start - queueSegmentBytes
      if (before + queueSegmentBytes !== start) {
        const problem = 'the file does not begin where the one before ends'
        this.#findings.add(path, 0, problem, ADVICE.remakeQueue)
      }
    }
  }

  /** A unit that points into the log, while the log has no message of the queue. */
  #checkWithoutMessages(queue: CheckedQueue): void {
    for (const start of [...queue.starts].sort((a, b) => b - a)) {
      for (let at = start / UNIT_BYTES; ; at++) {
        const unit = this.#read(queue, at)
        if (unit === undefined || !isLive(unit)) break
        if (isPreBlank(unit) || unit.logOffset < this.#log.firstOffset || this.#wasKilled) continue
        const problem = `unit ${at} says offset ${unit.logOffset} of the log, which has no message of this queue`
        this.#tell(queue, at, problem, ADVICE.rebuild)
        return
      }
    }
  }

  #checkBehind(queue: CheckedQueue): void {
    const behind = this.#read(queue, queue.next)
    if (behind !== undefined && isLive(behind) && !this.#wasKilled) {
      const problem = `there is a unit for message ${queue.next}, but the log has none of the queue behind ${queue.next - 1}`
      this.#tell(queue, queue.next, problem, ADVICE.rebuild)
    }
    const before = queue.first > 0 ? this.#read(queue, queue.first - 1) : undefined
    if (before === undefined || !isLive(before) || isPreBlank(before)) return
    if (before.logOffset < this.#log.firstOffset) return
    const problem = `the unit of message ${queue.first - 1} says offset ${before.logOffset} of the log, which does not have it`
    this.#tell(queue, queue.first - 1, problem, ADVICE.rebuild)
  }

  /** `isLast`: no message behind the run has a unit. */
  #tellMissing(queue: CheckedQueue, isLast: boolean): void {
    const { missing, missingFrom, queueId, starts, topic } = queue
    queue.missing = 0
    if (missing === 0) return
    const name = `queue ${queueId} of topic "${topic}"`
    if (isLast && this.#wasKilled) {
      this.#findings.notes.push(
        `${missing} messages of ${name}, from ${missingFrom} on, are not in its files yet`,
      )
      return
    }
    if (starts.size === 0 && !this.#topicsKnown.has(topic)) {
      this.#findings.notes.push(
        `${missing} messages of ${name} are in the log, which has no files: the topic may have been deleted`,
      )
      return
    }
    const problem = `${name} has no units for ${missing} messages of the log, from ${missingFrom} on`
    this.#tell(queue, missingFrom, problem, ADVICE.remakeQueue)
  }

  #tell(queue: CheckedQueue, queueOffset: number, problem: string, advice: string): void {
    const at = queueOffset * UNIT_BYTES
    const start = at - (at % this.#folder.queueSegmentBytes)
    this.#findings.add(`${queue.directory}/${segmentName(start)}`, at - start, problem, advice)
  }

  #read(queue: CheckedQueue, queueOffset: number): ReturnType<typeof readUnit> | undefined {
    const at = this.#unitAt(queue, queueOffset)
    return at === -1 ? undefined : readUnit(queue.window, at)
  }

  /** Where in the queue's window a unit is; -1 when the files do not have it. */
  #unitAt(queue: CheckedQueue, queueOffset: number): number {
    const known = (queueOffset - queue.windowFrom) * UNIT_BYTES
    if (known >= 0 && known < queue.window.length) return known
    const offset = queueOffset * UNIT_BYTES
    const inFile = offset % this.#folder.queueSegmentBytes
    const start = offset - inFile
    if (!queue.starts.has(start)) return -1
    const wanted = Math.min(this.#windowUnits * UNIT_BYTES, this.#folder.queueSegmentBytes - inFile)
    const target = Buffer.allocUnsafe(wanted)
    const count = this.#files
      .get(`${queue.directory}/${segmentName(start)}`)
      .readSync(target, inFile)
    queue.window = target.subarray(0, count - (count % UNIT_BYTES))
    queue.windowFrom = queueOffset
    return queue.window.length > 0 ? 0 : -1
  }

  #queueOf(topic: string, queueId: number): CheckedQueue {
    let queues = this.#queues.get(topic)
    if (queues === undefined) {
      queues = new Map()
      this.#queues.set(topic, queues)
    }
    const known = queues.get(queueId)
    if (known !== undefined) return known
    const directory = `${this.#folder.queues}/${topic}/${queueId}`
    const names = isFolderName(topic) ? this.#disk.list(directory) : []
    const starts = new Set(names.filter((name) => /^\d{20}$/.test(name)).map(Number))
    const queue = {
      ...{ topic, queueId, directory, starts, first: -1, next: -1 },
      ...{ window: Buffer.alloc(0), windowFrom: 0, missingFrom: 0, missing: 0 },
    }
    queues.set(queueId, queue)
    return queue
  }
}

function isTags(
  tagsCode: number,
  record: Pick<RecordView, 'topic' | 'properties' | 'storeTimestamp'>,
): boolean {
  return tagsCode <= LARGEST_EXTENSION_ADDRESS || fitsUnit(tagsCode, record)
}
