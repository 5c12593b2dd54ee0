/** Messages that nobody sees yet: they wait for their times, or their transactions are open. */
import {
  decodeListedTimers,
  decodeListedTransactions,
  LIST_OPEN_TRANSACTIONS,
  LIST_PENDING_TIMERS,
  type ListedTimer,
  type ListedTransaction,
  responseCode,
} from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { mastersOfCluster, type Target } from './clusters.ts'

/** Some of those that wait at one or several brokers. */
export interface Waiting<T> {
  /** How many there are in all. */
  readonly count: number
  readonly messages: readonly (T & { readonly brokerAddr: string })[]
  /** Whether there may be more than these that were asked for. */
  readonly hasMore: boolean
}

/** Those that are due first. Rejects with `AdminError`, also when a broker is none of ours. */
export async function pendingTimers(
  client: AdminClient,
  target: Target,
  topic: string | undefined,
  maxCount: number,
): Promise<Waiting<ListedTimer>> {
  const answers = await askAll(client, target, async (address) => {
    const answer = await client.askBroker(address, LIST_PENDING_TIMERS, { topic, maxCount })
    const { count, hasMore, timers } = decodeListedTimers(answer.body)
    return { count, hasMore, messages: timers.map((timer) => ({ ...timer, brokerAddr: address })) }
  })
  return together(answers, maxCount, (timer) => timer.dueTimestamp)
}

/** Those that are open for longest. Rejects with `AdminError`, also when a broker is none of ours. */
export async function openTransactions(
  client: AdminClient,
  target: Target,
  producerGroup: string | undefined,
  maxCount: number,
): Promise<Waiting<ListedTransaction>> {
  const answers = await askAll(client, target, async (address) => {
    const header = { producerGroup, maxCount }
    const answer = await client.askBroker(address, LIST_OPEN_TRANSACTIONS, header)
    const { count, hasMore, transactions } = decodeListedTransactions(answer.body)
    const messages = transactions.map((each) => ({ ...each, brokerAddr: address }))
    return { count, hasMore, messages }
  })
  return together(answers, maxCount, (transaction) => transaction.bornTimestamp)
}

async function askAll<T>(
  client: AdminClient,
  target: Target,
  ask: (address: string) => Promise<Waiting<T>>,
): Promise<Waiting<T>[]> {
  const addresses =
    'brokerAddr' in target
      ? [target.brokerAddr]
      : (await mastersOfCluster(client, target.clusterName)).map(({ address }) => address)
  return await Promise.all(
    addresses.map((address) =>
      ask(address).catch((error: unknown) => {
        throw isUnknown(error) ? notOurs(address) : error
      }),
    ),
  )
}

function isUnknown(error: unknown): boolean {
  const cause = error instanceof AdminError ? error.cause : error
  return cause instanceof RemoteError && cause.code === responseCode.REQUEST_CODE_NOT_SUPPORTED
}

function notOurs(address: string): AdminError {
  return new AdminError(
    `The broker ${address} does not list messages that wait: only brokers of this suite do.`,
  )
}

function together<T>(
  answers: readonly Waiting<T>[],
  maxCount: number,
  timeOf: (message: T) => number,
): Waiting<T> {
  const messages = answers.flatMap((answer) => answer.messages)
  messages.sort((one, other) => timeOf(one) - timeOf(other))
  return {
    count: answers.reduce((sum, { count }) => sum + count, 0),
    messages: messages.slice(0, maxCount),
    hasMore: messages.length > maxCount || answers.some(({ hasMore }) => hasMore),
  }
}
