/**
 * Small files that are read and replaced as a whole, never half. Owns nothing.
 */
import type { Disk } from './disk.ts'

/** All bytes of a small file; undefined when there is none. Throws `DiskError`. */
export function readWholeFile(disk: Disk, path: string): Buffer | undefined {
  if (disk.stat(path)?.kind !== 'file') return undefined
  const file = disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(file.sizeBytes())
    let done = 0
    for (let count = -1; done < bytes.length && count !== 0; done += count) {
      count = file.readSync(bytes.subarray(done), done)
    }
    return bytes.subarray(0, done)
  } finally {
    file.close()
  }
}

/**
 * Puts new content in the place of a file in an existing folder: it is written beside it, to
 * `<path>.tmp`, and synced; the old file becomes `<path>.bak` and the new one takes its name. A crash
 * at any point leaves one of the two complete. Rejects with `DiskError`; then the old content stays.
 */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const fresh = `${path}.tmp`
  disk.remove(fresh)
  const file = disk.open(fresh, 'create')
  try {
    for (let done = 0; done < bytes.length; ) {
      done += file.writeSync([bytes.subarray(done)], done)
    }
    await file.syncData()
  } finally {
    file.close()
  }
  if (disk.stat(path) !== undefined) disk.rename(path, `${path}.bak`)
  disk.rename(fresh, path)
  await disk.syncDirectory(path.slice(0, path.lastIndexOf('/')))
}
