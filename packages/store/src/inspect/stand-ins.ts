/**
 * What takes the place of records that are damaged, so that all records behind keep their offsets
 * and both Rockhopper and Apache RocketMQ can read on. Owns nothing.
 *
 *   sound | damaged ............................ | sound
 *   sound | stand-in | stand-in | filling ...... | sound
 *   sound | stand-in | blank record to the end of the segment ⏎ sound
 *
 * A stand-in is an empty message at the queue offset of a lost one: without it the queue could not be
 * made anew from the log, by neither broker. Filling is a record of a rolled back transaction, which
 * gets no place in a queue and no key.
 */
import {
  BLANK_RECORD_BYTES,
  type HostAddress,
  propertyPair,
  type RecordContent,
  recordBytes,
  sysFlag,
  writeBlankRecord,
  writeRecord,
} from '@rockhopper/protocol'
import { InspectError } from './store-folder.ts'

/** The property of a stand-in: its message could not be read any more. */
export const LOST_PROPERTY = 'LOST_ON_DISK'

const FILLING_TOPIC = 'RMQ_SYS_LOST_MESSAGES'
const MOST_FILLING_BYTES = 1024 * 1024
const PROPERTY_END = 0x02
const NOTHING = Buffer.alloc(0)

/** A message that is not in the log any more. */
export interface LostMessage {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
}

/** A stretch of the log without a sound record. */
export interface Stretch {
  readonly from: number
  to: number
  readonly problem: string
  readonly lost: LostMessage[]
  /** What the stand-ins of these take at least. */
  lostBytes: number
  /** What is put there is said to be stored then, ms since 1970, and by that broker. */
  readonly storeTimestamp: number
  readonly storeHost: HostAddress
}

/** Bytes that are to be written at an offset of the log. */
export interface LogPiece {
  readonly logOffset: number
  readonly bytes: Buffer
}

/** Bytes that the stand-in of a message takes at least. */
export function standInBytes(lost: LostMessage, storeHost: HostAddress): number {
  return recordBytes(standIn(lost, storeHost, []))
}

/**
 * What is to be written over a stretch; returns the lost messages that got no stand-in, as segments
 * ended in between. Throws `InspectError` when the stretch is too short for anything.
 */
export function* piecesFor(
  stretch: Stretch,
  segmentBytes: number,
): Generator<LogPiece, readonly LostMessage[]> {
  const marked = layOut(stretch, segmentBytes, [propertyPair(LOST_PROPERTY, 'true')])
  const layout = marked.left.length === 0 ? marked : layOut(stretch, segmentBytes, [])
  for (const part of layout.parts) yield* piecesOfPart(stretch, part)
  return layout.left
}

/** The part of a stretch that lies in one segment. */
interface Part {
  readonly from: number
  readonly to: number
  readonly isAtStart: boolean
  readonly isAtEnd: boolean
  readonly standIns: readonly { readonly lost: LostMessage; readonly content: RecordContent }[]
}

/** Shares the stand-ins out to the parts, as many as fit. */
function layOut(
  stretch: Stretch,
  segmentBytes: number,
  marks: readonly Buffer[],
): { parts: Part[]; left: LostMessage[] } {
  const parts: Part[] = []
  let count = 0
  for (let from = stretch.from; from < stretch.to; ) {
    const segmentEnd = from - (from % segmentBytes) + segmentBytes
    const to = Math.min(stretch.to, segmentEnd)
    const standIns: Part['standIns'][number][] = []
    let roomBytes = to - from - (to === segmentEnd ? BLANK_RECORD_BYTES : 0)
    for (let lost = stretch.lost[count]; lost !== undefined; lost = stretch.lost[count]) {
      const content = standIn(lost, stretch.storeHost, marks)
      roomBytes -= recordBytes(content)
      if (roomBytes < 0) break
      standIns.push({ lost, content })
      count += 1
    }
    const isAtStart = from % segmentBytes === 0
    parts.push({ from, to, isAtStart, isAtEnd: to === segmentEnd, standIns })
    from = to
  }
  return { parts, left: stretch.lost.slice(count) }
}

function* piecesOfPart(stretch: Stretch, part: Part): Generator<LogPiece> {
  const { from, isAtEnd, isAtStart, standIns, to } = part
  const least = leastFilling(stretch)
  let logOffset = from
  for (const [i, { content, lost }] of standIns.entries()) {
    const behind = to - logOffset - recordBytes(content)
    const isLast = i === standIns.length - 1
    // What is too short for filling goes to the last one, as ends of properties without a beginning.
    const spare = isLast && !isAtEnd && behind < least ? behind : 0
    const properties = [...content.properties, Buffer.alloc(spare, PROPERTY_END)]
    const piece = pieceOf({ ...content, properties }, stretch, lost, logOffset)
    yield piece
    logOffset += piece.bytes.length
  }
  if (!isAtEnd) {
    yield* filling(stretch, logOffset, to)
    return
  }
  // Apache looks for a record at the beginning of a segment, to tell its time.
  if (isAtStart && logOffset === from && to - from >= least + BLANK_RECORD_BYTES) {
    yield* filling(stretch, logOffset, logOffset + least)
    logOffset += least
  }
  yield blankPiece(logOffset, to)
}

/** Too short a rest is passed over by Rockhopper; records leave room for a blank one in any case. */
function blankPiece(logOffset: number, to: number): LogPiece {
  const bytes = Buffer.alloc(Math.min(BLANK_RECORD_BYTES, to - logOffset))
  if (bytes.length === BLANK_RECORD_BYTES) writeBlankRecord(bytes, 0, to - logOffset)
  return { logOffset, bytes }
}

function* filling(stretch: Stretch, from: number, to: number): Generator<LogPiece> {
  const least = leastFilling(stretch)
  for (let logOffset = from; logOffset < to; ) {
    const rest = to - logOffset
    if (rest < least) throw tooShort(stretch)
    const sizeBytes = rest <= MOST_FILLING_BYTES ? rest : MOST_FILLING_BYTES - least
    const content = fillingOf(stretch, sizeBytes)
    yield pieceOf(content, stretch, { queueOffset: 0 }, logOffset)
    logOffset += sizeBytes
  }
}

/** A filling with the shortest of names. */
function leastFilling({ storeHost }: Stretch): number {
  return recordBytes(fillingContent(storeHost, 1, 0))
}

function fillingOf(stretch: Stretch, sizeBytes: number): RecordContent {
  const spare = sizeBytes - leastFilling(stretch)
  const named = Math.min(spare, FILLING_TOPIC.length - 1)
  return fillingContent(stretch.storeHost, 1 + named, spare - named)
}

function fillingContent(
  storeHost: HostAddress,
  topicBytes: number,
  bodyBytes: number,
): RecordContent {
  const topic = Buffer.from(FILLING_TOPIC.slice(0, topicBytes))
  const flags = sysFlag.transactionRollback
  return { ...emptyContent(storeHost), topic, sysFlag: flags, body: Buffer.alloc(bodyBytes) }
}

function standIn(
  { queueId, topic }: LostMessage,
  storeHost: HostAddress,
  properties: readonly Buffer[],
): RecordContent {
  return { ...emptyContent(storeHost), topic: Buffer.from(topic), queueId, properties }
}

function emptyContent(storeHost: HostAddress): RecordContent {
  return {
    topic: NOTHING,
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 0,
    bornHost: storeHost,
    storeHost,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: NOTHING,
    properties: [],
  }
}

function pieceOf(
  content: RecordContent,
  { storeTimestamp }: Stretch,
  { queueOffset }: { readonly queueOffset: number },
  logOffset: number,
): LogPiece {
  const sizeBytes = recordBytes(content)
  const bytes = Buffer.alloc(sizeBytes)
  const dated = { ...content, bornTimestamp: storeTimestamp }
  writeRecord(bytes, 0, sizeBytes, dated, { queueOffset, logOffset, storeTimestamp })
  return { logOffset, bytes }
}

function tooShort({ from, to }: Stretch): InspectError {
  return new InspectError(
    `The ${to - from} bytes at offset ${from} of the log are damaged, and too few for any record to ` +
      'take their place: this log cannot be rebuilt.',
  )
}
