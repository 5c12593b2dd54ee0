/**
 * What an operator asks of messages that nobody sees yet: those that wait for their times, and those
 * whose transactions are open. Ours only; Apache's brokers do not know these codes.
 */
import { command } from '../command.ts'
import { int32, name, optional } from '../field.ts'

const maxCount = optional(int32('most messages of the answer: 1 … 1000, 100 when absent'))

/** Answer body: `ListedTimers`. */
export const LIST_PENDING_TIMERS = command(77_001, 'LIST_PENDING_TIMERS', {
  request: { topic: optional(name('only those that are to go to this topic')), maxCount },
})

/** Answer body: `ListedTransactions`. */
export const LIST_OPEN_TRANSACTIONS = command(77_002, 'LIST_OPEN_TRANSACTIONS', {
  request: { producerGroup: optional(name('only those of this group of producers')), maxCount },
})
