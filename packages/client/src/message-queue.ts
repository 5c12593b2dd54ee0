/**
 * Queues as keys of maps, and in the order that all members of a group share. Owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'

/** One text per queue: the key of maps. */
export function queueKey(queue: MessageQueue): string {
  return `${queue.topic}@${queue.brokerName}@${queue.queueId}`
}

/** The order that all members of a group share. Source: Apache class MessageQueue.compareTo. */
export function compareQueues(a: MessageQueue, b: MessageQueue): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  if (a.brokerName !== b.brokerName) return a.brokerName < b.brokerName ? -1 : 1
  return a.queueId - b.queueId
}
