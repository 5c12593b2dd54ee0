/**
 * Requests that wait for their replies. Owns them, and the count of replies that came too late.
 * Source: Apache classes RequestFutureHolder and RequestResponseFuture; `client.md` section 3.10.
 */
import type { Clock, Random, Timer } from '@rockhopper/host'
import { findProperty, propertyPair } from '@rockhopper/protocol'
import { ClientError } from '../errors.ts'
import { unlessAborted } from '../give-up.ts'
import type { SendResult } from '../produce/message.ts'
import { type PushHeader, type ReceivedReply, receivedReply } from './received-reply.ts'

const UUID_BYTES = 16
const NO_PROPERTIES = Buffer.alloc(0)

export interface RequestTerms {
  readonly topic: string
  /** From the call to the reply, in ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

export interface RequestParts {
  readonly clock: Clock
  readonly random: Random
  /** The name under which brokers know who asks. */
  readonly clientId: string
  /** Requests that wait at a time; a further one fails at once. */
  readonly maxOpen: number
  /** Told of each reply that nobody waits for any more. */
  readonly onLate: (reply: ReceivedReply) => void
}

interface Waiting {
  readonly resolve: (reply: ReceivedReply) => void
  readonly reject: (error: Error) => void
  readonly timer: Timer
  stored: SendResult | undefined
}

export class Requests {
  readonly #parts: RequestParts
  readonly #waiting = new Map<string, Waiting>()
  #lateReplies = 0
  #whenIdle: (() => void)[] = []

  constructor(parts: RequestParts) {
    this.#parts = parts
  }

  /** Requests that wait for their replies. */
  get open(): number {
    return this.#waiting.size
  }

  /** Replies that came when nobody waited for them any more. */
  get lateReplies(): number {
    return this.#lateReplies
  }

  /**
   * Sends a request and waits for its reply. `send` gets the properties that make a request of the
   * message. Rejects with `ClientError` TOO_MANY_IN_FLIGHT, NO_REPLY or TIMEOUT, with the error of
   * the send, or with the reason of the signal.
   */
  ask(terms: RequestTerms, send: (pairs: Buffer) => Promise<SendResult>): Promise<ReceivedReply> {
    if (this.#waiting.size >= this.#parts.maxOpen) return Promise.reject(this.#tooMany())
    const { signal, timeoutMs } = terms
    const id = uuidOf(this.#parts.random)
    const reply = this.#wait(id, terms)
    send(this.#pairs(id, timeoutMs)).then(
      (result) => this.#noteStored(id, result),
      (error: Error) => this.#take(id)?.reject(error),
    )
    if (signal === undefined) return reply
    return unlessAborted(reply, signal).finally(() => this.#take(id))
  }

  /** Gives a reply that a broker pushed to who waits for it. */
  arrived(header: PushHeader, body: Buffer): void {
    const id = findProperty(header.properties ?? NO_PROPERTIES, 'CORRELATION_ID') ?? ''
    const waiting = this.#take(id)
    // The bytes are a view into what was received together: the application may keep the reply.
    const reply = receivedReply(header, Buffer.from(body), this.#parts.clock.nowMs())
    if (waiting !== undefined) return waiting.resolve(reply)
    this.#lateReplies++
    this.#parts.onLate(reply)
  }

  /** Resolves when no request waits any more. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
    })
  }

  #wait(id: string, terms: RequestTerms): Promise<ReceivedReply> {
    return new Promise((resolve, reject) => {
      const timer = this.#parts.clock.after(terms.timeoutMs, () => {
        const stored = this.#take(id)?.stored
        reject(stored === undefined ? notStored(terms) : noReply(terms, stored))
      })
      this.#waiting.set(id, { resolve, reject, timer, stored: undefined })
    })
  }

  #noteStored(id: string, result: SendResult): void {
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) waiting.stored = result
  }

  #pairs(id: string, timeoutMs: number): Buffer {
    return Buffer.concat([
      propertyPair('CORRELATION_ID', id),
      propertyPair('REPLY_TO_CLIENT', this.#parts.clientId),
      propertyPair('TTL', String(Math.ceil(timeoutMs))),
    ])
  }

  /** Ends the waiting of a request; undefined when it did not wait any more. */
  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return undefined
    this.#waiting.delete(id)
    waiting.timer.cancel()
    if (this.#waiting.size === 0) this.#tellIdle()
    return waiting
  }

  #tellIdle(): void {
    const told = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of told) resolve()
  }

  #tooMany(): ClientError {
    const sentence = `${this.#waiting.size} requests wait for their replies`
    const hint = 'await earlier ones, or raise maxOpenRequests'
    return new ClientError('TOO_MANY_IN_FLIGHT', sentence, { retryable: true, hint })
  }
}

function notStored({ topic, timeoutMs }: RequestTerms): ClientError {
  const sentence = `a request to "${topic}" was not stored within ${timeoutMs} ms`
  const hint = 'ask again, allow more time, or look whether the broker is slow'
  return new ClientError('TIMEOUT', sentence, { retryable: true, hint })
}

function noReply({ topic, timeoutMs }: RequestTerms, { msgId, queue }: SendResult): ClientError {
  const where = `queue ${queue.queueId} of broker "${queue.brokerName}"`
  const sentence =
    `a request to "${topic}" is stored (message ${msgId}, ${where}), but no reply came within ` +
    `${timeoutMs} ms`
  const hint =
    'see that a consumer of the topic runs and replies, and allow as much time as it takes'
  return new ClientError('NO_REPLY', sentence, { retryable: true, hint })
}

/** A random UUID in its text form, as Java makes them. */
function uuidOf(random: Random): string {
  const bytes = Buffer.from(random.bytes(UUID_BYTES))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  const cuts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return [...cuts, hex.slice(20)].join('-')
}
