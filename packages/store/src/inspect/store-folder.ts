/**
 * What a folder has to be to be looked into: where in it is what, and how large its segments are.
 * Owns nothing. Source: `store-format.md` section 1.
 */
import type { Host, ReadOnlyDisk } from '@rockhopper/host'
import type { IndexShape } from '@rockhopper/protocol'
import {
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_SLOT_BYTES,
  UNIT_BYTES,
} from '@rockhopper/protocol'
import type { StoreConfig } from '../config.ts'
import { isIndexName } from '../keys/key-index-name.ts'
import { pathsOf, type StorePaths } from '../store-paths.ts'

/** Apache's mappedFileSizeCommitLog, mappedFileSizeConsumeQueue, maxHashSlotNum and maxIndexNum. */
const LOG_SEGMENT_BYTES = 1024 * 1024 * 1024
const QUEUE_SEGMENT_BYTES = 300_000 * UNIT_BYTES
const ENTRIES_PER_SLOT = 4
const DEFAULT_SLOTS = 5_000_000

const SEGMENT_NAME = /^\d{20}$/
const QUEUE_ID = /^\d+$/

/** The folder cannot be looked into, or not now. The message is a whole sentence with a way out. */
export class InspectError extends Error {
  override readonly name = 'InspectError'
}

/** The doors of who only reads. */
export type ReadingHost = Omit<Host, 'disk'> & { readonly disk: ReadOnlyDisk }

export interface StoreFolder extends StorePaths {
  readonly config: string
  /** As the files say; Apache's default where there is no file. */
  readonly logSegmentBytes: number
  readonly queueSegmentBytes: number
  readonly indexShape: IndexShape
}

/** A queue that has a folder. */
export interface QueueFolder {
  readonly topic: string
  readonly queueId: number
  readonly directory: string
}

/** What the files do not tell. */
export interface StoreHints {
  /** Where the log is (storePathCommitLog); in the folder when absent. */
  readonly commitLog?: string | undefined
  /** Slots of a file of the key index (maxHashSlotNum); a quarter of its entries when absent. */
  readonly indexSlots?: number | undefined
}

/** The store in a folder. Throws `InspectError` when there is none, and `DiskError`. */
export function findStore(
  disk: ReadOnlyDisk,
  root: string,
  { commitLog, indexSlots }: StoreHints = {},
): StoreFolder {
  const paths = pathsOf({ rootDirectory: root, commitLogDirectory: commitLog })
  demandStore(disk, root, paths)
  const found = {
    ...paths,
    config: `${root}/config`,
    logSegmentBytes: firstSize(disk, paths.commitLog, SEGMENT_NAME) ?? LOG_SEGMENT_BYTES,
    indexShape: shapeOf(firstSize(disk, paths.keyIndex, isIndexName), indexSlots),
  }
  return { ...found, queueSegmentBytes: queueSegmentBytes(disk, paths.queues) }
}

/** What a broker would be told of this store. */
export function configOf(folder: StoreFolder): StoreConfig {
  return {
    rootDirectory: folder.root,
    commitLogDirectory: folder.commitLog,
    commitLogSegmentBytes: folder.logSegmentBytes,
    consumeQueueSegmentBytes: folder.queueSegmentBytes,
    flushDisk: 'async',
    flushIntervalMs: 500,
    syncFlushTimeoutMs: 5_000,
    maxMessageBytes: 4 * 1024 * 1024,
    tailMemoryBytes: 16 * 1024 * 1024,
    keyIndex: { enabled: true, ...folder.indexShape, maxMessages: 64 },
  }
}

/** All queues that have a folder, by topic and number. */
export function queueFolders(disk: ReadOnlyDisk, { queues }: StoreFolder): QueueFolder[] {
  return disk.list(queues).flatMap((topic) =>
    disk
      .list(`${queues}/${topic}`)
      .filter((name) => QUEUE_ID.test(name))
      .map(Number)
      .sort((a, b) => a - b)
      .map((queueId) => ({ topic, queueId, directory: `${queues}/${topic}/${queueId}` })),
  )
}

/** Names of the files of the key index, oldest first. */
export function indexNames(disk: ReadOnlyDisk, { keyIndex }: StoreFolder): string[] {
  return disk.list(keyIndex).filter(isIndexName)
}

function demandStore(
  disk: ReadOnlyDisk,
  root: string,
  { commitLog, checkpoint }: StorePaths,
): void {
  const stat = disk.stat(root)
  if (stat === undefined) {
    throw new InspectError(`There is no folder "${root}": name the folder of a store.`)
  }
  if (stat.kind === 'file') {
    throw new InspectError(`"${root}" is a file: name the folder of a store.`)
  }
  if (disk.stat(commitLog) !== undefined || disk.stat(checkpoint) !== undefined) return
  const inner = disk.stat(`${root}/store/commitlog`) !== undefined
  const advice = inner
    ? `try "${root}/store".`
    : 'name the folder that storePathRootDir names, and with --commit-log that of ' +
      'storePathCommitLog when the log is elsewhere.'
  throw new InspectError(
    `"${root}" is not the folder of a store, as it has no commitlog: ${advice}`,
  )
}

function queueSegmentBytes(disk: ReadOnlyDisk, queues: string): number {
  for (const topic of disk.list(queues)) {
    for (const queueId of disk.list(`${queues}/${topic}`)) {
      const sizeBytes = firstSize(disk, `${queues}/${topic}/${queueId}`, SEGMENT_NAME)
      if (sizeBytes !== undefined && sizeBytes % UNIT_BYTES === 0) return sizeBytes
    }
  }
  return QUEUE_SEGMENT_BYTES
}

/** Size of the first file that is not empty. */
function firstSize(
  disk: ReadOnlyDisk,
  directory: string,
  name: RegExp | ((name: string) => boolean),
): number | undefined {
  const wanted = typeof name === 'function' ? name : (each: string) => name.test(each)
  for (const each of disk.list(directory)) {
    const sizeBytes = wanted(each) ? (disk.stat(`${directory}/${each}`)?.sizeBytes ?? 0) : 0
    if (sizeBytes > 0) return sizeBytes
  }
  return undefined
}

/** The size says one number only: if the other is not named, Apache's proportion gives it. */
function shapeOf(sizeBytes: number | undefined, named: number | undefined): IndexShape {
  const perSlot = INDEX_SLOT_BYTES + ENTRIES_PER_SLOT * INDEX_ENTRY_BYTES
  const slots = named ?? ((sizeBytes ?? 0) - INDEX_HEADER_BYTES) / perSlot
  const slotCount = Number.isInteger(slots) && slots > 0 ? slots : DEFAULT_SLOTS
  if (named === undefined || sizeBytes === undefined) {
    return { slotCount, entryLimit: slotCount * ENTRIES_PER_SLOT }
  }
  const entriesBytes = sizeBytes - INDEX_HEADER_BYTES - slotCount * INDEX_SLOT_BYTES
  return { slotCount, entryLimit: Math.max(1, Math.floor(entriesBytes / INDEX_ENTRY_BYTES)) }
}
