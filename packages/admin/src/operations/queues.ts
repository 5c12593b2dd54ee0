/** The order of queues in all tables. */
import type { MessageQueue } from '@rockhopper/protocol'

/** By topic, broker name and queue id. */
export function byQueue(left: MessageQueue, right: MessageQueue): number {
  return (
    compare(left.topic, right.topic) ||
    compare(left.brokerName, right.brokerName) ||
    left.queueId - right.queueId
  )
}

function compare(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
