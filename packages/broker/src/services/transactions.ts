/**
 * The transactions of a broker: what is sent as their first half, how they end, and who is asked when
 * they do not. Owns the parts that do it, and what came before it was known which are open.
 *
 * A transaction ends once: whether it is open is known in memory, the copy that makes it visible is
 * stored in the same turn, and after a crash both can be told from the log
 * (`transaction-recovery.ts`). How far the queues of half and op messages are done with is kept as the
 * progress of Apache's group of that name, and never ahead of what is on the device.
 */
import { type Clock, every, type Logger, type Loop, pause } from '@rockhopper/host'
import { readRecord, responseCode, type StoredRecord, sysFlag } from '@rockhopper/protocol'
import type { Store } from '@rockhopper/store'
import { CHECK_AGAIN_MS, MAX_OPEN_TRANSACTIONS } from '../limits.ts'
import {
  committedCopyOf,
  HALF_QUEUE,
  HALF_TOPIC,
  type Half,
  type HalfPlace,
  halfOf,
} from '../rules/half-message.ts'
import { OP_QUEUE, OP_TOPIC } from '../rules/op-message.ts'
import { TRANSACTION_GROUP } from '../rules/system-topics.ts'
import { type EndHeader, type EndRefusal, refusal, refusalOfEnd } from '../rules/transaction-end.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import { type OpenTransaction, OpenTransactions } from '../tables/transactions.ts'
import { CheckBack, type CheckBackParts } from './check-back.ts'
import { OpLog, type OpLogParts } from './op-log.ts'
import type { TrafficCounters } from './traffic.ts'
import { recoverTransactions } from './transaction-recovery.ts'

type Derived = 'transactions' | 'ops'

export interface TransactionParts extends OpLogParts, Omit<CheckBackParts, Derived> {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Store
  readonly offsets: OffsetTable
  readonly traffic: TrafficCounters
  /** How long a transaction waits before its producer is first asked. */
  readonly firstCheckMs: number
  /** How often it is noted how far the queues are done with. */
  readonly noteEveryMs: number
}

/** How a request to end a transaction ended: `over` when that had happened before. */
export type EndOutcome =
  | { readonly kind: 'ended'; readonly endOffset: number }
  | { readonly kind: 'over' }
  | EndRefusal

const NOT_READY = refusal(
  responseCode.SERVICE_NOT_AVAILABLE,
  'the broker is stopping: its producer will be asked about the transaction',
)
const NO_HALF = refusal(
  responseCode.SYSTEM_ERROR,
  'Find prepared transaction message failed: no half message of this broker begins there, or it has ' +
    'been removed since',
)
const HOMELESS = refusal(
  responseCode.SYSTEM_ERROR,
  'the half message does not say to which topic it belongs',
)

export class Transactions {
  readonly #parts: TransactionParts
  readonly #open: OpenTransactions
  readonly #ops: OpLog
  readonly #checkBack: CheckBack
  readonly #stopping = new AbortController()
  readonly #ready: Promise<void>
  #setReady: () => void = () => undefined
  /** Half messages that were sent before it is known which are open; afterwards undefined. */
  #early: HalfPlace[] | undefined = []
  #running: Promise<unknown> | undefined
  #noting: Loop | undefined
  #isFailing = false

  constructor(parts: TransactionParts) {
    this.#parts = parts
    this.#open = new OpenTransactions(parts.clock)
    this.#ops = new OpLog(parts)
    const derived = { transactions: this.#open, ops: this.#ops }
    this.#checkBack = new CheckBack({ ...parts, ...derived })
    this.#ready = new Promise((resolve) => {
      this.#setReady = resolve
    })
  }

  /** Whether no more transactions may be opened for now. */
  get isFull(): boolean {
    return this.#open.size + (this.#early?.length ?? 0) >= MAX_OPEN_TRANSACTIONS
  }

  get openCount(): number {
    return this.#open.size
  }

  /** The transactions that are open for longest, so many at the most. */
  open(maxCount: number): OpenTransaction[] {
    const found: OpenTransaction[] = []
    for (const transaction of this.#open.all()) {
      if (found.length >= maxCount) break
      found.push(transaction)
    }
    return found
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Writes down which transactions are over, and how far the queues are done with. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#checkBack.stop()
    this.#ops.stop()
    this.#setReady()
    await this.#running
    if (this.#noting === undefined) return
    await this.#noting.stop()
    this.#ops.write()
    this.#ops.writeSuperseded(this.#open.superseded)
    try {
      await this.#parts.store.checkpoint()
      await this.#note()
    } catch (error) {
      this.#noteFailure(error)
    }
  }

  /** A half message was stored. */
  opened(place: HalfPlace): void {
    if (this.#early !== undefined) this.#early.push(place)
    else this.#openNow(place)
  }

  /**
   * Ends a transaction as its producer says. `bits` are those of a commit or of a rollback. Rejects
   * with `DiskError` or `CorruptionError` when the half message cannot be read.
   */
  async end(header: EndHeader, bits: number): Promise<EndOutcome> {
    if (this.#early !== undefined) await this.#ready
    if (this.#early !== undefined) return NOT_READY
    const read = this.#parts.store.messageAt(header.commitLogOffset)
    const bytes = read instanceof Promise ? await read : read
    const record = bytes && readRecord(bytes, 0)
    if (record === undefined || record.topic !== HALF_TOPIC) return NO_HALF
    const half = halfOf(record)
    const refused = refusalOfEnd(header, record, half, this.#parts.clock.nowMs())
    if (refused !== undefined) return refused
    const transaction = this.#open.get(half.first)
    if (transaction === undefined) return { kind: 'over' }
    if (bits === sysFlag.transactionCommit) return this.#commit(transaction, record, half)
    this.#close(transaction)
    return { kind: 'ended', endOffset: 0 }
  }

  #commit(transaction: OpenTransaction, record: StoredRecord, half: Half): EndOutcome {
    const { store, traffic } = this.#parts
    const copy = committedCopyOf(record, half, transaction.newest.logOffset)
    if (copy === undefined) return HOMELESS
    const outcome = store.append(copy)
    if (outcome.kind !== 'appended') return refusal(responseCode.SYSTEM_ERROR, outcome.reason)
    this.#close(transaction)
    traffic.notePut(copy.topic, 1, copy.body.length)
    return { kind: 'ended', endOffset: outcome.endOffset }
  }

  #close({ first, newest }: OpenTransaction): void {
    this.#open.close(first)
    this.#ops.note(newest.queueOffset)
  }

  #openNow(place: HalfPlace): void {
    this.#open.open(place, this.#parts.firstCheckMs)
  }

  async #run(): Promise<void> {
    const { clock, noteEveryMs } = this.#parts
    const { signal } = this.#stopping
    while (!(await this.#hasRecovered())) await pause(clock, CHECK_AGAIN_MS, signal)
    if (signal.aborted) return
    const early = this.#early ?? []
    this.#early = undefined
    const { end } = this.#open
    for (const place of early) if (place.queueOffset >= end) this.#openNow(place)
    this.#setReady()
    const noteFailure = (error: unknown): void => this.#noteFailure(error)
    this.#noting = every(clock, noteEveryMs, () => this.#note(), noteFailure)
    await Promise.all([this.#checkBack.run(), this.#ops.run()])
  }

  /** Whether there is no need to try again. */
  async #hasRecovered(): Promise<boolean> {
    const { nextCheckMs } = this.#parts
    const { signal } = this.#stopping
    const derived = { transactions: this.#open, ops: this.#ops, nextCheckMs }
    try {
      await recoverTransactions({ ...this.#parts, ...derived }, signal)
      return true
    } catch (error) {
      if (!this.#isFailing) {
        const sentence = 'No transaction can end, as it cannot be read which of them are open.'
        this.#parts.logger.error(sentence, { error })
      }
      this.#isFailing = true
      return signal.aborted
    }
  }

  /** Notes how far the queues are done with, when what that leads to is on the device. */
  async #note(): Promise<void> {
    const { store } = this.#parts
    const half = this.#open.lowest ?? this.#open.end
    const op = this.#ops.neededFrom(half)
    if (this.#isNoted(half, op)) return
    if (!(await store.marks.flushed.reached(store.runtime().appendedOffset))) return
    const { offsets } = this.#parts
    offsets.commit(TRANSACTION_GROUP, HALF_TOPIC, HALF_QUEUE, half)
    offsets.commit(TRANSACTION_GROUP, OP_TOPIC, OP_QUEUE, op)
    this.#isFailing = false
  }

  #isNoted(half: number, op: number): boolean {
    const { offsets } = this.#parts
    return (
      (offsets.get(TRANSACTION_GROUP, HALF_TOPIC, HALF_QUEUE) ?? 0) === half &&
      (offsets.get(TRANSACTION_GROUP, OP_TOPIC, OP_QUEUE) ?? 0) === op
    )
  }

  #noteFailure(error: unknown): void {
    if (this.#isFailing) return
    this.#isFailing = true
    this.#parts.logger.error('It cannot be noted which transactions are over.', { error })
  }
}
