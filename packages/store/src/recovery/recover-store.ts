/**
 * Brings what lies in the folder of a store to one state: the log ends behind its last sound record,
 * and every queue has exactly the messages of the log. Owns nothing.
 *
 * The log is the truth. Files of queues that are missing or damaged are made anew from it: those
 * that the queue ends of the last checkpoint tell of, and all of them when that is not enough.
 * Source of what Apache does: `store-runtime.md` section 6.
 */
import { type Disk, DiskError, type Host } from '@rockhopper/host'
import type { RecordView } from '@rockhopper/protocol'
import type { StoreConfig } from '../config.ts'
import { CorruptionError } from '../errors.ts'
import type { OpenFiles } from '../files/open-files.ts'
import { SegmentFolder } from '../files/segment-folder.ts'
import type { KeyIndex } from '../keys/key-index.ts'
import { indexedLog, openKeyIndex } from '../keys/key-index-start.ts'
import { RESTORED_AT_A_TIME } from '../limits.ts'
import { coverAgain, demandCovered, judgeEnd, verifyPages } from '../log/log-damage.ts'
import { LogSums } from '../log/log-sums.ts'
import { type QueueEnd, QueueEnds } from '../queues/queue-ends.ts'
import { NOTHING, QueueTable } from '../queues/queue-table.ts'
import type { StorePaths } from '../store-paths.ts'
import { type LastEnd, readAbortMarker, writeAbortMarker } from './abort-marker.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import {
  isInQueue,
  QueueGap,
  restoreUnit,
  saveRestored,
  scanLog,
  scanStart,
  showRestored,
} from './recovery.ts'

/** What recovery found. */
export interface Recovered {
  readonly folder: SegmentFolder
  readonly sums: LogSums
  readonly queues: QueueTable
  readonly keyIndex: KeyIndex | undefined
  readonly wasKilled: boolean
  /** The device may have lacked what was not synced. */
  readonly powerFailed: boolean
  readonly endOffset: number
  readonly checkpointOffset: number
  /** Store time of the last message, ms since 1970; 0 when none is known. */
  readonly storeTimestamp: number
}

/** What is known before a record or a queue is looked at. */
interface Ground {
  readonly host: Host
  readonly config: StoreConfig
  readonly paths: StorePaths
  readonly files: OpenFiles
  readonly folder: SegmentFolder
  readonly sums: LogSums
  readonly keyIndex: KeyIndex | undefined
  readonly checkpoint: Checkpoint
  readonly left: LastEnd
}

/** Rejects with `DiskError`, and with `CorruptionError` when the log is damaged. */
export async function recoverStore(
  host: Host,
  config: StoreConfig,
  paths: StorePaths,
  files: OpenFiles,
): Promise<Recovered> {
  const { disk, logger } = host
  const left = readAbortMarker(host, paths.abort)
  const checkpoint = readCheckpoint(disk, paths.checkpoint)
  const folder = new SegmentFolder(disk, files, paths.commitLog, config.commitLogSegmentBytes)
  folder.load(left.wasKilled, LOG_SIZE_KEY)
  folder.demandContiguous(LOG_SIZE_KEY)
  if (checkpoint.logOffset === undefined) demandLog(disk, folder, paths)
  const from = scanStart(folder, checkpoint)
  const sums = new LogSums(disk, files, paths.sums, config.commitLogSegmentBytes)
  const keyIndex = findKeyIndex(host, config, paths, files, folder, checkpoint, left)
  const ground = { host, config, paths, files, folder, sums, keyIndex, checkpoint, left }
  await trustSums(ground, from)
  await mark(ground, from)
  const isOurs = checkpoint.logOffset === from
  const ends = new QueueEnds(disk, paths.queueEnds, isOurs ? checkpoint.endsBytes : undefined)
  try {
    return await recoverFrom(ground, from, ends)
  } catch (error) {
    if (!(error instanceof QueueGap)) throw error
    logger.warn('The files of queues do not fit the commit log: all are made anew from it.', {
      error,
    })
    return recoverAnew(ground, isOurs ? from : undefined)
  }
}

/** Believes nothing but the log, all of which is compared with its sums first. */
async function recoverAnew(ground: Ground, knownAt: number | undefined): Promise<Recovered> {
  const { checkpoint, folder, host, paths } = ground
  const first = folder.firstOffset ?? 0
  const endsBytes = knownAt === undefined ? undefined : checkpoint.endsBytes
  const floor = new QueueEnds(host.disk, paths.queueEnds, endsBytes)
  await mark(ground, first)
  const ends = new QueueEnds(host.disk, paths.queueEnds, undefined)
  try {
    return await recoverFrom(ground, first, ends, { ends: floor, logOffset: knownAt ?? 0 })
  } catch (error) {
    if (!(error instanceof QueueGap)) throw error
    throw new CorruptionError(
      paths.commitLog,
      first,
      `Messages are missing from the commit log in "${paths.commitLog}": ${error.message} The log ` +
        'was left as it is. Bring its files back from a copy, or save what is sound with ' +
        '"rockhopper store rebuild".',
    )
  }
}

function findKeyIndex(
  { clock, disk, logger }: Host,
  { keyIndex }: StoreConfig,
  paths: StorePaths,
  files: OpenFiles,
  folder: SegmentFolder,
  checkpoint: Checkpoint,
  { wasKilled }: LastEnd,
): KeyIndex | undefined {
  if (keyIndex === undefined) return undefined
  const { enabled, entryLimit, slotCount } = keyIndex
  const shape = { slotCount, entryLimit }
  const directories = { directory: paths.keyIndex, sumsDirectory: paths.keyIndexSums }
  const parts = { disk, clock, files, ...directories, shape }
  const teller = enabled ? logger : undefined
  return openKeyIndex(parts, indexedLog(folder), checkpoint, wasKilled, teller)
}

const LOG_SIZE_KEY = 'mappedFileSizeCommitLog'

/** What is behind `from` is judged by the log alone if the sums may be older or of another log. */
async function trustSums({ checkpoint, left, sums }: Ground, from: number): Promise<void> {
  if (checkpoint.logOffset === undefined) sums.dropFrom(0)
  else if (left.systemCrashed) sums.dropFrom(sums.pageStart(from))
  await sums.sync()
}

/** What is known, when all is made anew, of the queues as they were at an offset of the log. */
interface Known {
  readonly ends: QueueEnds
  readonly logOffset: number
}

async function recoverFrom(
  ground: Ground,
  from: number,
  ends: QueueEnds,
  known?: Known,
): Promise<Recovered> {
  const { checkpoint, config, folder, host, keyIndex, left, paths, sums } = ground
  const afterCrash = left.wasKilled || checkpoint.logOffset !== from
  const queues = openQueues(ground, from, afterCrash, ends)
  if (ends.isComplete) await refill(ground, queues, from)
  let { storeTimestamp } = checkpoint
  const restore = restorerOf(queues, config, known)
  // What the sums cover is looked at first: nothing of it can mislead what follows.
  const coveredEnd = await verifyPages(folder, sums, from)
  const checks = { tornBehind: coveredEnd, wholeCrc: config.verifyWholeCrc ?? false }
  const { offset: endOffset, problem } = await scanLog(folder, from, checks, (record) => {
    storeTimestamp = record.storeTimestamp
    restore(record)
  })
  demandCovered(folder, endOffset, coveredEnd)
  if (afterCrash || endOffset > from) {
    if (problem !== undefined) await judgeEnd(folder, endOffset, problem, left.systemCrashed)
    await settleEnd(folder, from, endOffset)
  }
  await coverAgain(folder, sums, from, endOffset)
  if (left.wasKilled) writeAbortMarker(host, paths.abort)
  if (known !== undefined) keepOffsets(queues, known.ends.all())
  showRestored(queues)
  queues.begun()
  const { systemCrashed: powerFailed, wasKilled } = left
  const found = { folder, sums, queues, keyIndex }
  return { ...found, powerFailed, wasKilled, endOffset, checkpointOffset: from, storeTimestamp }
}

function openQueues(
  { checkpoint, config, files, folder, host, left, paths }: Ground,
  from: number,
  afterCrash: boolean,
  ends: QueueEnds,
): QueueTable {
  // What only the process was killed before is as the log says, which gives it anew.
  const hasStrays = afterCrash && (left.systemCrashed || !ends.isComplete)
  const queues = new QueueTable(
    host.disk,
    host.clock,
    files,
    { directory: paths.queues, segmentBytes: config.consumeQueueSegmentBytes },
    {
      // The log begins later when old files were removed.
      get minOffset() {
        return folder.firstOffset ?? 0
      },
      limitOffset: from,
      wasKilled: left.wasKilled,
      hasStrays,
      mayBeginLater: (folder.firstOffset ?? 0) > (checkpoint.minOffset ?? 0),
    },
    ends,
  )
  if (hasStrays || !ends.isComplete) queues.loadAll()
  return queues
}

/** Fills the queues whose files are missing or damaged with what the log has before `from`. */
async function refill(
  { config, folder, host, sums }: Ground,
  queues: QueueTable,
  from: number,
): Promise<void> {
  const damaged = queues.findDamaged()
  if (damaged.length === 0) return
  const names = damaged.map(({ queueId, topic }) => `${topic}/${queueId}`)
  host.logger.warn('Files of queues are missing or damaged: they are made anew from the log.', {
    count: names.length,
    first: names.slice(0, NAMES_TOLD),
  })
  // What is restored may change what the table has of them.
  const should = damaged.map(({ queueId, topic }) => {
    return { topic, queueId, ...(queues.ends.get(topic, queueId) ?? NOTHING) }
  })
  const begins = new Map(should.map((end, i) => [names[i], end.beginOffset]))
  const restore = restorerOf(queues, config)
  const first = folder.firstOffset ?? 0
  await verifyPages(folder, sums, first)
  const checks = { tornBehind: from, wholeCrc: config.verifyWholeCrc ?? false }
  const end = await scanLog(folder, first, checks, (record) => {
    const begin = begins.get(`${record.topic}/${record.queueId}`)
    if (begin === undefined || record.queueOffset < begin || record.logOffset >= from) return
    restore(record)
  })
  if (end.offset < from) await judgeEnd(folder, end.offset, end.problem ?? 'the log ends', false)
  keepOffsets(queues, should)
  demandFilled(queues, should)
}

const NAMES_TOLD = 10

/** A queue whose messages are all gone from the log goes on where it ended. */
function keepOffsets(queues: QueueTable, ends: Iterable<QueueEnd>): void {
  for (const { endOffset, queueId, topic } of ends) {
    const queue = queues.known(topic, queueId)
    if (queue?.nextOffset === 0) queue.beginAt(endOffset)
  }
}

function demandFilled(queues: QueueTable, ends: Iterable<QueueEnd>): void {
  for (const { endOffset, queueId, topic } of ends) {
    const has = queues.open(topic, queueId).nextOffset
    if (has === endOffset) continue
    throw new QueueGap(
      `Queue ${queueId} of topic "${topic}" ended at ${endOffset}, but the commit log has its ` +
        `messages up to ${has}.`,
    )
  }
}

/** Puts records into their queues, and these into their files before they take much memory. */
function restorerOf(
  queues: QueueTable,
  { delays }: StoreConfig,
  known?: Known,
): (record: RecordView) => void {
  let count = 0
  return (record) => {
    if (!isInQueue(record) || isOfDeletedQueue(record, known)) return
    restoreUnit(queues, record, known !== undefined, delays)
    count += 1
    if (count % RESTORED_AT_A_TIME === 0) saveAsFarAsThereIsRoom(queues)
  }
}

/** The log keeps the messages of deleted topics until they age. */
function isOfDeletedQueue(record: RecordView, known?: Known): boolean {
  const { logOffset, queueId, queueOffset, topic } = record
  if (known?.ends.isComplete !== true || logOffset >= known.logOffset) return false
  const stretch = known.ends.get(topic, queueId)
  return stretch === undefined || queueOffset < stretch.beginOffset
}

function saveAsFarAsThereIsRoom(queues: QueueTable): void {
  try {
    saveRestored(queues)
  } catch (error) {
    if (!(error instanceof DiskError && error.code === 'ENOSPC')) throw error
  }
}

/**
 * What recovery takes for the log is made durable, and what lies behind it is made zeros: an old
 * record there must not be taken for a new one after the next crash. It is written again before:
 * after a sync that failed, the system takes it for durable, and it is not.
 */
async function settleEnd(folder: SegmentFolder, from: number, end: number): Promise<void> {
  await folder.rewrite(from, end)
  folder.clearFrom(end)
  const first = folder.startOf(from)
  for (const start of folder.starts) if (start >= first) await folder.file(start).syncData()
  await folder.syncNames()
}

/**
 * Notes on the disk that the store is in use and from where it is recovered, before anything is
 * changed: a recovery that is killed is done over from the same place. What a crash of the system
 * left is judged as such until all of it is settled, so its marker stays.
 */
async function mark(ground: Ground, logOffset: number): Promise<void> {
  const { checkpoint, host, left, paths } = ground
  const { disk } = host
  if (checkpoint.logOffset !== logOffset) {
    const keyIndex = ground.keyIndex?.durable
    // The ends that the checkpoint knows are those at its own offset.
    const moved = { ...checkpoint, keyIndex, logOffset, endsBytes: undefined }
    await writeCheckpoint(disk, paths.checkpoint, moved)
  }
  if (!left.wasKilled) writeAbortMarker(host, paths.abort)
  await disk.syncDirectory(paths.root)
}

/** Without a log the queues would be taken for empty: more likely its path is wrong. */
function demandLog(disk: Disk, folder: SegmentFolder, paths: StorePaths): void {
  if (folder.starts.length > 0 || disk.list(paths.queues).length === 0) return
  const message =
    `There is no commit log in "${paths.commitLog}", but there are queues in "${paths.queues}": ` +
    'see whether storePathCommitLog is right, or remove the queues to begin with an empty store.'
  throw new CorruptionError(paths.commitLog, 0, message)
}
