/**
 * How far a broadcasting consumer is, in a file of its own. The path and the shape are Apache's, so
 * that a consumer may change from one library to the other. Source: Apache classes
 * LocalFileOffsetStore and OffsetSerializeWrapper; `client.md` section 6.6. Owns the table of
 * offsets and the file.
 */
import { type Disk, readWholeFile, replaceFile, writeBytes } from '@rockhopper/host'
import { decodeResetOffsets, type MessageQueue } from '@rockhopper/protocol'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import { badOption } from '../errors.ts'
import { queueKey } from '../message-queue.ts'
import type { OffsetStore } from './offset-store.ts'

export interface LocalOffsetParts {
  readonly disk: Disk
  /** Folder of all such files; absolute. */
  readonly directory: string
  readonly clientId: string
  readonly group: string
  /** Where to begin on a queue that the file does not have. */
  readonly firstOffset: (queue: MessageQueue) => Promise<number>
}

interface Row {
  readonly queue: MessageQueue
  readonly offset: number
}

export class LocalOffsets implements OffsetStore {
  readonly path: string
  readonly #parts: LocalOffsetParts
  readonly #table = new Map<string, Row>()
  #isChanged = false
  #saving: Promise<void> | undefined

  constructor(parts: LocalOffsetParts) {
    this.#parts = parts
    this.path = `${parts.directory}/${parts.clientId}/${parts.group}/offsets.json`
  }

  /** Reads the file. Throws `ClientError` BAD_OPTION when it and its backup are broken. */
  load(): void {
    const rows = this.#read()
    if (rows === undefined) {
      throw badOption(
        `the offsets in "${this.path}" cannot be read, and there is no backup of them that can`,
        'repair the file, or remove it to begin where consumeFromWhere says',
      )
    }
    for (const row of rows) this.#table.set(queueKey(row.queue), row)
  }

  async startOffset(owned: OwnedQueue): Promise<number> {
    const known = this.#table.get(owned.key)?.offset
    owned.storedOffset = known
    return known ?? (await this.#parts.firstOffset(owned.queue))
  }

  async commit(owned: OwnedQueue, offset: number): Promise<void> {
    this.#table.set(owned.key, { queue: owned.queue, offset })
    this.#isChanged = true
    await this.#save()
    owned.storedOffset = offset
  }

  /** Nobody else writes here. */
  isOvertaken(): Promise<boolean> {
    return Promise.resolve(false)
  }

  async commitLater(owned: OwnedQueue): Promise<void> {
    const { commitOffset } = owned
    if (commitOffset === undefined || commitOffset === owned.storedOffset) return
    await this.commit(owned, commitOffset)
  }

  /** Saves what changed; what changes meanwhile is saved right afterwards. */
  #save(): Promise<void> {
    this.#saving ??= Promise.resolve()
      .then(async () => {
        while (this.#isChanged) {
          this.#isChanged = false
          await this.#write()
        }
      })
      .finally(() => {
        this.#saving = undefined
      })
    return this.#saving
  }

  /** Rows of queues that are not ours stay as they are in the file. */
  async #write(): Promise<void> {
    const { disk } = this.#parts
    const rows = new Map((this.#read() ?? []).map((row) => [queueKey(row.queue), row]))
    for (const [key, row] of this.#table) rows.set(key, row)
    disk.makeDirectory(this.path.slice(0, this.path.lastIndexOf('/')))
    const text = Buffer.from(offsetsText([...rows.values()]))
    await replaceFile(disk, this.path, 'kept', (file) => writeBytes(file, text, 0))
  }

  /** What the file or its backup says; undefined when both are broken. */
  #read(): Row[] | undefined {
    for (const path of [this.path, `${this.path}.bak`]) {
      const bytes = readWholeFile(this.#parts.disk, path)
      const rows = bytes === undefined ? undefined : rowsOf(bytes)
      if (rows !== undefined) return rows
    }
    return this.#parts.disk.stat(this.path) === undefined ? [] : undefined
  }
}

/** Undefined when the bytes are no table of offsets. */
function rowsOf(bytes: Buffer): Row[] | undefined {
  if (!bytes.includes('"offsetTable"')) return undefined
  try {
    return decodeResetOffsets(bytes).map(([queue, offset]) => ({ queue, offset }))
  } catch {
    return undefined
  }
}

/** Apache writes objects as keys, and indents with tabs. */
function offsetsText(rows: readonly Row[]): string {
  const entries = rows.map(({ queue, offset }) => {
    const { brokerName, queueId, topic } = queue
    const fields = Object.entries({ brokerName, queueId, topic })
    const lines = fields.map(([name, value]) => `\t\t\t"${name}":${JSON.stringify(value)}`)
    return `{\n${lines.join(',\n')}\n\t\t}:${offset}`
  })
  return `{\n\t"offsetTable":{${entries.join(',')}\n\t}\n}`
}
