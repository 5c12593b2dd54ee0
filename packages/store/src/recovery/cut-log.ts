/**
 * Cuts the end off the log of a store that is not open: a copy has to, where the log that it is a copy
 * of goes on differently. What is cut off is kept in a file of its own, as it was acknowledged once.
 * Owns nothing.
 *
 *   cutoff/<offset of its first byte>-<ms since 1970>     bytes of the log
 *
 * Whenever this is killed the store still opens, with the log as it was or as it is to be, and its
 * queues are made to fit.
 */
import { type Host, writeBytes } from '@rockhopper/host'
import type { StoreConfig } from '../config.ts'
import { makeDurableFolder } from '../files/durable-folder.ts'
import { OpenFiles } from '../files/open-files.ts'
import { SegmentFolder, segmentName } from '../files/segment-folder.ts'
import { REWRITE_WINDOW_BYTES } from '../limits.ts'
import { LogSums } from '../log/log-sums.ts'
import { pathsOf, type StorePaths } from '../store-paths.ts'
import { writeAbortMarker } from './abort-marker.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import { scanLog } from './recovery.ts'

/** What became of a log that was cut. */
export interface CutLog {
  /** It ends here now, behind a record. */
  readonly endOffset: number
  /** So many bytes are cut off. */
  readonly cutBytes: number
  /** Where they are kept; undefined when there are none. */
  readonly keptPath: string | undefined
}

interface Ends {
  /** Behind the last record that stays. */
  readonly cutOffset: number
  /** Behind the last record. */
  readonly endOffset: number
  /** Store time of the last record that stays, ms since 1970; undefined when it was not looked at. */
  readonly storeTimestamp: number | undefined
}

/**
 * Lets the log end at `to`, or at the end of the last record before. The store must be closed. Rejects
 * with `DiskError`, also when another process has the folder, and with `CorruptionError`.
 */
export async function cutLog(host: Host, config: StoreConfig, to: number): Promise<CutLog> {
  const { disk } = host
  const paths = pathsOf(config)
  const lock = disk.lock(paths.root)
  const files = new OpenFiles(disk)
  try {
    const { commitLogSegmentBytes } = config
    const folder = new SegmentFolder(disk, files, paths.commitLog, commitLogSegmentBytes)
    folder.load(true, 'mappedFileSizeCommitLog')
    const ends = await endsAt(folder, to)
    const { cutOffset, endOffset } = ends
    const cutBytes = endOffset - cutOffset
    if (cutBytes === 0) return { endOffset, cutBytes, keptPath: undefined }
    const keptPath = await keep(host, paths, folder, ends)
    await forgetDerived(host, paths, ends)
    const sums = new LogSums(disk, files, paths.sums, commitLogSegmentBytes)
    sums.dropFrom(sums.pageStart(cutOffset))
    await sums.sync()
    await cut(folder, cutOffset)
    return { endOffset: cutOffset, cutBytes, keptPath }
  } finally {
    files.closeAll()
    lock.release()
  }
}

async function endsAt(folder: SegmentFolder, to: number): Promise<Ends> {
  const from = Math.max(folder.firstOffset ?? 0, folder.startOf(to))
  let cutOffset = from
  let storeTimestamp: number | undefined
  const checks = { tornBehind: Number.POSITIVE_INFINITY, wholeCrc: false }
  const { offset } = await scanLog(folder, from, checks, (record) => {
    const end = record.logOffset + record.sizeBytes
    if (end > to) return
    cutOffset = end
    storeTimestamp = record.storeTimestamp
  })
  return { cutOffset, endOffset: offset, storeTimestamp }
}

async function keep(
  { clock, disk }: Host,
  { cutOff, root }: StorePaths,
  folder: SegmentFolder,
  { cutOffset, endOffset }: Ends,
): Promise<string> {
  await makeDurableFolder(disk, cutOff)
  const path = `${cutOff}/${segmentName(cutOffset)}-${clock.nowMs()}`
  const file = disk.open(path, 'create')
  try {
    const window = Buffer.allocUnsafeSlow(REWRITE_WINDOW_BYTES)
    for (let at = cutOffset; at < endOffset; ) {
      const segmentEnd = folder.startOf(at) + folder.segmentBytes
      const bytes = window.subarray(0, Math.min(window.length, segmentEnd - at, endOffset - at))
      await folder.read(bytes, at)
      writeBytes(file, bytes, at - cutOffset)
      at += bytes.length
    }
    await file.syncData()
  } finally {
    file.close()
  }
  await disk.syncDirectory(cutOff)
  await disk.syncDirectory(root)
  return path
}

/** The next start is to believe nothing that is derived from what is cut off. */
async function forgetDerived(
  host: Host,
  paths: StorePaths,
  { cutOffset, storeTimestamp }: Ends,
): Promise<void> {
  const { disk } = host
  const checkpoint = readCheckpoint(disk, paths.checkpoint)
  const logOffset = Math.min(checkpoint.logOffset ?? cutOffset, cutOffset)
  const isShortened = logOffset < (checkpoint.logOffset ?? 0) || checkpoint.logOffset === undefined
  writeAbortMarker(host, paths.abort)
  await writeCheckpoint(disk, paths.checkpoint, {
    ...checkpoint,
    logOffset,
    storeTimestamp: (isShortened ? storeTimestamp : undefined) ?? checkpoint.storeTimestamp,
    endsBytes: undefined,
    keyIndex: undefined,
  })
  disk.remove(paths.keyIndex)
  disk.remove(paths.keyIndexSums)
  await disk.syncDirectory(paths.root)
}

/** One file after the other: a loss of power must not leave a gap between them. */
async function cut(folder: SegmentFolder, offset: number): Promise<void> {
  const last = folder.lastStart ?? 0
  for (let start = last; start >= offset && start !== folder.firstOffset; ) {
    folder.clearFrom(start)
    await folder.syncNames()
    start = folder.lastStart ?? 0
  }
  folder.clearFrom(offset)
  if (folder.has(offset)) await folder.file(offset).syncData()
}
