/** The members of a group share queues by the strategy that they were given. */
import {
  type AllocationStrategy,
  allocateByCircle,
  allocateByConfiguration,
  type ConsumerOptions,
  type PushConsumer,
} from '@rockhopper/client'
import { expect, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'

async function join(
  scene: Scene,
  name: string,
  options: Partial<ConsumerOptions>,
): Promise<PushConsumer> {
  const consumer = scene.consumer(options, name).subscribe(TOPIC, '*', () => {})
  await scene.run(consumer.start())
  return consumer
}

const idsOf = (consumer: PushConsumer): number[] =>
  consumer.queues.map(({ queueId }) => queueId).sort()

test('by circle, members have every other queue', async () => {
  const scene = await Scene.open({ queues: 6 })
  const allocation = allocateByCircle
  const members = [
    await join(scene, 'first', { allocation }),
    await join(scene, 'second', { allocation }),
  ]
  await scene.until(() => members.every(({ queues }) => queues.length === 3), 10_000)
  expect(members.map(idsOf).sort()).toEqual([
    [0, 2, 4],
    [1, 3, 5],
  ])
})

test('a member has the queues that its configuration names, those of other topics left out', async () => {
  const scene = await Scene.open({ queues: 4 })
  const queue = { topic: TOPIC, brokerName: 'broker-a', queueId: 2 }
  const allocation = allocateByConfiguration([queue, { ...queue, topic: 'other' }])
  const consumer = await join(scene, 'only', { allocation })
  expect(consumer.queues).toEqual([queue])
})

test('a strategy that fails is told once, and the member keeps what it has', async () => {
  const scene = await Scene.open({ queues: 4 })
  let isBroken = false
  const allocation: AllocationStrategy = {
    name: 'OF_A_TEST',
    allocate: (_group, _clientId, queues) => {
      if (isBroken) throw new Error('the map of rooms is gone')
      return queues
    },
  }
  const consumer = await join(scene, 'only', { allocation })
  const problems: string[] = []
  consumer.on('problem', ({ error }) => problems.push(error.message))
  isBroken = true
  await scene.world.clock.advance(60_000)
  expect(consumer.queues).toHaveLength(4)
  expect(problems).toEqual([
    'the queues of the topic "orders" cannot be shared: the map of rooms is gone: ' +
      'correct the option allocation',
  ])
  isBroken = false
  await scene.world.clock.advance(30_000)
  isBroken = true
  await scene.world.clock.advance(30_000)
  expect(problems).toHaveLength(2)
})
