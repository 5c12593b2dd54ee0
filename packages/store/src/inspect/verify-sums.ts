/**
 * Holds the log against the checksums of its pages, where Rockhopper wrote them. Owns nothing.
 */
import type { ReadOnlyDisk } from '@rockhopper/host'
import { coveredIn, judgePage, SUM_ENTRY_BYTES, SUM_PAGE_BYTES } from '../log/log-sums.ts'
import { ADVICE, type Findings } from './findings.ts'
import { type Bit, flippedBit } from './flipped-bit.ts'
import { SegmentFiles } from './segment-files.ts'
import type { StoreFolder } from './store-folder.ts'

const WINDOW_BYTES = 1024 * 1024

/** Pages in a row that differ from their sums. */
interface DamagedRun {
  readonly path: string
  readonly from: number
  to: number
  /** Where one bit has changed, if no other has. */
  readonly bit: Bit | undefined
}

/** Called for a page that differs, with the bytes that its sum covers. */
export type DamagedPage = (pageOffset: number, covered: Buffer, expected: number) => void

/**
 * Tells of pages before `limit` that differ, and calls `damaged` for each of them. Returns how many
 * pages have a sum.
 */
export function verifySums(
  disk: ReadOnlyDisk,
  folder: StoreFolder,
  limit: number,
  findings: Findings,
  damaged: DamagedPage = () => {},
): number {
  const log = new SegmentFiles(disk, folder.commitLog, folder.logSegmentBytes)
  const sums = new Map(
    disk.list(folder.sums).map((name) => [Number(name), `${folder.sums}/${name}`]),
  )
  let known = 0
  for (const { path, start } of log.files) {
    const sumPath = sums.get(start)
    if (sumPath === undefined || start >= limit) continue
    known += verifySegment(log, start, path, readEntries(disk, sumPath), limit, findings, damaged)
  }
  log.close()
  return known
}

function readEntries(disk: ReadOnlyDisk, path: string): Buffer {
  const file = disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(file.sizeBytes() - (file.sizeBytes() % SUM_ENTRY_BYTES))
    for (let done = 0; done < bytes.length; ) {
      const count = file.readSync(bytes.subarray(done), done)
      if (count === 0) break
      done += count
    }
    return bytes
  } finally {
    file.close()
  }
}

function verifySegment(
  log: SegmentFiles,
  start: number,
  path: string,
  entries: Buffer,
  limit: number,
  findings: Findings,
  damaged: DamagedPage,
): number {
  const window = Buffer.allocUnsafe(WINDOW_BYTES)
  const pages = entries.length / SUM_ENTRY_BYTES
  let known = 0
  let run: DamagedRun | undefined
  for (let page = 0; page < pages; ) {
    const bytes = window.subarray(0, log.read(window, start + page * SUM_PAGE_BYTES))
    for (let at = 0; at < WINDOW_BYTES && page < pages; at += SUM_PAGE_BYTES, page++) {
      const from = page * SUM_PAGE_BYTES
      const covered = coveredIn(entries, page * SUM_ENTRY_BYTES, page)
      if (covered === 0 || start + from + covered > limit) continue
      known += 1
      const content = bytes.subarray(at, at + SUM_PAGE_BYTES)
      if (judgePage(entries, page * SUM_ENTRY_BYTES, page, content) !== 'damaged') continue
      const expected = entries.readUInt32BE(page * SUM_ENTRY_BYTES)
      damaged(start + from, content.subarray(0, covered), expected)
      if (run?.to === from) run.to = from + SUM_PAGE_BYTES
      else {
        tell(run, findings)
        const bit = flippedBit(content.subarray(0, covered), expected)
        run = { path, from, to: from + SUM_PAGE_BYTES, bit }
      }
    }
  }
  tell(run, findings)
  return known
}

function tell(run: DamagedRun | undefined, findings: Findings): void {
  if (run === undefined) return
  const { bit, from, path, to } = run
  const count = (to - from) / SUM_PAGE_BYTES
  if (count > 1) {
    findings.add(
      path,
      from,
      `the checksums of ${count} pages of 4 KiB there are wrong`,
      ADVICE.rebuild,
    )
  } else if (bit === undefined) {
    findings.add(path, from, 'the checksum of the 4 KiB there is wrong', ADVICE.rebuild)
  } else {
    const what = `the checksum of the 4 KiB there is wrong, as one bit of byte ${from + bit.at} has changed`
    findings.add(path, from, what, ADVICE.mend)
  }
}
