/**
 * Takes what consumers say of how far their groups are. Apache's brokers note whatever was said last,
 * so a member that was cut off puts its group back: what it said before comes when the wire is whole
 * again, when another member has taken its queue over and has gone on. Here a member puts its group
 * back only if it knows where the group is: nobody else has told of the queue since it told or asked.
 *
 * That is for members of this suite, which ask as soon as another may have had a queue; they are known
 * by the locks that they ask for. All others may say what they like. Owns nothing.
 */
import type { Connection } from '@rockhopper/remoting'
import type { OffsetTable } from '../tables/offsets.ts'
import type { QueueLockTable } from '../tables/queue-locks.ts'

export interface CommitParts {
  readonly locks: QueueLockTable
  readonly offsets: OffsetTable
}

/** A queue, as a group reads it. */
export interface GroupQueue {
  readonly consumerGroup: string
  readonly topic: string
  readonly queueId: number
}

/** What became of it: the group has not heard of a reset yet, or another member is further. */
export type CommitOutcome = 'taken' | 'reset' | 'late'

export class Commits {
  readonly #parts: CommitParts

  constructor(parts: CommitParts) {
    this.#parts = parts
  }

  /** Notes how far a group is, unless that does not count. */
  take(
    { consumerGroup, topic, queueId }: GroupQueue,
    offset: number,
    by: Connection,
  ): CommitOutcome {
    const { locks, offsets } = this.#parts
    const member = locks.askerOf(by)
    const known = offsets.get(consumerGroup, topic, queueId)
    const isBack = known !== undefined && offset < known
    const isKnown = member === undefined || offsets.knows(consumerGroup, topic, queueId, member)
    if (isBack && !isKnown) return 'late'
    return offsets.commit(consumerGroup, topic, queueId, offset, member) ? 'taken' : 'reset'
  }

  /** The offset of a group was told to a client that asked for it. */
  told({ consumerGroup, topic, queueId }: GroupQueue, to: Connection): void {
    const { locks, offsets } = this.#parts
    const member = locks.askerOf(to)
    if (member !== undefined) offsets.tell(consumerGroup, topic, queueId, member)
  }
}
