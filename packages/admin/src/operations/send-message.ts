/** Sends one message, to see whether a topic takes it. */
import {
  DefaultProducer,
  type Message,
  type MessageQueue,
  type SendResult,
} from '@rockhopper/client'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'

/** The group in whose name the tools send. */
export const PRODUCER_GROUP = 'TOOLS_PRODUCER'

export interface SendTarget {
  /** Only to this broker. */
  readonly brokerName?: string | undefined
  /** Only to this queue of the broker. */
  readonly queueId?: number | undefined
  /** Whether to leave a trace of the message; default false. */
  readonly messageTrace?: boolean | undefined
}

/** Rejects with `ClientError` when the message was not stored, or with `AdminError`. */
export async function sendMessage(
  client: AdminClient,
  message: Message,
  { brokerName, queueId, messageTrace = false }: SendTarget = {},
): Promise<SendResult> {
  const { host, nameServers } = client
  const names = { namesrvAddr: nameServers, group: PRODUCER_GROUP }
  const producer = new DefaultProducer({ host, ...names, messageTrace })
  await producer.start()
  try {
    if (brokerName === undefined) return await producer.send(message)
    const selector = (queues: readonly MessageQueue[]): MessageQueue =>
      queueAmong(queues, brokerName, queueId)
    return await producer.send(message, { selector })
  } finally {
    await producer.close()
  }
}

function queueAmong(
  queues: readonly MessageQueue[],
  brokerName: string,
  queueId: number | undefined,
): MessageQueue {
  const found = queues.find(
    (queue) =>
      queue.brokerName === brokerName && (queueId === undefined || queue.queueId === queueId),
  )
  if (found !== undefined) return found
  const known = queues.map((queue) => `${queue.brokerName}/${queue.queueId}`).join(', ')
  throw new AdminError(`The topic has no such queue to send to: it has ${known}.`)
}
