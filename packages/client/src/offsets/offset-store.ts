/**
 * Where a consumer keeps how far it is: at the brokers (`offsets.ts`) or, for broadcasting, in a
 * local file (`local-offsets.ts`). Owns nothing.
 */
import type { OwnedQueue } from '../balance/owned-queue.ts'

export interface OffsetStore {
  /** Where to begin on a queue. Rejects when that cannot be said at present. */
  startOffset(owned: OwnedQueue): Promise<number>
  /**
   * Whether another member of the group has gone on with the queue since our last word, and is further
   * than we are. Rejects when that cannot be said at present.
   */
  isOvertaken(owned: OwnedQueue): Promise<boolean>
  /** Keeps an offset; resolves when it is kept. Rejects when it is not. */
  commit(owned: OwnedQueue, commitOffset: number): Promise<void>
  /** Keeps how far the queue is, if it went on since the last time. May reject. */
  commitLater(owned: OwnedQueue): Promise<void>
}
