/**
 * Reads and writes of many bytes at one place of a file, however few each call takes. Owns nothing.
 */
import type { Disk, DiskFile } from '@rockhopper/host'
import { CorruptionError } from './errors.ts'

/** Writes all of `bytes` at `position`. Throws `DiskError`. */
export function writeBytes(file: DiskFile, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += file.writeSync([bytes.subarray(done)], position + done)
  }
}

/** All bytes of a small file; undefined when there is none. Throws `DiskError`. */
export function readWhole(disk: Disk, path: string): Buffer | undefined {
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

/** Fills `target` from `position` on. Rejects with `CorruptionError` when the file ends before. */
export async function readBytes(
  file: DiskFile,
  target: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const count = await file.read(target.subarray(done), position + done)
    if (count === 0) throw endsEarly(file, position + done)
    done += count
  }
}

function endsEarly({ path }: DiskFile, at: number): CorruptionError {
  return new CorruptionError(path, at, `"${path}" ends at byte ${at}: somebody has shortened it`)
}
