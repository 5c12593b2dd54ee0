/**
 * Opens a store: takes its folder, recovers what is in it, and puts the parts together.
 */
import type { Disk, DiskLock, Host } from '@rockhopper/host'
import { Appender } from './appender.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import { Checkpointer } from './checkpointer.ts'
import { CommitLog } from './commit-log.ts'
import type { StoreConfig } from './config.ts'
import { Dispatcher } from './dispatcher.ts'
import { makeDurableFolder } from './durable-folder.ts'
import { CorruptionError } from './errors.ts'
import { Failure } from './failure.ts'
import { LogFlusher } from './log-flusher.ts'
import { LogReader } from './log-reader.ts'
import { LogTail } from './log-tail.ts'
import { LogWriter } from './log-writer.ts'
import type { Marks } from './marks.ts'
import { OpenFiles } from './open-files.ts'
import { QueueReader } from './queue-reader.ts'
import { QueueTable } from './queue-table.ts'
import { restoreUnit, scanLog, scanStart, showRestored } from './recovery.ts'
import { SegmentFolder } from './segment-folder.ts'
import { Store } from './store.ts'
import { Watermark } from './watermark.ts'

/** Where a store keeps what. Source: `store-format.md` section 1. */
interface StorePaths {
  readonly root: string
  readonly commitLog: string
  readonly queues: string
  readonly checkpoint: string
  readonly abort: string
}

/** What recovery found. */
interface Recovered {
  readonly folder: SegmentFolder
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
  const wasKilled = disk.stat(paths.abort) !== undefined
  const checkpoint = readCheckpoint(disk, paths.checkpoint)
  const folder = new SegmentFolder(disk, files, paths.commitLog, config.commitLogSegmentBytes)
  folder.load(wasKilled, 'mappedFileSizeCommitLog')
  if (checkpoint.logOffset === undefined) demandLog(disk, folder, paths)
  const checkpointOffset = scanStart(folder, checkpoint)
  await mark(host, paths, checkpoint, checkpointOffset)
  const afterCrash = wasKilled || checkpoint.logOffset !== checkpointOffset
  const queues = new QueueTable(
    disk,
    clock,
    files,
    { directory: paths.queues, segmentBytes: config.consumeQueueSegmentBytes },
    { minOffset: folder.firstOffset ?? 0, limitOffset: checkpointOffset, afterCrash },
  )
  if (afterCrash) queues.loadAll()
  let { storeTimestamp } = checkpoint
  const endOffset = await scanLog(folder, checkpointOffset, (record) => {
    storeTimestamp = record.storeTimestamp
    restoreUnit(queues, record)
  })
  if (afterCrash || endOffset > checkpointOffset) {
    await settleEnd(folder, checkpointOffset, endOffset)
  }
  showRestored(queues)
  return { folder, queues, wasKilled, endOffset, checkpointOffset, storeTimestamp }
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
  { disk, machine }: Host,
  paths: StorePaths,
  checkpoint: Checkpoint,
  logOffset: number,
): Promise<void> {
  if (checkpoint.logOffset !== logOffset) {
    await writeCheckpoint(disk, paths.checkpoint, { ...checkpoint, logOffset })
  }
  writeText(disk, paths.abort, String(machine.pid))
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
  const { endOffset, folder, queues } = recovered
  const marks = marksAt(host, config, endOffset)
  const failure = new Failure(marks, logger)
  const tail = new LogTail(endOffset, config.tailMemoryBytes)
  const log = new CommitLog(folder, tail, disk, clock)
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
