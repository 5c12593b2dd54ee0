/**
 * The file `abort`: it is there while a store is in use, so one that is there at a start was left by
 * a crash. Owns nothing but the layout: the process id, as Apache (class DefaultMessageStore) writes
 * it, and on a second line the id of the system's boot, which Apache does not look at.
 */
import { type Host, readWholeFile, writeBytes } from '@rockhopper/host'

/** How a store was left. */
export interface LastEnd {
  /** Its process did not close it. */
  readonly wasKilled: boolean
  /** The device may lack what was not synced; so if nothing is known of the system's boot. */
  readonly systemCrashed: boolean
}

export function readAbortMarker({ disk, machine }: Host, path: string): LastEnd {
  const marker = readWholeFile(disk, path)
  if (marker === undefined) return { wasKilled: false, systemCrashed: false }
  const [, bootId = ''] = marker.toString().split('\n')
  return { wasKilled: true, systemCrashed: bootId === '' || bootId !== machine.bootId }
}

/** Throws `DiskError`. */
export function writeAbortMarker({ disk, machine }: Host, path: string): void {
  const file = disk.open(path, 'create')
  try {
    file.setLength(0)
    writeBytes(file, Buffer.from(`${machine.pid}\n${machine.bootId}`), 0)
  } finally {
    file.close()
  }
}
