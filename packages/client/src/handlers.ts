/**
 * What an application does with messages: one at a time by topic, or in batches. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { ReceivedMessage } from './received-message.ts'

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
   * each time; 1 … 18 is a delay level; −1 makes them dead letters at once.
   */
  delayLevelWhenNextConsume: number
  /**
   * Of a batch: messages up to this index are done, even though the handler returned; those behind
   * it come again. All are done as it is.
   */
  ackIndex: number
}

/**
 * Takes one message. It is done when the handler returns or its promise resolves; when it throws or
 * rejects, the message comes again later. A message may come twice: after a crash, or when another
 * member takes over its queue.
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
