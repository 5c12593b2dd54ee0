/**
 * A queue of a topic on a broker: what messages are sent to and consumed from. Owns nothing.
 */

export interface MessageQueue {
  readonly topic: string
  /** Name shared by a master and its slaves. */
  readonly brokerName: string
  /** 0 and up; each broker of the topic numbers its own queues. */
  readonly queueId: number
}

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
