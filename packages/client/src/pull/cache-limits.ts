/**
 * How much of a queue may be held here, as the options say: for each queue, or for all queues of a
 * topic, divided over those that this consumer has. Source: Apache method
 * RebalancePushImpl.messageQueueChanged; `client.md` section 5. Owns nothing.
 */

import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { ConsumerConfig } from '../config.ts'
import type { WindowLimits } from './window.ts'

/** The limits of one of `queues` queues of a topic. */
export function cacheLimits(config: ConsumerConfig, queues: number): WindowLimits {
  const { maxCachedMessagesPerTopic, maxCachedBytesPerTopic } = config
  return {
    maxMessages: shareOf(maxCachedMessagesPerTopic, queues) ?? config.maxCachedMessages,
    maxBytes: shareOf(maxCachedBytesPerTopic, queues) ?? config.maxCachedBytes,
    // Orderly consumers commit in order: there is nothing to wait for behind a gap.
    maxSpan: config.orderly ? Number.POSITIVE_INFINITY : config.maxCachedSpan,
  }
}

/** Divides the limits of topics anew over the queues that there are now. */
export function divideLimits(config: ConsumerConfig, all: readonly OwnedQueue[]): void {
  const counts = new Map<string, number>()
  for (const { queue } of all) counts.set(queue.topic, (counts.get(queue.topic) ?? 0) + 1)
  for (const owned of all) owned.limit(cacheLimits(config, counts.get(owned.queue.topic) ?? 1))
}

function shareOf(limit: number, queues: number): number | undefined {
  return limit < 0 ? undefined : Math.max(1, Math.floor(limit / Math.max(1, queues)))
}
