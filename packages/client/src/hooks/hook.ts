/**
 * What applications and libraries may hang into producers and consumers: objects with those methods
 * that they need. A hook that throws is told of as `hookFailed` and changes nothing, except in
 * `checkForbidden`. Source: Apache interfaces SendMessageHook, ConsumeMessageHook,
 * EndTransactionHook and CheckForbiddenHook; `client.md` section 12. Owns nothing.
 */
import type { HandlerEnd, MessageQueue } from '@rockhopper/protocol'
import type { Message, SendResult } from '../produce/message.ts'
import type { LocalState } from '../produce/transactions.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'

/** One call of `send` or of one of its sisters. The same object before and after it. */
export interface Sending {
  readonly group: string
  readonly topic: string
  /** One message, or those of `sendBatch` in their order; as `prepare` made them. */
  readonly messages: readonly Message[]
  readonly kind: 'normal' | 'delayed' | 'half'
  /** One way: nobody learns whether it arrived. */
  readonly mode: 'answered' | 'oneway'
  /** Wall time at which it began, in ms since 1970. */
  readonly startedAtMs: number
}

/** How a call of `send` ended, with the time it took in ms. */
export type SendEnd =
  | {
      readonly kind: 'sent'
      /** Undefined for a message that was sent one way. */
      readonly result: SendResult | undefined
      /** `host:port` of the broker that answered, where it is known. */
      readonly brokerAddress: string | undefined
      readonly tookMs: number
    }
  | { readonly kind: 'failed'; readonly error: unknown; readonly tookMs: number }

/** A message, or a batch, is about to go to a queue. */
export interface SendAttempt {
  readonly group: string
  readonly messages: readonly Message[]
  readonly queue: MessageQueue
  /** `host:port` of the broker, where it is known. */
  readonly brokerAddress: string | undefined
}

/** A producer tells a broker how a transaction ended, or would if it knew. */
export interface TransactionEnd {
  readonly group: string
  readonly message: Message | ReceivedMessage
  readonly msgId: string
  readonly transactionId: string
  readonly state: LocalState
  /** Whether the broker had asked. */
  readonly fromCheck: boolean
  readonly brokerAddress: string | undefined
  /** Region of the broker. */
  readonly regionId: string
  /** Wall time, in ms since 1970. */
  readonly endedAtMs: number
}

export interface ProducerHook {
  /** By which it is known where it failed. */
  readonly name: string
  /** Gives a message as it is to be sent, mostly with further properties. Must not wait. */
  prepare?(message: Message): Message
  beforeSend?(sending: Sending): void
  afterSend?(sending: Sending, end: SendEnd): void
  /**
   * Looks at each attempt before it goes to a broker. When it throws, the send is over, and rejects with
   * `ClientError` FORBIDDEN, whose `cause` is what was thrown.
   */
  checkForbidden?(attempt: SendAttempt): void
  endTransaction?(end: TransactionEnd): void
}

/** One call of a handler. The same object before and after it. */
export interface Consuming {
  readonly group: string
  /** One message, or those of a batch in their order. */
  readonly messages: readonly ReceivedMessage[]
  /** The queue that they were read from. */
  readonly queue: MessageQueue
  /** Wall time at which it began, in ms since 1970. */
  readonly startedAtMs: number
}

/** How a call of a handler ended. */
export interface ConsumeEnd {
  /**
   * `failed` when it said itself that not all is done; `timeout` when it took longer than it may, also
   * when it returned then.
   */
  readonly end: HandlerEnd
  /** What the handler threw; undefined when it returned. */
  readonly error: unknown
  readonly tookMs: number
}

export interface ConsumerHook {
  /** By which it is known where it failed. */
  readonly name: string
  beforeConsume?(consuming: Consuming): void
  /**
   * Calls the handler, for those who need it to run within something of theirs: calls `run` once, and
   * gives back what that gives.
   */
  around?(consuming: Consuming, run: () => void | Promise<void>): void | Promise<void>
  afterConsume?(consuming: Consuming, end: ConsumeEnd): void
}

/** A hook threw where that changes nothing. */
export interface HookFailure {
  /** Name of the hook. */
  readonly hook: string
  readonly during: string
  readonly error: unknown
}
