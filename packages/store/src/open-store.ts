/**
 * Opens a store: takes its folder, recovers what is in it, and puts the parts together.
 */
import type { DiskLock, Host } from '@rockhopper/host'
import type { StoreConfig } from './config.ts'
import { Failure } from './failure.ts'
import { makeRootFolder } from './files/durable-folder.ts'
import { OpenFiles } from './files/open-files.ts'
import type { KeyIndex } from './keys/key-index.ts'
import { KeyIndexReader } from './keys/key-index-reader.ts'
import { KeyIndexWriter } from './keys/key-index-writer.ts'
import { Appender } from './log/appender.ts'
import { CommitLog } from './log/commit-log.ts'
import { LogCopy } from './log/log-copy.ts'
import { flushPolicyOf, LogFlusher } from './log/log-flusher.ts'
import type { LogReader } from './log/log-reader.ts'
import { LogTail } from './log/log-tail.ts'
import { LogWriter } from './log/log-writer.ts'
import type { Marks } from './log/marks.ts'
import type { Replicas } from './outcome.ts'
import { Dispatcher } from './queues/dispatcher.ts'
import { makeReaders } from './readers.ts'
import { Checkpointer } from './recovery/checkpointer.ts'
import { type Recovered, recoverStore } from './recovery/recover-store.ts'
import { DiskUsage } from './retention/disk-usage.ts'
import { Retention } from './retention/retention.ts'
import { type KeyLookup, Store, type StoreParts } from './store.ts'
import { pathsOf, type StorePaths } from './store-paths.ts'
import { Watermark } from './watermark.ts'

/**
 * Opens the store in the configured folder, which is made if it is not there. Rejects with
 * `DiskError`, also when another process has the folder, and with `CorruptionError`.
 */
export async function openStore(
  host: Host,
  config: StoreConfig,
  replicas?: Replicas,
): Promise<Store> {
  const { disk } = host
  const paths = pathsOf(config)
  for (const path of [paths.root, paths.commitLog, paths.queues]) {
    await makeRootFolder(disk, path)
  }
  const lock = disk.lock(paths.root)
  const files = new OpenFiles(disk)
  try {
    const recovered = await recoverStore(host, config, paths, files)
    const { checkpointOffset, endOffset, wasKilled } = recovered
    host.logger.info('The store is open.', {
      directory: paths.root,
      wasKilled,
      checkpointOffset,
      endOffset,
    })
    return new Store({ ...start(host, config, paths, files, lock, recovered), replicas })
  } catch (error) {
    files.closeAll()
    lock.release()
    throw error
  }
}

function start(
  host: Host,
  config: StoreConfig,
  paths: StorePaths,
  files: OpenFiles,
  lock: DiskLock,
  recovered: Recovered,
): Omit<StoreParts, 'replicas'> {
  const { clock, disk, logger } = host
  const { endOffset, folder, keyIndex: index, powerFailed, queues, sums } = recovered
  const marks = marksAt(host, config, endOffset)
  const failure = new Failure(marks, logger)
  const tail = new LogTail(endOffset, config.tailMemoryBytes)
  const zerosAhead = config.flushDisk === 'sync' ? 'always' : 'where room is scarce'
  const log = new CommitLog(folder, sums, tail, disk, clock, zerosAhead)
  const writer = new LogWriter(log, marks.written, clock, failure)
  const flusher = new LogFlusher(log, marks, clock, flushPolicyOf(config))
  const dispatcher = new Dispatcher(marks, recovered.storeTimestamp)
  const { appendWholeCrc = false, maxMessageBytes } = config
  const limits = { appendWholeCrc, maxMessageBytes }
  const appender = new Appender({ clock, log, queues, dispatcher, writer, ...limits })
  const { written } = marks
  const readers = { config, clock, logger, log, folder, sums, queues, written }
  const { logPieces, logReader, queueReader, unitRepair, walk } = makeReaders(readers)
  const copy = new LogCopy({ log, queues, dispatcher, writer, delays: config.delays })
  const checkpointer = new Checkpointer(
    {
      disk,
      clock,
      logger,
      path: paths.checkpoint,
      marks,
      log,
      queues,
      keyIndex: index,
      dispatcher,
      flusher,
      failure,
    },
    recovered.checkpointOffset,
  )
  const lookup = index && lookupIn(index, host, config, { files, log, logReader, marks, failure })
  const rules = config.retention
  const usage = rules && new DiskUsage(disk, logger, rules, [paths.commitLog, paths.queues])
  const derived = { sums, queues, keyIndex: index }
  const retentionParts = { disk, clock, logger, failure, folder, checkpointer, ...derived }
  const retention = usage && new Retention({ ...retentionParts, config: rules, usage })
  return {
    config,
    disk,
    logger,
    lock,
    files,
    abortPath: paths.abort,
    powerFailed,
    marks,
    failure,
    log,
    queues,
    appender,
    copy,
    writer,
    flusher,
    checkpointer,
    logPieces,
    logReader,
    queueReader,
    unitRepair,
    walk,
    usage,
    retention,
    lookup,
    flushing: flusher.run().catch(failure.report),
    dispatching: dispatcher.run().catch(failure.report),
  }
}

interface LookupParts {
  readonly files: OpenFiles
  readonly log: CommitLog
  readonly logReader: LogReader
  readonly marks: Marks
  readonly failure: Failure
}

function lookupIn(
  index: KeyIndex,
  { clock, logger }: Host,
  { keyIndex }: StoreConfig,
  { failure, files, log, logReader, marks }: LookupParts,
): KeyLookup {
  const writer = new KeyIndexWriter({ clock, logger, files, log, marks, index })
  const maxMessages = keyIndex?.maxMessages ?? 0
  const reader = new KeyIndexReader({ index, writer, marks, files, logReader, maxMessages })
  if (keyIndex?.enabled !== true) writer.end()
  const indexing = keyIndex?.enabled === true ? writer.run().catch(failure.report) : undefined
  return { writer, reader, indexing }
}

function marksAt({ clock }: Host, { flushDisk }: StoreConfig, endOffset: number): Marks {
  const written = new Watermark(clock, endOffset)
  const flushed = new Watermark(clock, endOffset)
  const confirmed = flushDisk === 'sync' ? flushed : written
  return { written, flushed, confirmed, dispatched: new Watermark(clock, endOffset) }
}
