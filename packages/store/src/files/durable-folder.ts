/**
 * Makes a folder whose name survives the loss of power. Owns nothing.
 */
import { type Disk, DiskError } from '@rockhopper/host'

/** Makes the folder and what is missing above it, and syncs every folder that got a new name. */
export async function makeDurableFolder(disk: Disk, path: string): Promise<void> {
  const changed: string[] = []
  for (let at = path; at !== '' && disk.stat(at) === undefined; at = parentOf(at)) {
    changed.push(parentOf(at))
  }
  disk.makeDirectory(path)
  for (const each of changed.reverse()) await disk.syncDirectory(each === '' ? '/' : each)
}

/**
 * The same for a folder that an earlier process may have made, which died before it synced the names
 * on the way to it: each of them is synced, but for those that cannot be looked into.
 */
export async function makeRootFolder(disk: Disk, path: string): Promise<void> {
  await makeDurableFolder(disk, path)
  for (let at = path; at !== ''; at = parentOf(at)) {
    const parent = parentOf(at)
    await disk.syncDirectory(parent === '' ? '/' : parent).catch((error: unknown) => {
      const isClosed = error instanceof DiskError && CLOSED.has(error.code)
      if (!isClosed || at === path) throw error
    })
  }
}

/** Folders of others, which were there before. */
const CLOSED: ReadonlySet<string> = new Set(['EACCES', 'EPERM'])

/** The folder that a path lies in; empty for the topmost. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
