/**
 * Real files. Owns their descriptors. A descriptor is given back to the system only when no call on
 * it is under way in another thread: its number could otherwise be that of another file by then.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  writevSync,
} from 'node:fs'
import process from 'node:process'
import type { Disk, DiskFile, DiskLock, FileStat, OpenMode, VolumeSpace } from './disk.ts'
import { codeOf, diskError, spaceOf } from './disk-reason.ts'
import { lockFolder } from './folder-lock.ts'

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
}

/** What the system says of a path that leads nowhere. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

class NodeFile implements DiskFile {
  readonly path: string
  readonly #descriptor: number
  #underWay = 0
  #closed = false

  constructor(path: string, mode: OpenMode) {
    this.path = path
    this.#descriptor = attempt('open', path, () => openSync(path, OPEN_FLAGS[mode]))
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    const descriptor = this.#open('write to')
    const first = chunks[0]
    if (first === undefined) return 0
    try {
      if (chunks.length === 1) return writeSync(descriptor, first, 0, first.length, position)
      return writevSync(descriptor, chunks, position)
    } catch (error) {
      throw diskError(error, `write at ${position} to`, this.path)
    }
  }

  readSync(target: Uint8Array, position: number): number {
    const descriptor = this.#open('read')
    try {
      return readSync(descriptor, target, 0, target.length, position)
    } catch (error) {
      throw diskError(error, `read at ${position} from`, this.path)
    }
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#offLoop(`read at ${position} from`, (descriptor, done) => {
      read(descriptor, target, 0, target.length, position, done)
    })
  }

  async syncData(): Promise<void> {
    await this.#offLoop('sync', (descriptor, done) => {
      fdatasync(descriptor, (error) => done(error, 0))
    })
  }

  sizeBytes(): number {
    const descriptor = this.#open('measure')
    return attempt('measure', this.path, () => fstatSync(descriptor).size)
  }

  setLength(sizeBytes: number): void {
    const descriptor = this.#open('set the length of')
    attempt(`set the length of`, this.path, () => ftruncateSync(descriptor, sizeBytes))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#underWay === 0) this.#giveBack()
  }

  #giveBack(): void {
    attempt('close', this.path, () => closeSync(this.#descriptor))
  }

  #open(action: string): number {
    if (this.#closed) throw diskError({ code: 'EBADF' }, action, this.path)
    return this.#descriptor
  }

  /** Runs a call of `node:fs` that reports a number or an error from another thread. */
  #offLoop(
    action: string,
    call: (descriptor: number, done: (error: Error | null, result: number) => void) => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const descriptor = this.#open(action)
      this.#underWay += 1
      call(descriptor, (error, result) => {
        this.#underWay -= 1
        if (this.#closed && this.#underWay === 0) this.#giveBack()
        if (error === null) resolve(result)
        else reject(diskError(error, action, this.path))
      })
    })
  }
}

export class NodeDisk implements Disk {
  open(path: string, mode: OpenMode): DiskFile {
    return new NodeFile(path, mode)
  }

  list(directory: string): string[] {
    try {
      return readdirSync(directory).sort()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw diskError(error, 'list', directory)
    }
  }

  stat(path: string): FileStat | undefined {
    try {
      const stat = statSync(path)
      const kind = stat.isDirectory() ? 'directory' : 'file'
      return { kind, sizeBytes: stat.size, modifiedMs: stat.mtimeMs }
    } catch (error) {
      if (ABSENT.has(codeOf(error))) return undefined
      throw diskError(error, 'look at', path)
    }
  }

  makeDirectory(directory: string): void {
    attempt('make the folder', directory, () => mkdirSync(directory, { recursive: true }))
  }

  rename(from: string, to: string): void {
    attempt(`rename to "${to}" the file`, from, () => renameSync(from, to))
  }

  remove(path: string): void {
    attempt('remove', path, () => rmSync(path, { recursive: true, force: true }))
  }

  syncDirectory(directory: string): Promise<void> {
    // Windows has no such call; its file system keeps names in order by itself.
    if (process.platform === 'win32') return Promise.resolve()
    return new Promise((resolve, reject) => {
      const descriptor = attempt('sync', directory, () => openSync(directory, 'r'))
      fsync(descriptor, (error) => {
        closeSync(descriptor)
        if (error === null) resolve()
        else reject(diskError(error, 'sync', directory))
      })
    })
  }

  volumeSpace(path: string): VolumeSpace {
    return attempt('ask for the room at', path, () => spaceOf(path))
  }

  lock(directory: string): DiskLock {
    return lockFolder(directory)
  }
}

function attempt<T>(action: string, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw diskError(error, action, path)
  }
}
