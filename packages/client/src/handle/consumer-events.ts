/**
 * What happens to a consumer, for those who listen. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { SequenceLoss, SequenceRepeat } from '../audit/sequence-audit.ts'
import type { HookFailure } from '../hooks/hook.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { AfterFailure } from './consumption.ts'
import type { QueueStall } from './stall-watch.ts'

/** What a consumer tells those who listen. */
export interface ConsumerEvents {
  /** These queues are read from now on. */
  assigned: [queues: readonly MessageQueue[]]
  /** These queues are not read any more; handlers that run may end. */
  released: [queues: readonly MessageQueue[]]
  /** A handler failed. `after` says where the message waits for its next try. */
  failed: [failure: { message: ReceivedMessage; error: unknown; after: AfterFailure }]
  /**
   * A queue goes on at another offset: it did not have that of the group any more, or an operator
   * has moved it.
   */
  offsetMoved: [move: { queue: MessageQueue; from: number; to: number }]
  /**
   * A queue did not go on for the time `stalledAfterMs`: no pull was answered (`pull`; it is made
   * anew), another member of an orderly group does not give it up (`lock`), or handlers do not
   * finish its oldest message (`handling`). Told once of each stall.
   */
  queueStalled: [stall: QueueStall]
  /**
   * Something keeps the consumer from consuming; it goes on trying. `queue` is absent where a whole
   * topic is concerned. Told once, and again when it comes back after it was over.
   */
  problem: [problem: { error: Error; topic: string; queue: MessageQueue | undefined }]
  /** A hook threw where that changes nothing. */
  hookFailed: [failure: HookFailure]
  /** The sequence audit misses messages that a broker has acknowledged. */
  lost: [loss: SequenceLoss]
  /** The sequence audit has found a message that is stored more than once. */
  repeated: [repeat: SequenceRepeat]
}
