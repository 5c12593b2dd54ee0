/**
 * Goes over the records of the log one by one, a window of the files in each turn of the loop. Owns
 * nothing.
 */
import { BLANK_RECORD_BYTES, type RecordView, type Scanned, scanView } from '@rockhopper/protocol'
import { MAX_RECORD_BYTES, WALK_WINDOW_BYTES } from '../limits.ts'
import type { DamageNotices } from './damage-notices.ts'
import type { LogPages } from './log-pages.ts'
import { type LogStretch, verdict } from './log-stretch.ts'

/**
 * The records from `from`, where one begins, up to `to`, up to which the log is written. Throws
 * `CorruptionError` at the first that is not sound.
 */
export async function* walkLog(
  pages: LogPages,
  notices: DamageNotices,
  from: number,
  to: number,
): AsyncGenerator<RecordView> {
  let offset = from
  let windowBytes = WALK_WINDOW_BYTES
  while (offset < to) {
    const segmentEnd = pages.segmentEnd(offset)
    const end = Math.min(offset + windowBytes, segmentEnd, to)
    const stretch = await pages.read(offset, end)
    const stop = yield* recordsIn(stretch, notices, offset, segmentEnd)
    if (stop.offset === offset && end === to) return
    offset = stop.offset
    windowBytes = Math.max(WALK_WINDOW_BYTES, stop.neededBytes)
  }
}

/** Where the next record is, and how many bytes it takes as far as it says. */
interface Stop {
  readonly offset: number
  readonly neededBytes: number
}

function* recordsIn(
  stretch: LogStretch,
  notices: DamageNotices,
  from: number,
  segmentEnd: number,
): Generator<RecordView, Stop> {
  let offset = from
  while (segmentEnd - offset >= BLANK_RECORD_BYTES) {
    const scanned = scanSound(stretch, offset)
    if (scanned.kind === 'invalid') throw notices.damageAt(offset, scanned.reason)
    if (scanned.kind === 'blank') break
    if (scanned.kind === 'cut-off') {
      const neededBytes = scanned.sizeBytes
      if (neededBytes <= Math.min(segmentEnd - offset, MAX_RECORD_BYTES)) {
        return { offset, neededBytes }
      }
      throw notices.damageAt(offset, `a record there claims to have ${neededBytes} bytes`)
    }
    yield scanned.record
    offset += scanned.record.sizeBytes
  }
  return { offset: segmentEnd, neededBytes: 0 }
}

/** What begins at an offset of the log, by its own sum where its pages have none. */
function scanSound(stretch: LogStretch, offset: number): Scanned<RecordView> {
  const at = offset - stretch.startOffset
  const scanned = scanView(stretch.bytes, at, false)
  const sizeBytes = scanned.kind === 'record' ? scanned.record.sizeBytes : BLANK_RECORD_BYTES
  const known = stretch.verdictOf(offset, Math.min(offset + sizeBytes, stretch.endOffset))
  if (known === verdict.damaged) return { kind: 'invalid', reason: 'a checksum is wrong' }
  if (scanned.kind !== 'record') return scanned
  if (scanned.record.logOffset !== offset) {
    const reason = `the record there says that its offset is ${scanned.record.logOffset}`
    return { kind: 'invalid', reason }
  }
  return known === verdict.unknown ? scanView(stretch.bytes, at, true) : scanned
}
