/** A selector picks the queue that a message may go to, or says why it cannot. */
import {
  ClientError,
  type Message,
  type MessageQueue,
  type QueueSelector,
  selectByIndex,
  selectByMachineRoom,
  selectByRandom,
} from '@rockhopper/client'
import { describe, expect, test } from 'vitest'
import { failure, Scene, TOPIC } from './scene.ts'

const message: Message = { topic: TOPIC, body: 'hello' }
const { random } = (await Scene.open()).doors('chooser')
const queues = ['north@a', 'north@b', 'south@c', 'd'].flatMap((brokerName) =>
  [0, 1].map((queueId) => ({ topic: TOPIC, brokerName, queueId })),
)

function picks(selector: QueueSelector, times = 200): Set<MessageQueue> {
  return new Set(Array.from({ length: times }, () => selector(queues, message, random)))
}

describe('a queue', () => {
  test('is picked by its number, round and round, also below 0', () => {
    for (const [index, at] of [
      [0, 0],
      [7, 7],
      [8, 0],
      [-3, 3],
    ] as const) {
      expect(picks(selectByIndex(index), 1)).toEqual(new Set([queues[at]]))
    }
    expect(() => selectByIndex(0.5)).toThrow('the index of a queue is 0.5: use a whole number')
  })

  test('is picked by chance, and each has one', () => {
    expect(picks(selectByRandom)).toEqual(new Set(queues))
  })

  test('is picked in the machine rooms that are named, and each of theirs has a chance', () => {
    expect(picks(selectByMachineRoom('north'))).toEqual(new Set(queues.slice(0, 4)))
    expect(picks(selectByMachineRoom('north', 'south'))).toEqual(new Set(queues.slice(0, 6)))
    expect(() => picks(selectByMachineRoom('east', 'west'))).toThrow(ClientError)
  })
})

test('a send rejects with a sentence when its selector picks nothing', async () => {
  const scene = await Scene.open()
  const producer = await scene.startedProducer()
  const nothing = (() => null) as unknown as QueueSelector
  const none = await scene.run(failure(producer.send(message, { selector: nothing })))
  expect(none).toMatchObject({ code: 'BAD_OPTION', retryable: false })
  expect(none.message).toBe(
    'the selector picked no queue for a message to "orders": return one of the queues it is given',
  )
  const far = selectByMachineRoom('east')
  const nowhere = await scene.run(failure(producer.send(message, { selector: far })))
  expect(nowhere.message).toContain('"orders" has no queue in the machine rooms "east"')
  expect(scene.broker().stored).toEqual([])
  expect(producer.inFlight).toBe(0)
})
