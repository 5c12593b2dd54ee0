/**
 * Writes down which half messages are done with: many in one message, so that a transaction costs two
 * messages and a little. Owns those that are not written yet, and which of the messages that it
 * wrote are still needed.
 * Source: Apache classes TransactionalMessageServiceImpl, TransactionalOpBatchService.
 */
import { type Clock, type Logger, pause } from '@rockhopper/host'
import type { HostAddress } from '@rockhopper/protocol'
import { type Store, Watermark } from '@rockhopper/store'
import { opMessageOf, opTextOf } from '../rules/op-message.ts'

export interface OpLogParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Store
  readonly storeHost: HostAddress
  readonly uniqueKey: () => string
  /** Characters of a message above which it is written at once. */
  readonly opMaxChars: number
  /** How long what is to be written waits for more at the most. */
  readonly opIntervalMs: number
}

/** A message in the log, and the highest half message that it tells of. */
interface WrittenOp {
  readonly queueOffset: number
  readonly highest: number
}

export class OpLog {
  readonly #parts: OpLogParts
  /** How many half messages were ever noted. */
  readonly #noted: Watermark
  readonly #stopping = new AbortController()
  #pending: number[] = []
  #pendingChars = 0
  #written: WrittenOp[] = []
  #end = 0
  #isFailing = false

  constructor(parts: OpLogParts) {
    this.#parts = parts
    this.#noted = new Watermark(parts.clock, 0)
  }

  /** A half message is done with. */
  note(halfOffset: number): void {
    this.#pending.push(halfOffset)
    this.#pendingChars += opTextOf(halfOffset).length
    this.#noted.advance(this.#noted.value + 1)
    if (this.#pendingChars > this.#parts.opMaxChars && !this.#isFailing) this.write()
  }

  /** A message that was written in an earlier life, in the order of the queue. */
  found(queueOffset: number, halfOffsets: readonly number[]): void {
    if (queueOffset >= this.#end) this.#add(queueOffset, halfOffsets)
  }

  /** The offset before which no message is needed, when no half message before `lowest` is. */
  neededFrom(lowest: number): number {
    const needed = this.#written.findIndex(({ highest }) => highest >= lowest)
    if (needed === -1) this.#written = []
    else if (needed > 0) this.#written = this.#written.slice(needed)
    return this.#written[0]?.queueOffset ?? this.#end
  }

  /** Ends when it is stopped. */
  async run(): Promise<void> {
    const { clock, opIntervalMs } = this.#parts
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const next = this.#pending.length === 0 ? this.#noted.value + 1 : 0
      if (!(await this.#noted.reached(next, { signal }))) return
      await pause(clock, opIntervalMs, signal)
      this.write()
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Writes all there is, unless the store does not take it: then it is tried again. */
  write(): void {
    while (this.#pending.length > 0) {
      const part = this.#partOf(this.#pending)
      if (!this.#append(part, part.length === this.#pending.length)) return
      this.#pending = this.#pending.slice(part.length)
      for (const offset of part) this.#pendingChars -= opTextOf(offset).length
    }
  }

  /** Writes which copies have newer ones, for whoever has the store next; all else is written. */
  writeSuperseded(halfOffsets: readonly number[]): void {
    for (let rest = halfOffsets; rest.length > 0; ) {
      const part = this.#partOf(rest)
      if (!this.#append(part, this.#pending.length === 0, true)) return
      rest = rest.slice(part.length)
    }
  }

  /** Those that go into one message. */
  #partOf(halfOffsets: readonly number[]): readonly number[] {
    let chars = 0
    let count = 0
    for (const offset of halfOffsets) {
      if (chars >= this.#parts.opMaxChars) break
      chars += opTextOf(offset).length
      count++
    }
    return halfOffsets.slice(0, Math.max(1, count))
  }

  #append(halfOffsets: readonly number[], isComplete: boolean, isSuperseded = false): boolean {
    const { clock, logger, store, storeHost, uniqueKey } = this.#parts
    const outcome = store.append(
      opMessageOf({
        text: halfOffsets.map(opTextOf).join(''),
        isComplete,
        isSuperseded,
        uniqueKey: uniqueKey(),
        bornTimestamp: clock.nowMs(),
        storeHost,
      }),
    )
    if (outcome.kind === 'appended') {
      this.#isFailing = false
      this.#add(outcome.queueOffset, halfOffsets)
      return true
    }
    if (!this.#isFailing) {
      const sentence =
        'Which transactions are over cannot be written down; the broker tries again, and finds out ' +
        'from the log if it ends before.'
      logger.error(sentence, { reason: outcome.reason })
    }
    this.#isFailing = true
    return false
  }

  #add(queueOffset: number, halfOffsets: readonly number[]): void {
    this.#end = queueOffset + 1
    const highest = halfOffsets.reduce((most, offset) => Math.max(most, offset), -1)
    this.#written.push({ queueOffset, highest })
  }
}
