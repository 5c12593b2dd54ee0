/**
 * Small files that are read and replaced as a whole, never half. Owns nothing.
 */
import type { Disk, DiskFile } from './disk.ts'

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

/** Writes all of `bytes` at `position`, however few each call takes. Throws `DiskError`. */
export function writeBytes(file: DiskFile, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += file.writeSync([bytes.subarray(done)], position + done)
  }
}

/** What becomes of a file that is replaced: `<path>.bak`, or nothing. */
export type FormerFile = 'kept' | 'dropped'

/**
 * Puts new content in the place of a file in an existing folder: `write` puts it into a file beside
 * it, `<path>.new`, which is synced and takes its name. A crash at any point leaves the former file
 * or the new one complete; of a `kept` one that may be its backup. Rejects with `DiskError`, and as
 * `write` does; then the former content stays.
 */
export async function replaceFile(
  disk: Disk,
  path: string,
  former: FormerFile,
  write: (file: DiskFile) => void | Promise<void>,
): Promise<void> {
  const fresh = `${path}.new`
  disk.remove(fresh)
  const file = disk.open(fresh, 'create')
  try {
    await write(file)
    await file.syncData()
  } finally {
    file.close()
  }
  if (former === 'kept' && disk.stat(path) !== undefined) disk.rename(path, `${path}.bak`)
  disk.rename(fresh, path)
  await disk.syncDirectory(path.slice(0, path.lastIndexOf('/')))
}
