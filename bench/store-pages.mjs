/** Takes files out of the page cache, so that they are read from the device. */
import { spawnSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** How many files are given to one process. */
const FILES_AT_A_TIME = 200

/**
 * Whether all files below a folder are out of the page cache now: what is synced can be dropped
 * with `posix_fadvise`, which `dd` of GNU calls when it is to copy nothing without caching it.
 */
export function dropPages(folder) {
  const files = filesBelow(folder)
  for (const path of files) {
    const file = openSync(path, 'r+')
    fdatasyncSync(file)
    closeSync(file)
  }
  for (let at = 0; at < files.length; at += FILES_AT_A_TIME) {
    const some = files.slice(at, at + FILES_AT_A_TIME)
    const script = 'for file; do dd if="$file" iflag=nocache count=0 status=none || exit 1; done'
    if (spawnSync('sh', ['-c', script, 'sh', ...some]).status !== 0) return false
  }
  return true
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}
