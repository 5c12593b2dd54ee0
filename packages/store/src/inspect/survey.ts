/**
 * Looks over a store: what lies in its folder, how it was left, and what a start would make of it.
 * Owns nothing and changes nothing. Values only; `survey-text.ts` makes them readable.
 */
import { type FolderUse, type ReadOnlyDisk, readWholeFile } from '@rockhopper/host'
import {
  FIRST_INDEX_ENTRY,
  INDEX_HEADER_BYTES,
  indexFileBytes,
  isLive,
  readIndexHeader,
  readInt64,
  readUnit,
  UNIT_BYTES,
} from '@rockhopper/protocol'
import { firstWhere } from '../queues/binary-search.ts'
import { readAbortMarker } from '../recovery/abort-marker.ts'
import { readCheckpoint } from '../recovery/checkpoint-file.ts'
import { type ConfigSurvey, surveyConfig } from './config-survey.ts'
import { DryDisk } from './dry-disk.ts'
import { type Restart, tryRestart } from './restart.ts'
import { SegmentFiles } from './segment-files.ts'
import {
  indexNames,
  type QueueFolder,
  queueFolders,
  type ReadingHost,
  type StoreFolder,
} from './store-folder.ts'

export interface LogSurvey {
  readonly directory: string
  readonly segmentBytes: number
  readonly firstOffset: number
  /** Behind the last file. */
  readonly roomEndOffset: number
  readonly files: readonly {
    readonly name: string
    readonly sizeBytes: number
    readonly modifiedMs: number
  }[]
}

/** How the last process that had the store left it. */
export interface LastExit {
  readonly kind: 'clean' | 'killed'
  /** Process id in the file `abort`; undefined when there is none. */
  readonly pid: string | undefined
  /** Whether the system died as well, or that is not known. */
  readonly systemCrashed: boolean
}

export interface CheckpointSurvey {
  readonly physicMsgTimestamp: number
  readonly logicsMsgTimestamp: number
  readonly indexMsgTimestamp: number
  /** Our own: log and queues are durable up to here; undefined when Apache wrote last. */
  readonly logOffset: number | undefined
}

export interface QueueSurvey {
  readonly topic: string
  readonly queueId: number
  /** First and next queue offset; after a restart, where one succeeds. */
  readonly minOffset: number
  readonly maxOffset: number
  /** Files, and the offset up to which they have the queue's messages. */
  readonly segments: number
  readonly fileMaxOffset: number
  /** Messages that are in the log and not yet in the files. */
  readonly missing: number
}

export interface IndexFileSurvey {
  readonly name: string
  readonly sizeBytes: number
  /** Whether it is as long as the others should be. */
  readonly isWhole: boolean
  readonly entries: number
  readonly usedSlots: number
  readonly beginTimestamp: number
  readonly endTimestamp: number
  readonly beginOffset: number
  readonly endOffset: number
}

export interface StoreSurvey {
  readonly directory: string
  readonly lookedAtMs: number
  readonly use: FolderUse
  readonly lastWriter: 'rockhopper' | 'apache' | 'unknown'
  readonly lastExit: LastExit
  readonly log: LogSurvey
  readonly checkpoint: CheckpointSurvey | undefined
  readonly restart: Restart
  readonly queues: readonly QueueSurvey[]
  readonly index: readonly IndexFileSurvey[]
  readonly config: readonly ConfigSurvey[]
}

/** `use`: who has the folder at the moment. `topic`: only its queues. Rejects with `DiskError`. */
export async function surveyStore(
  host: ReadingHost,
  folder: StoreFolder,
  use: FolderUse,
  topic?: string,
): Promise<StoreSurvey> {
  const { clock, disk } = host
  const checkpoint = surveyCheckpoint(disk, folder)
  const restart = await tryRestart(host, folder)
  return {
    directory: folder.root,
    lookedAtMs: clock.nowMs(),
    use,
    lastWriter: writerOf(checkpoint),
    lastExit: lastExitOf(host, folder),
    log: surveyLog(disk, folder),
    checkpoint,
    restart,
    queues: surveyQueues(disk, folder, restart).filter(
      (queue) => topic === undefined || queue.topic === topic,
    ),
    index: indexNames(disk, folder).map((name) => surveyIndexFile(disk, folder, name)),
    config: surveyConfig(disk, folder.config),
  }
}

function writerOf(checkpoint: CheckpointSurvey | undefined): StoreSurvey['lastWriter'] {
  if (checkpoint === undefined) return 'unknown'
  return checkpoint.logOffset === undefined ? 'apache' : 'rockhopper'
}

function lastExitOf(host: ReadingHost, { abort }: StoreFolder): LastExit {
  const disk = new DryDisk(host.disk)
  const { systemCrashed, wasKilled } = readAbortMarker({ ...host, disk }, abort)
  const [pid] = readWholeFile(disk, abort)?.toString().split('\n') ?? []
  return { kind: wasKilled ? 'killed' : 'clean', pid, systemCrashed }
}

function surveyCheckpoint(disk: ReadOnlyDisk, folder: StoreFolder): CheckpointSurvey | undefined {
  const bytes = readWholeFile(new DryDisk(disk), folder.checkpoint)
  if (bytes === undefined || bytes.length < 24) return undefined
  return {
    physicMsgTimestamp: readInt64(bytes, 0),
    logicsMsgTimestamp: readInt64(bytes, 8),
    indexMsgTimestamp: readInt64(bytes, 16),
    logOffset: readCheckpoint(new DryDisk(disk), folder.checkpoint).logOffset,
  }
}

function surveyLog(disk: ReadOnlyDisk, folder: StoreFolder): LogSurvey {
  const log = new SegmentFiles(disk, folder.commitLog, folder.logSegmentBytes)
  return {
    directory: log.directory,
    segmentBytes: log.segmentBytes,
    firstOffset: log.firstOffset,
    roomEndOffset: log.endOffset,
    files: log.files.map(({ modifiedMs, path, sizeBytes }) => {
      return { name: path.slice(path.lastIndexOf('/') + 1), sizeBytes, modifiedMs }
    }),
  }
}

/** Queues with files, and those that a restart would make. */
function surveyQueues(disk: ReadOnlyDisk, folder: StoreFolder, restart: Restart): QueueSurvey[] {
  const restarted = new Map(
    (restart.kind === 'opens' ? restart.queues : []).map((queue) => [nameOf(queue), queue]),
  )
  const folders = new Map(queueFolders(disk, folder).map((queue) => [nameOf(queue), queue]))
  for (const queue of restarted.values()) {
    const { queueId, topic } = queue
    const directory = `${folder.queues}/${topic}/${queueId}`
    if (!folders.has(nameOf(queue))) folders.set(nameOf(queue), { topic, queueId, directory })
  }
  return [...folders.values()].map((queue) => {
    const { fileMaxOffset, minOffset, segments } = surveyQueueFiles(disk, folder, queue)
    const after = restarted.get(nameOf(queue))
    const maxOffset = after?.maxOffset ?? fileMaxOffset
    return {
      topic: queue.topic,
      queueId: queue.queueId,
      minOffset: after?.minOffset ?? minOffset,
      maxOffset,
      segments,
      fileMaxOffset,
      missing: Math.max(0, maxOffset - Math.max(fileMaxOffset, after?.minOffset ?? 0)),
    }
  })
}

function nameOf({ queueId, topic }: { readonly topic: string; readonly queueId: number }): string {
  return `${topic}/${queueId}`
}

/** What the files alone say; they are filled from their beginning without a hole. */
function surveyQueueFiles(
  disk: ReadOnlyDisk,
  { queueSegmentBytes }: StoreFolder,
  { directory }: QueueFolder,
): { minOffset: number; fileMaxOffset: number; segments: number } {
  const files = new SegmentFiles(disk, directory, queueSegmentBytes)
  const minOffset = files.firstOffset / UNIT_BYTES
  const unit = Buffer.alloc(UNIT_BYTES)
  let fileMaxOffset = minOffset
  for (const { sizeBytes, start } of files.files.toReversed()) {
    const first = start / UNIT_BYTES
    const end = firstWhere(first, first + Math.floor(sizeBytes / UNIT_BYTES), (at) => {
      unit.fill(0)
      files.read(unit, at * UNIT_BYTES)
      return !isLive(readUnit(unit, 0))
    })
    if (end === first) continue
    fileMaxOffset = end
    break
  }
  files.close()
  return { minOffset, fileMaxOffset, segments: files.files.length }
}

function surveyIndexFile(
  disk: ReadOnlyDisk,
  { indexShape, keyIndex }: StoreFolder,
  name: string,
): IndexFileSurvey {
  const path = `${keyIndex}/${name}`
  const sizeBytes = disk.stat(path)?.sizeBytes ?? 0
  const head = Buffer.alloc(INDEX_HEADER_BYTES)
  const file = disk.open(path, 'read')
  try {
    file.readSync(head, 0)
  } finally {
    file.close()
  }
  const { nextEntry, ...header } = readIndexHeader(head, 0)
  const isWhole = sizeBytes === indexFileBytes(indexShape)
  return { name, sizeBytes, isWhole, entries: nextEntry - FIRST_INDEX_ENTRY, ...header }
}
