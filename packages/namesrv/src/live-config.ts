/**
 * The configuration of a running name server. Owns the present values and the file that changes are
 * written to; everyone else asks for `current` when it matters.
 */
import { updateConfig, withProperties } from '@rockhopper/protocol'
import { type NamesrvConfig, namesrvConfigSource, namesrvConfigTable } from './config.ts'
import type { DurableFiles } from './durable-files.ts'

export class LiveConfig {
  readonly #files: DurableFiles
  readonly #path: string
  #current: NamesrvConfig
  #lastChange: Promise<unknown> = Promise.resolve()

  /** `path` is an absolute one; the file need not exist. */
  constructor(files: DurableFiles, path: string, config: NamesrvConfig) {
    this.#files = files
    this.#path = path
    this.#current = config
  }

  get current(): NamesrvConfig {
    return this.#current
  }

  /**
   * Takes lines `key=value`, all or none, and resolves with the keys that changed when they are in
   * the file. Rejects with `ConfigError` or `DiskError`, and then nothing has changed.
   */
  update(text: string): Promise<readonly string[]> {
    const change = this.#lastChange.then(() => this.#update(text))
    this.#lastChange = change.catch(() => undefined)
    return change
  }

  async #update(text: string): Promise<readonly string[]> {
    const source = namesrvConfigSource('the request')
    const { values, changed } = updateConfig(namesrvConfigTable, this.#current, text, source)
    const keys = Object.keys(changed)
    if (keys.length === 0) return keys
    const before = this.#files.read(this.#path)?.toString() ?? ''
    await this.#files.replace(this.#path, Buffer.from(withProperties(before, changed)))
    this.#current = values
    return keys
  }
}
