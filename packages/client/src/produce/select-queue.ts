/**
 * Ways of picking the queue of a message: by number, by chance, by machine room; by a key in
 * `select-by-hash.ts`. Source: Apache classes SelectMessageQueueByRandom and
 * SelectMessageQueueByMachineRoom (which picks nothing there); `client.md` section 3.7.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import { roomOf } from '../balance/allocate-by-room.ts'
import { badOption } from '../errors.ts'
import type { QueueSelector } from './message.ts'

/**
 * A selector that picks the queue of this number, counted round all queues of the topic on all its
 * brokers. Throws `ClientError` BAD_OPTION when `index` is no whole number.
 */
export function selectByIndex(index: number): QueueSelector {
  if (!Number.isSafeInteger(index)) {
    throw badOption(`the index of a queue is ${index}`, 'use a whole number')
  }
  return (queues) => queueAt(queues, Math.abs(index % queues.length))
}

/** A selector that picks any queue. There is one attempt, as with every selector. */
export const selectByRandom: QueueSelector = (queues, _message, random) =>
  queueAt(queues, random.below(queues.length))

/**
 * A selector that picks any queue of the brokers in these machine rooms: the room of a broker is
 * what stands before the `@` in its name. The send rejects with BAD_OPTION when there is none.
 */
export function selectByMachineRoom(...rooms: readonly string[]): QueueSelector {
  const wanted = new Set(rooms)
  return (queues, { topic }, random) => {
    const near = queues.filter(({ brokerName }) => wanted.has(roomOf(brokerName) ?? ''))
    if (near.length > 0) return queueAt(near, random.below(near.length))
    throw badOption(
      `the topic "${topic}" has no queue in the machine rooms "${rooms.join('", "')}"`,
      'name a room where a broker with a name like room@broker takes its messages',
    )
  }
}

function queueAt(queues: readonly MessageQueue[], index: number): MessageQueue {
  const queue = queues[index]
  if (queue === undefined) throw new RangeError('there is no queue to select from')
  return queue
}
