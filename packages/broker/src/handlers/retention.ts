/**
 * Removes what is old when an operator asks: files of the commit log, empty queues, queues of topics
 * that are gone. Source: Apache class AdminBrokerProcessor; `broker-api.md` section 12.4.
 */
import {
  CLEAN_EXPIRED_CONSUMEQUEUE,
  CLEAN_UNUSED_TOPIC,
  DELETE_EXPIRED_COMMITLOG,
  isSystemTopic,
} from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

/** Queues of Apache's light messages have no topic of their own. Source: Apache class MixAll. */
const LIGHT_QUEUE_PREFIX = '%LMQ%'

export interface RetentionParts {
  readonly offsets: OffsetTable
  readonly store: Store
  readonly topics: TopicTable
}

export function handleRetention(router: Router, { offsets, store, topics }: RetentionParts): void {
  router
    .on(DELETE_EXPIRED_COMMITLOG, () => {
      store.removeExpired()
      return {}
    })
    .on(CLEAN_EXPIRED_CONSUMEQUEUE, async () => {
      // They begin at 0 again: whoever went on at an old offset would miss what comes first.
      offsets.deleteQueues(await store.removeExpiredQueues(isSystemTopic))
      return {}
    })
    .on(CLEAN_UNUSED_TOPIC, async () => {
      const isUnused = (topic: string): boolean =>
        topics.get(topic) === undefined &&
        !isSystemTopic(topic) &&
        !topic.startsWith(LIGHT_QUEUE_PREFIX)
      await store.deleteTopics(store.topics().filter(isUnused))
      return {}
    })
}
