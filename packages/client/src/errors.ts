/**
 * What a producer or consumer can report: one class with a code to switch on, a word whether the
 * same call may succeed later, and the way out in the message and in `hint`.
 */
export type ClientErrorCode =
  /** An option, a subscription or the order of calls is wrong: change the program. */
  | 'BAD_OPTION'
  /** The message breaks a rule and was not sent. */
  | 'BAD_MESSAGE'
  /** `start()` was not called, or did not succeed. */
  | 'NOT_STARTED'
  /** `close()` was called. */
  | 'CLOSED'
  /** A hook of the producer forbids the message; `cause` is what it threw. */
  | 'FORBIDDEN'
  /** The queue is not this consumer's at present. */
  | 'NOT_ASSIGNED'
  /** Nobody is known to take messages of the topic; `NoRouteError.reason` says why. */
  | 'NO_ROUTE'
  /** None of the name servers answered. */
  | 'NAME_SERVER_UNREACHABLE'
  /** No connection to the broker, or it broke before the answer came. */
  | 'BROKER_UNREACHABLE'
  /** The broker answered with an error; `responseCode` says which. */
  | 'BROKER_REFUSED'
  /** The time given to the call was over. Whether a message was stored is unknown. */
  | 'TIMEOUT'
  /** The request was stored, but no reply came in time. Whether it was worked on is unknown. */
  | 'NO_REPLY'
  /** As many messages are in flight or waiting as the options allow. */
  | 'TOO_MANY_IN_FLIGHT'

export interface ClientErrorParts {
  /** Whether the same call may succeed later without a change by a person. */
  readonly retryable: boolean
  /** What to do about it. */
  readonly hint: string
  /** The broker's response code, if one answered. */
  readonly responseCode?: number
  /** How often it was tried; once when absent. */
  readonly attempts?: number
  readonly cause?: unknown
}

/** Everything that producers and consumers throw, except the reason of an aborted signal. */
export class ClientError extends Error {
  override readonly name: string = 'ClientError'
  readonly code: ClientErrorCode
  /** Whether the same call may succeed later without a change by a person. */
  readonly retryable: boolean
  /** What to do about it; the message ends with it. */
  readonly hint: string
  /** The code that the broker answered with. Source: Apache class ResponseCode. */
  readonly responseCode: number | undefined
  /** How often it was tried. After more than one attempt an earlier one may have been stored. */
  readonly attempts: number

  constructor(code: ClientErrorCode, sentence: string, parts: ClientErrorParts) {
    super(`${sentence}: ${parts.hint}`, parts.cause === undefined ? {} : { cause: parts.cause })
    this.code = code
    this.retryable = parts.retryable
    this.hint = parts.hint
    this.responseCode = parts.responseCode
    this.attempts = parts.attempts ?? 1
  }
}

/** Why nobody is known to take messages of a topic. */
export type NoRouteReason =
  /** The topic does not exist: a consumer does not create it, a producer should try again. */
  | 'topic-missing'
  /** The topic does not exist, and no broker creates topics on the first message. */
  | 'auto-creation-off'
  /** The name server knows no broker at all. */
  | 'no-broker'
  /** The topic exists, but no broker with a master lets it be written (read, for a consumer). */
  | 'no-usable-queue'
  /** No name server could be asked. */
  | 'name-server-unreachable'

/** Code `NO_ROUTE`: no broker is known that would take or give messages of the topic. */
export class NoRouteError extends ClientError {
  override readonly name = 'NoRouteError'
  readonly topic: string
  readonly reason: NoRouteReason

  constructor(topic: string, reason: NoRouteReason, sentence: string, parts: ClientErrorParts) {
    super('NO_ROUTE', sentence, parts)
    this.topic = topic
    this.reason = reason
  }
}

/** A mistake in the program: an option, a subscription, the order of calls. */
export function badOption(
  sentence: string,
  hint: string,
  more: Pick<ClientErrorParts, 'responseCode' | 'cause'> = {},
): ClientError {
  return new ClientError('BAD_OPTION', sentence, { retryable: false, hint, ...more })
}

/** A message that breaks a rule. */
export function badMessage(sentence: string, hint: string): ClientError {
  return new ClientError('BAD_MESSAGE', sentence, { retryable: false, hint })
}
