/**
 * Delivers messages that have a time of their own, one after the other as they become due. Owns the
 * loop that follows the timer topic and the wall clock, up to where it has followed the topic, and the
 * state of the file.
 *
 * One loop does both: what calls a message off is seen before the message is looked at. What is being
 * delivered is in no state of the file: that is taken between two deliveries, and written when the
 * log is on the device up to the copies that it tells of. What a crash makes of the rest is seen to at
 * the next start (`timer-start.ts`).
 * Source: Apache class TimerMessageStore; `scheduling-and-transactions.md` section 3.
 */
import { type Clock, type Disk, type Logger, pause } from '@rockhopper/host'
import { findProperty, readRecord, type StoredRecord, TIMER_TOPIC } from '@rockhopper/protocol'
import { CorruptionError, type Store } from '@rockhopper/store'
import {
  CLOCK_LOOK_MS,
  DELIVER_AGAIN_MS,
  MAX_DUE_BYTES,
  MAX_DUE_MESSAGES,
  TIMERS_PER_SAVE_PERIOD,
} from '../limits.ts'
import { recalledBy, recallKey, type TimerRules } from '../rules/timed.ts'
import { rolledCopyOf, timedCopyOf } from '../rules/timed-copy.ts'
import type { PendingTimer, PendingTimers } from '../tables/pending-timers.ts'
import { TimerCheckFiles } from './timer-check.ts'
import { TimerFile } from './timer-file.ts'
import { loadTimers, readTimers, timerOf } from './timer-start.ts'
import type { TrafficCounters } from './traffic.ts'

const SAMPLE_MS = 10_000

/** Pause before it is tried again to find out what waits. */
const LOAD_AGAIN_MS = 1_000

export interface TimedDeliveryParts {
  readonly clock: Clock
  readonly disk: Disk
  readonly logger: Logger
  readonly store: Store
  readonly timers: PendingTimers
  readonly traffic: TrafficCounters
  readonly rules: TimerRules
  /** Folder that holds everything the broker keeps. */
  readonly root: string
  /** Size of a file of Apache's timer log. */
  readonly logFileBytes: number
  readonly savePeriodMs: number
}

/** How delivery stands. */
export interface TimerFigures {
  /** Messages that wait. */
  readonly pending: number
  /** Queue offset of the first message that the loop has not seen. */
  readonly queueOffset: number
  /** Stored messages that the loop has not seen yet. */
  readonly unseen: number
  /** How late the next message is; 0 when it is not due. */
  readonly behindMs: number
  /** Messages that came to wait, in the last seconds. */
  readonly enqueuedPerSecond: number
  /** Messages that were done with, in the last seconds. */
  readonly deliveredPerSecond: number
}

interface Sample {
  readonly atMs: number
  readonly enqueued: number
  readonly delivered: number
}

/** What calls others off in the slot that is looked at. */
interface Recalled {
  readonly slotMs: number
  readonly keys: Set<string>
  readonly timers: PendingTimer[]
}

export class TimedDelivery {
  readonly #parts: TimedDeliveryParts
  readonly #file: TimerFile
  readonly #checkFiles: TimerCheckFiles
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #isLoaded = false
  #queueOffset = 0
  #round = { endOffset: 0, startMs: 0 }
  #enqueuedTotal = 0
  #samples: readonly [Sample, Sample]
  #deliveredTotal = 0
  #recalled: Recalled | undefined
  #saving: Promise<void> | undefined
  #savedMs = 0
  #changesSaved = 0
  #toldOf = ''

  constructor(parts: TimedDeliveryParts) {
    this.#parts = parts
    const sample = { atMs: parts.clock.monotonicMs(), enqueued: 0, delivered: 0 }
    this.#samples = [sample, sample]
    this.#file = new TimerFile(parts.disk, parts.clock, `${parts.root}/config/timerPending`)
    this.#checkFiles = new TimerCheckFiles(parts.disk, parts.root, parts.logFileBytes)
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Delivers nothing more, and leaves what waits to whoever has the store next. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#saving
    if (!this.#isLoaded) return
    try {
      await this.#leave()
    } catch (error) {
      this.#tell('What timed messages wait cannot be saved.', { error })
    }
  }

  figures(): TimerFigures {
    const { clock, rules, store, timers } = this.#parts
    const { maxOffset } = store.queueBounds(TIMER_TOPIC, 0)
    const behindMs = clock.nowMs() - rules.precisionMs - timers.firstWakeMs
    return {
      pending: timers.count,
      queueOffset: this.#queueOffset,
      unseen: Math.max(0, maxOffset - this.#queueOffset),
      behindMs: Math.max(0, behindMs),
      ...this.#rates(),
    }
  }

  /** Over the time since the sample before the last. */
  #rates(): { readonly enqueuedPerSecond: number; readonly deliveredPerSecond: number } {
    const [from] = this.#samples
    const seconds = (this.#parts.clock.monotonicMs() - from.atMs) / 1_000
    if (seconds <= 0) return { enqueuedPerSecond: 0, deliveredPerSecond: 0 }
    return {
      enqueuedPerSecond: (this.#enqueuedTotal - from.enqueued) / seconds,
      deliveredPerSecond: (this.#deliveredTotal - from.delivered) / seconds,
    }
  }

  #sample(): void {
    const atMs = this.#parts.clock.monotonicMs()
    const [, last] = this.#samples
    if (atMs - last.atMs < SAMPLE_MS) return
    const now = { atMs, enqueued: this.#enqueuedTotal, delivered: this.#deliveredTotal }
    this.#samples = [last, now]
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts
    const { signal } = this.#stopping
    while (!(await this.#hasLoaded())) await pause(clock, LOAD_AGAIN_MS, signal)
    while (!signal.aborted) {
      try {
        const isBusy = await this.#step()
        if (isBusy) await new Promise<void>((resolve) => clock.soon(resolve))
        else if (!(await this.#wait(signal))) return
      } catch (error) {
        this.#tell('Timed messages are not delivered; the broker tries again.', { error })
        await pause(clock, DELIVER_AGAIN_MS, signal)
      }
    }
  }

  /** Whether there is no need to try again. */
  async #hasLoaded(): Promise<boolean> {
    const { signal } = this.#stopping
    try {
      const next = await loadTimers(
        { ...this.#parts, file: this.#file, checkFiles: this.#checkFiles },
        signal,
      )
      if (next === undefined) return true
      this.#queueOffset = next
      // From here on the store is not as Apache's broker left it.
      const mark = this.#checkFiles.mark()
      if (this.#isUsed || mark !== 0) {
        await this.#save(mark)
        await this.#checkFiles.take()
      }
      this.#isLoaded = true
      return true
    } catch (error) {
      this.#tell('No timed message is delivered, as it cannot be read which wait.', { error })
      return signal.aborted
    }
  }

  /** Whether there is or was a timed message. */
  get #isUsed(): boolean {
    const { store } = this.#parts
    return this.#queueOffset > 0 || store.queueBounds(TIMER_TOPIC, 0).maxOffset > 0
  }

  /**
   * Takes what came, or else delivers what is due, not too much of it. Whether there may be more.
   *
   * A round takes all that was there at its beginning, and delivers what was due by then: so nothing
   * that calls a message off is seen too late, and those that come cannot keep off those that are due.
   */
  async #step(): Promise<boolean> {
    const { clock, rules, store, timers } = this.#parts
    if (this.#queueOffset < this.#round.endOffset) {
      await this.#follow()
      return true
    }
    this.#saveNowAndThen()
    this.#sample()
    const isDue = timers.firstWakeMs + rules.precisionMs <= this.#round.startMs
    if (isDue) await this.#deliver(this.#takeDue())
    const { maxOffset } = store.queueBounds(TIMER_TOPIC, 0)
    this.#round = { endOffset: maxOffset, startMs: clock.nowMs() }
    const isDueNow = timers.firstWakeMs + rules.precisionMs <= this.#round.startMs
    return isDue || isDueNow || this.#queueOffset < maxOffset
  }

  /** Waits for a message, or until the first one is due. False when the store has closed. */
  async #wait(signal: AbortSignal): Promise<boolean> {
    const { clock, rules, store, timers } = this.#parts
    const waitMs = timers.firstWakeMs + rules.precisionMs - clock.nowMs()
    const timeoutMs =
      this.#isSaved && timers.count === 0 ? undefined : Math.min(waitMs, CLOCK_LOOK_MS)
    const end = store.queueEnd(TIMER_TOPIC, 0)
    const point = this.#queueOffset + 1
    if (await end.reached(point, { signal, timeoutMs })) return true
    return !signal.aborted && timeoutMs !== undefined
  }

  async #follow(): Promise<void> {
    const { logger, rules, store, timers } = this.#parts
    const offset = this.#queueOffset
    const read = await this.#read(offset)
    for (const record of read.records) {
      const timer = timerOf(record, rules)
      const { logOffset, queueOffset } = record
      if (timer !== undefined) timers.add(timer)
      else logger.error('A timed message does not say when it is due.', { queueOffset, logOffset })
      this.#queueOffset = queueOffset + 1
      this.#enqueuedTotal++
    }
    // Some may be gone from the log, as all of it is old.
    const { minOffset } = store.queueBounds(TIMER_TOPIC, 0)
    this.#queueOffset = Math.max(this.#queueOffset, read.nextOffset, minOffset)
  }

  async #read(offset: number): ReturnType<typeof readTimers> {
    try {
      return await readTimers(this.#parts.store, offset)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.#parts.logger.error('A timed message is lost.', { queueOffset: offset, error })
      return { records: [], nextOffset: offset + 1 }
    }
  }

  #takeDue(): PendingTimer[] {
    const { rules, timers } = this.#parts
    const due: PendingTimer[] = []
    const untilMs = this.#round.startMs - rules.precisionMs
    let bytes = 0
    while (timers.firstWakeMs <= untilMs && due.length < MAX_DUE_MESSAGES) {
      if (bytes > MAX_DUE_BYTES) break
      const timer = timers.takeFirst()
      due.push(timer)
      bytes += timer.sizeBytes
    }
    return due
  }

  /** What cannot be delivered now waits on. */
  async #deliver(due: readonly PendingTimer[]): Promise<void> {
    const { clock, timers } = this.#parts
    let waiting = due
    let done = 0
    let reason: string | undefined
    try {
      const records = await Promise.all(due.map((timer) => this.#recordOf(timer)))
      waiting = due.map((timer, i) => this.#withoutRoll(timer, records[i]))
      // They go back to their places: what calls others off comes before them.
      if (waiting.some((timer, i) => timer !== due[i])) return
      for (const [i, timer] of due.entries()) {
        const record = records[i]
        reason = record === undefined ? undefined : this.#finish(timer, record)
        if (reason !== undefined) break
        done++
      }
    } finally {
      this.#deliveredTotal += done
      for (const timer of waiting.slice(done)) timers.add(timer)
    }
    if (reason === undefined) this.#toldOf = ''
    else {
      this.#tell('A timed message cannot be delivered; the broker tries again.', { error: reason })
      await pause(clock, DELIVER_AGAIN_MS, this.#stopping.signal)
    }
  }

  /**
   * A message that is to be put behind the others though its time is over by now, as the broker was
   * away or its clock was set, is due instead.
   */
  #withoutRoll(timer: PendingTimer, record: StoredRecord | undefined): PendingTimer {
    if (!timer.isRoll || record === undefined) return timer
    const { rules } = this.#parts
    const due = timerOf(record, { ...rules, rollWindowMs: Number.POSITIVE_INFINITY })
    const isOver = due !== undefined && due.wakeMs + rules.precisionMs <= this.#round.startMs
    return isOver ? due : timer
  }

  /** Undefined when it is lost. */
  async #recordOf({ logOffset, sizeBytes }: PendingTimer): Promise<StoredRecord | undefined> {
    const { logger, store } = this.#parts
    try {
      const bytes = await store.messageAt(logOffset)
      const record = bytes === undefined ? undefined : readRecord(bytes, 0)
      if (record?.topic === TIMER_TOPIC && record.sizeBytes === sizeBytes) return record
      const sentence =
        'A timed message is gone from the log before it was due: raise fileReservedTime, or give the ' +
        'volume more room.'
      logger.error(sentence, { logOffset })
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      logger.error('A timed message is lost.', { logOffset, error })
    }
    return undefined
  }

  /** Why it is not done with. */
  #finish(timer: PendingTimer, record: StoredRecord): string | undefined {
    const { clock, logger, store, traffic } = this.#parts
    const { isRecall, isRoll, logOffset, wakeMs } = timer
    if (this.#recalled !== undefined && this.#recalled.slotMs !== wakeMs) this.#recalled = undefined
    if (!isRoll && isRecall) {
      this.#recalled ??= { slotMs: wakeMs, keys: new Set(), timers: [] }
      this.#recalled.keys.add(recalledBy(record.properties) ?? '')
      this.#recalled.timers.push(timer)
      return undefined
    }
    if (!isRoll && this.#isRecalled(record)) return undefined
    const nowMs = clock.nowMs()
    const copy = isRoll ? rolledCopyOf(record, nowMs) : timedCopyOf(record, nowMs)
    if (copy === undefined) {
      logger.error('A timed message does not say where it belongs: it is dropped.', { logOffset })
      return undefined
    }
    const outcome = store.append(copy)
    if (outcome.kind === 'not-writable' || outcome.kind === 'too-few-replicas') {
      return outcome.reason
    }
    if (outcome.kind === 'appended') traffic.notePut(copy.topic, 1, copy.body.length)
    else logger.error('A timed message is dropped.', { logOffset, reason: outcome.reason })
    return undefined
  }

  #isRecalled({ properties }: StoredRecord): boolean {
    if (this.#recalled === undefined) return false
    const topic = findProperty(properties, 'REAL_TOPIC') ?? ''
    const uniqueKey = findProperty(properties, 'UNIQ_KEY') ?? ''
    return this.#recalled.keys.has(recallKey(topic, uniqueKey))
  }

  get #changes(): number {
    return this.#enqueuedTotal + this.#deliveredTotal
  }

  get #isSaved(): boolean {
    return this.#changesSaved === this.#changes
  }

  /** More rarely when there is much to write. */
  #saveNowAndThen(): void {
    const { clock, savePeriodMs, timers } = this.#parts
    if (this.#saving !== undefined || this.#isSaved) return
    // Half a slot is not to be saved without what is called off in it.
    if (this.#recalled?.slotMs === timers.firstWakeMs) return
    const periods = Math.min(6, 1 + timers.count / TIMERS_PER_SAVE_PERIOD)
    if (clock.monotonicMs() - this.#savedMs < savePeriodMs * periods) return
    this.#saving = this.#save()
      .catch((error: unknown) => {
        this.#tell('What timed messages wait cannot be saved; the broker tries again.', { error })
      })
      .finally(() => {
        this.#saving = undefined
      })
  }

  async #save(mark = 0): Promise<void> {
    const { clock, store, timers } = this.#parts
    this.#savedMs = clock.monotonicMs()
    const changes = this.#changes
    const logOffset = store.runtime().appendedOffset
    const state = { logOffset, queueOffset: this.#queueOffset, mark, image: timers.image() }
    if (!(await store.marks.flushed.reached(logOffset))) return
    await this.#file.write(state)
    this.#changesSaved = changes
  }

  async #leave(): Promise<void> {
    const { clock, rules, store, timers } = this.#parts
    if (!this.#isUsed) return
    await store.checkpoint()
    const { slotMs, timers: calling } = this.#recalled ?? { slotMs: Number.NaN, timers: [] }
    // They may be needed for the rest of their slot.
    if (slotMs === timers.firstWakeMs) for (const timer of calling) timers.add(timer)
    const { precisionMs } = rules
    const firstMs = Math.min(timers.firstWakeMs, clock.nowMs())
    const readTimeMs = Math.floor(firstMs / precisionMs) * precisionMs
    const check = this.#checkFiles.numbersOf({ readTimeMs, queueOffset: this.#queueOffset })
    await this.#save(check.mark)
    const [last] = await store.units(TIMER_TOPIC, 0, Math.max(0, this.#queueOffset - 1), 1)
    const { logOffset = 0, sizeBytes = 0 } = last ?? {}
    const over = { logOffset, sizeBytes, slotMs: readTimeMs - precisionMs, precisionMs }
    await this.#checkFiles.leave(check.bytes, timers, over)
  }

  /** The same failure is told of once. */
  #tell(sentence: string, fields: { readonly error: unknown }): void {
    const told = `${sentence} ${String(fields.error)}`
    if (told === this.#toldOf) return
    this.#toldOf = told
    this.#parts.logger.error(sentence, fields)
  }
}
