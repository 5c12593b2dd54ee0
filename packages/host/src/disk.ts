/**
 * The second door: files. The store writes synchronously into the page cache and syncs off the loop;
 * both are here, and nothing else that a test could not lose, tear or fill up.
 *
 * Paths are absolute. Every method may throw `DiskError`.
 */

/** An open file. Positions and lengths are in bytes. */
export interface DiskFile {
  readonly path: string
  /**
   * Writes the chunks one behind the other at `position`, and returns how many bytes were taken,
   * which may be fewer than offered (a short write): the caller loops.
   */
  writeSync(chunks: readonly Uint8Array[], position: number): number
  /** Reads into `target` from `position`; returns the bytes read, 0 at the end of the file. */
  readSync(target: Uint8Array, position: number): number
  /** The same off the loop. */
  read(target: Uint8Array, position: number): Promise<number>
  /** Makes everything written before the call durable (fdatasync), off the loop. */
  syncData(): Promise<void>
  sizeBytes(): number
  /** Sets the length; growth reads as zeros and takes no room yet (a sparse file). */
  setLength(sizeBytes: number): void
  close(): void
}

export type OpenMode =
  /** Must exist. */
  | 'read'
  /** Must exist; for reading and writing. */
  | 'update'
  /** Created when absent; for reading and writing. */
  | 'create'

export interface FileStat {
  readonly kind: 'file' | 'directory'
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** Room on the volume that holds a path. */
export interface VolumeSpace {
  /** What files can take in all: used and free. What the system keeps back counts as neither. */
  readonly totalBytes: number
  /** What files of this process can still take. */
  readonly freeBytes: number
}

/** A held lock on a folder; released when the process ends, however it ends. */
export interface DiskLock {
  release(): void
}

export interface Disk {
  open(path: string, mode: OpenMode): DiskFile
  /** Names in a folder, sorted; empty when the folder does not exist. */
  list(directory: string): string[]
  stat(path: string): FileStat | undefined
  /** Makes the folder and its parents; harmless when it exists. */
  makeDirectory(directory: string): void
  /** Replaces `to` by `from` atomically. */
  rename(from: string, to: string): void
  /** Removes a file, or a folder with all in it; harmless when absent. */
  remove(path: string): void
  /** Makes creations, renames and removals in the folder durable. */
  syncDirectory(directory: string): Promise<void>
  volumeSpace(path: string): VolumeSpace
  /** Takes the only lock on a folder. Throws `DiskError` naming the holder when another has it. */
  lock(directory: string): DiskLock
}

/** An open file for who may only read it. */
export type ReadOnlyFile = Pick<DiskFile, 'path' | 'readSync' | 'read' | 'sizeBytes' | 'close'>

/** A disk for who may only read: there is no way to change anything through it. */
export interface ReadOnlyDisk extends Pick<Disk, 'list' | 'stat'> {
  open(path: string, mode: 'read'): ReadOnlyFile
}

/** The disk refused or failed. `code` is the system's word: ENOSPC, EIO, ENOENT, EACCES … */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: string
  readonly path: string

  constructor(code: string, path: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.path = path
  }
}
