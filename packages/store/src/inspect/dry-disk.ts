/**
 * A disk whose changes stay in memory: what the store would do to a folder can be tried on it, and the
 * folder stays as it is. Owns the changes. It reads through a `ReadOnlyDisk`, which cannot write.
 *
 * Bytes that are written as they were before, as recovery does with what it keeps, take no memory.
 */
import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type FileStat,
  type OpenMode,
  type ReadOnlyDisk,
  type ReadOnlyFile,
  type VolumeSpace,
} from '@rockhopper/host'

const PAGE_BYTES = 4096

/** What a file is by now. */
interface Content {
  /** Where its unchanged bytes are; undefined when it was made here. */
  readonly source: string | undefined
  /** Up to here they are. */
  sourceBytes: number
  sizeBytes: number
  readonly pages: Map<number, Buffer>
}

export class DryDisk implements Disk {
  readonly #below: ReadOnlyDisk
  readonly #contents = new Map<string, Content>()
  readonly #directories = new Set<string>()
  readonly #removed = new Set<string>()

  constructor(below: ReadOnlyDisk) {
    this.#below = below
  }

  open(path: string, mode: OpenMode): DiskFile {
    const known = this.#contents.get(path)
    if (known !== undefined) return new DryFile(path, this.#below, known)
    const below = this.#statBelow(path)
    if (below === undefined && mode !== 'create') {
      throw new DiskError('ENOENT', path, `cannot open "${path}": there is no such file`)
    }
    const sizeBytes = below?.sizeBytes ?? 0
    const source = below === undefined ? undefined : path
    const content = { source, sourceBytes: sizeBytes, sizeBytes, pages: new Map() }
    this.#contents.set(path, content)
    return new DryFile(path, this.#below, content)
  }

  list(directory: string): string[] {
    const names = this.#isRemoved(directory) ? [] : this.#below.list(directory)
    const kept = names.filter((name) => !this.#isRemoved(`${directory}/${name}`))
    const made = [...this.#contents.keys(), ...this.#directories]
      .filter((path) => path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length + 1).split('/')[0] ?? '')
    return [...new Set([...kept, ...made])].sort()
  }

  stat(path: string): FileStat | undefined {
    const content = this.#contents.get(path)
    if (content !== undefined) {
      return { kind: 'file', sizeBytes: content.sizeBytes, modifiedMs: 0 }
    }
    if (this.#directories.has(path)) return { kind: 'directory', sizeBytes: 0, modifiedMs: 0 }
    return this.#statBelow(path)
  }

  makeDirectory(directory: string): void {
    if (this.stat(directory) === undefined) this.#directories.add(directory)
  }

  rename(from: string, to: string): void {
    this.open(from, 'read').close()
    const content = this.#contents.get(from)
    this.remove(from)
    this.remove(to)
    if (content !== undefined) this.#contents.set(to, content)
  }

  remove(path: string): void {
    for (const known of [this.#contents, this.#directories]) {
      for (const each of [...known.keys()]) {
        if (each === path || each.startsWith(`${path}/`)) known.delete(each)
      }
    }
    this.#removed.add(path)
  }

  syncDirectory(_directory: string): Promise<void> {
    return Promise.resolve()
  }

  volumeSpace(_path: string): VolumeSpace {
    return { totalBytes: Number.MAX_SAFE_INTEGER, freeBytes: Number.MAX_SAFE_INTEGER }
  }

  lock(_directory: string): DiskLock {
    return { release() {} }
  }

  #statBelow(path: string): FileStat | undefined {
    return this.#isRemoved(path) ? undefined : this.#below.stat(path)
  }

  #isRemoved(path: string): boolean {
    if (this.#removed.size === 0) return false
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (this.#removed.has(path.slice(0, end))) return true
    }
    return false
  }
}

class DryFile implements DiskFile {
  readonly path: string
  readonly #content: Content
  readonly #below: ReadOnlyDisk
  #file: ReadOnlyFile | undefined

  constructor(path: string, below: ReadOnlyDisk, content: Content) {
    this.path = path
    this.#below = below
    this.#content = content
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    const bytes = Buffer.concat(chunks)
    const content = this.#content
    content.sizeBytes = Math.max(content.sizeBytes, position + bytes.length)
    if (this.#isAsBefore(bytes, position)) return bytes.length
    for (let done = 0; done < bytes.length; ) {
      const at = position + done
      const number = Math.floor(at / PAGE_BYTES)
      const inPage = at % PAGE_BYTES
      const page = content.pages.get(number) ?? this.#pageBelow(number)
      done += bytes.copy(page, inPage, done)
      content.pages.set(number, page)
    }
    return bytes.length
  }

  readSync(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.#content.sizeBytes - position))
    this.#readBelow(target.subarray(0, count), position)
    this.#layOver(target.subarray(0, count), position)
    return count
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return Promise.resolve().then(() => this.readSync(target, position))
  }

  syncData(): Promise<void> {
    return Promise.resolve()
  }

  sizeBytes(): number {
    return this.#content.sizeBytes
  }

  setLength(sizeBytes: number): void {
    const content = this.#content
    if (sizeBytes < content.sizeBytes) {
      content.sourceBytes = Math.min(content.sourceBytes, sizeBytes)
      const last = Math.floor(sizeBytes / PAGE_BYTES)
      content.pages.get(last)?.fill(0, sizeBytes % PAGE_BYTES)
      for (const number of [...content.pages.keys()]) {
        if (number > last) content.pages.delete(number)
      }
    }
    content.sizeBytes = sizeBytes
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
  }

  #isAsBefore(bytes: Buffer, position: number): boolean {
    const { pages, sourceBytes } = this.#content
    if (position + bytes.length > sourceBytes) return false
    const last = Math.floor((position + bytes.length - 1) / PAGE_BYTES)
    for (let number = Math.floor(position / PAGE_BYTES); number <= last; number++) {
      if (pages.has(number)) return false
    }
    const before = Buffer.allocUnsafe(bytes.length)
    this.#readBelow(before, position)
    return before.equals(bytes)
  }

  #pageBelow(number: number): Buffer {
    const page = Buffer.alloc(PAGE_BYTES)
    this.#readBelow(page, number * PAGE_BYTES)
    return page
  }

  #readBelow(target: Uint8Array, position: number): void {
    const { source, sourceBytes } = this.#content
    const end = Math.max(0, Math.min(target.length, sourceBytes - position))
    let done = 0
    while (source !== undefined && done < end) {
      this.#file ??= this.#below.open(source, 'read')
      const count = this.#file.readSync(target.subarray(done, end), position + done)
      if (count === 0) break
      done += count
    }
    target.fill(0, done)
  }

  #layOver(target: Uint8Array, position: number): void {
    const { pages } = this.#content
    if (pages.size === 0) return
    for (let done = 0; done < target.length; ) {
      const at = position + done
      const inPage = at % PAGE_BYTES
      const taken = Math.min(PAGE_BYTES - inPage, target.length - done)
      const page = pages.get(Math.floor(at / PAGE_BYTES))
      if (page !== undefined) target.set(page.subarray(inPage, inPage + taken), done)
      done += taken
    }
  }
}
