/**
 * The files of segments that are open, the one used last at the end. Owns them: beyond the limit
 * the one unused for the longest time is closed, and opened again when it is needed.
 */
import type { Disk, DiskFile } from '@rockhopper/host'
import { MAX_OPEN_FILES } from '../limits.ts'

export class OpenFiles {
  #removals = 0
  readonly #disk: Disk
  readonly #files = new Map<string, DiskFile>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** An existing file. Throws `DiskError`. */
  get(path: string): DiskFile {
    const known = this.#files.get(path)
    if (known === undefined) return this.#keep(this.#disk.open(path, 'update'))
    this.#files.delete(path)
    this.#files.set(path, known)
    return known
  }

  create(path: string): DiskFile {
    return this.#keep(this.#disk.open(path, 'create'))
  }

  /** How many files were removed so far: a read that fails while this grows may be done again. */
  get removals(): number {
    return this.#removals
  }

  /** Removes a file. Who reads it may finish. Throws `DiskError`; then it is still there. */
  remove(path: string): void {
    this.close(path)
    this.#disk.remove(path)
    this.#removals += 1
  }

  /** Closes a file; who reads it may finish. */
  close(path: string): void {
    this.#files.get(path)?.close()
    this.#files.delete(path)
  }

  closeAll(): void {
    for (const path of [...this.#files.keys()]) this.close(path)
  }

  #keep(file: DiskFile): DiskFile {
    this.#files.set(file.path, file)
    const [oldest] = this.#files.keys()
    if (this.#files.size > MAX_OPEN_FILES && oldest !== undefined) this.close(oldest)
    return file
  }
}
