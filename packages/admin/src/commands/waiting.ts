/**
 * The verbs of messages that nobody sees yet: those that wait for their times, and those whose
 * transactions are open. Not among Apache's.
 */
import type { ListedTimer, ListedTransaction } from '@rockhopper/protocol'
import { openTransactions, pendingTimers, type Waiting } from '../operations/waiting.ts'
import { text, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { type VerbContext, verb } from '../verb.ts'
import { targetOf, targetOptions } from './target.ts'

const DEFAULT_COUNT = 100
const SECOND_MS = 1_000

function timerColumns(timeText: VerbContext['timeText']): readonly Column<ListedTimer>[] {
  return [
    { title: '#Due', width: 23, cell: ({ dueTimestamp }) => timeText(dueTimestamp) },
    { title: '#Topic', width: 24, cell: ({ topic }) => topic },
    { title: '#Message ID', width: 32, cell: ({ uniqueKey }) => uniqueKey },
    { title: '#Keys', width: 16, cell: ({ keys }) => keys },
    { title: '#State', width: 8, cell: ({ isRecalled }) => (isRecalled ? 'recalled' : 'waits') },
    { title: '#Recall Handle', width: 0, cell: ({ recallHandle }) => recallHandle },
  ]
}

function transactionColumns(
  timeText: VerbContext['timeText'],
): readonly Column<ListedTransaction>[] {
  return [
    { title: '#Begun', width: 23, cell: ({ bornTimestamp }) => timeText(bornTimestamp) },
    { title: '#Age(s)', width: 8, align: 'right', cell: ({ ageMs }) => seconds(ageMs) },
    { title: '#Checks', width: 7, align: 'right', cell: ({ checks }) => checks },
    { title: '#Producer Group', width: 24, cell: ({ producerGroup }) => producerGroup },
    { title: '#Topic', width: 24, cell: ({ topic }) => topic },
    { title: '#Message ID', width: 32, cell: ({ uniqueKey }) => uniqueKey },
    { title: '#Keys', width: 0, cell: ({ keys }) => keys },
  ]
}

export const listPendingTimersVerb = verb({
  name: 'listPendingTimers',
  description: 'List messages that wait for their times, those that are due first.',
  options: {
    ...targetOptions,
    topic: text('t', 'only those that are to go to this topic'),
    count: whole('m', `most messages of each broker, up to 1000 (${DEFAULT_COUNT})`, 1),
  },
  async run({ client, timeText }, { count = DEFAULT_COUNT, topic, ...target }) {
    const waiting = await pendingTimers(client, targetOf(target), topic, count)
    const lines = [...formatTable(timerColumns(timeText), waiting.messages), '', summary(waiting)]
    return { lines, json: waiting }
  },
})

export const listOpenTransactionsVerb = verb({
  name: 'listOpenTransactions',
  description: 'List messages whose transactions are open, those that are open for longest.',
  options: {
    ...targetOptions,
    producerGroup: text('g', 'only those of this group of producers'),
    count: whole('m', `most messages of each broker, up to 1000 (${DEFAULT_COUNT})`, 1),
  },
  async run({ client, timeText }, { count = DEFAULT_COUNT, producerGroup, ...target }) {
    const waiting = await openTransactions(client, targetOf(target), producerGroup, count)
    const columns = transactionColumns(timeText)
    return {
      lines: [...formatTable(columns, waiting.messages), '', summary(waiting)],
      json: waiting,
    }
  },
})

function summary({ count, hasMore, messages }: Waiting<unknown>): string {
  const rest = hasMore ? ', and there are more' : ''
  return `${messages.length} are listed${rest}; ${count} wait in all.`
}

function seconds(ms: number): string {
  return (ms / SECOND_MS).toFixed(1)
}
