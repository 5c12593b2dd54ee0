/**
 * A disk in memory that can lose power. Writes land in a page cache; `syncData` and `syncDirectory`
 * make them durable; `crash` keeps what was synced and a random part of the rest, `processKill`
 * keeps everything written. Owns the tree of names, the open files and the locks.
 */
import type {
  Clock,
  Disk,
  DiskFile,
  DiskLock,
  FileStat,
  OpenMode,
  VolumeSpace,
} from '@rockhopper/host'
import type { DelayRange } from './delay.ts'
import {
  type NameChange,
  type NameFate,
  NameJournal,
  SimDirectory,
  type SimNode,
} from './directory.ts'
import {
  type DiskFault,
  DiskFaults,
  type DiskOperation,
  type DiskWatcher,
  diskError,
  type MetFault,
} from './disk-faults.ts'
import { type FileGate, SimFile } from './file.ts'
import { type Fate, PAGE_BYTES, SimInode } from './inode.ts'
import { SimRandom } from './random.ts'
import { SimTrace } from './trace.ts'
import { SimVolume } from './volume.ts'

/** Name and text of the file that stands for the lock on a folder. */
const LOCK_NAME = 'lock'
const DEFAULT_CAPACITY_BYTES = 100 * 2 ** 30

export interface SimDiskOptions {
  readonly capacityBytes?: number
  /** Decides delays and short calls; a generator of seed 1 when absent. */
  readonly random?: SimRandom
  readonly trace?: SimTrace
  /** How long a sync of a file or folder takes; 0.2 to 0.5 ms when absent. */
  readonly syncDelay?: DelayRange
  /** How long an asynchronous read takes; 0.05 to 0.1 ms when absent. */
  readonly readDelay?: DelayRange
  /** How often (0 to 1) a read or write takes fewer bytes than offered; 0 when absent. */
  readonly shortCallChance?: number
  /**
   * How often (0 to 1) a write that meets EIO, or in which its process is killed, gets some of its
   * bytes through; 0 when absent.
   */
  readonly tornCallChance?: number
}

export interface CrashOptions {
  /** Chooses what survives; the disk's own generator when absent. */
  readonly random?: SimRandom
  /** What becomes of bytes that were not synced: `random` when absent. */
  readonly bytes?: Fate
  /** What becomes of creations, renames and removals that were not synced: `random` when absent. */
  readonly names?: NameFate
}

export class SimDisk implements Disk {
  /** May be changed at any time, to make the disk slow. */
  syncDelay: DelayRange
  readDelay: DelayRange
  shortCallChance: number
  readonly #tornCallChance: number
  readonly #clock: Clock
  readonly #random: SimRandom
  readonly #trace: SimTrace
  readonly #volume: SimVolume
  readonly #faults = new DiskFaults()
  readonly #journal = new NameJournal()
  readonly #root: SimDirectory
  readonly #inodes = new Set<SimInode>()
  readonly #open = new Set<SimFile>()
  readonly #locks = new Set<SimDirectory>()
  /** Counts the processes that used the disk: what an ended one had under way never completes. */
  #process = 0

  constructor(clock: Clock, options: SimDiskOptions = {}) {
    this.#clock = clock
    this.#random = options.random ?? new SimRandom(1)
    this.#trace = options.trace ?? new SimTrace()
    this.#volume = new SimVolume(PAGE_BYTES, options.capacityBytes ?? DEFAULT_CAPACITY_BYTES)
    this.#root = new SimDirectory(clock.nowMs())
    this.syncDelay = options.syncDelay ?? [0.2, 0.5]
    this.readDelay = options.readDelay ?? [0.05, 0.1]
    this.shortCallChance = options.shortCallChance ?? 0
    this.#tornCallChance = options.tornCallChance ?? 0
  }

  open(path: string, mode: OpenMode): DiskFile {
    this.#pass('open', path)
    const { directory, name } = this.#place('open', path)
    const known = directory.entries.get(name)
    if (known === undefined && mode !== 'create') throw diskError('ENOENT', 'open', path)
    const node = known ?? this.#create(directory, name)
    if (node.kind === 'directory') throw diskError('EISDIR', 'open', path)
    const file = new SimFile(path, node, mode !== 'read', this.#gate)
    this.#open.add(file)
    return file
  }

  list(directory: string): string[] {
    this.#pass('list', directory)
    const node = this.#find(directory)
    if (node === undefined) return []
    if (node.kind === 'file') throw diskError('ENOTDIR', 'list', directory)
    return [...node.entries.keys()].sort()
  }

  stat(path: string): FileStat | undefined {
    this.#pass('stat', path)
    const node = this.#find(path)
    if (node === undefined) return undefined
    const sizeBytes = node.kind === 'file' ? node.sizeBytes : PAGE_BYTES
    return { kind: node.kind, sizeBytes, modifiedMs: node.modifiedMs }
  }

  makeDirectory(directory: string): void {
    this.#pass('makeDirectory', directory)
    let node: SimNode = this.#root
    for (const name of split(directory)) {
      if (node.kind === 'file') throw diskError('ENOTDIR', 'makeDirectory', directory)
      let child: SimNode | undefined = node.entries.get(name)
      if (child === undefined) {
        child = new SimDirectory(this.#clock.nowMs())
        this.#journal.link(node, name, child)
      }
      node = child
    }
    if (node.kind === 'file') throw diskError('EEXIST', 'makeDirectory', directory)
  }

  rename(from: string, to: string): void {
    this.#pass('rename', from)
    const source = this.#place('rename', from)
    const target = this.#place('rename', to)
    const node = source.directory.entries.get(source.name)
    if (node === undefined) throw diskError('ENOENT', 'rename', from)
    const replaced = target.directory.entries.get(target.name)
    if (replaced === node) return
    if (replaced !== undefined) demandReplaceable(node, replaced, to)
    this.#journal.move(source.directory, source.name, target.directory, target.name)
  }

  remove(path: string): void {
    this.#pass('remove', path)
    const node = this.#find(path)
    if (node === undefined) return
    const { directory, name } = this.#place('remove', path)
    this.#removeNode(directory, name, node)
  }

  async syncDirectory(directory: string): Promise<void> {
    let changes: ReadonlySet<NameChange> = new Set()
    await this.#carryOut('sync', () => {
      this.#pass('syncDirectory', directory)
      const node = this.#find(directory)
      if (node === undefined) throw diskError('ENOENT', 'syncDirectory', directory)
      if (node.kind === 'file') throw diskError('ENOTDIR', 'syncDirectory', directory)
      changes = this.#journal.changesOf(node)
    })
    this.#journal.complete(changes)
    if (this.#journal.pendingCount === 0) this.#freeForgotten()
  }

  volumeSpace(path: string): VolumeSpace {
    this.#pass('volumeSpace', path)
    const totalBytes = this.#volume.capacityBytes
    let usedBytes = 0
    for (const inode of this.#reachable()) usedBytes += inode.allocatedBytes
    return { totalBytes, freeBytes: Math.max(0, totalBytes - usedBytes) }
  }

  lock(directory: string): DiskLock {
    this.#pass('lock', directory)
    const node = this.#find(directory)
    if (node?.kind !== 'directory') throw diskError('ENOENT', 'lock', directory)
    if (this.#locks.has(node)) {
      throw diskError('EBUSY', 'lock', directory, 'process 1 of this simulated host holds it')
    }
    this.#locks.add(node)
    // As on the real disk: a file that Apache's broker knows.
    if (!node.entries.has(LOCK_NAME)) {
      this.#create(node, LOCK_NAME).write(Buffer.from(LOCK_NAME), 0)
    }
    const process = this.#process
    return {
      release: () => {
        if (process === this.#process) this.#locks.delete(node)
      },
    }
  }

  /** Lets a call to come fail. */
  fail(fault: DiskFault): void {
    this.#faults.arm(fault)
  }

  /** Shows `watcher` every call before it is carried out. */
  watch(watcher: DiskWatcher): void {
    this.#faults.watch(watcher)
  }

  /** Forgets all faults and watchers. */
  clearFaults(): void {
    this.#faults.clear()
  }

  /** The errors that calls have met since faults were last cleared, oldest first. */
  get metFaults(): readonly MetFault[] {
    return this.#faults.met
  }

  /** Below what is in use, the volume is full. */
  setCapacity(sizeBytes: number): void {
    this.#volume.capacityBytes = sizeBytes
  }

  /** The process ends (kill -9): what it wrote is kept, what it had under way never completes. */
  processKill(): void {
    this.#endProcess('kill')
  }

  /** The machine loses power: what was synced is kept, the rest as the options say. */
  crash(options: CrashOptions = {}): void {
    this.#endProcess('crash')
    const random = options.random ?? this.#random
    const survivors = this.#journal.crash(this.#root, random, options.names ?? 'random')
    this.#freeForgotten()
    for (const inode of this.#inodes) inode.crash(random, options.bytes ?? 'random')
    this.#trace.note('disk-crash', survivors)
  }

  /**
   * The system forgets the pages it takes for durable: those whose sync failed read from now on as
   * the device has them.
   */
  dropCaches(): void {
    for (const inode of this.#inodes) inode.dropLost()
    this.#trace.note('disk-drop-caches')
  }

  /** Everything so far reaches the device at once, as if all of it had been synced. */
  makeDurable(): void {
    this.#journal.completeAll()
    for (const inode of this.#inodes) inode.makeDurable()
  }

  readonly #gate: FileGate = {
    pass: (operation, path, position, sizeBytes) =>
      this.#pass(operation, path, position, sizeBytes),
    share: (sizeBytes) => this.#share(sizeBytes),
    torn: (sizeBytes) => this.#torn(sizeBytes),
    reclaim: () => this.#reclaim(),
    carryOut: (operation, begin) => this.#carryOut(operation, begin),
    nowMs: () => this.#clock.nowMs(),
    closed: (file) => this.#open.delete(file),
  }

  #pass(operation: DiskOperation, path: string, position = 0, sizeBytes = 0): void {
    this.#trace.note(operation, position, sizeBytes)
    const process = this.#process
    this.#faults.meet(operation, path)
    if (process === this.#process) return
    // A watcher has ended the process in the midst of the call.
    throw diskError('EBADF', operation, path, 'the process has ended')
  }

  #share(sizeBytes: number): number {
    const short = this.shortCallChance > 0 && this.#random.chance(this.shortCallChance)
    return short && sizeBytes > 1 ? 1 + this.#random.below(sizeBytes - 1) : sizeBytes
  }

  #torn(sizeBytes: number): number {
    const torn = this.#tornCallChance > 0 && this.#random.chance(this.#tornCallChance)
    return torn ? this.#random.below(sizeBytes + 1) : 0
  }

  #endProcess(how: 'kill' | 'crash'): void {
    this.#trace.note('disk-kill')
    this.#process += 1
    for (const file of this.#open) file.die(how)
    this.#open.clear()
    this.#locks.clear()
  }

  #carryOut(operation: 'read' | 'sync', begin: () => void): Promise<void> {
    const process = this.#process
    const met = caught(begin)
    // Who watches the call may have changed how long it takes.
    const [leastMs, mostMs] = operation === 'read' ? this.readDelay : this.syncDelay
    return new Promise((resolve, reject) => {
      this.#clock.after(this.#random.between(leastMs, mostMs), () => {
        if (process !== this.#process) return
        if (met === undefined) resolve()
        else reject(met)
      })
    })
  }

  #create(directory: SimDirectory, name: string): SimInode {
    const inode = new SimInode(this.#volume, this.#clock.nowMs())
    this.#inodes.add(inode)
    this.#journal.link(directory, name, inode)
    return inode
  }

  #removeNode(directory: SimDirectory, name: string, node: SimNode): void {
    if (node.kind === 'directory') {
      for (const [childName, child] of node.entries) this.#removeNode(node, childName, child)
    }
    this.#journal.unlink(directory, name)
  }

  #find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root
    for (const name of split(path)) {
      if (node?.kind !== 'directory') return undefined
      node = node.entries.get(name)
    }
    return node
  }

  /** The folder a path lies in, which must exist, and its last name. */
  #place(operation: DiskOperation, path: string): { directory: SimDirectory; name: string } {
    const names = split(path)
    const name = names.pop()
    if (name === undefined) throw diskError('EISDIR', operation, path)
    const directory = this.#find(names.join('/'))
    if (directory === undefined) throw diskError('ENOENT', operation, path)
    if (directory.kind === 'file') throw diskError('ENOTDIR', operation, path)
    return { directory, name }
  }

  /** The files that have a name or are open. */
  #reachable(): Set<SimInode> {
    const found = new Set<SimInode>()
    collect(this.#root, found)
    for (const file of this.#open) found.add(file.inode)
    return found
  }

  /** Frees the files nobody can reach; only right when no change of names is pending. */
  #freeForgotten(): void {
    const reachable = this.#reachable()
    for (const inode of this.#inodes) {
      if (reachable.has(inode)) continue
      inode.free()
      this.#inodes.delete(inode)
    }
  }

  /** A full volume: like a real file system, commits pending removals to get their room. */
  #reclaim(): boolean {
    this.#journal.completeAll()
    this.#freeForgotten()
    return this.#volume.freeBytes >= PAGE_BYTES
  }
}

/** What an action throws. */
function caught(action: () => void): unknown {
  try {
    action()
    return undefined
  } catch (error) {
    return error
  }
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '')
}

function collect(directory: SimDirectory, found: Set<SimInode>): void {
  for (const node of directory.entries.values()) {
    if (node.kind === 'file') found.add(node)
    else collect(node, found)
  }
}

function demandReplaceable(node: SimNode, replaced: SimNode, path: string): void {
  if (replaced.kind === 'file') {
    if (node.kind === 'directory') throw diskError('ENOTDIR', 'rename', path)
    return
  }
  if (node.kind === 'file') throw diskError('EISDIR', 'rename', path)
  if (replaced.entries.size > 0) throw diskError('ENOTEMPTY', 'rename', path)
}
