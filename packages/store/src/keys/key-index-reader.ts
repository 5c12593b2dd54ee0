/**
 * Finds messages by a key. Owns nothing. What the index says is only where to look: every record is
 * held against the topic, the key and the time that were asked for.
 * Source: Apache classes IndexService.queryOffset, DefaultMessageStore.queryMessage;
 * `store-runtime.md` section 11.
 */
import { messageKeyHash, recordHasKey, storeTimestampOf } from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import type { OpenFiles } from '../files/open-files.ts'
import { INDEX_RENEWALS, MAX_KEY_QUERY_BYTES } from '../limits.ts'
import type { LogReader } from '../log/log-reader.ts'
import type { Marks } from '../log/marks.ts'
import type { KeyAnswer, KeyQuery } from '../outcome.ts'
import { despiteRemovals } from '../retention/removed-files.ts'
import type { KeyIndex } from './key-index.ts'
import type { KeyIndexFile } from './key-index-file.ts'
import type { KeyIndexWriter } from './key-index-writer.ts'

interface KeyIndexReaderParts {
  readonly index: KeyIndex
  readonly writer: KeyIndexWriter
  readonly marks: Marks
  readonly files: OpenFiles
  readonly logReader: LogReader
  /** Most messages of one answer. */
  readonly maxMessages: number
}

export class KeyIndexReader {
  readonly #parts: KeyIndexReaderParts

  constructor(parts: KeyIndexReaderParts) {
    this.#parts = parts
  }

  /** The newest messages with a key, oldest first. Rejects when the disk fails or lies. */
  async query(topic: string, key: string, query: KeyQuery): Promise<KeyAnswer> {
    const { files, index } = this.#parts
    const attempt = (): Promise<Buffer[]> => this.#records(topic, key, query)
    const records = await despiteRemovals(files, () => this.#despiteDamage(attempt))
    const last = index.newest?.header
    return {
      records,
      indexLastUpdateTimestamp: last?.endTimestamp ?? 0,
      indexLastUpdateOffset: last?.endOffset ?? 0,
    }
  }

  /** Finds what there is when the keys of damaged files were added anew. */
  async #despiteDamage(attempt: () => Promise<Buffer[]>): Promise<Buffer[]> {
    const { writer } = this.#parts
    for (let count = 0; ; count++) {
      await writer.caughtUp()
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof DamagedIndexFile) || count === INDEX_RENEWALS) throw error
        if (!writer.renew(error.file, error.message)) throw error
      }
    }
  }

  async #records(topic: string, key: string, query: KeyQuery): Promise<Buffer[]> {
    const { index, logReader, marks } = this.#parts
    const maxMessages = Math.min(query.maxMessages, this.#parts.maxMessages)
    const found = new Map<number, Buffer>()
    let bytes = 0
    for (const file of index.files.toReversed()) {
      for await (const logOffset of candidates(file, topic, key, query)) {
        if (found.size >= maxMessages) break
        if (found.has(logOffset)) continue
        const record = await logReader.recordAt(logOffset, marks.confirmed.value)
        if (record === undefined || !isWanted(record, topic, key, query)) continue
        bytes += record.length
        if (bytes > MAX_KEY_QUERY_BYTES && found.size > 0) return inOrder(found)
        found.set(logOffset, record)
      }
      if (found.size >= maxMessages || file.header.beginTimestamp < query.beginTimestamp) break
    }
    return inOrder(found)
  }
}

/** What a file of the index says that it holds is not there: the writer is to make it anew. */
class DamagedIndexFile extends CorruptionError {
  readonly file: KeyIndexFile

  constructor(file: KeyIndexFile, { message, offset, path }: CorruptionError) {
    super(path, offset, message)
    this.file = file
  }
}

async function* candidates(
  file: KeyIndexFile,
  topic: string,
  key: string,
  { beginTimestamp, endTimestamp }: KeyQuery,
): AsyncGenerator<number> {
  try {
    yield* file.find({ hash: messageKeyHash(topic, key), beginTimestamp, endTimestamp })
  } catch (error) {
    throw error instanceof CorruptionError ? new DamagedIndexFile(file, error) : error
  }
}

function isWanted(
  record: Buffer,
  topic: string,
  key: string,
  { beginTimestamp, endTimestamp }: KeyQuery,
): boolean {
  const storeTimestamp = storeTimestampOf(record)
  if (storeTimestamp < beginTimestamp || storeTimestamp > endTimestamp) return false
  return recordHasKey(record, topic, key)
}

function inOrder(found: ReadonlyMap<number, Buffer>): Buffer[] {
  return [...found.keys()].sort((a, b) => a - b).flatMap((offset) => found.get(offset) ?? [])
}
