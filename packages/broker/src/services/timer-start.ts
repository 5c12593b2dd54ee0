/**
 * Finds out, at the start, which timed messages wait: those of the file, less those that the log has a
 * copy of behind the place that the file tells of, and those that came after it. Without a file the
 * whole log is read; if Apache's broker had the store last, its numbers say what is done.
 * Owns nothing.
 */
import type { Logger } from '@rockhopper/host'
import { findProperty, type StoredRecord, TIMER_TOPIC } from '@rockhopper/protocol'
import { CorruptionError, type Store } from '@rockhopper/store'
import { MAX_DUE_BYTES, MAX_DUE_MESSAGES } from '../limits.ts'
import { type TimerRules, waitOf } from '../rules/timed.ts'
import { timedOriginOf } from '../rules/timed-copy.ts'
import type { PendingTimer, PendingTimers } from '../tables/pending-timers.ts'
import { recordsIn } from './queue-records.ts'
import type { TimerCheck, TimerCheckFiles } from './timer-check.ts'
import type { TimerFile, TimerState } from './timer-file.ts'

export interface TimerStartParts {
  readonly logger: Logger
  readonly store: Store
  readonly timers: PendingTimers
  readonly rules: TimerRules
  readonly file: TimerFile
  readonly checkFiles: TimerCheckFiles
}

/**
 * Fills the table, and returns the queue offset of the first timed message that is not in it;
 * undefined when the signal aborted. Rejects with `DiskError`.
 */
export async function loadTimers(
  parts: TimerStartParts,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { checkFiles, file, store, timers } = parts
  timers.clear()
  const { maxOffset, minOffset } = store.queueBounds(TIMER_TOPIC, 0)
  const state = file.read()
  const mark = checkFiles.mark()
  const check = mark === 0 ? undefined : checkFiles.read()
  if (state !== undefined && (mark === 0 || mark === state.mark)) {
    return followLog(state, parts, signal)
  }
  if (check !== undefined) return takeOver(check, parts, signal)
  if (maxOffset === 0) return 0
  const nothing = { logOffset: 0, queueOffset: minOffset, mark: 0, image: timers.image() }
  return followLog(nothing, parts, signal)
}

async function followLog(
  state: TimerState,
  { logger, rules, store, timers }: TimerStartParts,
  signal: AbortSignal,
): Promise<number | undefined> {
  const gone = new Set<number>()
  const come = new Map<number, PendingTimer>()
  let next = state.queueOffset
  try {
    for await (const record of store.records(await scanStart(state, store))) {
      if (signal.aborted) return undefined
      const origin = timedOriginOf(record)
      if (origin !== undefined && !come.delete(origin)) gone.add(origin)
      if (record.topic !== TIMER_TOPIC || record.queueOffset < next) continue
      const timer = timerOf(record, rules)
      if (timer !== undefined) come.set(timer.logOffset + timer.sizeBytes, timer)
      next = record.queueOffset + 1
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    const sentence =
      'The commit log is damaged behind the last note of what was delivered: some timed messages may ' +
      'be delivered twice.'
    logger.error(sentence, { error })
  }
  timers.restore(state.image, gone)
  for (const timer of come.values()) timers.add(timer)
  return next
}

/** Messages that were stored and not yet in the table may lie before the place of the file. */
async function scanStart({ logOffset, queueOffset }: TimerState, store: Store): Promise<number> {
  const [unit] = await store.units(TIMER_TOPIC, 0, queueOffset, 1)
  return Math.min(logOffset, unit?.logOffset ?? logOffset)
}

/** What Apache's broker put behind the others waits in its new place only. */
async function takeOver(
  check: TimerCheck,
  { rules, store, timers }: TimerStartParts,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { maxOffset, minOffset } = store.queueBounds(TIMER_TOPIC, 0)
  const waiting = new Map<number, PendingTimer>()
  const rolling = new Map<string, number>()
  for (let next = minOffset; next < maxOffset; ) {
    if (signal.aborted) return undefined
    const { nextOffset, records } = await readTimers(store, next)
    if (nextOffset <= next) break
    for (const record of records) {
      const key = `${uniqueKeyOf(record)} ${findProperty(record.properties, 'TIMER_OUT_MS')}`
      const before = rolling.get(key)
      const times = findProperty(record.properties, 'TIMER_ROLL_TIMES')
      if (before !== undefined && times !== undefined) waiting.delete(before)
      const timer = timerOf(record, rules)
      if (timer === undefined) continue
      const isSeen = record.queueOffset < check.queueOffset
      if (isSeen && !timer.isRoll && timer.wakeMs < check.readTimeMs) continue
      waiting.set(timer.logOffset, timer)
      if (timer.isRoll) rolling.set(key, timer.logOffset)
    }
    next = nextOffset
  }
  for (const timer of waiting.values()) timers.add(timer)
  return maxOffset
}

function uniqueKeyOf({ properties }: StoredRecord): string {
  const kind = findProperty(properties, 'TIMER_DEL_UNIQKEY') === undefined ? '' : 'recalls '
  return kind + (findProperty(properties, 'UNIQ_KEY') ?? '')
}

/** Messages of the timer topic from a queue offset on; none when the first of them cannot be read. */
export async function readTimers(
  store: Store,
  offset: number,
): Promise<{ readonly records: StoredRecord[]; readonly nextOffset: number }> {
  const size = { maxMessages: MAX_DUE_MESSAGES, maxBytes: MAX_DUE_BYTES }
  const place = { topic: TIMER_TOPIC, queueId: 0, offset }
  const { nextOffset, slices } = await store.read({ ...place, ...size })
  return { records: [...recordsIn(slices)], nextOffset }
}

/** Undefined when the record does not say when it is due. */
export function timerOf(
  record: Pick<StoredRecord, 'logOffset' | 'sizeBytes' | 'properties' | 'storeTimestamp'>,
  rules: TimerRules,
): PendingTimer | undefined {
  const wait = waitOf(record, rules)
  const { logOffset, sizeBytes } = record
  return wait === undefined ? undefined : { ...wait, logOffset, sizeBytes }
}
