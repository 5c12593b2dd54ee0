/**
 * Gives a message that failed back to its broker, which delivers it again later or lays it aside as
 * a dead letter. Source: `client.md` section 6.4, `broker-api.md` section 3.4. Owns nothing.
 */
import { CONSUMER_SEND_MSG_BACK } from '@rockhopper/protocol'
import type { Cluster } from './cluster.ts'
import type { ReceivedMessage } from './received-message.ts'
import { MASTER_ID } from './routes.ts'

const SEND_BACK_TIMEOUT_MS = 5_000

export interface SendBackParts {
  readonly cluster: Cluster
  readonly group: string
  /** Tries after which a message becomes a dead letter. */
  readonly maxReconsumeTimes: number
}

/** Resolves when the broker has stored the copy. Throws remoting errors. */
export async function sendBack(
  parts: SendBackParts,
  message: ReceivedMessage,
  delayLevel: number,
): Promise<void> {
  const { cluster, group, maxReconsumeTimes } = parts
  const { address } = cluster.replica(message.queue.brokerName, MASTER_ID)
  const header = {
    offset: message.logOffset,
    group,
    delayLevel,
    originMsgId: message.msgId,
    originTopic: message.topic,
    unitMode: false,
    maxReconsumeTimes,
  }
  const options = { timeoutMs: SEND_BACK_TIMEOUT_MS }
  await cluster.remoting.request(address, CONSUMER_SEND_MSG_BACK, header, options)
}
