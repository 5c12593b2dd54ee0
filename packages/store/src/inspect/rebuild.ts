/**
 * Makes a sound store of a damaged or foreign one, in a folder of its own: all sound records keep
 * their offsets, what is damaged is replaced, and queues, index and checkpoint are made anew by
 * opening the result. The source is only read. Owns nothing.
 */
import { type Disk, type DiskFile, type Host, readWholeFile, writeBytes } from '@rockhopper/host'
import { UNIT_BYTES } from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import { makeDurableFolder } from '../files/durable-folder.ts'
import { segmentName } from '../files/segment-folder.ts'
import { openStore } from '../open-store.ts'
import { readAbortMarker } from '../recovery/abort-marker.ts'
import { readCheckpoint } from '../recovery/checkpoint-file.ts'
import type { Store } from '../store.ts'
import { DryDisk } from './dry-disk.ts'
import { MendedFiles } from './mended-files.ts'
import { PageVerdicts } from './page-verdicts.ts'
import { planRebuild, type RebuildPlan } from './rebuild-plan.ts'
import type { SegmentFiles } from './segment-files.ts'
import { type LostMessage, piecesFor } from './stand-ins.ts'
import { configOf, InspectError, type ReadingHost, type StoreFolder } from './store-folder.ts'
import { bytesText } from './words.ts'

/** A stretch of the log that was replaced. */
export interface ReplacedStretch {
  readonly fromOffset: number
  readonly toOffset: number
  readonly problem: string
  /** Messages that were there, as far as queues tell; each has an empty one in its place. */
  readonly lost: readonly LostMessage[]
}

export interface RebuildReport {
  readonly source: string
  readonly into: string
  readonly firstOffset: number
  readonly endOffset: number
  /** Sound records that were copied. */
  readonly records: number
  readonly replaced: readonly ReplacedStretch[]
  /** Lost messages that have no other in their place: their queues have a hole there. */
  readonly withoutStandIn: readonly LostMessage[]
  /** Single bits that had changed, and were turned back as the checksum of their page demands. */
  readonly mended: readonly { readonly logOffset: number; readonly bit: number }[]
  /** Messages whose page has a wrong checksum, while their body and their place are right. */
  readonly doubtful: readonly LostMessage[]
  /** What lay in the folder and was not taken over. */
  readonly leftBehind: readonly string[]
}

/** What a rebuild needs to be told. */
export interface RebuildOrder {
  readonly source: ReadingHost
  readonly folder: StoreFolder
  /** With the disk that is written on. */
  readonly target: Host
  readonly into: string
}

export const REPORT_NAME = 'rebuild-report.json'
const COPY_BYTES = 1024 * 1024
/** Two keys of a message in the index, and its unit. */
const DERIVED_BYTES = 3 * UNIT_BYTES
/** Files begun, and what a file system needs for itself. */
const SPARE_BYTES = 1024 * 1024
const TAKEN_OVER = new Set([
  'commitlog',
  'consumequeue',
  'index',
  'config',
  'checkpoint',
  'lock',
  'abort',
  'abort.bak',
  'logsums',
  'indexsums',
  'queueends',
])

/** Rejects with `InspectError` when it cannot be done, before anything is written, and `DiskError`. */
export async function rebuildStore(order: RebuildOrder): Promise<RebuildReport> {
  const { folder, into, source, target } = order
  demandEmpty(target.disk, folder, into)
  const { pages, wasKilled } = lookAtPages(order)
  const { commitLog, logSegmentBytes } = folder
  const log = new MendedFiles(source.disk, commitLog, logSegmentBytes, pages.flips)
  const plan = planRebuild(source, folder, log, pages, wasKilled)
  demandRoom(target.disk, into, plan)
  await makeDurableFolder(target.disk, into)
  const withoutStandIn = [...plan.unplaced, ...(await writeLog(order, log, plan))]
  log.close()
  copyConfig(order)
  const report = {
    source: folder.root,
    into,
    firstOffset: plan.firstOffset,
    endOffset: plan.endOffset,
    records: plan.records,
    replaced: plan.stretches.map(({ from, lost, problem, to }) => {
      return { fromOffset: from, toOffset: to, problem, lost }
    }),
    withoutStandIn,
    mended: [...pages.flips].map(([logOffset, mask]) => ({ logOffset, bit: Math.log2(mask) })),
    doubtful: plan.doubtful,
    leftBehind: source.disk.list(folder.root).filter((name) => !TAKEN_OVER.has(name)),
  }
  await writeFile(
    target.disk,
    `${into}/${REPORT_NAME}`,
    Buffer.from(`${JSON.stringify(report, undefined, 2)}\n`),
  )
  await makeRest(order, plan)
  return report
}

function demandEmpty(disk: Disk, { root }: StoreFolder, into: string): void {
  if (into === root || into.startsWith(`${root}/`)) {
    throw new InspectError(`"${into}" is in the store itself: name a folder outside of "${root}".`)
  }
  const stat = disk.stat(into)
  if (stat === undefined) return
  if (stat.kind === 'directory' && disk.list(into).length === 0) return
  throw new InspectError(
    `"${into}" is not an empty folder: name one that is, or that is not there.`,
  )
}

function lookAtPages({ folder, source }: RebuildOrder): {
  readonly pages: PageVerdicts
  readonly wasKilled: boolean
} {
  const dry = new DryDisk(source.disk)
  const { systemCrashed, wasKilled } = readAbortMarker({ ...source, disk: dry }, folder.abort)
  const { logOffset } = readCheckpoint(dry, folder.checkpoint)
  // The sums are of another log when Apache wrote last, and may be older than it after a power cut.
  const limit = systemCrashed || logOffset === undefined ? logOffset : Number.POSITIVE_INFINITY
  return { pages: new PageVerdicts(source.disk, folder, limit ?? 0), wasKilled }
}

function demandRoom(
  disk: Disk,
  into: string,
  { endOffset, firstOffset, records }: RebuildPlan,
): void {
  const logBytes = endOffset - firstOffset
  const neededBytes = logBytes + logBytes / 512 + records * DERIVED_BYTES + SPARE_BYTES
  let existing = into
  while (disk.stat(existing) === undefined && existing !== '') {
    existing = existing.slice(0, existing.lastIndexOf('/'))
  }
  const { freeBytes } = disk.volumeSpace(existing === '' ? '/' : existing)
  if (freeBytes >= neededBytes) return
  throw new InspectError(
    `The volume of "${into}" has ${bytesText(freeBytes)} free, and the store needs about ` +
      `${bytesText(Math.ceil(neededBytes))}: make room, or rebuild into a folder elsewhere.`,
  )
}

/** Returns the lost messages that got no stand-in. */
async function writeLog(
  { folder, into, target }: RebuildOrder,
  log: SegmentFiles,
  plan: RebuildPlan,
): Promise<LostMessage[]> {
  const { segmentBytes } = log
  const directory = `${into}/commitlog`
  await makeDurableFolder(target.disk, directory)
  const left: LostMessage[] = []
  for (let start = plan.firstOffset; start < plan.endOffset; start += segmentBytes) {
    const file = target.disk.open(`${directory}/${segmentName(start)}`, 'create')
    try {
      file.setLength(folder.logSegmentBytes)
      copySegment(log, file, start, Math.min(start + segmentBytes, plan.endOffset), plan)
      await file.syncData()
    } finally {
      file.close()
    }
  }
  for (const stretch of plan.stretches) {
    const pieces = piecesFor(stretch, segmentBytes)
    left.push(...(await writePieces(target.disk, directory, segmentBytes, pieces)))
  }
  await target.disk.syncDirectory(directory)
  return left
}

/** Copies what is sound of a segment. */
function copySegment(
  log: SegmentFiles,
  file: DiskFile,
  start: number,
  end: number,
  { stretches }: RebuildPlan,
): void {
  let from = start
  for (const stretch of stretches) {
    if (stretch.to <= from || stretch.from >= end) continue
    copyRange(log, file, start, from, stretch.from)
    from = stretch.to
  }
  copyRange(log, file, start, from, end)
}

function copyRange(
  log: SegmentFiles,
  file: DiskFile,
  start: number,
  from: number,
  to: number,
): void {
  const window = Buffer.allocUnsafe(COPY_BYTES)
  for (let at = from; at < to; ) {
    const count = log.read(window.subarray(0, Math.min(COPY_BYTES, to - at)), at)
    if (count === 0) return
    writeBytes(file, window.subarray(0, count), at - start)
    at += count
  }
}

async function writePieces(
  disk: Disk,
  directory: string,
  segmentBytes: number,
  pieces: ReturnType<typeof piecesFor>,
): Promise<readonly LostMessage[]> {
  const touched = new Map<number, DiskFile>()
  try {
    for (let step = pieces.next(); ; step = pieces.next()) {
      if (step.done === true) {
        for (const file of touched.values()) await file.syncData()
        return step.value
      }
      const { bytes, logOffset } = step.value
      const start = logOffset - (logOffset % segmentBytes)
      const file = touched.get(start) ?? disk.open(`${directory}/${segmentName(start)}`, 'update')
      touched.set(start, file)
      writeBytes(file, bytes, logOffset - start)
    }
  } finally {
    for (const file of touched.values()) file.close()
  }
}

/** The metadata as they are; what cannot be read of them is left for a person to mend. */
function copyConfig({ folder, into, source, target }: RebuildOrder): void {
  const names = source.disk
    .list(folder.config)
    .filter((name) => source.disk.stat(`${folder.config}/${name}`)?.kind === 'file')
  if (names.length > 0) target.disk.makeDirectory(`${into}/config`)
  for (const name of names) {
    const bytes = readWholeFile(new DryDisk(source.disk), `${folder.config}/${name}`)
    if (bytes !== undefined) putFile(target.disk, `${into}/config/${name}`, bytes)
  }
}

function putFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, 'create')
  try {
    writeBytes(file, bytes, 0)
  } finally {
    file.close()
  }
}

async function writeFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  putFile(disk, path, bytes)
  const file = disk.open(path, 'read')
  try {
    await file.syncData()
  } finally {
    file.close()
  }
}

/** Opening a store makes what its log tells; closing it makes that durable. */
async function makeRest({ folder, into, target }: RebuildOrder, plan: RebuildPlan): Promise<void> {
  const config = { ...configOf(folder), rootDirectory: into, commitLogDirectory: undefined }
  let store: Store
  try {
    store = await openStore(target, config)
  } catch (error) {
    if (!(error instanceof Error) || error instanceof CorruptionError) throw error
    throw new InspectError(
      `The log was rebuilt in "${into}", but its queues cannot be made: ${error.message}`,
      { cause: error },
    )
  }
  try {
    await untilIndexed(store, plan)
  } finally {
    await store.close()
  }
}

/** Each question waits a moment for the index to come up. */
async function untilIndexed(store: Store, { lastKeyed }: RebuildPlan): Promise<void> {
  const question = { maxMessages: 1, beginTimestamp: 0, endTimestamp: 0 }
  let before = -1
  for (;;) {
    const { indexLastUpdateOffset: now } = await store.queryByKey('', '', question)
    if (now >= lastKeyed || now === before) return
    before = now
  }
}
