/**
 * Reads of many bytes at one place of a file, however few each call gives. Owns nothing.
 */
import type { DiskFile } from '@rockhopper/host'
import { CorruptionError } from '../errors.ts'

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
