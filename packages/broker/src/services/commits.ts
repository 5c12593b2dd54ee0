/**
 * Takes what consumers say of how far their groups are. Apache's brokers note whatever was said last,
 * so a member that was cut off puts its group back: what it said before comes when the wire is whole
 * again, when another member has taken its queue over and has gone on. Members of this suite hold
 * locks, by which such a word is told from one that counts. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import type { OffsetTable } from '../tables/offsets.ts'
import type { QueueLockTable } from '../tables/queue-locks.ts'

export interface CommitParts {
  readonly brokerName: string
  readonly locks: QueueLockTable
  readonly offsets: OffsetTable
}

/** What a consumer says. */
export interface Said {
  readonly consumerGroup: string
  readonly topic: string
  readonly queueId: number
  readonly commitOffset: number
}

/** What became of it: the group has not heard of a reset yet, or another member is further. */
export type CommitOutcome = 'taken' | 'reset' | 'late'

export class Commits {
  readonly #parts: CommitParts

  constructor(parts: CommitParts) {
    this.#parts = parts
  }

  take({ consumerGroup, topic, queueId, commitOffset }: Said, by: Connection): CommitOutcome {
    const { brokerName, locks, offsets } = this.#parts
    if (offsets.isReset(consumerGroup, topic, queueId)) return 'reset'
    const known = offsets.get(consumerGroup, topic, queueId)
    const queue: MessageQueue = { topic, brokerName, queueId }
    const isBack = known !== undefined && commitOffset < known
    if (locks.hearProgress(by, consumerGroup, queue, isBack) === 'late') return 'late'
    offsets.commit(consumerGroup, topic, queueId, commitOffset)
    return 'taken'
  }
}
