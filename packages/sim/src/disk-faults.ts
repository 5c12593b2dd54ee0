/**
 * What goes wrong with a simulated disk: errors on chosen calls, short writes, slowness. Owns the
 * faults that are still to come. Tests set them; `SimDisk` asks before each call.
 */
import { DiskError } from '@rockhopper/host'

export type DiskOperation =
  | 'open'
  | 'write'
  | 'read'
  | 'sync'
  | 'setLength'
  | 'close'
  | 'list'
  | 'stat'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'volumeSpace'
  | 'lock'

/** An error that a call will meet. */
export interface DiskFault {
  readonly operation: DiskOperation | 'any'
  /** Only calls whose path contains this text count; all when absent. */
  readonly pathIncludes?: string
  /** Which of these calls fails first, counted from now: 1 (default) is the next. */
  readonly onCall?: number
  /** How many calls fail from then on: 1 by default, `Infinity` for a disk that stays broken. */
  readonly times?: number
  /** EIO, ENOSPC, EROFS … */
  readonly code: string
}

/** An error that a call has met. */
export interface MetFault {
  readonly operation: DiskOperation
  readonly path: string
  readonly code: string
}

/** Sees every call before it is carried out; may throw, or kill the host. */
export type DiskWatcher = (operation: DiskOperation, path: string) => void

interface ArmedFault extends DiskFault {
  callsBefore: number
  failuresLeft: number
}

const REASONS: Readonly<Record<string, string>> = {
  EBADF: 'the file is not open for this',
  EEXIST: 'it exists',
  EIO: 'the device reports an error',
  EISDIR: 'it is a folder',
  EBUSY: 'it is locked',
  ENOENT: 'it does not exist',
  ENOSPC: 'no room is left on the volume',
  ENOTDIR: 'part of the path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EROFS: 'the volume is read-only',
}

/** The error a simulated call throws: says what was tried, on what, and why it failed. */
export function diskError(
  code: string,
  operation: DiskOperation,
  path: string,
  reason: string = REASONS[code] ?? 'the simulated disk refuses',
): DiskError {
  return new DiskError(code, path, `cannot ${operation} "${path}": ${reason} (${code})`)
}

export class DiskFaults {
  /** The errors that calls have met since the last `clear`, oldest first. */
  readonly met: MetFault[] = []
  #armed: ArmedFault[] = []
  #watchers: DiskWatcher[] = []

  arm(fault: DiskFault): void {
    const callsBefore = (fault.onCall ?? 1) - 1
    this.#armed.push({ ...fault, callsBefore, failuresLeft: fault.times ?? 1 })
  }

  /** Forgets all faults and watchers. */
  clear(): void {
    this.#armed = []
    this.#watchers = []
    this.met.length = 0
  }

  watch(watcher: DiskWatcher): void {
    this.#watchers.push(watcher)
  }

  /** Throws what this call is to meet, if anything. */
  meet(operation: DiskOperation, path: string): void {
    for (const watcher of this.#watchers) watcher(operation, path)
    // Every fault counts the call, also when another one meets it.
    const [fault] = this.#armed.filter((each) => concerns(each, operation, path) && isDue(each))
    if (fault === undefined) return
    fault.failuresLeft -= 1
    if (fault.failuresLeft <= 0) this.#armed = this.#armed.filter((each) => each !== fault)
    this.met.push({ operation, path, code: fault.code })
    throw diskError(fault.code, operation, path)
  }
}

function concerns(fault: DiskFault, operation: DiskOperation, path: string): boolean {
  if (fault.operation !== 'any' && fault.operation !== operation) return false
  return fault.pathIncludes === undefined || path.includes(fault.pathIncludes)
}

/** Counts a call down; true when it is this one that fails. */
function isDue(fault: ArmedFault): boolean {
  if (fault.callsBefore === 0) return true
  fault.callsBefore -= 1
  return false
}
