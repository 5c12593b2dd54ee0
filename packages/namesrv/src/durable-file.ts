/**
 * Small files that are replaced as a whole and survive a loss of power: the old content or the new,
 * never a part. It owns nothing.
 */
import { dirname } from 'node:path'
import type { Disk, DiskFile } from '@rockhopper/host'

/** The content of a file; undefined when there is none. Throws `DiskError`. */
export function readWholeFile(disk: Disk, path: string): Buffer | undefined {
  if (disk.stat(path) === undefined) return undefined
  const file = disk.open(path, 'read')
  try {
    const content = Buffer.alloc(file.sizeBytes())
    let at = 0
    while (at < content.length) {
      const count = file.readSync(content.subarray(at), at)
      if (count === 0) break
      at += count
    }
    return content.subarray(0, at)
  } finally {
    file.close()
  }
}

/** Resolves when the new content is on the device. Rejects with `DiskError`; then try again. */
export async function replaceWholeFile(disk: Disk, path: string, content: Buffer): Promise<void> {
  await makeDurableDirectory(disk, dirname(path))
  const temporary = `${path}.tmp`
  disk.remove(temporary)
  const file = disk.open(temporary, 'create')
  try {
    writeWhole(file, content)
    await file.syncData()
  } finally {
    file.close()
  }
  disk.rename(temporary, path)
  await disk.syncDirectory(dirname(path))
}

function writeWhole(file: DiskFile, content: Buffer): void {
  let at = 0
  while (at < content.length) at += file.writeSync([content.subarray(at)], at)
}

/** Makes the folders that are missing, from the outermost on, and the names that lead to them. */
async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  if (disk.stat(directory) !== undefined) return
  const parent = dirname(directory)
  if (parent !== directory) await makeDurableDirectory(disk, parent)
  disk.makeDirectory(directory)
  await disk.syncDirectory(parent)
}
