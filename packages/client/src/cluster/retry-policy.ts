/**
 * Failures of the wire and refusals of brokers: what they mean to an application, and which of them
 * are worth another attempt on another broker. Source: Apache class DefaultMQProducer
 * (retryResponseCodes); `client.md` section 3.3. Owns nothing.
 */
import { responseCode } from '@rockhopper/protocol'
import { ConnectionError, RemoteError, TimeoutError } from '@rockhopper/remoting'
import { ClientError } from '../errors.ts'

/** Answers after which another broker, or the same one later, may do better. */
const RETRYABLE_CODES: ReadonlySet<number> = new Set([
  responseCode.TOPIC_NOT_EXIST,
  responseCode.SERVICE_NOT_AVAILABLE,
  responseCode.SYSTEM_ERROR,
  responseCode.SYSTEM_BUSY,
  responseCode.NO_PERMISSION,
  responseCode.NO_BUYER_ID,
  responseCode.NOT_IN_CURRENT_UNIT,
  responseCode.GO_AWAY,
])

/** What a person can do about an answer. */
const HINTS: ReadonlyMap<number, string> = new Map([
  [responseCode.SYSTEM_ERROR, "look for this request in the broker's log"],
  [responseCode.SYSTEM_BUSY, 'send more slowly, or add brokers'],
  [responseCode.MESSAGE_ILLEGAL, "make the message smaller, or raise the broker's maxMessageSize"],
  [responseCode.SERVICE_NOT_AVAILABLE, "look at the broker's log and at the room on its disk"],
  [responseCode.NO_PERMISSION, 'allow it with mqadmin updateTopic -p 6, or on the whole broker'],
  [
    responseCode.TOPIC_NOT_EXIST,
    'create the topic with mqadmin updateTopic, or set autoCreateTopicEnable=true',
  ],
  [
    responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
    'create the group with mqadmin updateSubGroup, or set autoCreateSubscriptionGroup=true',
  ],
])

/** An attempt that failed. */
export interface FailedAttempt {
  readonly brokerName: string
  readonly error: unknown
}

/** Whether a send that failed this way may succeed on another broker. */
export function isWorthAnotherAttempt(error: unknown): boolean {
  if (error instanceof RemoteError) return RETRYABLE_CODES.has(error.code)
  return error instanceof ConnectionError || error instanceof TimeoutError
}

/** An error of the remoting package in the terms of this one; other errors are passed on. */
export function clientErrorOf(error: unknown): Error {
  if (error instanceof RemoteError) {
    return new ClientError('BROKER_REFUSED', error.message, {
      retryable: RETRYABLE_CODES.has(error.code),
      hint: HINTS.get(error.code) ?? 'look up what the code means for this request',
      responseCode: error.code,
      cause: error,
    })
  }
  if (error instanceof TimeoutError) {
    const hint = 'try again, or allow more time'
    return new ClientError('TIMEOUT', error.message, { retryable: true, hint, cause: error })
  }
  if (error instanceof ConnectionError) {
    const hint = 'see that the broker runs and that this machine can reach its address'
    const parts = { retryable: true, hint, cause: error }
    return new ClientError('BROKER_UNREACHABLE', error.message, parts)
  }
  return error instanceof Error ? error : new Error(String(error))
}

/** The error of a send whose attempts all failed; the last one gives the code and the hint. */
export function sendFailed(
  topic: string,
  attempts: readonly FailedAttempt[],
  spentMs: number,
): Error {
  const last = clientErrorOf(attempts.at(-1)?.error)
  if (attempts.length === 1 || !(last instanceof ClientError)) return last
  const brokers = attempts.map(({ brokerName }) => brokerName).join(', ')
  const why = last.cause instanceof Error ? last.cause.message : last.message
  const sentence =
    `a message to "${topic}" failed ${attempts.length} times in ${Math.round(spentMs)} ms ` +
    `(on ${brokers}); the last time: ${why}`
  return new ClientError(last.code, sentence, {
    retryable: last.retryable,
    hint: last.hint,
    ...(last.responseCode === undefined ? {} : { responseCode: last.responseCode }),
    attempts: attempts.length,
    cause: last.cause,
  })
}

/** The error of a send whose time was over before a broker was asked. */
export function outOfTime(topic: string, timeoutMs: number): ClientError {
  return new ClientError('TIMEOUT', `a message to "${topic}" was not sent within ${timeoutMs} ms`, {
    retryable: true,
    hint: 'send again, allow more time, or send more slowly',
  })
}
