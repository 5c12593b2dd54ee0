/**
 * The files of a segmented log or queue, for reading only: as they are, whole or not. Owns the open
 * file that was read last.
 */
import type { ReadOnlyDisk, ReadOnlyFile } from '@rockhopper/host'

const NAME = /^\d{20}$/

export interface SegmentFile {
  readonly path: string
  /** Offset of its first byte. */
  readonly start: number
  readonly sizeBytes: number
  readonly modifiedMs: number
}

export class SegmentFiles {
  readonly directory: string
  readonly segmentBytes: number
  readonly files: readonly SegmentFile[]
  readonly disk: ReadOnlyDisk
  #open: { readonly start: number; readonly file: ReadOnlyFile } | undefined

  constructor(disk: ReadOnlyDisk, directory: string, segmentBytes: number) {
    this.disk = disk
    this.directory = directory
    this.segmentBytes = segmentBytes
    this.files = disk
      .list(directory)
      .filter((name) => NAME.test(name))
      .map((name) => fileAt(disk, `${directory}/${name}`, Number(name)))
  }

  get firstOffset(): number {
    return this.files[0]?.start ?? 0
  }

  /** Behind the last byte that there is. */
  get endOffset(): number {
    const last = this.files.at(-1)
    return last === undefined ? 0 : last.start + last.sizeBytes
  }

  /** The file that should have the byte at an offset. */
  fileOf(offset: number): SegmentFile | undefined {
    const start = offset - (offset % this.segmentBytes)
    return this.files.find((each) => each.start === start)
  }

  pathOf(offset: number): string {
    const start = offset - (offset % this.segmentBytes)
    return `${this.directory}/${String(start).padStart(20, '0')}`
  }

  /** Reads bytes of one segment; returns how many of them there are. Throws `DiskError`. */
  read(target: Uint8Array, offset: number): number {
    const start = offset - (offset % this.segmentBytes)
    const file = this.#fileAt(start)
    if (file === undefined) return 0
    const wanted = Math.min(target.length, start + this.segmentBytes - offset)
    for (let done = 0; ; ) {
      const count = file.readSync(target.subarray(done, wanted), offset - start + done)
      done += count
      if (done === wanted || count === 0) return done
    }
  }

  close(): void {
    this.#open?.file.close()
    this.#open = undefined
  }

  #fileAt(start: number): ReadOnlyFile | undefined {
    if (this.#open?.start === start) return this.#open.file
    this.close()
    if (!this.files.some((each) => each.start === start)) return undefined
    const file = this.disk.open(this.pathOf(start), 'read')
    this.#open = { start, file }
    return file
  }
}

function fileAt(disk: ReadOnlyDisk, path: string, start: number): SegmentFile {
  const { modifiedMs = 0, sizeBytes = 0 } = disk.stat(path) ?? {}
  return { path, start, sizeBytes, modifiedMs }
}
