/**
 * The context of one call of a handler. A class, for its methods are shared: a call costs one
 * object. Owns what the handler has said in that call.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ReplyTo } from '../request-reply/replier.ts'
import type { ConsumeContext } from './handlers.ts'

/** What a handler wants to become of the messages that are held back. */
export type Wish = 'none' | 'commit' | 'rollback'

export class HandlerContext implements ConsumeContext {
  delayLevelWhenNextConsume = 0
  ackIndex = Number.MAX_SAFE_INTEGER
  autoCommit = true
  suspendMs: number
  readonly reply: ReplyTo
  readonly #owned: OwnedQueue
  #wish: Wish = 'none'
  #retried: Map<ReceivedMessage, number> | undefined

  constructor(owned: OwnedQueue, suspendMs: number, reply: ReplyTo) {
    this.#owned = owned
    this.suspendMs = suspendMs
    this.reply = reply
  }

  get queue(): MessageQueue {
    return this.#owned.queue
  }

  get signal(): AbortSignal {
    return this.#owned.released
  }

  /** What the handler said last of the messages that are held back. */
  get wish(): Wish {
    return this.#wish
  }

  /** Messages of a batch that are not done, with their delay levels; undefined for none. */
  get retried(): ReadonlyMap<ReceivedMessage, number> | undefined {
    return this.#retried
  }

  retryLater(message: ReceivedMessage, delayLevel?: number): void {
    this.#retried ??= new Map()
    this.#retried.set(message, delayLevel ?? this.delayLevelWhenNextConsume)
  }

  commit(): void {
    this.#wish = 'commit'
  }

  rollback(): void {
    this.#wish = 'rollback'
  }
}
