/**
 * Messages as applications write them, and what comes of sending one. Owns nothing.
 */
import type { Random } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'

export interface Message {
  /** 1 … 127 characters: letters, digits, `%`, `|`, `_`, `-`. */
  readonly topic: string
  /** At least one byte; text is sent as UTF-8. Bytes must not change before the send is over. */
  readonly body: Uint8Array | string
  /** By which consumers can choose. */
  readonly tag?: string
  /** Words by which the message can be looked up later; without blanks. */
  readonly keys?: string | readonly string[]
  /** The application's own properties; names that the system uses are refused. */
  readonly properties?: Readonly<Record<string, string>>
  /**
   * Messages of one key go to one queue, and so are consumed in their order: the queue is picked by
   * the key, unless the options of the send name another way. Consumers see it as `__SHARDINGKEY`.
   */
  readonly shardingKey?: string
  /** A number for the application's own use, of 32 bits. */
  readonly flag?: number
  /** Delivers it later: level 1 … 18 stands for 1s 5s 10s 30s 1m … 10m 20m 30m 1h 2h. */
  readonly delayLevel?: number
  /** Delivers it so many ms after the broker has it, and not before (brokers from 5.0). */
  readonly delayMs?: number
  /** Delivers it at this time, in ms since 1970, and not before (brokers from 5.0). */
  readonly deliverAtMs?: number
  /** Whether the broker answers only when the message is as safe as it promises; default true. */
  readonly waitStored?: boolean
}

/** All but SEND_OK: the message is stored, but not yet as safely as the broker was told to make it. */
export type SendStatus =
  | 'SEND_OK'
  /** It may be lost if the broker's machine stops now. */
  | 'FLUSH_DISK_TIMEOUT'
  /** The slave has not confirmed it in time. */
  | 'FLUSH_SLAVE_TIMEOUT'
  /** No slave is near enough to confirm it. */
  | 'SLAVE_NOT_AVAILABLE'

export interface SendResult {
  readonly status: SendStatus
  /** Unique key of the message, made here: what people search by. Of a batch, joined by commas. */
  readonly msgId: string
  /** The broker's own id: its address and the place in its log. Of a batch, joined by commas. */
  readonly offsetMsgId: string
  readonly queue: MessageQueue
  /** Offset of the message in the queue; of a batch, of its first message. */
  readonly queueOffset: number
  readonly transactionId: string | undefined
  /** By which `recall` calls the message off; undefined when it does not wait for a time. */
  readonly recallHandle: string | undefined
  /** Region that the broker belongs to. */
  readonly regionId: string
  /** Whether the broker lets what becomes of the message be traced. */
  readonly traceOn: boolean
}

/**
 * Picks one of the queues of a topic; `queues` is never empty and always in the same order. `random`
 * is the chance that the producer was given.
 */
export type QueueSelector = (
  queues: readonly MessageQueue[],
  message: Message,
  random: Random,
) => MessageQueue

export interface SendOptions {
  /** Time for this send with all its attempts, in ms; the producer's `sendTimeoutMs` when absent. */
  readonly timeoutMs?: number
  /** Gives up when it aborts: the send rejects with its reason. The message may be stored anyway. */
  readonly signal?: AbortSignal
  /** Sends to this queue, and nowhere else: one attempt. */
  readonly queue?: MessageQueue
  /** Sends to the queue it picks, and nowhere else: one attempt. */
  readonly selector?: QueueSelector
}
