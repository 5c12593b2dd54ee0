/**
 * What Apache's broker would find in the files of a key index: its way of loading them and of
 * following their chains. Source: Apache classes IndexService, IndexFile; `store-format.md` 11.2.
 */
import {
  type IndexHeader,
  type IndexShape,
  indexEntryAt,
  indexFileBytes,
  indexSlotAt,
  messageKeyHash,
  readIndexEntry,
  readIndexHeader,
} from '@rockhopper/protocol'
import { INDEX_DIRECTORY } from './key-scene.ts'
import { ROOT, type StoreScene } from './scene.ts'

interface LoadedFile {
  readonly bytes: Buffer
  readonly header: IndexHeader
}

export class ApacheKeyIndex {
  readonly files: readonly LoadedFile[]
  readonly #shape: IndexShape

  constructor(files: readonly LoadedFile[], shape: IndexShape) {
    this.files = files
    this.#shape = shape
  }

  /** As the broker loads them; after a crash without those that the checkpoint does not cover. */
  static load(scene: StoreScene, shape: IndexShape, wasKilled: boolean): ApacheKeyIndex {
    const { disk } = scene.host
    const checkpoint = `${ROOT}/checkpoint`
    const known =
      disk.stat(checkpoint) === undefined ? Buffer.alloc(24) : scene.fileBytes(checkpoint)
    const indexTimestamp = Number(known.readBigInt64BE(16))
    const files = disk.list(INDEX_DIRECTORY).map((name) => {
      // A file is mapped in its full size, however short it is.
      const bytes = Buffer.alloc(indexFileBytes(shape))
      scene.fileBytes(`${INDEX_DIRECTORY}/${name}`).copy(bytes)
      return { bytes, header: readIndexHeader(bytes, 0) }
    })
    const kept = files.filter(({ header }) => !wasKilled || header.endTimestamp <= indexTimestamp)
    return new ApacheKeyIndex(kept, shape)
  }

  /** Messages before this offset of the log are not added again. */
  get endOffset(): number {
    return this.files.at(-1)?.header.endOffset ?? 0
  }

  /** Log offsets of all entries with the hash of the key, oldest first. */
  find(topic: string, key: string): number[] {
    const hash = messageKeyHash(topic, key)
    const offsets = this.files.flatMap((file) => this.#findIn(file, hash))
    return [...new Set(offsets)].sort((a, b) => a - b)
  }

  #findIn({ bytes, header }: LoadedFile, hash: number): number[] {
    const offsets: number[] = []
    const isValid = (entry: number): boolean => entry > 0 && entry <= header.nextEntry
    let entry = bytes.readInt32BE(indexSlotAt(this.#shape, hash))
    while (isValid(entry) && header.nextEntry > 1) {
      const found = readIndexEntry(bytes, indexEntryAt(this.#shape, entry))
      if (found.hash === hash) offsets.push(found.logOffset)
      if (found.previous >= entry) break
      entry = found.previous
    }
    return offsets
  }
}
