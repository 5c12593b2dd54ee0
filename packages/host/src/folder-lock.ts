/**
 * The only lock on a folder, as a broker takes it on its store. Owns what stands for the lock while
 * it is held. The system must release it however the process ends, and Node cannot lock files, so:
 *
 *   Linux     an abstract socket named after the file `lock` in the folder (one holder in a network
 *             namespace), and flock(2) on that file, taken by the program `flock` on our open file
 *             (one holder on the machine, containers included; skipped where there is no `flock`)
 *   Windows   a named pipe of such a name
 *   macOS …   the file opened with O_EXLOCK
 *
 * Apache's broker holds a POSIX lock on the first byte of the same file, which has the text `lock`
 * (org.apache.rocketmq.store.DefaultMessageStore, start); Linux lists it in /proc/locks, so a folder
 * that such a broker uses is refused here. The reverse cannot be had: it does not see our locks.
 */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { DiskError, type DiskLock } from './disk.ts'
import { codeOf, diskError } from './disk-reason.ts'

const LOCK_NAME = 'lock'
const LOCK_TEXT = 'lock'
/** Fills `sun_path` to the end, so that versions of Node that pad the name and others agree. */
const ABSTRACT_NAME_BYTES = 107
/** BSD's flag for a lock that comes with the open file; `node:fs` does not name it. */
const O_EXLOCK = 0x20
/** What `flock -n` ends with when another has the lock. */
const FLOCK_IS_TAKEN = 1

/** Whether a process has a folder, as far as can be seen without asking for the lock. */
export type FolderUse =
  | { readonly kind: 'free' }
  /** `holder` is, as far as it can be told, `process 4711 (its command line)`. */
  | { readonly kind: 'held'; readonly holder: string }
  /** This system does not tell. */
  | { readonly kind: 'unknown' }

/**
 * Looks who has a folder, and changes nothing: brokers, ours and Apache's, keep the file `lock` open
 * as long as they run. Throws `DiskError`.
 */
export function folderUse(directory: string): FolderUse {
  const path = join(directory, LOCK_NAME)
  try {
    if (!existsSync(path)) return { kind: 'free' }
    if (process.platform !== 'linux') return { kind: 'unknown' }
    const [holder] = holdersOf(realpathSync(path))
    if (holder !== undefined) return { kind: 'held', holder }
    const { dev, ino } = statSync(path, { bigint: true })
    const guard = `@rockhopper-store-${dev}-${ino}.`
    if (!readFileSync('/proc/net/unix', 'latin1').includes(guard)) return { kind: 'free' }
    return { kind: 'held', holder: 'a process of another user or container' }
  } catch (error) {
    throw diskError(error, 'look at the lock of', directory)
  }
}

export function lockFolder(directory: string): DiskLock {
  const path = join(directory, LOCK_NAME)
  const descriptor = openLockFile(directory, path)
  let guard: Server | undefined
  try {
    const inode = fstatSync(descriptor, { bigint: true })
    demandNoPosixLock(directory, path, inode.ino)
    guard = bindGuard(directory, path, `rockhopper-store-${inode.dev}-${inode.ino}`)
    demandFlock(directory, path, descriptor)
    if (inode.size === 0n) writeSync(descriptor, LOCK_TEXT)
  } catch (error) {
    guard?.close()
    closeSync(descriptor)
    throw error instanceof DiskError ? error : diskError(error, 'lock', directory)
  }
  return heldLock(descriptor, guard)
}

function heldLock(descriptor: number, guard: Server | undefined): DiskLock {
  let held = true
  return {
    release() {
      if (!held) return
      held = false
      closeSync(descriptor)
      guard?.close()
    },
  }
}

function openLockFile(directory: string, path: string): number {
  const bsd = process.platform === 'darwin' || process.platform === 'freebsd'
  const exclusive = bsd ? O_EXLOCK | constants.O_NONBLOCK : 0
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | exclusive
  try {
    return openSync(path, flags, 0o644)
  } catch (error) {
    if (bsd && codeOf(error) === 'EAGAIN') throw inUse(directory, path)
    throw diskError(error, 'open', path)
  }
}

/** Binding is done when `listen` returns; only the report of its failure comes later. */
function bindGuard(directory: string, path: string, name: string): Server | undefined {
  const address = guardAddress(name)
  if (address === undefined) return undefined
  const guard = createServer((stranger) => stranger.destroy())
  guard.on('error', () => {})
  guard.listen({ path: address, exclusive: true })
  guard.unref()
  if (!guard.listening) throw inUse(directory, path)
  return guard
}

function guardAddress(name: string): string | undefined {
  if (process.platform === 'linux') return `\0${name.padEnd(ABSTRACT_NAME_BYTES, '.')}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  return undefined
}

/** The lock belongs to the open file, not to the program that took it for us. */
function demandFlock(directory: string, path: string, descriptor: number): void {
  if (process.platform !== 'linux') return
  const stdio = ['ignore', 'ignore', 'ignore', descriptor] as const
  const { status } = spawnSync('flock', ['-n', '-x', '3'], { stdio: [...stdio] })
  if (status === FLOCK_IS_TAKEN) throw inUse(directory, path)
}

/** A line: `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 0`, with process, device:inode and range. */
function demandNoPosixLock(directory: string, path: string, inode: bigint): void {
  if (process.platform !== 'linux') return
  const line = new RegExp(`POSIX +ADVISORY +WRITE +(\\d+) +[0-9a-f]+:[0-9a-f]+:${inode} `, 'g')
  for (const [, pid = ''] of readFileSync('/proc/locks', 'latin1').matchAll(line)) {
    // Other devices have files of the same number: only a process that has this one open counts.
    if (timesOpen(pid, realpathSync(path)) > 0) throw inUse(directory, path)
  }
}

function inUse(directory: string, path: string): DiskError {
  const holder = process.platform === 'linux' ? holderOf(realpathSync(path)) : 'another process'
  const message =
    `the folder "${directory}" is in use by ${holder}: ` +
    'stop that process first, or use another folder'
  return new DiskError('EBUSY', directory, message)
}

/** Who has the file open, as far as this user may see. */
function holderOf(path: string): string {
  const holders = holdersOf(path)
  if (holders.length > 0) return holders.join(', ')
  // Once for this attempt; more than once when an earlier attempt succeeded.
  if (timesOpen(String(process.pid), path) > 1) return 'this very process'
  return 'a process of another user or container'
}

/** The other processes that have the file open, with their command lines. */
function holdersOf(path: string): string[] {
  const self = String(process.pid)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== self && timesOpen(name, path) > 0)
    .map((pid) => `process ${pid} (${commandOf(pid)})`)
}

function timesOpen(pid: string, path: string): number {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).filter((name) => targetOf(join(folder, name)) === path).length
  } catch {
    // The process ended meanwhile, or belongs to another user.
    return 0
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    // Closed meanwhile.
    return ''
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 120)
  } catch {
    return 'ended meanwhile'
  }
}
