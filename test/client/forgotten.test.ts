/** A consumer whose broker has forgotten it, as a restarted broker does. */
import { responseCode } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import { expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

test.each(['SUBSCRIPTION_NOT_EXIST', 'SUBSCRIPTION_NOT_LATEST'] as const)(
  'a consumer that is answered %s introduces itself and goes on within three seconds',
  async (name) => {
    const scene = await Scene.open({ queues: 2 })
    const broker = scene.broker()
    const got: string[] = []
    const consumer = scene
      .consumer()
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    // Neither a heartbeat (every 30 s) nor a rebalance (every 20 s) comes by chance.
    await scene.world.clock.advance(22_000)
    broker.forget(GROUP)
    broker.script.onPull = () => {
      if (broker.members(GROUP).length > 0) return undefined
      throw new Refusal(responseCode[name], 'the subscription is unknown here')
    }
    for (const queueId of [0, 1]) broker.put(TOPIC, queueId, `held ${queueId}`)
    await scene.world.clock.advance(100)
    for (const queueId of [0, 1]) broker.put(TOPIC, queueId, `refused ${queueId}`)
    await scene.world.clock.advance(3_000)
    expect(got.toSorted()).toEqual(['held 0', 'held 1', 'refused 0', 'refused 1'])
  },
)
