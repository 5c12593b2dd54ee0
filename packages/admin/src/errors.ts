/**
 * What stops an operation: a sentence for a person, with the way out. Also turns the errors of the
 * wire into such sentences; owns nothing.
 */
import { ConnectionError, RemoteError, TimeoutError } from '@rockhopper/remoting'

/** An operation cannot be done, and the message says why and what to do. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
}

/** Why a name server did not do what was asked. */
export function nameServerError(address: string, error: unknown): Error {
  if (error instanceof ConnectionError) {
    return new AdminError(
      `The name server at ${address} cannot be reached (${reasonOf(error)}): is it running? ` +
        'Start one with bin/mqnamesrv, or name another one with -n.',
      { cause: error },
    )
  }
  if (error instanceof TimeoutError) {
    return new AdminError(
      `The name server at ${address} did not answer within ${secondsOf(error)} s: ` +
        'is it really a name server that listens there?',
      { cause: error },
    )
  }
  return asError(error)
}

/** Why a broker did not do what was asked. */
export function brokerError(address: string, error: unknown): Error {
  if (error instanceof ConnectionError) {
    return new AdminError(
      `The broker at ${address} cannot be reached (${reasonOf(error)}): is it running, and is ` +
        'this the address that it can be reached at from here? See brokerIP1 in its configuration.',
      { cause: error },
    )
  }
  if (error instanceof TimeoutError) {
    return new AdminError(
      `The broker at ${address} did not answer within ${secondsOf(error)} s, and whether it did ` +
        'what was asked is unknown: look before you try again.',
      { cause: error },
    )
  }
  if (error instanceof RemoteError) {
    return new AdminError(
      `The broker at ${address} refused: CODE: ${error.code}  DESC: ${error.remark}`,
      { cause: error },
    )
  }
  return asError(error)
}

/** Whether the peer answered with this response code. */
export function hasCode(error: unknown, code: number): boolean {
  const cause = error instanceof AdminError ? error.cause : error
  return cause instanceof RemoteError && cause.code === code
}

/** The time to connect counts, so that the time to answer is rarely a round number. */
function secondsOf({ timeoutMs }: TimeoutError): number {
  return Math.max(1, Math.round(timeoutMs / 1_000))
}

/** The innermost reason, such as `connect ECONNREFUSED 127.0.0.1:9876`. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
