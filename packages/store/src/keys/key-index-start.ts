/**
 * Finds out, at the start, which files of the key index are to be believed, and from where on the
 * log has keys that they lack. Owns nothing, and changes nothing but what is unwanted.
 *
 * With a state in the checkpoint the files are ours: they are what it says, or they are not used.
 * Without one Apache wrote last: after a clean exit its headers are true, after another one those of
 * the files that the checkpoint knows to be whole, as Apache has it, too.
 * Source: Apache class IndexService; `store-format.md` section 11.2.
 */
import { isDeepStrictEqual } from 'node:util'
import { DiskError, type Logger } from '@rockhopper/host'
import {
  FIRST_INDEX_ENTRY,
  INDEX_HEADER_BYTES,
  type IndexHeader,
  indexFileBytes,
  readIndexHeader,
  readInt64,
  STORE_TIMESTAMP_WITHIN_BYTES,
  scanRecord,
} from '@rockhopper/protocol'
import type { SegmentFolder } from '../files/segment-folder.ts'
import type { Checkpoint, KeyIndexState } from '../recovery/checkpoint-file.ts'
import {
  KeyIndex,
  type KeyIndexFound,
  type KeyIndexParts,
  type NamedFile,
  sealedSum,
} from './key-index.ts'
import { KeyIndexFile } from './key-index-file.ts'
import { isIndexName } from './key-index-name.ts'
import { KeyIndexSums } from './key-index-sums.ts'

/** What the index has to know of the log. */
interface IndexedLog {
  readonly minOffset: number
  /** Offset behind the record at an offset; undefined when there is none. */
  recordEnd(logOffset: number): number | undefined
}

interface KeyIndexStart extends KeyIndexFound {
  /** Why files are not used, as the end of a sentence; undefined when all is well. */
  readonly problem: string | undefined
}

/** The index with the files that are to be believed; says which are not, unless it has no use. */
export function openKeyIndex(
  parts: KeyIndexParts,
  log: IndexedLog,
  checkpoint: Checkpoint,
  wasKilled: boolean,
  logger: Logger | undefined,
): KeyIndex {
  const names = parts.disk.list(parts.directory).filter(isIndexName)
  const { indexTimestamp, keyIndex } = checkpoint
  const limit = wasKilled ? indexTimestamp : Number.POSITIVE_INFINITY
  const { problem, ...found } = unlessUnreadable(log, names, () =>
    keyIndex === undefined
      ? foreignFiles(parts, log, names, limit)
      : ownFiles(parts, log, names, keyIndex),
  )
  if (problem !== undefined) {
    logger?.warn('Files of the key index are made anew from the log.', {
      directory: parts.directory,
      problem,
      fromOffset: found.offset,
    })
  }
  const index = new KeyIndex(parts, found)
  index.removeForgotten()
  return index
}

/** What the index has to know of a log that lies in this folder. */
export function indexedLog(folder: SegmentFolder): IndexedLog {
  return {
    minOffset: folder.firstOffset ?? 0,
    recordEnd(logOffset) {
      const head = Buffer.alloc(STORE_TIMESTAMP_WITHIN_BYTES)
      if (!folder.has(logOffset) || !folder.has(logOffset + head.length - 1)) return undefined
      folder.readSync(head, logOffset)
      const scanned = scanRecord(head, 0, false)
      if (scanned.kind !== 'cut-off' || readInt64(head, LOG_OFFSET_AT) !== logOffset)
        return undefined
      return logOffset + scanned.sizeBytes
    },
  }
}

/** Where a record says at which offset of the log it is. */
const LOG_OFFSET_AT = 28

/** The index can be made anew: a start does not fail because it cannot be read. */
function unlessUnreadable(
  { minOffset }: IndexedLog,
  names: readonly string[],
  find: () => KeyIndexStart,
): KeyIndexStart {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    const problem = error.message
    return { files: [], offset: minOffset, unwanted: names, namesUnwanted: true, problem }
  }
}

function ownFiles(
  parts: KeyIndexParts,
  log: IndexedLog,
  names: readonly string[],
  state: KeyIndexState,
): KeyIndexStart {
  const kept = names.filter((name) => name >= state.oldest && name <= state.newest)
  const unwanted = names.filter((name) => !kept.includes(name))
  const offset = Math.max(state.offset, log.minOffset)
  const nothing = { files: [], unwanted: names, namesUnwanted: false, problem: undefined }
  if (state.newest === '') return { ...nothing, offset }
  const problem = ownProblem(parts, kept, state)
  if (problem !== undefined) {
    return { ...nothing, offset: log.minOffset, namesUnwanted: true, problem }
  }
  const files = kept.map((name) => {
    const header = readHeader(parts, name)
    if (name !== state.newest) return open(parts, name, header, header, undefined)
    const { pageSum, saved } = state
    const areSlotsTrusted = isDeepStrictEqual(header, saved)
    return open(parts, name, state.header, saved, pageSum, areSlotsTrusted)
  })
  return { ...nothing, files, offset, unwanted }
}

function ownProblem(
  parts: KeyIndexParts,
  names: readonly string[],
  state: KeyIndexState,
): string | undefined {
  if (names.at(-1) !== state.newest) return `the file "${state.newest}" is missing`
  const problem = firstProblem(names.map((name) => sizeProblem(parts, name)))
  if (problem !== undefined) return problem
  const files = names.map((name) => ({ name, file: { header: readHeader(parts, name) } }))
  if (sealedSum(files) === state.sealedSum) return undefined
  return 'a file is missing, or its header is not what was written'
}

/** Takes the files that are sound and end no later, and of those behind none. */
function foreignFiles(
  parts: KeyIndexParts,
  log: IndexedLog,
  names: readonly string[],
  endTimestamp: number,
): KeyIndexStart {
  // Of files that another program may have changed no checksum is known.
  parts.disk.remove(parts.sumsDirectory)
  const files: NamedFile[] = []
  let offset = log.minOffset
  const hasLog = log.recordEnd(log.minOffset) !== undefined
  let problem = names.length === 0 && hasLog ? 'there is none' : undefined
  for (const name of names) {
    problem = sizeProblem(parts, name)
    if (problem !== undefined) break
    const header = readHeader(parts, name)
    if (header.endTimestamp > endTimestamp) break
    const end = header.nextEntry === FIRST_INDEX_ENTRY ? offset : foreignEnd(log, header, offset)
    if (end === undefined || header.nextEntry > parts.shape.entryLimit) {
      problem = `the header of "${name}" does not fit the commit log`
      break
    }
    offset = end
    files.push(open(parts, name, header, header, 0))
  }
  return { files, offset, unwanted: names.slice(files.length), namesUnwanted: true, problem }
}

/**
 * Up to where in the log all keys are in a file of Apache's; undefined when that cannot be. Those of
 * its last record may be there in part, the rest in a file that is not used: they are added again,
 * as Apache does.
 */
function foreignEnd(log: IndexedLog, header: IndexHeader, from: number): number | undefined {
  const { beginOffset, beginTimestamp, endOffset, endTimestamp } = header
  if (beginOffset > endOffset || beginTimestamp > endTimestamp) return undefined
  if (endOffset < log.minOffset) return from
  return log.recordEnd(endOffset) === undefined ? undefined : endOffset
}

/** `pageSum` is undefined for a file that is full, all of whose pages have a checksum. */
function open(
  { directory, disk, files, shape, sumsDirectory }: KeyIndexParts,
  name: string,
  header: IndexHeader,
  saved: IndexHeader,
  pageSum: number | undefined,
  areSlotsTrusted = true,
): NamedFile {
  const covered = pageSum === undefined ? undefined : { nextEntry: header.nextEntry, pageSum }
  const sums = new KeyIndexSums({ disk, files, path: `${sumsDirectory}/${name}` }, shape, covered)
  const place = { files, path: `${directory}/${name}`, shape, sums }
  return { name, file: new KeyIndexFile(place, header, saved, areSlotsTrusted) }
}

function sizeProblem({ directory, disk, shape }: KeyIndexParts, name: string): string | undefined {
  const sizeBytes = disk.stat(`${directory}/${name}`)?.sizeBytes ?? 0
  const expected = indexFileBytes(shape)
  if (sizeBytes === expected) return undefined
  return (
    `the file "${name}" has ${sizeBytes} bytes, and not the ${expected} that maxHashSlotNum and ` +
    'maxIndexNum make'
  )
}

function readHeader({ directory, files }: KeyIndexParts, name: string): IndexHeader {
  const bytes = Buffer.alloc(INDEX_HEADER_BYTES)
  const file = files.get(`${directory}/${name}`)
  for (let done = 0; done < bytes.length; ) {
    const count = file.readSync(bytes.subarray(done), done)
    if (count === 0) break
    done += count
  }
  return readIndexHeader(bytes, 0)
}

function firstProblem(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined)
}
