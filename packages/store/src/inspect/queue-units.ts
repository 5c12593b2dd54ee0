/**
 * Single units of queues, from their files. Owns the files that are open.
 */
import type { ReadOnlyDisk } from '@rockhopper/host'
import { isLive, type QueueUnit, readUnit, UNIT_BYTES } from '@rockhopper/protocol'
import { firstWhere } from '../queues/binary-search.ts'
import { SegmentFiles } from './segment-files.ts'
import type { StoreFolder } from './store-folder.ts'

/** Queues whose files are kept at hand. */
const MOST_QUEUES = 64

export class QueueUnits {
  readonly #disk: ReadOnlyDisk
  readonly #folder: StoreFolder
  readonly #queues = new Map<string, SegmentFiles>()
  readonly #unit = Buffer.alloc(UNIT_BYTES)

  constructor(disk: ReadOnlyDisk, folder: StoreFolder) {
    this.#disk = disk
    this.#folder = folder
  }

  /** A unit; undefined when the files have none there. */
  read(topic: string, queueId: number, queueOffset: number): QueueUnit | undefined {
    const files = this.#filesOf(topic, queueId)
    if (files.read(this.#unit, queueOffset * UNIT_BYTES) < UNIT_BYTES) return undefined
    const unit = readUnit(this.#unit, 0)
    return isLive(unit) ? unit : undefined
  }

  /** Queue offset behind the last unit. */
  endOf(topic: string, queueId: number): number {
    for (const { sizeBytes, start } of this.#filesOf(topic, queueId).files.toReversed()) {
      const first = start / UNIT_BYTES
      const end = firstWhere(first, first + Math.floor(sizeBytes / UNIT_BYTES), (at) => {
        return this.read(topic, queueId, at) === undefined
      })
      if (end > first) return end
    }
    return 0
  }

  close(): void {
    for (const files of this.#queues.values()) files.close()
    this.#queues.clear()
  }

  #filesOf(topic: string, queueId: number): SegmentFiles {
    const directory = `${this.#folder.queues}/${topic}/${queueId}`
    const known = this.#queues.get(directory)
    if (known !== undefined) return known
    if (this.#queues.size >= MOST_QUEUES) this.close()
    const files = new SegmentFiles(this.#disk, directory, this.#folder.queueSegmentBytes)
    this.#queues.set(directory, files)
    return files
  }
}
