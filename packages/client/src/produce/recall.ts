/**
 * Calls a message off that waits for its time. Source: Apache class DefaultMQProducerImpl
 * (recallMessage); `client.md` section 3.12. Owns nothing.
 */
import {
  decodeRecallHandle,
  isDeadLetterTopic,
  isRetryTopic,
  RECALL_MESSAGE,
  type RecallHandle,
  responseCode,
} from '@rockhopper/protocol'
import { RemoteError } from '@rockhopper/remoting'
import type { BrokerLink } from '../cluster/broker-link.ts'
import { clientErrorOf } from '../cluster/retry-policy.ts'
import { badOption } from '../errors.ts'
import type { Names } from '../namespace/names.ts'

export interface RecallTerms {
  readonly group: string
  readonly timeoutMs: number
}

/** What a handle says. Throws `ClientError` BAD_OPTION. */
export function readRecallHandle(topic: string, recallHandle: string, names: Names): RecallHandle {
  if (isRetryTopic(topic) || isDeadLetterTopic(topic)) {
    throw badOption(`messages of topic "${topic}" cannot be called off`, 'name the first topic')
  }
  const handle = decodeRecallHandle(recallHandle)
  if (handle?.topic === names.full(topic)) return handle
  const whose = handle === undefined ? 'is none' : `is of a message to "${handle.topic}"`
  throw badOption(
    `the recall handle of a message to "${topic}" ${whose}`,
    'use the recallHandle of its SendResult',
  )
}

/** The unique key of the message. Rejects with `ClientError`. */
export async function recallMessage(
  link: BrokerLink,
  topic: string,
  recallHandle: string,
  { group, timeoutMs }: RecallTerms,
): Promise<string> {
  const { brokerName } = link
  const header = { producerGroup: group, topic, recallHandle, brokerName }
  try {
    const answer = await link.call(RECALL_MESSAGE, header, { timeoutMs })
    if (answer.code === responseCode.SUCCESS) return answer.header().msgId
    const from = link.address ?? brokerName
    throw new RemoteError(from, RECALL_MESSAGE.name, answer.code, answer.remark)
  } catch (error) {
    throw clientErrorOf(error)
  }
}
