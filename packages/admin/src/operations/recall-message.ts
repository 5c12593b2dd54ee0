/** Calls off a message that waits for its time. */
import { DefaultProducer } from '@rockhopper/client'
import { decodeRecallHandle } from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import { PRODUCER_GROUP } from './send-message.ts'

/** A message that was called off. */
export interface Recalled {
  /** Its unique key. */
  readonly msgId: string
  readonly topic: string
  readonly brokerName: string
  /** Wall time at which it would have been delivered, in ms since 1970. */
  readonly dueTimestamp: number
}

/**
 * Rejects with `AdminError` when the handle is none, or of another topic than is said, and with
 * `ClientError` when its broker does not call the message off.
 */
export async function recallMessage(
  { host, nameServers }: AdminClient,
  recallHandle: string,
  topic: string | undefined,
): Promise<Recalled> {
  const handle = decodeRecallHandle(recallHandle)
  if (handle === undefined) {
    throw new AdminError(
      `"${recallHandle}" is no recall handle: mqadmin listPendingTimers shows those of messages ` +
        'that wait, and a SendResult has that of its message.',
    )
  }
  if (topic !== undefined && topic !== handle.topic) {
    throw new AdminError(
      `The handle is of a message to "${handle.topic}", not to "${topic}": leave out -t, or name ` +
        'that topic.',
    )
  }
  // The handle names the topic as brokers know it: there is no namespace to put it into.
  const producer = new DefaultProducer({
    ...{ host, namesrvAddr: nameServers, group: PRODUCER_GROUP },
  })
  await producer.start()
  try {
    const msgId = await producer.recall(handle.topic, recallHandle)
    const { brokerName, timestampMs } = handle
    // A handle says a millisecond more.
    return { msgId, topic: handle.topic, brokerName, dueTimestamp: timestampMs - 1 }
  } finally {
    await producer.close()
  }
}
