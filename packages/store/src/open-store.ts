/**
 * Opens a store: takes its folder, recovers what is in it, and puts the parts together.
 */
import type { Disk, DiskLock, Host } from '@rockhopper/host'
import { Appender } from './appender.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import { Checkpointer } from './checkpointer.ts'
import { CommitLog } from './commit-log.ts'
import type { StoreConfig } from './config.ts'
import { DiskUsage } from './disk-usage.ts'
import { Dispatcher } from './dispatcher.ts'
import { makeDurableFolder } from './durable-folder.ts'
import { CorruptionError } from './errors.ts'
import { Failure } from './failure.ts'
import { MAX_MARKER_BYTES } from './limits.ts'
import { coverAgain, judgeEnd, verifyPages } from './log-damage.ts'
import { LogFlusher } from './log-flusher.ts'
import { LogReader } from './log-reader.ts'
import { LogSums } from './log-sums.ts'
import { LogTail } from './log-tail.ts'
import { LogWriter } from './log-writer.ts'
import type { Marks } from './marks.ts'
import { OpenFiles } from './open-files.ts'
import { QueueReader } from './queue-reader.ts'
import { QueueTable } from './queue-table.ts'
import { restoreUnit, scanLog, scanStart, showRestored } from './recovery.ts'
import { Retention } from './retention.ts'
import { SegmentFolder } from './segment-folder.ts'
import { Store } from './store.ts'
import { Watermark } from './watermark.ts'

/** Where a store keeps what. Source: `store-format.md` section 1. */
interface StorePaths {
  readonly root: string
  readonly commitLog: string
  readonly queues: string
  readonly sums: string
  readonly checkpoint: string
  readonly abort: string
}

/** What recovery found. */
interface Recovered {
  readonly folder: SegmentFolder
  readonly sums: LogSums
  readonly queues: QueueTable
  readonly wasKilled: boolean
  readonly endOffset: number
  readonly checkpointOffset: number
  /** Store time of the last message, ms since 1970; 0 when none is known. */
  readonly storeTimestamp: number
}

/**
 * Opens the store in the configured folder, which is made if it is not there. Rejects with
 * `DiskError`, also when another process has the folder, and with `CorruptionError`.
 */
export async function openStore(host: Host, config: StoreConfig): Promise<Store> {
  const { disk } = host
  const paths = pathsOf(config)
  for (const path of [paths.root, paths.commitLog, paths.queues]) {
    await makeDurableFolder(disk, path)
  }
  const lock = disk.lock(paths.root)
  const files = new OpenFiles(disk)
  try {
    const recovered = await recover(host, config, paths, files)
    const { checkpointOffset, endOffset, wasKilled } = recovered
    host.logger.info('The store is open.', {
      directory: paths.root,
      wasKilled,
      checkpointOffset,
      endOffset,
    })
    return start(host, config, paths, files, lock, recovered)
  } catch (error) {
    files.closeAll()
    lock.release()
    throw error
  }
}

function pathsOf({ rootDirectory, commitLogDirectory }: StoreConfig): StorePaths {
  return {
    root: rootDirectory,
    commitLog: commitLogDirectory ?? `${rootDirectory}/commitlog`,
    queues: `${rootDirectory}/consumequeue`,
    sums: `${rootDirectory}/logsums`,
    checkpoint: `${rootDirectory}/checkpoint`,
    abort: `${rootDirectory}/abort`,
  }
}

async function recover(
  host: Host,
  config: StoreConfig,
  paths: StorePaths,
  files: OpenFiles,
): Promise<Recovered> {
  const { clock, disk } = host
  const { systemCrashed, wasKilled } = lastEnd(host, paths.abort)
  const checkpoint = readCheckpoint(disk, paths.checkpoint)
  const folder = new SegmentFolder(disk, files, paths.commitLog, config.commitLogSegmentBytes)
  folder.load(wasKilled, 'mappedFileSizeCommitLog')
  if (checkpoint.logOffset === undefined) demandLog(disk, folder, paths)
  const checkpointOffset = scanStart(folder, checkpoint)
  const sums = new LogSums(disk, files, paths.sums, config.commitLogSegmentBytes)
  if (checkpoint.logOffset === undefined) sums.dropFrom(0)
  else if (systemCrashed) sums.dropFrom(sums.pageStart(checkpointOffset))
  await sums.sync()
  await mark(host, paths, checkpoint, checkpointOffset, wasKilled)
  const afterCrash = wasKilled || checkpoint.logOffset !== checkpointOffset
  const queues = new QueueTable(
    disk,
    clock,
    files,
    { directory: paths.queues, segmentBytes: config.consumeQueueSegmentBytes },
    {
      // The log begins later when old files were removed.
      get minOffset() {
        return folder.firstOffset ?? 0
      },
      limitOffset: checkpointOffset,
      afterCrash,
    },
  )
  if (afterCrash) queues.loadAll()
  let { storeTimestamp } = checkpoint
  const end = await scanLog(folder, checkpointOffset, systemCrashed, (record) => {
    storeTimestamp = record.storeTimestamp
    restoreUnit(queues, record)
  })
  const endOffset = end.offset
  await verifyPages(folder, sums, checkpointOffset, endOffset)
  if (afterCrash || endOffset > checkpointOffset) {
    if (end.problem !== undefined) await judgeEnd(folder, endOffset, end.problem, systemCrashed)
    await settleEnd(folder, checkpointOffset, endOffset)
  }
  await coverAgain(folder, sums, checkpointOffset, endOffset)
  if (wasKilled) markInUse(host, paths)
  showRestored(queues)
  return { folder, sums, queues, wasKilled, endOffset, checkpointOffset, storeTimestamp }
}

/** How the store was left. Without its boot id (Apache writes none) the system may have crashed. */
function lastEnd(
  { disk, machine }: Host,
  abortPath: string,
): { readonly wasKilled: boolean; readonly systemCrashed: boolean } {
  const marker = readText(disk, abortPath)
  if (marker === undefined) return { wasKilled: false, systemCrashed: false }
  const [, bootId = ''] = marker.split('\n')
  return { wasKilled: true, systemCrashed: bootId === '' || bootId !== machine.bootId }
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
 * Notes on the disk that the store is in use and from where it was recovered, before anything is
 * changed: a recovery that is killed is done over from the same place.
 */
async function mark(
  host: Host,
  paths: StorePaths,
  checkpoint: Checkpoint,
  logOffset: number,
  wasKilled: boolean,
): Promise<void> {
  const { disk } = host
  if (checkpoint.logOffset !== logOffset) {
    await writeCheckpoint(disk, paths.checkpoint, { ...checkpoint, logOffset })
  }
  // What a crash of the system left is judged as such until all of it is settled.
  if (!wasKilled) markInUse(host, paths)
  await disk.syncDirectory(paths.root)
}

/** Source of the first line: Apache class DefaultMessageStore. It looks only whether there is one. */
function markInUse({ disk, machine }: Host, paths: StorePaths): void {
  writeText(disk, paths.abort, `${machine.pid}\n${machine.bootId}`)
}

/** Without a log the queues would be taken for empty: more likely its path is wrong. */
function demandLog(disk: Disk, folder: SegmentFolder, paths: StorePaths): void {
  if (folder.starts.length > 0 || disk.list(paths.queues).length === 0) return
  const message =
    `There is no commit log in "${paths.commitLog}", but there are queues in "${paths.queues}": ` +
    'see whether storePathCommitLog is right, or remove the queues to begin with an empty store.'
  throw new CorruptionError(paths.commitLog, 0, message)
}

/** Undefined when there is no such file. */
function readText(disk: Disk, path: string): string | undefined {
  if (disk.stat(path) === undefined) return undefined
  const file = disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(Math.min(file.sizeBytes(), MAX_MARKER_BYTES))
    return bytes.toString('utf8', 0, file.readSync(bytes, 0))
  } finally {
    file.close()
  }
}

function writeText(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, 'create')
  try {
    file.setLength(0)
    file.writeSync([Buffer.from(text)], 0)
  } finally {
    file.close()
  }
}

function start(
  host: Host,
  config: StoreConfig,
  paths: StorePaths,
  files: OpenFiles,
  lock: DiskLock,
  recovered: Recovered,
): Store {
  const { clock, disk, logger } = host
  const { endOffset, folder, queues, sums } = recovered
  const marks = marksAt(host, config, endOffset)
  const failure = new Failure(marks, logger)
  const tail = new LogTail(endOffset, config.tailMemoryBytes)
  const log = new CommitLog(folder, sums, tail, disk, clock)
  const writer = new LogWriter(log, marks.written, clock, failure)
  const pauseMs = config.flushDisk === 'sync' ? 0 : config.flushIntervalMs
  const flusher = new LogFlusher(log, marks, clock, pauseMs)
  const dispatcher = new Dispatcher(marks, recovered.storeTimestamp)
  const { maxMessageBytes } = config
  const appender = new Appender({ clock, log, queues, dispatcher, writer, maxMessageBytes })
  const logReader = new LogReader(log)
  const checkpointer = new Checkpointer(
    {
      disk,
      clock,
      logger,
      path: paths.checkpoint,
      marks,
      log,
      queues,
      dispatcher,
      flusher,
      failure,
    },
    recovered.checkpointOffset,
  )
  const rules = config.retention
  const usage = rules && new DiskUsage(disk, logger, rules, [paths.commitLog, paths.queues])
  const retentionParts = { disk, clock, logger, failure, folder, sums, queues, checkpointer }
  const retention = usage && new Retention({ ...retentionParts, config: rules, usage })
  return new Store({
    config,
    disk,
    logger,
    lock,
    files,
    abortPath: paths.abort,
    marks,
    failure,
    log,
    queues,
    appender,
    writer,
    flusher,
    checkpointer,
    logReader,
    queueReader: new QueueReader(queues, log, logReader),
    usage,
    retention,
    flushing: flusher.run().catch(failure.report),
    dispatching: dispatcher.run().catch(failure.report),
  })
}

function marksAt({ clock }: Host, { flushDisk }: StoreConfig, endOffset: number): Marks {
  const written = new Watermark(clock, endOffset)
  const flushed = new Watermark(clock, endOffset)
  const confirmed = flushDisk === 'sync' ? flushed : written
  return { written, flushed, confirmed, dispatched: new Watermark(clock, endOffset) }
}
