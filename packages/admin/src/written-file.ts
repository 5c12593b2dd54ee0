/** Files that verbs leave for their reader. Owns nothing. */
import type { Disk } from '@rockhopper/host'

/** Characters of a name that comes from elsewhere and may not decide where a file lies. */
const OUTSIDE_OF_NAMES = /[^\w.@#%-]/g

/** Writes a file anew; returns its path. Throws `DiskError`. */
export function writeBytes(
  disk: Disk,
  { directory, name }: { readonly directory: string; readonly name: string },
  bytes: Uint8Array,
): string {
  const path = `${directory}/${name.replace(OUTSIDE_OF_NAMES, '_').replace(/^\.+/, '_')}`
  disk.makeDirectory(directory)
  const file = disk.open(path, 'create')
  try {
    file.setLength(0)
    for (let at = 0; at < bytes.length; ) at += file.writeSync([bytes.subarray(at)], at)
  } finally {
    file.close()
  }
  return path
}

export function writeText(
  disk: Disk,
  path: { readonly directory: string; readonly name: string },
  lines: readonly string[],
): string {
  return writeBytes(disk, path, Buffer.from(lines.map((line) => `${line}\n`).join('')))
}
