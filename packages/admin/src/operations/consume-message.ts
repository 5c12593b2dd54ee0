/** Reads messages of a topic without consuming them: no offset of any group moves. */
import type { MessageQueue } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { type SeenMessage, seenMessage } from './message.ts'
import { type PlacedQueue, queuesOf, type ReadScope, recordsOf } from './read-queue.ts'
import { topicRoute } from './topic-route.ts'

/** What was read of one queue. */
export interface ReadQueue {
  readonly queue: MessageQueue
  /** Whether the queue has more messages in the scope than were asked for. */
  readonly more: boolean
  readonly messages: readonly SeenMessage[]
}

/** Rejects with `AdminError` when there is no such topic, broker or queue. */
export async function readMessages(client: AdminClient, scope: ReadScope): Promise<ReadQueue[]> {
  const queues = queuesOf(await topicRoute(client, scope.topic), scope)
  const read: ReadQueue[] = []
  for (const queue of queues) read.push(await readQueue(client, queue, scope))
  return read
}

async function readQueue(
  client: AdminClient,
  placed: PlacedQueue,
  scope: ReadScope,
): Promise<ReadQueue> {
  const { address, ...queue } = placed
  const messages: SeenMessage[] = []
  let more = false
  for await (const { records, next, end } of recordsOf(client, placed, scope)) {
    messages.push(...records.map((record) => seenMessage(record, placed.brokerName)))
    more = messages.length > scope.count || (messages.length === scope.count && next < end)
    if (messages.length >= scope.count) break
  }
  return { queue, more, messages: messages.slice(0, scope.count) }
}
