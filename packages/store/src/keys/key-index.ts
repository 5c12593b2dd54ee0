/**
 * The key index: from the keys of messages to their places in the log. Owns the list of its files,
 * and the offset up to which all keys of the log are in them.
 *
 *   index/<creation time, 17 digits> | … | newest: keys are added here
 *
 * The log is the truth and the index follows it (`key-index-writer.ts`); what it lacks after a crash,
 * or on a volume that was full, it takes from the log later. Source: Apache class IndexService;
 * `store-format.md` section 11.
 */
import { crc32 } from 'node:zlib'
import { type Clock, type Disk, DiskError } from '@rockhopper/host'
import {
  FIRST_INDEX_ENTRY,
  INDEX_HEADER_BYTES,
  type IndexHeader,
  type IndexShape,
  writeIndexHeader,
} from '@rockhopper/protocol'
import { makeDurableFolder } from '../files/durable-folder.ts'
import type { OpenFiles } from '../files/open-files.ts'
import type { KeyIndexState } from '../recovery/checkpoint-file.ts'
import { emptyIndexHeader, KeyIndexFile } from './key-index-file.ts'
import { nameBehind } from './key-index-name.ts'
import { KeyIndexSums } from './key-index-sums.ts'

export interface KeyIndexParts {
  readonly disk: Disk
  readonly clock: Clock
  readonly files: OpenFiles
  readonly directory: string
  readonly sumsDirectory: string
  readonly shape: IndexShape
}

/** What a start found of the index. */
export interface KeyIndexFound {
  /** The files that are to be believed, oldest first. */
  readonly files: readonly NamedFile[]
  readonly offset: number
  /** Names of the files that are to be removed. */
  readonly unwanted: readonly string[]
  /** Whether the checkpoint names one of them. */
  readonly namesUnwanted: boolean
}

export interface NamedFile {
  readonly name: string
  readonly file: KeyIndexFile
}

export class KeyIndex {
  readonly #parts: KeyIndexParts
  #named: readonly NamedFile[]
  #offset: number
  /** Names of files that are forgotten and not removed yet. */
  #unwanted: readonly string[]
  /** Those of them that `durable` does not name. */
  #removable: readonly string[]
  /** What the device has for certain. */
  #durable: KeyIndexState

  constructor(parts: KeyIndexParts, found: KeyIndexFound) {
    this.#parts = parts
    this.#named = found.files
    this.#offset = found.offset
    this.#unwanted = found.unwanted
    this.#removable = found.namesUnwanted ? [] : found.unwanted
    this.#durable = this.#state()
  }

  /** Every key of the log up to here is in the index. */
  get offset(): number {
    return this.#offset
  }

  /** The files, oldest first. */
  get files(): readonly KeyIndexFile[] {
    return this.#named.map(({ file }) => file)
  }

  /** Where keys are added; undefined while there was none. */
  get newest(): KeyIndexFile | undefined {
    return this.#named.at(-1)?.file
  }

  /** For the checkpoint: what a start may believe. */
  get durable(): KeyIndexState {
    return this.#durable
  }

  /** Whether a checkpoint would say something new. */
  get hasNews(): boolean {
    return this.#offset !== this.#durable.offset || this.#unwanted.length > 0
  }

  /** Whether a file was saved: until a checkpoint notes it a start would do it over. */
  get isSavedAnew(): boolean {
    const { newest, saved } = this.#durable
    const last = this.#named.at(-1)
    if (last === undefined) return false
    return last.name === newest ? last.file.saved !== saved : this.#named.length > 1
  }

  /** The keys of what lies before `offset` in the log are added. */
  advance(offset: number): void {
    this.#offset = offset
  }

  /** Makes a file behind the newest, which must be saved. Rejects with `DiskError`. */
  async grow(): Promise<KeyIndexFile> {
    const { clock, directory, disk, files, shape, sumsDirectory } = this.#parts
    await makeDurableFolder(disk, directory)
    const names = [...this.#unwanted, ...this.#named.map(({ name }) => name)]
    const name = nameBehind(clock, names.sort().at(-1) ?? '')
    const path = `${directory}/${name}`
    const covered = { nextEntry: FIRST_INDEX_ENTRY, pageSum: 0 }
    const sums = new KeyIndexSums({ disk, files, path: `${sumsDirectory}/${name}` }, shape, covered)
    let file: KeyIndexFile
    try {
      file = KeyIndexFile.create({ files, path, shape, sums }, this.newest?.header)
    } catch (error) {
      files.remove(path)
      throw error
    }
    await disk.syncDirectory(directory)
    this.#named = [...this.#named, { name, file }]
    return file
  }

  /**
   * Makes what was added so far durable, or as much of it as there is room for: what is missing then
   * stays in memory, and a start takes it from the log. Rejects with `DiskError` otherwise.
   */
  async sync(): Promise<void> {
    const { newest } = this
    try {
      newest?.flush()
      const state = this.#state()
      const unwanted = this.#unwanted
      await newest?.sync()
      this.#durable = state
      this.#removable = unwanted
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'ENOSPC')) throw error
    }
  }

  /** Forgets the oldest files, of whose messages the log has none any more; never the newest. */
  removeBefore(logOffset: number): void {
    const isGone = ({ file }: NamedFile): boolean => file.header.endOffset < logOffset
    const keptFrom = this.#named.slice(0, -1).findIndex((each) => !isGone(each))
    this.#forget(0, keptFrom === -1 ? Math.max(0, this.#named.length - 1) : keptFrom)
  }

  /** Forgets a damaged file and the newer ones: their keys are to be added anew. */
  forgetFrom(damaged: KeyIndexFile, logMinOffset: number): void {
    const from = this.#named.findIndex(({ file }) => file === damaged)
    if (from === -1) return
    this.#forget(from, this.#named.length)
    this.#offset = Math.max(this.newest?.header.endOffset ?? 0, logMinOffset)
  }

  /** Forgets all files: the keys are to be added anew from the log's first on. */
  forgetAll(logMinOffset: number): void {
    this.#forget(0, this.#named.length)
    this.#offset = logMinOffset
  }

  /** Removes what was forgotten, as far as no checkpoint names it any more. Throws `DiskError`. */
  removeForgotten(): void {
    const { directory, files, sumsDirectory } = this.#parts
    const names = this.#removable
    this.#unwanted = this.#unwanted.filter((name) => !names.includes(name))
    this.#removable = []
    for (const name of names) {
      files.remove(`${sumsDirectory}/${name}`)
      files.remove(`${directory}/${name}`)
    }
  }

  #forget(from: number, to: number): void {
    const names = this.#named.slice(from, to).map(({ name }) => name)
    this.#unwanted = [...this.#unwanted, ...names]
    this.#named = this.#named.filter((_, index) => index < from || index >= to)
  }

  #state(): KeyIndexState {
    const newest = this.#named.at(-1)
    const none = emptyIndexHeader(undefined)
    return {
      offset: this.#offset,
      oldest: this.#named[0]?.name ?? '',
      newest: newest?.name ?? '',
      sealedSum: sealedSum(this.#named),
      header: { ...(newest?.file.header ?? none) },
      pageSum: newest?.file.pageSum ?? 0,
      saved: newest?.file.saved ?? none,
    }
  }
}

/** Checksum over names and headers of all files but the newest. */
export function sealedSum(
  files: readonly { readonly name: string; readonly file: { readonly header: IndexHeader } }[],
): number {
  let sum = 0
  const bytes = Buffer.alloc(INDEX_HEADER_BYTES)
  for (const { file, name } of files.slice(0, -1)) {
    writeIndexHeader(bytes, 0, file.header)
    sum = crc32(bytes, crc32(name, sum))
  }
  return sum
}
