/**
 * Handles each message once, where brokers promise at least once: a message whose key is noted as
 * handled is done without its handler. Owns nothing; what was handled is in the store.
 */
import type { ConsumeContext, MessageHandler } from '../handle/handlers.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'

/** What a store says of a key. */
export type Claim =
  /** Nobody has handled it: the caller does, and says how that ended. */
  | 'yours'
  /** It was handled. */
  | 'handled'
  /** Somebody else is at it. */
  | 'busy'

/**
 * Where it is noted which messages were handled: `MemoryOnceStore`, `FileOnceStore`, or one of your own.
 * Each consumer group needs its own, or its own keys. Members of a group on several machines share one in
 * a database:
 *
 * - Redis: `claim` is `SET key busy NX PX leaseMs`, and where that fails `GET key` tells `busy` from
 *   `handled`; `finish` is `SET key handled PX ttl`, `release` is `DEL key`.
 * - SQL: a table with the key as primary key, a state and a time. `claim` is an `INSERT … ON CONFLICT (key)
 *   DO UPDATE … WHERE state = 'busy' AND until < now()`, which changes one row or none; `finish` and
 *   `release` are an `UPDATE` and a `DELETE`.
 */
export interface OnceStore {
  /** Takes a key for so many ms: after that it is free again, unless `finish` was called. */
  claim(key: string, leaseMs: number): Claim | Promise<Claim>
  /** Notes that a claimed key was handled. Settles when that is safe; rejects when it is not. */
  finish(key: string): void | Promise<void>
  /** Gives a claimed key back. */
  release(key: string): void | Promise<void>
}

export interface OnceOptions {
  readonly store: OnceStore
  /**
   * By what a message is known; default: its unique key `msgId`, which copies of a message share that was
   * sent once. What an application sends twice needs a word of its own, as an order number.
   */
  readonly key?: (message: ReceivedMessage) => string
  /** How long a handler may take, in ms, until another may try; default 15 minutes. */
  readonly leaseMs?: number
}

/** As long as a consumer waits for its handlers, unless told otherwise. */
const LEASE_MS = 900_000

/**
 * A handler that calls `handler` for messages that were not handled before. When it throws, the
 * message comes again, as always. A process that dies between the end of the handler and the note of it
 * handles the message again: what must not happen twice even then belongs into one transaction with
 * the note.
 */
export function once(handler: MessageHandler, options: OnceOptions): MessageHandler {
  const { store, key: keyOf = uniqueKeyOf, leaseMs = LEASE_MS } = options
  return async (message: ReceivedMessage, context: ConsumeContext): Promise<void> => {
    const key = keyOf(message)
    const claim = await store.claim(key, leaseMs)
    if (claim === 'handled') return
    if (claim === 'busy') {
      throw new Error(
        `another handler is at the message "${key}": it comes again to see how that ended`,
      )
    }
    try {
      await handler(message, context)
    } catch (error) {
      await store.release(key)
      throw error
    }
    await store.finish(key)
  }
}

function uniqueKeyOf({ msgId }: ReceivedMessage): string {
  return msgId
}
