/** A consumer whose broker is in trouble first and has forgotten it then, as after a restart. */
import { responseCode } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import { expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

test.each(['SUBSCRIPTION_NOT_EXIST', 'SUBSCRIPTION_NOT_LATEST'] as const)(
  'a consumer that is answered %s introduces itself again and goes on within seconds',
  async (name) => {
    const scene = await Scene.open({ queues: 1 })
    const broker = scene.broker()
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    broker.script.onPull = () => {
      throw new Refusal(responseCode.SYSTEM_BUSY, 'in trouble')
    }
    broker.put(TOPIC, 0, 'before')
    // Neither a heartbeat (every 30 s) nor a rebalance (every 20 s) comes by chance.
    await scene.world.clock.advance(22_000)
    broker.forget(GROUP)
    broker.script.onPull = () => {
      if (broker.members(GROUP).length > 0) return undefined
      throw new Refusal(responseCode[name], 'the subscription is unknown here')
    }
    broker.put(TOPIC, 0, 'after')
    await scene.world.clock.advance(5_000)
    expect(got).toEqual(['before', 'after'])
  },
)

test('a broker that did not hear of a consumer at its start hears of it within a second', async () => {
  const scene = await Scene.open({ queues: 1 })
  const broker = scene.broker()
  broker.script.onHeartbeat = () => {
    throw new Refusal(responseCode.SYSTEM_BUSY, 'just starting')
  }
  const consumer = scene.consumer().subscribe(TOPIC, '*', () => undefined)
  await scene.run(consumer.start())
  expect(broker.members(GROUP)).toEqual([])
  delete broker.script.onHeartbeat
  // Meanwhile the members would share the queues each in its own way.
  await scene.world.clock.advance(1_000)
  expect(broker.members(GROUP)).toEqual([consumer.clientId])
})
