/**
 * The log of a broker, as the drivers of replication see it. Owns nothing.
 */
import type { FollowerLog, LeaderLog } from '@rockhopper/replication'
import type { Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'

/** The log that is sent to slaves. */
export function leaderLog({ mappedFileSizeCommitLog }: BrokerConfig, store: Store): LeaderLog {
  return {
    segmentBytes: mappedFileSizeCommitLog,
    get minOffset() {
      return store.minOffset
    },
    written: store.marks.written,
    read: (from, to) => store.logBytes(from, to),
  }
}

/** The log that is a copy of another broker's. */
export function followerLog(config: BrokerConfig, store: Store): FollowerLog {
  const { flushed, written } = store.marks
  return {
    segmentBytes: config.mappedFileSizeCommitLog,
    read: (from, to) => store.logBytes(from, to),
    get minOffset() {
      return store.minOffset
    },
    get isEmpty() {
      return store.isEmpty
    },
    get nextOffset() {
      return store.nextCopyOffset
    },
    append(offset, bytes) {
      const outcome = store.appendCopy(offset, bytes)
      return outcome.kind === 'appended' ? undefined : outcome.reason
    },
    dropPart: () => store.dropCopiedPart(),
    safe: config.flushDiskType === 'SYNC_FLUSH' ? flushed : written,
  }
}
