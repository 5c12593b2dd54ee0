/**
 * Turns what the system says about a file into a sentence: what was tried, why it failed, and what
 * to do about it. Pure but for asking how much room is left when there is none.
 */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { DiskError, type VolumeSpace } from './disk.ts'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied: give the user of this process the right to it',
  EBADF: 'the file is closed, or was opened for reading only',
  EDQUOT: 'the quota of this user is used up: raise it or delete files',
  EIO: 'the device reports an error: look at the system log and replace the device',
  EISDIR: 'it is a folder',
  EMFILE: 'this process has too many open files: raise its limit (ulimit -n)',
  ENFILE: 'the system has too many open files: raise its limit (fs.file-max)',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EPERM: 'the system does not permit it',
  EROFS: 'the volume is mounted read-only: mount it for writing',
}

/** The error of a failed call; `action` continues "cannot …", such as `write 17 bytes to`. */
export function diskError(error: unknown, action: string, path: string): DiskError {
  const code = codeOf(error)
  const reason = code === 'ENOSPC' ? fullVolume(path) : (REASONS[code] ?? String(error))
  return new DiskError(code, path, `cannot ${action} "${path}": ${reason} (${code})`, {
    cause: error,
  })
}

export function codeOf(error: unknown): string {
  const coded = typeof error === 'object' && error !== null && 'code' in error
  return coded ? String(error.code) : 'UNKNOWN'
}

/** Room on the volume that holds the path, or the nearest folder above it that exists. */
export function spaceOf(path: string): VolumeSpace {
  try {
    const stat = statfsSync(path)
    const totalBlocks = stat.blocks - stat.bfree + stat.bavail
    return { totalBytes: totalBlocks * stat.bsize, freeBytes: stat.bavail * stat.bsize }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    return spaceOf(dirname(path))
  }
}

function fullVolume(path: string): string {
  const advice = 'delete files or enlarge the volume'
  try {
    return `no room is left on its volume, ${spaceOf(path).freeBytes} bytes are free: ${advice}`
  } catch {
    return `no room is left on its volume: ${advice}`
  }
}
