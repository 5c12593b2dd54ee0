/**
 * Asks producers about transactions that they did not end, and gives up those that nobody knows.
 * Owns which producer was asked last, and which failure was told of last.
 *
 * Before a producer is asked, a copy of the half message goes to the end of its queue, so that the
 * queue is consumed in order, and the copy tells how often it was asked.
 * Source: Apache classes TransactionalMessageServiceImpl, ProducerManager;
 * `scheduling-and-transactions.md` section 5.4.
 */
import { type Clock, type Logger, pause } from '@rockhopper/host'
import { CHECK_TRANSACTION_STATE, type StoredRecord, topicConfig } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import type { Appended, MessageToStore, Store } from '@rockhopper/store'
import { CHECK_AGAIN_MS, MAX_CHECKS_PER_TURN } from '../limits.ts'
import {
  GIVEN_UP_TOPIC,
  givenUpCopyOf,
  HALF_QUEUE,
  HALF_TOPIC,
  type Half,
  halfOf,
  nextCopyOf,
} from '../rules/half-message.ts'
import { type CheckRules, checkRequestOf, decisionOn } from '../rules/transaction-check.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { TopicTable } from '../tables/topics.ts'
import type { OpenTransaction, OpenTransactions } from '../tables/transactions.ts'
import type { OpLog } from './op-log.ts'
import { queueRecords } from './queue-records.ts'

export interface CheckBackParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Store
  readonly topics: TopicTable
  readonly clients: ClientTable
  readonly transactions: OpenTransactions
  readonly ops: OpLog
  readonly brokerName: string
  readonly rules: CheckRules
  /** How long after a producer was asked it is asked again. */
  readonly nextCheckMs: number
}

export class CheckBack {
  readonly #parts: CheckBackParts
  readonly #stopping = new AbortController()
  #turn = 0
  #toldOf = ''

  constructor(parts: CheckBackParts) {
    this.#parts = parts
  }

  /** Ends soon after `stop`. */
  async run(): Promise<void> {
    const { clock } = this.#parts
    const { signal } = this.#stopping
    for (;;) {
      await this.#untilDue(signal)
      if (signal.aborted) return
      try {
        const isAllDone = await this.#lookAtDue(signal)
        if (isAllDone) await new Promise<void>((resolve) => clock.soon(resolve))
        else await pause(clock, CHECK_AGAIN_MS, signal)
      } catch (error) {
        this.#tell('Open transactions cannot be looked at; the broker tries again.', { error })
        await pause(clock, CHECK_AGAIN_MS, signal)
      }
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Waits for the first look that is due; one that comes meanwhile may be due before the others. */
  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock, transactions } = this.#parts
    while (!signal.aborted && transactions.due === undefined) {
      const { dueMs, hasFresh, opened } = transactions
      const timeoutMs = dueMs === undefined ? undefined : Math.max(0, dueMs - clock.monotonicMs())
      if (hasFresh && timeoutMs !== undefined) await pause(clock, timeoutMs, signal)
      else await opened.reached(opened.value + 1, { timeoutMs, signal })
    }
  }

  /** Whether the store took all that was to be stored. */
  async #lookAtDue(signal: AbortSignal): Promise<boolean> {
    const { transactions } = this.#parts
    for (let i = 0; i < MAX_CHECKS_PER_TURN && !signal.aborted; i++) {
      const { due } = transactions
      if (due === undefined) break
      const record = await this.#newestOf(due)
      // It may have ended while it was read.
      if (due.isOver || signal.aborted) continue
      if (record === undefined) transactions.close(due.first)
      else if (!this.#lookAt(due, record)) return false
    }
    this.#toldOf = ''
    return true
  }

  /** Undefined when the half message is gone from the log, or lost. */
  async #newestOf({ newest: { queueOffset: from } }: OpenTransaction) {
    const stretch = { topic: HALF_TOPIC, queueId: HALF_QUEUE, from, to: from + 1 }
    for await (const record of queueRecords(stretch, this.#parts)) {
      if (record.queueOffset === from) return record
    }
    return undefined
  }

  #lookAt(transaction: OpenTransaction, record: StoredRecord): boolean {
    const { clock, rules } = this.#parts
    const half = halfOf(record)
    const decision = decisionOn(half, clock.nowMs() - record.bornTimestamp, rules)
    switch (decision) {
      case 'ask':
        return this.#ask(transaction, record, half)
      case 'put-off':
        return this.#renew(transaction, nextCopyOf(record, half, half.checks)) !== undefined
      case 'too-often':
      case 'too-old':
        return this.#giveUp(transaction, record, half, decision)
    }
  }

  #ask(transaction: OpenTransaction, record: StoredRecord, half: Half): boolean {
    const copy = nextCopyOf(record, half, half.checks + 1)
    const place = this.#renew(transaction, copy)
    if (place === undefined) return false
    const producer = this.#producerOf(half)
    if (producer === undefined) return true
    const { header, body } = checkRequestOf(record, half, copy, place, this.#parts.brokerName)
    producer.oneway(CHECK_TRANSACTION_STATE, header, [body])
    return true
  }

  /** The producers of the group take turns; those whose connection is gone have none. */
  #producerOf({ producerGroup }: Half): Connection | undefined {
    if (producerGroup === undefined) return undefined
    const connected = this.#parts.clients
      .producersOf(producerGroup)
      .filter(({ connection }) => connection.isOpen)
    this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER
    return connected[this.#turn % connected.length]?.connection
  }

  /** Puts a copy in the place of a half message; undefined when the store does not take it. */
  #renew({ first }: OpenTransaction, copy: MessageToStore): Appended | undefined {
    const appended = this.#append(copy)
    if (appended === undefined) return undefined
    const { logOffset, queueOffset } = appended
    const { nextCheckMs, transactions } = this.#parts
    transactions.moved(first, { logOffset, queueOffset }, nextCheckMs)
    return appended
  }

  #giveUp(
    { first, newest }: OpenTransaction,
    record: StoredRecord,
    { checks, producerGroup, topic, uniqueKey }: Half,
    reason: 'too-often' | 'too-old',
  ): boolean {
    const { logger, ops, topics, transactions } = this.#parts
    topics.obtain(topicConfig(GIVEN_UP_TOPIC, { readQueueNums: 1, writeQueueNums: 1 }))
    if (this.#append(givenUpCopyOf(record)) === undefined) return false
    transactions.giveUp(first)
    ops.note(newest.queueOffset)
    const sentence =
      'A transaction is given up: its producers never said what becomes of it. Its message is in the ' +
      `topic ${GIVEN_UP_TOPIC}.`
    logger.warn(sentence, { reason, producerGroup, topic, checks, uniqueKey })
    return true
  }

  #append(message: MessageToStore): Appended | undefined {
    const outcome = this.#parts.store.append(message)
    if (outcome.kind === 'appended') return outcome
    const { reason } = outcome
    this.#tell('Producers cannot be asked about their transactions; the broker tries again.', {
      reason,
    })
    return undefined
  }

  /** The same failure is told of once. */
  #tell(sentence: string, fields: { readonly error?: unknown; readonly reason?: string }): void {
    const told = `${sentence} ${fields.reason ?? String(fields.error)}`
    if (told === this.#toldOf) return
    this.#toldOf = told
    this.#parts.logger.error(sentence, fields)
  }
}
