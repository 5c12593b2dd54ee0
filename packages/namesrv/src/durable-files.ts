/**
 * Small files that are replaced as a whole and survive a loss of power: the old content or the new,
 * never a part. Owns the list of folders whose new names are not yet on the device.
 */
import { dirname } from 'node:path'
import type { Disk, DiskFile } from '@rockhopper/host'

export class DurableFiles {
  readonly #disk: Disk
  /** Folders in which folders were made: a sync that failed must be made up for. */
  readonly #unsynced = new Set<string>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** The content of a file; undefined when there is none. Throws `DiskError`. */
  read(path: string): Buffer | undefined {
    if (this.#disk.stat(path) === undefined) return undefined
    const file = this.#disk.open(path, 'read')
    try {
      return readWhole(file)
    } finally {
      file.close()
    }
  }

  /** Resolves when the new content is on the device. Rejects with `DiskError`; one may try again. */
  async replace(path: string, content: Buffer): Promise<void> {
    const directory = dirname(path)
    this.#makeDirectory(directory)
    const temporary = `${path}.tmp`
    this.#disk.remove(temporary)
    const file = this.#disk.open(temporary, 'create')
    try {
      writeWhole(file, content)
      await file.syncData()
    } finally {
      file.close()
    }
    this.#disk.rename(temporary, path)
    for (const folder of [...this.#unsynced, directory]) {
      await this.#disk.syncDirectory(folder)
      this.#unsynced.delete(folder)
    }
  }

  #makeDirectory(directory: string): void {
    if (this.#disk.stat(directory) !== undefined) return
    for (let folder = directory; folder !== dirname(folder); folder = dirname(folder)) {
      if (this.#disk.stat(folder) !== undefined) break
      this.#unsynced.add(dirname(folder))
    }
    this.#disk.makeDirectory(directory)
  }
}

function readWhole(file: DiskFile): Buffer {
  const content = Buffer.alloc(file.sizeBytes())
  let at = 0
  while (at < content.length) {
    const count = file.readSync(content.subarray(at), at)
    if (count === 0) break
    at += count
  }
  return content.subarray(0, at)
}

function writeWhole(file: DiskFile, content: Buffer): void {
  let at = 0
  while (at < content.length) at += file.writeSync([content.subarray(at)], at)
}
