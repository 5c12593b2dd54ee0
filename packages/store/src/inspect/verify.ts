/**
 * Reads everything of a store and tells what is wrong. Owns nothing and changes nothing.
 *
 * What a start after a kill puts right by itself, like messages that are in no queue file yet, is no
 * finding but a note.
 */
import { hasSoundCrcProperty } from '@rockhopper/protocol'
import { readAbortMarker } from '../recovery/abort-marker.ts'
import { type Checkpoint, readCheckpoint } from '../recovery/checkpoint-file.ts'
import { surveyConfig } from './config-survey.ts'
import { hasCrcProperty } from './crc-place.ts'
import { DryDisk } from './dry-disk.ts'
import { ADVICE, Findings, type VerifyWatcher } from './findings.ts'
import { type LogEnd, scanWholeLog } from './log-scan.ts'
import { SegmentFiles } from './segment-files.ts'
import type { ReadingHost, StoreFolder } from './store-folder.ts'
import { topicsIn } from './topics-known.ts'
import { IndexVerifier } from './verify-index.ts'
import { QueueVerifier } from './verify-queues.ts'
import { verifySums } from './verify-sums.ts'

/** What was looked at. */
export interface VerifySummary {
  readonly findings: number
  readonly notes: readonly string[]
  readonly records: number
  readonly logBytes: number
  readonly endOffset: number
  /** Pages of the log with a checksum of Rockhopper's. */
  readonly pagesWithSums: number
  readonly queues: number
  readonly units: number
  readonly indexEntries: number
}

/** How often progress is told. */
const PROGRESS_BYTES = 64 * 1024 * 1024

/** The store must not be in use. Throws `DiskError`. */
export function verifyStore(
  host: ReadingHost,
  folder: StoreFolder,
  watcher: VerifyWatcher,
): VerifySummary {
  const { disk } = host
  const dry = new DryDisk(disk)
  const findings = new Findings(watcher)
  const { systemCrashed, wasKilled } = readAbortMarker({ ...host, disk: dry }, folder.abort)
  const checkpoint = readCheckpoint(dry, folder.checkpoint)
  const log = new SegmentFiles(disk, folder.commitLog, folder.logSegmentBytes)
  checkSegments(log, wasKilled, findings)
  const topicsKnown = topicsIn(disk, folder)
  const queues = new QueueVerifier(disk, folder, log, findings, { wasKilled, topicsKnown })
  const index = new IndexVerifier(disk, folder, log, findings, !wasKilled)
  const { end, lastTimestamp, records } = readLog(log, queues, index, findings, watcher)
  judgeTail(log, end, wasKilled, findings)
  checkCheckpoint(folder, checkpoint, end, lastTimestamp, findings)
  const trusted = checkpoint.logOffset === undefined ? 0 : end.offset
  const limit = systemCrashed ? Math.min(trusted, checkpoint.logOffset ?? 0) : trusted
  const pagesWithSums = verifySums(disk, folder, limit, findings)
  queues.finish()
  index.finish()
  checkConfig(host, folder, findings)
  return {
    findings: findings.count,
    notes: findings.notes,
    records,
    logBytes: end.offset - log.firstOffset,
    endOffset: end.offset,
    pagesWithSums,
    queues: queues.queueCount,
    units: queues.units,
    indexEntries: index.entries,
  }
}

function readLog(
  log: SegmentFiles,
  queues: QueueVerifier,
  index: IndexVerifier,
  findings: Findings,
  watcher: VerifyWatcher,
): { end: LogEnd; records: number; lastTimestamp: number } {
  const { firstOffset } = log
  let records = 0
  let lastTimestamp = 0
  let told = firstOffset
  const reader = new SegmentFiles(log.disk, log.directory, log.segmentBytes)
  const end = scanWholeLog(reader, firstOffset, {
    record(record, source, at, logOffset) {
      records += 1
      lastTimestamp = record.storeTimestamp
      if (hasCrcProperty(record, source) && !hasSoundCrcProperty(source, at, record.sizeBytes)) {
        const problem = 'the checksum in the properties of the record there is wrong'
        findings.add(log.pathOf(logOffset), logOffset % log.segmentBytes, problem, ADVICE.rebuild)
      }
      queues.record(record, logOffset)
      index.record(record, source, logOffset)
      if (logOffset - told < PROGRESS_BYTES) return
      told = logOffset
      watcher.progress(logOffset - firstOffset, log.endOffset - firstOffset)
    },
    damage(from, to, problem) {
      index.damage(from, to)
      const sentence = `${problem}; the next sound record begins ${to - from} bytes behind, at offset ${to} of the log`
      findings.add(log.pathOf(from), from % log.segmentBytes, sentence, ADVICE.rebuild)
    },
  })
  return { end, records, lastTimestamp }
}

function checkSegments(log: SegmentFiles, wasKilled: boolean, findings: Findings): void {
  for (const [i, { path, sizeBytes, start }] of log.files.entries()) {
    const isLast = i === log.files.length - 1
    if (sizeBytes !== log.segmentBytes && !(isLast && wasKilled)) {
      const problem = `the file has ${sizeBytes} bytes instead of ${log.segmentBytes}`
      findings.add(path, Math.min(sizeBytes, log.segmentBytes), problem, ADVICE.rebuild)
    }
    const before = log.files[i - 1]?.start ?? start - log.segmentBytes
    if (before + log.segmentBytes !== start || start % log.segmentBytes !== 0) {
      const problem = 'the file does not begin where the one before ends: files are missing'
      findings.add(path, 0, problem, ADVICE.rebuild)
    }
  }
}

function judgeTail(log: SegmentFiles, end: LogEnd, wasKilled: boolean, findings: Findings): void {
  if (end.problem === undefined) return
  if (wasKilled) {
    findings.notes.push(`the log ends at ${end.offset} with a record that was not finished`)
    return
  }
  const problem = `the log ends there, though it was closed in order: ${end.problem}`
  findings.add(log.pathOf(end.offset), end.offset % log.segmentBytes, problem, ADVICE.rebuild)
}

function checkCheckpoint(
  { checkpoint: path }: StoreFolder,
  { logOffset, storeTimestamp }: Checkpoint,
  end: LogEnd,
  lastTimestamp: number,
  findings: Findings,
): void {
  if (logOffset !== undefined && logOffset > end.offset) {
    const problem = `the log was durable up to ${logOffset}, but ends at ${end.offset}: its end is lost`
    findings.add(path, 256, problem, ADVICE.rebuild)
  }
  if (lastTimestamp > 0 && storeTimestamp > lastTimestamp) {
    const problem = `messages were durable up to time ${storeTimestamp}, but the last one is of ${lastTimestamp}`
    findings.add(path, 0, problem, ADVICE.rebuild)
  }
}

function checkConfig({ disk }: ReadingHost, folder: StoreFolder, findings: Findings): void {
  for (const { path, state } of surveyConfig(disk, folder.config)) {
    if (state === 'readable') continue
    const rest = state === 'backup' ? ', but its backup is' : ', and it has no backup that is'
    findings.add(path, 0, `the file is not JSON${rest}`, ADVICE.config)
  }
}
