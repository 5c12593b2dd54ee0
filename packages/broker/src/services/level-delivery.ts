/**
 * Delivers the messages of one level of delay, one after the other as they become due. Owns which
 * failure was told of last.
 *
 * A level waits for the first message in its queue, or for one to come. Copies are appended many in a
 * turn of the loop, and count as delivered at once: what a crash makes of that is seen to at the
 * next start (`delivered-before.ts`).
 * Source: Apache class ScheduleMessageService; `scheduling-and-transactions.md` section 2.2.
 */
import { type Clock, type Logger, pause } from '@rockhopper/host'
import { DELAY_TOPIC, type StoredRecord } from '@rockhopper/protocol'
import { CorruptionError, type ReadOutcome, type Store } from '@rockhopper/store'
import { CLOCK_LOOK_MS, DELIVER_AGAIN_MS, MAX_DUE_BYTES, MAX_DUE_MESSAGES } from '../limits.ts'
import { dueCopyOf } from '../rules/delayed-copy.ts'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'
import { correctOffset } from './delivered-before.ts'
import { DueTime } from './due-time.ts'
import { recordsIn } from './queue-records.ts'
import type { TrafficCounters } from './traffic.ts'

export interface LevelParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Store
  readonly offsets: DelayOffsetTable
  readonly traffic: TrafficCounters
}

export class LevelDelivery {
  readonly #parts: LevelParts
  readonly #level: number
  readonly #queueId: number
  readonly #dueTime: DueTime
  readonly #stopping = new AbortController()
  #toldOf = ''

  constructor(level: number, delayMs: number, parts: LevelParts) {
    this.#parts = parts
    this.#level = level
    this.#queueId = level - 1
    this.#dueTime = new DueTime(parts.clock, delayMs)
  }

  /** Ends soon after `stop`, or when the store closes. */
  async run(): Promise<void> {
    const { clock, offsets, store } = this.#parts
    const { signal } = this.#stopping
    for (;;) {
      const next = offsets.get(this.#level) + 1
      const isThere = await store.queueEnd(DELAY_TOPIC, this.#queueId).reached(next, { signal })
      if (!isThere || signal.aborted) return
      try {
        await this.#deliverNext(signal)
      } catch (error) {
        this.#tell('Delayed messages are not delivered; the broker tries again.', { error })
      }
      if (offsets.get(this.#level) < next) await pause(clock, DELIVER_AGAIN_MS, signal)
      else await new Promise<void>((resolve) => clock.soon(resolve))
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Waits until the first message is due, and delivers it and those behind it that are due too. */
  async #deliverNext(signal: AbortSignal): Promise<void> {
    const { clock, offsets, store } = this.#parts
    correctOffset(this.#level, this.#parts)
    const from = offsets.get(this.#level)
    const units = await store.units(DELAY_TOPIC, this.#queueId, from, MAX_DUE_MESSAGES)
    const [first, ...others] = units
    if (first === undefined) return
    for (;;) {
      const waitMs = this.#dueTime.waitOfFirst(from, first.tagsCode)
      if (signal.aborted) return
      if (waitMs <= 0) break
      await pause(clock, Math.min(waitMs, CLOCK_LOOK_MS), signal)
    }
    const notDue = others.findIndex(({ tagsCode }) => !this.#dueTime.isDue(tagsCode))
    await this.#deliver(from, notDue === -1 ? units.length : notDue + 1)
  }

  async #deliver(from: number, count: number): Promise<void> {
    const read = await this.#read(from, count)
    if (read === undefined) return this.#pass(from + 1)
    for (const record of recordsIn(read.slices)) {
      if (!this.#append(record)) return
      this.#pass(record.queueOffset + 1)
    }
    this.#toldOf = ''
    // Some may be gone from the log, as all of it is old.
    this.#pass(read.nextOffset)
  }

  /** Undefined when the first message is lost: then only it was asked for. */
  async #read(offset: number, count: number): Promise<ReadOutcome | undefined> {
    const place = { topic: DELAY_TOPIC, queueId: this.#queueId, offset }
    try {
      const size = { maxMessages: count, maxBytes: MAX_DUE_BYTES }
      return await this.#parts.store.read({ ...place, ...size })
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      if (count > 1) return this.#read(offset, 1)
      this.#parts.logger.error('A delayed message is lost.', { ...place, error })
      return undefined
    }
  }

  /** Whether the message is done with. */
  #append(record: StoredRecord): boolean {
    const { logger, store, traffic } = this.#parts
    const copy = dueCopyOf(record)
    const { logOffset, queueOffset } = record
    const place = { level: this.#level, queueOffset, logOffset }
    if (copy === undefined) {
      logger.error('A delayed message does not say where it belongs: it is dropped.', place)
      return true
    }
    const outcome = store.append(copy)
    if (outcome.kind === 'appended') {
      traffic.notePut(copy.topic, 1, copy.body.length)
      return true
    }
    const { reason } = outcome
    this.#tell('A delayed message cannot be delivered; the broker tries again.', {
      ...place,
      reason,
    })
    return false
  }

  #pass(queueOffset: number): void {
    const { offsets } = this.#parts
    if (queueOffset > offsets.get(this.#level)) offsets.put(this.#level, queueOffset)
  }

  /** The same failure is told of once. */
  #tell(sentence: string, fields: { readonly error?: unknown; readonly reason?: string }): void {
    const told = `${sentence} ${fields.reason ?? String(fields.error)}`
    if (told === this.#toldOf) return
    this.#toldOf = told
    this.#parts.logger.error(sentence, { level: this.#level, ...fields })
  }
}
