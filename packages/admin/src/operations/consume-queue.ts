/** Looks at the entries of a consume queue. */
import {
  decodeConsumeQueue,
  QUERY_CONSUME_QUEUE,
  type QueriedConsumeQueue,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { addressesOf, topicRoute } from './topic-route.ts'

export interface QueueScope {
  readonly topic: string
  readonly queueId: number
  /** Queue offset of the first entry, and how many. */
  readonly index: number
  readonly count: number
  /** Address of the broker; the first one of the topic's route when absent. */
  readonly brokerAddr?: string | undefined
  /** Group whose subscription is shown as well. */
  readonly consumerGroup?: string | undefined
}

/** Rejects with `AdminError` when there is no such queue. */
export async function consumeQueue(
  client: AdminClient,
  { brokerAddr, ...header }: QueueScope,
): Promise<QueriedConsumeQueue> {
  const address = brokerAddr ?? addressesOf(await topicRoute(client, header.topic))[0]?.address
  if (address === undefined) {
    throw new AdminError(`The topic "${header.topic}" has no broker at the moment.`)
  }
  const answer = await client.askBroker(address, QUERY_CONSUME_QUEUE, header)
  return decodeConsumeQueue(answer.body)
}
