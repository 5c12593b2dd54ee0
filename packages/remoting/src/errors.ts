/**
 * What can go wrong between two peers. Each error says whether the same request may succeed on a
 * second try, and the sentence says what to do.
 */
import { type ResponseCode, responseCodeName } from '@rockhopper/protocol'

/** No connection, or it broke before the answer came. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly retryable = true
  readonly address: string

  constructor(address: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.address = address
  }
}

/** The peer did not answer in time; whether it did what was asked is unknown. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
  readonly retryable = true
  readonly address: string
  readonly timeoutMs: number

  constructor(address: string, commandName: string, timeoutMs: number) {
    super(`${address} did not answer ${commandName} within ${Math.round(timeoutMs)} ms`)
    this.address = address
    this.timeoutMs = timeoutMs
  }
}

/** The peer answered with a code that is not a success. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly retryable = false
  readonly address: string
  readonly code: number
  /** The peer's own words. */
  readonly remark: string

  constructor(address: string, commandName: string, code: number, remark: string | undefined) {
    const words = remark ?? 'without a remark'
    super(`${address} answered ${commandName} with ${responseCodeName(code)} (${code}): ${words}`)
    this.address = address
    this.code = code
    this.remark = words
  }
}

/** Thrown by a handler to refuse a request: the router, and nobody else, turns it into an answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ResponseCode

  /** `remark` is a whole sentence for the person at the other end. */
  constructor(code: ResponseCode, remark: string) {
    super(remark)
    this.code = code
  }
}
