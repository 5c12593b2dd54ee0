/**
 * Sends what belongs together to one queue, so that it is consumed in order.
 * Source: Apache class SelectMessageQueueByHash; `client.md` section 3.7.
 */
import { javaHashCode } from '@rockhopper/protocol'
import type { QueueSelector } from './message.ts'

/**
 * A selector that always picks the same queue for the same key, as long as the topic keeps its
 * queues. A Java producer picks the same one for the same string.
 */
export function selectByHash(key: string): QueueSelector {
  const hash = javaHashCode(key)
  return (queues) => {
    const queue = queues[Math.abs(hash % queues.length)]
    if (queue === undefined) throw new RangeError('there is no queue to select from')
    return queue
  }
}
