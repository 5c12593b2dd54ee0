/**
 * Tells the end of the log from damage in it: the first is cut at the start of a store, the second
 * never. Owns nothing and changes nothing.
 *
 *   sound | sound | torn | zeros …                 the end: nothing behind it was acknowledged
 *   sound | sound | bad  | sound …                 damage: the store does not open
 *   sound | sound | sectors of zeros | sound …     the end, if the system crashed: the device had not
 *                                                  taken these sectors yet, so nothing behind them
 *                                                  was flushed
 */
import { scanView } from '@rockhopper/protocol'
import { CorruptionError } from '../errors.ts'
import type { SegmentFolder } from '../files/segment-folder.ts'
import { COVER_WINDOW_BYTES, LOOK_AHEAD_BYTES } from '../limits.ts'
import { coveredIn, judgePage, type LogSums, SUM_ENTRY_BYTES, SUM_PAGE_BYTES } from './log-sums.ts'

/** What a device writes whole. */
const SECTOR_BYTES = 512

/** What all records have in common in their magic numbers, but for the last byte. */
const MAGIC_BEGINNING = Buffer.from([0xda, 0xa3, 0x20])
const MAGIC_AT = 4
const LEAST_RECORD_BYTES = 91

/**
 * Returns when what stands at `offset`, where the scan ended, is the end of the log; throws
 * `CorruptionError` when it is damage. `systemCrashed`: the device may lack what was not flushed.
 */
export async function judgeEnd(
  folder: SegmentFolder,
  offset: number,
  problem: string,
  systemCrashed: boolean,
): Promise<void> {
  const next = await findSoundRecord(folder, offset)
  if (next === undefined) return
  if (systemCrashed && (await lacksSectors(folder, offset, next))) return
  throw damage(folder, offset, `${problem}, but a sound record follows at ${next}`)
}

/**
 * Compares the pages from that of `from` on with their sums, and returns up to where the log was
 * when the last of these was written. Throws `CorruptionError` for the first page that differs.
 */
export async function verifyPages(
  folder: SegmentFolder,
  sums: LogSums,
  from: number,
): Promise<number> {
  const window = Buffer.allocUnsafeSlow(Math.min(COVER_WINDOW_BYTES, folder.segmentBytes))
  let coveredEnd = from
  for (let at = sums.pageStart(from); folder.has(at) && sums.reaches(at); ) {
    const to = Math.min(at + window.length, folder.startOf(at) + folder.segmentBytes)
    const entries = await sums.entries(at, to)
    const bytes = window.subarray(0, to - at)
    await folder.read(bytes, at)
    coveredEnd = Math.max(coveredEnd, verifyWindow(folder, bytes, at, entries))
    at = to
  }
  return coveredEnd
}

/** The log was longer than it is now. Throws `CorruptionError`. */
export function demandCovered(folder: SegmentFolder, end: number, coveredEnd: number): void {
  if (coveredEnd <= end) return
  throw damage(folder, end, 'there is no sound record, but the log went on behind it')
}

/** Takes the pages from that of `from` up to `end` into the sums, instead of what these had. */
export async function coverAgain(
  folder: SegmentFolder,
  sums: LogSums,
  from: number,
  end: number,
): Promise<void> {
  const start = sums.pageStart(from)
  sums.dropFrom(start)
  const window = Buffer.allocUnsafeSlow(Math.min(COVER_WINDOW_BYTES, folder.segmentBytes))
  for (let at = start; at < end; ) {
    const to = Math.min(at + window.length, folder.startOf(at) + folder.segmentBytes, end)
    const bytes = window.subarray(0, to - at)
    await folder.read(bytes, at)
    sums.cover(bytes, at)
    at = to
  }
  sums.write()
}

/** Returns the offset behind the last byte that is covered, 0 when none is. */
function verifyWindow(
  folder: SegmentFolder,
  bytes: Buffer,
  offset: number,
  entries: Buffer,
): number {
  const firstPage = (offset % folder.segmentBytes) / SUM_PAGE_BYTES
  let coveredEnd = 0
  for (let at = 0, i = 0; at < bytes.length; at += SUM_PAGE_BYTES, i++) {
    const page = bytes.subarray(at, at + SUM_PAGE_BYTES)
    if (judgePage(entries, i * SUM_ENTRY_BYTES, firstPage + i, page) === 'damaged') {
      throw damage(folder, offset + at, 'a checksum of the 4 KiB there is wrong')
    }
    const covered = coveredIn(entries, i * SUM_ENTRY_BYTES, firstPage + i)
    if (covered > 0) coveredEnd = offset + at + covered
  }
  return coveredEnd
}

/** Offset of the first sound record behind `offset`, looked for only as far as damage reaches. */
async function findSoundRecord(folder: SegmentFolder, offset: number): Promise<number | undefined> {
  const segmentEnd = folder.startOf(offset) + folder.segmentBytes
  const found = await searchStretch(folder, offset, segmentEnd)
  if (found !== undefined) return found
  return folder.has(segmentEnd) ? soundAt(folder, segmentEnd) : undefined
}

/** A record that is longer than the window is not found: then the next one is. */
async function searchStretch(
  folder: SegmentFolder,
  offset: number,
  segmentEnd: number,
): Promise<number | undefined> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(LOOK_AHEAD_BYTES, segmentEnd - offset))
  await folder.read(bytes, offset)
  let magicAt = bytes.indexOf(MAGIC_BEGINNING, MAGIC_AT + 1)
  while (magicAt !== -1) {
    const at = magicAt - MAGIC_AT
    if (isSound(bytes, at, offset + at)) return offset + at
    magicAt = bytes.indexOf(MAGIC_BEGINNING, magicAt + 1)
  }
  return undefined
}

async function soundAt(folder: SegmentFolder, offset: number): Promise<number | undefined> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(LOOK_AHEAD_BYTES, folder.segmentBytes))
  await folder.read(bytes, offset)
  return isSound(bytes, 0, offset) ? offset : undefined
}

function isSound(bytes: Buffer, at: number, logOffset: number): boolean {
  const scanned = scanView(bytes, at, true)
  return scanned.kind === 'record' && scanned.record.logOffset === logOffset
}

/** Whether a sector of the bad record at `offset`, or the part of it that lies there, is zeros. */
async function lacksSectors(folder: SegmentFolder, offset: number, next: number): Promise<boolean> {
  const limit = Math.min(next, folder.startOf(offset) + folder.segmentBytes) - offset
  const head = Buffer.alloc(Math.min(LEAST_RECORD_BYTES, limit))
  await folder.read(head, offset)
  const bytes = Buffer.allocUnsafeSlow(Math.min(claimedBytes(head), limit))
  await folder.read(bytes, offset)
  for (let at = 0; at < bytes.length; ) {
    const sectorEnd = at + SECTOR_BYTES - (((offset + at) % folder.segmentBytes) % SECTOR_BYTES)
    if (bytes.subarray(at, sectorEnd).every((byte) => byte === 0)) return true
    at = sectorEnd
  }
  return false
}

/** What a record takes that begins like this; if it begins like none, a sector in which it would. */
function claimedBytes(head: Buffer): number {
  const scanned = scanView(head, 0, false)
  return scanned.kind === 'cut-off' ? scanned.sizeBytes : 2 * SECTOR_BYTES
}

function damage(folder: SegmentFolder, offset: number, problem: string): CorruptionError {
  const path = folder.pathOf(offset)
  const at = offset - folder.startOf(offset)
  return new CorruptionError(
    path,
    at,
    `"${path}" is damaged at byte ${at} (offset ${offset} of the log): ${problem}. The log was ` +
      'left as it is. Bring the file back from a copy, or save what is sound with ' +
      '"rockhopper store rebuild".',
  )
}
