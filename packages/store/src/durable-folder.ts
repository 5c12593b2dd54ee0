/**
 * Makes a folder whose name survives the loss of power. Owns nothing.
 */
import type { Disk } from '@rockhopper/host'

/** Makes the folder and what is missing above it, and syncs every folder that got a new name. */
export async function makeDurableFolder(disk: Disk, path: string): Promise<void> {
  const changed: string[] = []
  for (let at = path; at !== '' && disk.stat(at) === undefined; at = parentOf(at)) {
    changed.push(parentOf(at))
  }
  disk.makeDirectory(path)
  for (const each of changed.reverse()) await disk.syncDirectory(each === '' ? '/' : each)
}

/** The folder that a path lies in; empty for the topmost. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
