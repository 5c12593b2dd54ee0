/**
 * A folder of segments: files of one fixed size, named after the offset of their first byte, each
 * beginning where the one before ends. Owns the list of them.
 *
 *   00000000000000000000 | 00000000001073741824 | …     the newest is zeros behind what was written
 *
 * Source: Apache classes MappedFileQueue, DefaultMappedFile; `store-format.md` section 2.
 */
import assert from 'node:assert/strict'
import type { Disk, DiskFile } from '@rockhopper/host'
import { CorruptionError } from '../errors.ts'
import { REWRITE_WINDOW_BYTES } from '../limits.ts'
import type { OpenFiles } from './open-files.ts'

const NAME_DIGITS = 20
const NAME = /^\d{20}$/

export class SegmentFolder {
  readonly directory: string
  readonly segmentBytes: number
  readonly #disk: Disk
  readonly #files: OpenFiles
  #starts: number[] = []

  constructor(disk: Disk, files: OpenFiles, directory: string, segmentBytes: number) {
    this.#disk = disk
    this.#files = files
    this.directory = directory
    this.segmentBytes = segmentBytes
  }

  /** Offset of the first byte; undefined when there is no segment. */
  get firstOffset(): number | undefined {
    return this.#starts[0]
  }

  /** Offset of the first byte of the newest segment. */
  get lastStart(): number | undefined {
    return this.#starts.at(-1)
  }

  /** Offset behind the last byte that the segments have room for; 0 when there is no segment. */
  get endOffset(): number {
    const last = this.lastStart
    return last === undefined ? 0 : last + this.segmentBytes
  }

  /** Starts of all segments, oldest first. */
  get starts(): readonly number[] {
    return this.#starts
  }

  /** Path of the file that has, or would have, the byte at `offset`. */
  pathOf(offset: number): string {
    return this.#path(this.startOf(offset))
  }

  startOf(offset: number): number {
    return offset - (offset % this.segmentBytes)
  }

  has(offset: number): boolean {
    return offset >= (this.firstOffset ?? 0) && offset < this.endOffset
  }

  /** Whether each segment begins where the one before ends. */
  get isContiguous(): boolean {
    return this.#starts.every((_, index) => this.#isInPlace(index))
  }

  /**
   * Reads the names of the segments. What a crash left too short is mended if `afterCrash`. Throws
   * `CorruptionError` when the files cannot be those of one store of this segment size.
   */
  load(afterCrash: boolean, sizeKey: string): void {
    const names = this.#disk.list(this.directory).filter((name) => NAME.test(name))
    this.#starts = names.map(Number)
    const last = this.lastStart
    if (last !== undefined && this.#sizeBytes(last) === 0) {
      this.#removeFile(last)
      this.#starts.pop()
    }
    for (const start of this.#starts) {
      const sizeBytes = this.#sizeBytes(start)
      if (afterCrash && sizeBytes < this.segmentBytes) this.file(start).setLength(this.segmentBytes)
      else this.#checkSize(start, sizeBytes, sizeKey)
    }
  }

  /** Throws `CorruptionError` when a segment is missing between others. */
  demandContiguous(sizeKey: string): void {
    const index = this.#starts.findIndex((_, each) => !this.#isInPlace(each))
    if (index === -1) return
    const path = this.#path(this.#starts[index] ?? 0)
    const message =
      `"${path}" does not begin where the file before it ends: bring the missing files back, or ` +
      `set ${sizeKey} to what the store was made with`
    throw new CorruptionError(path, 0, message)
  }

  /** Adds a segment of zeros, the first one or the next. Throws `DiskError`; then there is none. */
  create(start: number): DiskFile {
    if (this.#starts.length === 0) this.#disk.makeDirectory(this.directory)
    const file = this.#files.create(this.#path(start))
    try {
      file.setLength(this.segmentBytes)
    } catch (error) {
      this.#removeFile(start)
      throw error
    }
    this.#starts.push(start)
    return file
  }

  /** The file that has the byte at `offset`. Throws `DiskError` when there is none. */
  file(offset: number): DiskFile {
    return this.#files.get(this.#path(this.startOf(offset)))
  }

  /** Writes all of `bytes`, which must lie in one segment. */
  write(bytes: Uint8Array, offset: number): void {
    const file = this.file(offset)
    let rest = bytes
    for (let at = offset % this.segmentBytes; rest.length > 0; ) {
      const taken = file.writeSync([rest], at)
      at += taken
      rest = rest.subarray(taken)
    }
  }

  /** Fills `target`, of which all must lie in one segment. */
  async read(target: Uint8Array, offset: number): Promise<void> {
    const at = offset % this.segmentBytes
    for (let done = 0; done < target.length; ) {
      // Asked for each time: others may have made it close meanwhile.
      const file = this.file(offset)
      const count = await file.read(target.subarray(done), at + done)
      if (count === 0) throw this.#shortened(file, at + done)
      done += count
    }
  }

  /** The same on the loop: for a few bytes. */
  readSync(target: Uint8Array, offset: number): void {
    const file = this.file(offset)
    const at = offset % this.segmentBytes
    for (let done = 0; done < target.length; ) {
      const count = file.readSync(target.subarray(done), at + done)
      if (count === 0) throw this.#shortened(file, at + done)
      done += count
    }
  }

  /** Writes what is there once more, from `from` to `to`. */
  async rewrite(from: number, to: number): Promise<void> {
    const window = Buffer.allocUnsafeSlow(Math.min(REWRITE_WINDOW_BYTES, this.segmentBytes))
    for (let offset = from; offset < to; ) {
      const segmentEnd = this.startOf(offset) + this.segmentBytes
      const bytes = window.subarray(0, Math.min(window.length, segmentEnd - offset, to - offset))
      await this.read(bytes, offset)
      this.write(bytes, offset)
      offset += bytes.length
    }
  }

  /** Makes everything in the folder from `offset` on zeros, and removes the segments behind. */
  clearFrom(offset: number): void {
    while (this.lastStart !== undefined && this.lastStart >= offset && this.#starts.length > 1) {
      this.#removeFile(this.lastStart)
      this.#starts.pop()
    }
    if (!this.has(offset)) return
    const file = this.file(offset)
    file.setLength(offset % this.segmentBytes)
    file.setLength(this.segmentBytes)
  }

  /**
   * Removes the oldest segment, which must not be the only one. Throws `DiskError`; then it is still
   * there. The removal of one is to be made durable before that of the next: of two at a time, a
   * loss of power could leave the older.
   */
  removeFirst(): void {
    const [first] = this.#starts
    assert(first !== undefined && this.#starts.length > 1, 'the newest segment is never removed')
    this.#removeFile(first)
    this.#starts = this.#starts.slice(1)
  }

  /** Makes creations and removals of segments durable. */
  syncNames(): Promise<void> {
    return this.#disk.syncDirectory(this.directory)
  }

  /** Removes the folder and all in it; it can be begun anew anywhere. */
  remove(): void {
    for (const start of this.#starts) this.#removeFile(start)
    this.#starts = []
    this.#disk.remove(this.directory)
  }

  #path(start: number): string {
    return `${this.directory}/${segmentName(start)}`
  }

  #removeFile(start: number): void {
    this.#files.remove(this.#path(start))
  }

  #sizeBytes(start: number): number {
    return this.#disk.stat(this.#path(start))?.sizeBytes ?? 0
  }

  #isInPlace(index: number): boolean {
    const start = this.#starts[index] ?? 0
    const before = this.#starts[index - 1] ?? start - this.segmentBytes
    return before + this.segmentBytes === start && start % this.segmentBytes === 0
  }

  #checkSize(start: number, sizeBytes: number, sizeKey: string): void {
    if (sizeBytes === this.segmentBytes) return
    const path = this.#path(start)
    const message =
      `"${path}" has ${sizeBytes} bytes, but ${sizeKey} says ${this.segmentBytes}: ` +
      `set ${sizeKey} to what the store was made with`
    throw new CorruptionError(path, 0, message)
  }

  #shortened(file: DiskFile, at: number): CorruptionError {
    return new CorruptionError(
      file.path,
      at,
      `"${file.path}" ends at byte ${at}: somebody else has shortened it`,
    )
  }
}

/** The name of the file that begins at `start`. */
export function segmentName(start: number): string {
  return String(start).padStart(NAME_DIGITS, '0')
}
