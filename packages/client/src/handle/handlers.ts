/**
 * What an application does with messages: one at a time by topic, or in batches. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ReplyTo } from '../request-reply/replier.ts'

/** What a handler may know and say beside the messages. */
export interface ConsumeContext {
  /** The queue that the messages were read from. */
  readonly queue: MessageQueue
  /**
   * Aborts when the queue goes to another member or the consumer closes: a long handler may stop by
   * throwing, and the message comes again.
   */
  readonly signal: AbortSignal
  /**
   * When messages that fail come again: 0 (as it is) leaves it to the broker, which waits longer
   * each time; 1 … 18 is a delay level; −1 makes them dead letters at once. Of no effect in an
   * orderly consumer.
   */
  delayLevelWhenNextConsume: number
  /**
   * Of a batch: messages up to this index are done, even though the handler returned; those behind
   * it come again. All are done as it is. Of no effect in an orderly consumer.
   */
  ackIndex: number
  /**
   * Says that one message of a batch is not done, even though the handler returns: it comes again,
   * at its own delay level if one is given. Of no effect in an orderly consumer.
   */
  retryLater(message: ReceivedMessage, delayLevel?: number): void
  /**
   * Of an orderly consumer: how long its queue waits when the handler fails, in ms, 10 … 30 000;
   * the option `suspendCurrentQueueTimeMs` as it is.
   */
  suspendMs: number
  /**
   * Of an orderly consumer: whether messages are committed when the handler returns (true, as it
   * is). With false they are held back until a later call says `commit` or `rollback`.
   */
  autoCommit: boolean
  /**
   * Replies to a message that was sent with `request`, and resolves when the client that asked has the
   * reply. Rejects with `ClientError` BAD_OPTION when the message is no request, and BROKER_REFUSED
   * when that client is gone: a handler that lets that pass gets the message again.
   */
  readonly reply: ReplyTo
  /** Of an orderly consumer: these messages and all that were held back are done. */
  commit(): void
  /**
   * Of an orderly consumer: these messages and all that were held back come again, after
   * `suspendMs`; that does not count as a failure.
   */
  rollback(): void
}

/**
 * Takes one message. It is done when the handler returns or its promise resolves; when it throws or
 * rejects, the message comes again later, in an orderly consumer before any other of its queue. A
 * message may come twice: after a crash, or when another member takes over its queue.
 */
export type MessageHandler = (
  message: ReceivedMessage,
  context: ConsumeContext,
) => void | Promise<void>

/** The same for several messages of one queue, in the order of their offsets. */
export type BatchHandler = (
  messages: readonly ReceivedMessage[],
  context: ConsumeContext,
) => void | Promise<void>

/** Who takes the messages of a topic. */
export type Handling =
  | { readonly kind: 'each'; readonly handle: MessageHandler }
  | { readonly kind: 'batch'; readonly handle: BatchHandler; readonly maxSize: number }
