/**
 * An open file of a simulated disk. Owns only whether it is open; the bytes belong to the inode. It
 * dies with the process that opened it: afterwards nothing it does reaches the disk.
 */
import type { DiskFile } from '@rockhopper/host'
import { type DiskOperation, diskError } from './disk-faults.ts'
import type { SimInode } from './inode.ts'

/** What a file asks of the disk it lies on. */
export interface FileGate {
  /** Notes the call and throws what it is to meet. */
  pass(operation: DiskOperation, path: string, position: number, sizeBytes: number): void
  /** How many of the bytes a single call takes: all, or fewer where calls are short. */
  share(sizeBytes: number): number
  /** Makes room for one page by forgetting deleted files; false when there is none. */
  reclaim(): boolean
  /** Resolves after the delay of the operation; never when the process dies before. */
  delay(operation: 'read' | 'sync'): Promise<void>
  nowMs(): number
  closed(file: SimFile): void
}

export class SimFile implements DiskFile {
  readonly path: string
  readonly inode: SimInode
  readonly #gate: FileGate
  readonly #writable: boolean
  #open = true

  constructor(path: string, inode: SimInode, writable: boolean, gate: FileGate) {
    this.path = path
    this.inode = inode
    this.#writable = writable
    this.#gate = gate
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    const offered = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#begin('write', position, offered)
    const limit = this.#gate.share(offered)
    let taken = 0
    for (const chunk of chunks) {
      const part = chunk.subarray(0, limit - taken)
      const count = this.#writePart(part, position + taken)
      taken += count
      if (count < part.length || taken === limit) break
    }
    if (taken === 0 && offered > 0) throw diskError('ENOSPC', 'write', this.path)
    this.inode.modifiedMs = this.#gate.nowMs()
    return taken
  }

  readSync(target: Uint8Array, position: number): number {
    this.#begin('read', position, target.length)
    return this.inode.read(target.subarray(0, this.#gate.share(target.length)), position)
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#begin('read', position, target.length)
    await this.#gate.delay('read')
    return this.inode.read(target.subarray(0, this.#gate.share(target.length)), position)
  }

  async syncData(): Promise<void> {
    this.#demandOpen('sync')
    const point = this.inode.beginSync()
    try {
      this.#begin('sync', 0, point.sizeBytes)
    } catch (error) {
      // A killed process leaves its pages to the system, which may still sync them.
      if (this.#open) this.inode.failSync(point)
      throw error
    }
    await this.#gate.delay('sync')
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
    this.die()
    this.#gate.closed(this)
  }

  /** The process ended: as if closed, without a word. */
  die(): void {
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

  #writePart(part: Uint8Array, position: number): number {
    const taken = this.inode.write(part, position)
    if (taken === part.length || !this.#gate.reclaim()) return taken
    return taken + this.inode.write(part.subarray(taken), position + taken)
  }
}
