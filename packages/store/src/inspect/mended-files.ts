/**
 * The files of a log, read as if the bits that are known to have changed had not. Owns nothing.
 */
import type { ReadOnlyDisk } from '@rockhopper/host'
import { SegmentFiles } from './segment-files.ts'

export class MendedFiles extends SegmentFiles {
  /** By offset of the log, which bits are to be turned. */
  readonly #flips: ReadonlyMap<number, number>

  constructor(
    disk: ReadOnlyDisk,
    directory: string,
    segmentBytes: number,
    flips: ReadonlyMap<number, number>,
  ) {
    super(disk, directory, segmentBytes)
    this.#flips = flips
  }

  override read(target: Uint8Array, offset: number): number {
    const count = super.read(target, offset)
    for (const [logOffset, mask] of this.#flips) {
      const at = logOffset - offset
      if (at >= 0 && at < count) target[at] = (target[at] ?? 0) ^ mask
    }
    return count
  }
}
