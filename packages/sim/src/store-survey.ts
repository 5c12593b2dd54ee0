/**
 * Reads everything that an open store holds while nothing else happens, and compares it with the
 * model. Owns nothing; what the model did not know for certain, it learns here.
 */
import type { QueueBounds, ReadRequest, Store, TimeBoundary } from '@rockhopper/store'
import { hasKey, keyOf } from './store-messages.ts'
import {
  currentOf,
  endOf,
  type Generation,
  type Kept,
  type QueueModel,
  type StoreModel,
  visibleIn,
} from './store-model.ts'
import type { StoreStage } from './store-stage.ts'

const QUEUE_OFFSET_AT = 20
const LOG_OFFSET_AT = 28
/** Messages that are asked for one by one, and times that are looked up, in each survey. */
const SAMPLES = 4

/** What was read of a queue. */
interface QueueContent {
  readonly bounds: QueueBounds
  /** Whole records. */
  readonly records: readonly Buffer[]
}

/**
 * Compares the store, right after it was opened, with the model. Rejects with what a read rejects
 * with.
 */
export async function surveyStore(stage: StoreStage, store: Store): Promise<void> {
  const { minOffset, appendedOffset } = store.runtime()
  checkEnd(stage, store)
  stage.model.beganAt(minOffset)
  stage.model.recovered(appendedOffset)
  for (const queue of stage.model.queues()) {
    const content = await readQueue(stage, store, queue)
    checkQueue(stage, queue, content, minOffset)
    await checkTimes(stage, store, queue, minOffset)
    await checkFilter(stage, store, queue, minOffset)
  }
  await checkSingles(stage, store, minOffset)
  if (stage.setting.config.keyIndex !== undefined) await checkKeys(stage, store, minOffset)
}

/** Takes slices apart into records. */
export function recordsOf(slices: readonly Buffer[]): Buffer[] {
  const records: Buffer[] = []
  for (const slice of slices) {
    for (let at = 0; at < slice.length; ) {
      const sizeBytes = at + 4 <= slice.length ? slice.readInt32BE(at) : 0
      if (sizeBytes <= LOG_OFFSET_AT || at + sizeBytes > slice.length) {
        records.push(slice.subarray(at))
        break
      }
      records.push(slice.subarray(at, at + sizeBytes))
      at += sizeBytes
    }
  }
  return records
}

export function queueOffsetOf(record: Buffer): number {
  return Number(record.readBigInt64BE(QUEUE_OFFSET_AT))
}

/** The message that a record is of, by where it says it is; undefined when it is none. */
export function keptOf(model: StoreModel, record: Buffer): Kept | undefined {
  if (record.length < LOG_OFFSET_AT + 8) return undefined
  const kept = model.at(Number(record.readBigInt64BE(LOG_OFFSET_AT)))
  return kept?.bytes.equals(record) === true ? kept : undefined
}

function checkEnd(stage: StoreStage, store: Store): void {
  const { model, setting } = stage
  const figures = store.runtime()
  const end = figures.appendedOffset
  const { written } = model.floors
  if (end < written) {
    const lost = model.messages.filter((each) => each.endOffset > end && each.endOffset <= written)
    stage.broke(
      'nothing acknowledged is lost',
      `the log ends at ${end}, but was said to be safe up to ${written}: ${lost.length} messages, ` +
        `the first at ${lost[0]?.logOffset} in queue ${lost[0]?.queueId} of "${lost[0]?.topic}"`,
    )
  }
  const last = model.messages.findLast((each) => each.endOffset <= end)?.endOffset ?? 0
  const { commitLogSegmentBytes } = setting.config
  const isNextSegment = end % commitLogSegmentBytes === 0 && end - last < commitLogSegmentBytes
  if (end !== last && !isNextSegment) {
    stage.broke(
      'the log ends behind a whole message',
      `the log ends at ${end}, but its last message at ${last}`,
    )
  }
  const { confirmedOffset, dispatchedOffset, flushedOffset, writtenOffset } = figures
  const marks = [writtenOffset, flushedOffset, confirmedOffset, dispatchedOffset]
  if (marks.some((mark) => mark !== end)) {
    stage.broke('what was recovered is safe and visible', `the marks are ${marks}, not ${end}`)
  }
}

async function readQueue(
  stage: StoreStage,
  store: Store,
  { topic, queueId }: QueueModel,
): Promise<QueueContent> {
  const bounds = store.queueBounds(topic, queueId)
  const records: Buffer[] = []
  for (let offset = bounds.minOffset; offset < bounds.maxOffset; ) {
    const request = { ...anyLimits(stage), topic, queueId, offset }
    const { messageCount, nextOffset, slices, status } = await store.read(request)
    const got = recordsOf(slices)
    records.push(...got)
    const isWhole = got.length === messageCount && nextOffset === offset + messageCount
    if (status !== 'FOUND' || messageCount === 0 || !isWhole) {
      stage.broke(
        'a queue can be read from its beginning to its end',
        `a read of queue ${queueId} of "${topic}" at ${offset} is ${status} with ` +
          `${got.length} of ${messageCount} messages and goes on at ${nextOffset}`,
      )
      break
    }
    offset = nextOffset
  }
  stage.counts.read += records.length
  return { bounds, records }
}

function anyLimits({ random }: StoreStage): Pick<ReadRequest, 'maxMessages' | 'maxBytes'> {
  return { maxMessages: 1 + random.below(40), maxBytes: 1 + random.below(40_000) }
}

function checkQueue(
  stage: StoreStage,
  queue: QueueModel,
  content: QueueContent,
  logMin: number,
): void {
  learnDeletion(stage.model, queue, content, logMin)
  const generation = currentOf(queue)
  compare(stage, queue, generation, content, logMin)
  // A durable message of the new queue ends the old one for good.
  if (generation.messages.length > 0) queue.generations = [generation]
}

/** A deletion that was not durable may be undone by a crash, at first in part. */
function learnDeletion(
  model: StoreModel,
  queue: QueueModel,
  { bounds, records: [first] }: QueueContent,
  logMin: number,
): void {
  if (first === undefined) {
    // Its messages had expired before: only its end is left of it.
    const isUndone = (each: Generation): boolean =>
      each.isDeleted && endOf(each) === bounds.maxOffset
    const undone = bounds.maxOffset === 0 ? undefined : queue.generations.findLast(isUndone)
    if (undone !== undefined) model.cameBack(queue, undone, undone.startOffset)
    return
  }
  const shown = queue.generations.findLast((each) => visibleIn(each, logMin).length > 0)
  const kept = keptOf(model, first)
  if (shown === undefined || kept === undefined || !shown.messages.includes(kept)) return
  const isEarlier = kept.queueOffset < shown.startOffset
  if (shown.isDeleted || isEarlier) model.cameBack(queue, shown, kept.queueOffset)
}

/** The messages that a queue must have; of those that had expired, those that it shows. */
function expectedOf(
  { expiredOffset }: StoreModel,
  generation: Generation,
  { bounds }: QueueContent,
  logMin: number,
): Kept[] {
  return visibleIn(generation, logMin).filter(
    (each) => each.logOffset >= expiredOffset || each.queueOffset >= bounds.minOffset,
  )
}

function compare(
  stage: StoreStage,
  queue: QueueModel,
  generation: Generation,
  content: QueueContent,
  logMin: number,
): void {
  const { bounds, records } = content
  const name = `queue ${queue.queueId} of "${queue.topic}"`
  const expected = expectedOf(stage.model, generation, content, logMin)
  const next = stage.model.nextOffset(queue.topic, queue.queueId)
  const min = expected[0]?.queueOffset ?? next
  if (bounds.maxOffset !== next || bounds.minOffset !== min) {
    stage.broke(
      'a queue has the messages of the log, without a hole',
      `${name} goes from ${bounds.minOffset} to ${bounds.maxOffset} instead of ${min} to ${next}`,
    )
  }
  if (records.length !== expected.length) {
    stage.broke(
      'a queue has the messages of the log, without a hole',
      `${name} has ${records.length} messages instead of ${expected.length}`,
    )
  }
  for (const [i, kept] of expected.entries()) {
    const record = records[i]
    if (record === undefined || record.equals(kept.bytes)) continue
    stage.broke(
      'a message is what was stored, byte for byte',
      `${name} has at ${kept.queueOffset}, where the message of log offset ${kept.logOffset} ` +
        `belongs, ${describeRecord(record)}, which differs from byte ${differsAt(record, kept)} on`,
    )
    return
  }
}

function differsAt(record: Buffer, { bytes }: Kept): number {
  return record.findIndex((byte, i) => byte !== bytes[i])
}

/** What a record says of itself. */
export function describeRecord(record: Buffer): string {
  if (record.length < LOG_OFFSET_AT + 8) return `${record.length} bytes that are no record`
  return (
    `a record of ${record.length} bytes of log offset ${record.readBigInt64BE(LOG_OFFSET_AT)} and ` +
    `queue offset ${queueOffsetOf(record)}`
  )
}

/** The messages that the queue shows, as was compared before. */
function inSight(store: Store, queue: QueueModel, logMin: number): Kept[] {
  const { minOffset } = store.queueBounds(queue.topic, queue.queueId)
  return visibleIn(currentOf(queue), logMin).filter((each) => each.queueOffset >= minOffset)
}

async function checkTimes(
  stage: StoreStage,
  store: Store,
  queue: QueueModel,
  logMin: number,
): Promise<void> {
  const { queueId, topic } = queue
  const messages = inSight(store, queue, logMin)
  const [first] = messages
  const last = messages.at(-1)
  if (first === undefined || last === undefined || stage.random.chance(0.5)) return
  const spanMs = last.storeTimestamp - first.storeTimestamp
  const timeMs = first.storeTimestamp - 5 + stage.random.below(spanMs + 10)
  for (const boundary of ['lower', 'upper'] as const) {
    const expected = offsetByTime(messages, timeMs, boundary)
    const found = await store.offsetByTime(topic, queueId, timeMs, boundary)
    if (found === expected) continue
    stage.broke(
      'the offset that belongs to a time is right',
      `queue ${queueId} of "${topic}" gives ${found} instead of ${expected} for ` +
        `${timeMs} (${boundary}), between ${first.storeTimestamp} and ${last.storeTimestamp}`,
    )
  }
}

function offsetByTime(messages: readonly Kept[], timeMs: number, boundary: TimeBoundary): number {
  const first = messages[0]?.queueOffset ?? 0
  const end = (messages.at(-1)?.queueOffset ?? -1) + 1
  if (boundary === 'lower') {
    return messages.find((each) => each.storeTimestamp >= timeMs)?.queueOffset ?? end
  }
  return messages.findLast((each) => each.storeTimestamp <= timeMs)?.queueOffset ?? first
}

async function checkFilter(
  stage: StoreStage,
  store: Store,
  queue: QueueModel,
  logMin: number,
): Promise<void> {
  const { queueId, topic } = queue
  const messages = inSight(store, queue, logMin)
  const [first] = messages
  if (first === undefined || stage.random.chance(0.7)) return
  const wanted = messages[stage.random.below(messages.length)]?.tagsCode ?? 0
  const request = { ...anyLimits(stage), topic, queueId, offset: first.queueOffset }
  const outcome = await store.read({ ...request, tagHashes: new Set([wanted]) })
  const expected = messages.filter(
    (each) => each.queueOffset < outcome.nextOffset && each.tagsCode === wanted,
  )
  const got = recordsOf(outcome.slices)
  if (got.length === expected.length && got.every((each, i) => expected[i]?.bytes.equals(each))) {
    return
  }
  stage.broke(
    'a filter gives its messages and no others',
    `queue ${queueId} of "${topic}" gives ${got.length} messages of tag ${wanted} up to ` +
      `${outcome.nextOffset} instead of ${expected.length}`,
  )
}

/** Messages by their log offsets, and places at which there is none. */
async function checkSingles(stage: StoreStage, store: Store, logMin: number): Promise<void> {
  const { model, random } = stage
  if (model.messages.length === 0) return
  for (let i = 0; i < SAMPLES; i++) {
    const kept = model.messages[random.below(model.messages.length)]
    if (kept === undefined) continue
    const isThere = kept.logOffset >= logMin
    const record = await store.messageAt(kept.logOffset)
    if (isThere ? record?.equals(kept.bytes) !== true : record !== undefined) {
      stage.broke(
        'a message is what was stored, byte for byte',
        `at log offset ${kept.logOffset} is ${record === undefined ? 'nothing' : describeRecord(record)}, ` +
          `which differs from byte ${record === undefined ? 0 : differsAt(record, kept)} on`,
      )
    }
    const within = kept.logOffset + 1 + random.below(kept.bytes.length - 1)
    if ((await store.messageAt(within)) === undefined) continue
    stage.broke('no message is where none begins', `there is one at log offset ${within}`)
  }
}

/** The messages of a key that many have, and of one that no other has. */
async function checkKeys(stage: StoreStage, store: Store, logMin: number): Promise<void> {
  const { model, random } = stage
  const kept = model.messages[random.below(model.messages.length)]
  if (kept === undefined) return
  const key = keyOf(kept.bytes, random.chance(0.5))
  const everything = { maxMessages: 1_000, beginTimestamp: 0, endTimestamp: 2 ** 45 }
  const { records } = await store.queryByKey(kept.topic, key, everything)
  const expected = model.messages.filter(
    ({ bytes, isQueued, logOffset, topic }) =>
      isQueued && logOffset >= logMin && topic === kept.topic && hasKey(bytes, key),
  )
  const found = records.map((record) => keptOf(model, record))
  const isRight = found.every((each) => each?.topic === kept.topic && hasKey(each.bytes, key))
  if (isRight && expected.every((each) => found.includes(each))) return
  stage.broke(
    'a key finds its messages and no others',
    `key "${key}" of "${kept.topic}" finds ${found.map((each) => each?.logOffset)} instead of ` +
      `${expected.map(({ logOffset }) => logOffset)}`,
  )
}
