/**
 * An open file of a simulated disk. Owns only whether it is open; the bytes belong to the inode. It
 * dies with the process that opened it: afterwards nothing it does reaches the disk.
 */
import { DiskError, type DiskFile } from '@rockhopper/host'
import { type DiskOperation, diskError } from './disk-faults.ts'
import type { SimInode } from './inode.ts'

/** What a file asks of the disk it lies on. */
export interface FileGate {
  /** Notes the call and throws what it is to meet. */
  pass(operation: DiskOperation, path: string, position: number, sizeBytes: number): void
  /** How many of the bytes a single call takes: all, or fewer where calls are short. */
  share(sizeBytes: number): number
  /** How many of the bytes get through when the call is broken off: none, some or all. */
  torn(sizeBytes: number): number
  /** Makes room for one page by forgetting deleted files; false when there is none. */
  reclaim(): boolean
  /**
   * Begins an asynchronous call, and resolves when it has taken its time, or rejects then with what
   * it met at its beginning; neither when the process dies before.
   */
  carryOut(operation: 'read' | 'sync', begin: () => void): Promise<void>
  nowMs(): number
  closed(file: SimFile): void
}

export class SimFile implements DiskFile {
  readonly path: string
  readonly inode: SimInode
  readonly #gate: FileGate
  readonly #writable: boolean
  #open = true
  /** Its process was killed, its machine runs on: a call that is under way may get partly through. */
  #killed = false

  constructor(path: string, inode: SimInode, writable: boolean, gate: FileGate) {
    this.path = path
    this.inode = inode
    this.#writable = writable
    this.#gate = gate
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    const offered = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    try {
      this.#begin('write', position, offered)
    } catch (error) {
      this.#breakOff(error, chunks, position, offered)
      throw error
    }
    const taken = this.#take(chunks, position, this.#gate.share(offered))
    if (taken === 0 && offered > 0) throw diskError('ENOSPC', 'write', this.path)
    return taken
  }

  readSync(target: Uint8Array, position: number): number {
    this.#begin('read', position, target.length)
    return this.inode.read(target.subarray(0, this.#gate.share(target.length)), position)
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    await this.#gate.carryOut('read', () => this.#begin('read', position, target.length))
    return this.inode.read(target.subarray(0, this.#gate.share(target.length)), position)
  }

  async syncData(): Promise<void> {
    this.#demandOpen('sync')
    const point = this.inode.beginSync()
    await this.#gate.carryOut('sync', () => {
      try {
        this.#begin('sync', 0, point.sizeBytes)
      } catch (error) {
        // A killed process leaves its pages to the system, which may still sync them.
        if (this.#open) this.inode.failSync(point)
        throw error
      }
    })
    this.inode.completeSync(point)
  }

  sizeBytes(): number {
    this.#begin('stat', 0, 0)
    return this.inode.sizeBytes
  }

  setLength(sizeBytes: number): void {
    this.#begin('setLength', 0, sizeBytes)
    this.inode.setLength(sizeBytes)
    this.inode.modifiedMs = this.#gate.nowMs()
  }

  close(): void {
    if (!this.#open) return
    this.#begin('close', 0, 0)
    this.#open = false
    this.#gate.closed(this)
  }

  /** The process ended, or the whole machine: as if closed, without a word. */
  die(how: 'kill' | 'crash'): void {
    this.#killed = this.#open && how === 'kill'
    this.#open = false
  }

  #begin(operation: DiskOperation, position: number, sizeBytes: number): void {
    this.#demandOpen(operation)
    this.#gate.pass(operation, this.path, position, sizeBytes)
    // A watcher may have killed the process in the midst of the call.
    this.#demandOpen(operation)
  }

  #demandOpen(operation: DiskOperation): void {
    const writes = operation === 'write' || operation === 'setLength'
    if (this.#open && (this.#writable || !writes)) return
    const reason = this.#open ? undefined : 'the file was closed, or its process has ended'
    throw diskError('EBADF', operation, this.path, reason)
  }

  /** A write that met an error of the device, or the death of its process: some of it lands. */
  #breakOff(
    error: unknown,
    chunks: readonly Uint8Array[],
    position: number,
    offered: number,
  ): void {
    const diedInCall = this.#killed && this.#writable
    const failed = this.#open && error instanceof DiskError && error.code === 'EIO'
    if (diedInCall || failed) this.#take(chunks, position, this.#gate.torn(offered))
    this.#killed = false
  }

  #take(chunks: readonly Uint8Array[], position: number, limit: number): number {
    let taken = 0
    for (const chunk of chunks) {
      const part = chunk.subarray(0, limit - taken)
      const count = this.#writePart(part, position + taken)
      taken += count
      if (count < part.length || taken === limit) break
    }
    if (taken > 0) this.inode.modifiedMs = this.#gate.nowMs()
    return taken
  }

  #writePart(part: Uint8Array, position: number): number {
    const taken = this.inode.write(part, position)
    if (taken === part.length || !this.#gate.reclaim()) return taken
    return taken + this.inode.write(part.subarray(taken), position + taken)
  }
}
