/**
 * Settings that operators keep at the name server: namespace → key → text. Owns them and the file
 * they live in, which is Apache's `kvConfig.json` (class KVConfigManager; `namesrv.md` section 9).
 *
 * A change shows, and is answered, only when it is on the device. Changes that come while the file
 * is being written go into the next file together.
 */
import {
  javaJson,
  type KvTable,
  kvTableOf,
  parseFastjson,
  responseCode,
} from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import type { DurableFiles } from './durable-files.ts'
import { MAX_CHANGES_PENDING, MAX_KV_FILE_BYTES } from './limits.ts'

type Namespaces = ReadonlyMap<string, KvTable>

interface Change {
  readonly namespace: string
  readonly key: string
  /** Undefined removes the key. */
  readonly value: string | undefined
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

export class KvNamespaces {
  readonly #files: DurableFiles
  readonly #path: string
  #namespaces: Namespaces
  #fileBytes: number
  #pending: Change[] = []
  /** Of the changes that are not yet on the device. */
  #unsavedChars = 0
  #saving: Promise<void> | undefined

  private constructor(files: DurableFiles, path: string, namespaces: Namespaces) {
    this.#files = files
    this.#path = path
    this.#namespaces = namespaces
    this.#fileBytes = fileOf(namespaces).length
  }

  /** Reads the file; without one there are no settings. Throws when it is there and not readable. */
  static load(files: DurableFiles, path: string): KvNamespaces {
    const content = files.read(path)
    if (content === undefined) return new KvNamespaces(files, path, new Map())
    try {
      return new KvNamespaces(files, path, namespacesOf(content))
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      throw new Error(
        `${path} is damaged (${cause.message}): repair it, or move it away to start without settings`,
        { cause },
      )
    }
  }

  get(namespace: string, key: string): string | undefined {
    return this.#namespaces.get(namespace)?.get(key)
  }

  /** All settings of a namespace; undefined when there never was one. */
  list(namespace: string): KvTable | undefined {
    return this.#namespaces.get(namespace)
  }

  /** Resolves when the setting is on the device. Rejects with `Refusal` or `DiskError`. */
  put(namespace: string, key: string, value: string): Promise<void> {
    return this.#change(namespace, key, value)
  }

  /** Resolves when the setting is gone from the device; a key that is absent is no error. */
  delete(namespace: string, key: string): Promise<void> {
    return this.#change(namespace, key, undefined)
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#saving !== undefined) await this.#saving
  }

  async #change(namespace: string, key: string, value: string | undefined): Promise<void> {
    const chars = namespace.length + key.length + (value?.length ?? 0)
    this.#demandRoom(chars, value === undefined)
    await new Promise<void>((done, failed) => {
      this.#pending.push({ namespace, key, value, done, failed })
      this.#unsavedChars += chars
      this.#saving ??= this.#savePending()
    })
  }

  #demandRoom(chars: number, isRemoval: boolean): void {
    if (this.#pending.length >= MAX_CHANGES_PENDING) {
      const sentence = `${MAX_CHANGES_PENDING} changes wait for the disk: try again later`
      throw new Refusal(responseCode.SYSTEM_BUSY, sentence)
    }
    if (isRemoval || this.#fileBytes + this.#unsavedChars + chars <= MAX_KV_FILE_BYTES) return
    throw new Refusal(
      responseCode.SYSTEM_ERROR,
      `the settings would take more than ${MAX_KV_FILE_BYTES} bytes: delete some first`,
    )
  }

  async #savePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const changes = this.#pending
      const chars = this.#unsavedChars
      this.#pending = []
      try {
        await this.#save(changed(this.#namespaces, changes))
        for (const change of changes) change.done()
      } catch (error) {
        for (const change of changes) change.failed(error)
      }
      this.#unsavedChars -= chars
    }
    this.#saving = undefined
  }

  async #save(namespaces: Namespaces): Promise<void> {
    const content = fileOf(namespaces)
    await this.#files.replace(this.#path, content)
    this.#namespaces = namespaces
    this.#fileBytes = content.length
  }
}

/** A copy with the changes; a namespace stays when its last key goes, as with Apache. */
function changed(namespaces: Namespaces, changes: readonly Change[]): Namespaces {
  const copy = new Map(namespaces)
  for (const { namespace, key, value } of changes) {
    if (value === undefined && !copy.has(namespace)) continue
    const table = new Map(copy.get(namespace))
    if (value === undefined) table.delete(key)
    else table.set(key, value)
    copy.set(namespace, table)
  }
  return copy
}

function fileOf(namespaces: Namespaces): Buffer {
  return Buffer.from(javaJson({ configTable: namespaces }, 'plain'))
}

/** Throws `SyntaxError` when the content is not a table of namespaces. */
function namespacesOf(content: Buffer): Namespaces {
  const json = parseFastjson(content.toString())
  const table = isObject(json) ? json['configTable'] : undefined
  if (!isObject(table)) throw new SyntaxError('it has no "configTable"')
  return new Map(Object.entries(table).map(([name, entries]) => [name, kvTableOf(entries)]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
