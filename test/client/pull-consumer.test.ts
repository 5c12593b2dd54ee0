/** A consumer that does everything itself reads what it asks for, and says how far it is. */
import { PullConsumer, type PullOptions } from '@rockhopper/client'
import { responseCode, retryTopicOf } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { failure, GROUP, Scene, TOPIC } from './scene.ts'

const QUEUE = { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }

function puller(scene: Scene, options: Partial<PullOptions> = {}): PullConsumer {
  const { namesrvAddr } = scene
  return new PullConsumer({ group: GROUP, namesrvAddr, host: scene.doors('puller'), ...options })
}

async function started(scene: Scene, options: Partial<PullOptions> = {}): Promise<PullConsumer> {
  const consumer = puller(scene, options)
  await scene.run(consumer.start())
  return consumer
}

async function sceneWith(count: number): Promise<Scene> {
  const scene = await Scene.open({ queues: 1 })
  for (let i = 0; i < count; i++) {
    scene.broker().put(TOPIC, 0, `${i}`, { TAGS: i % 2 === 0 ? 'even' : 'odd' })
  }
  return scene
}

describe('a pull', () => {
  test('that cannot be is refused before a broker is asked', async () => {
    const scene = await sceneWith(0)
    expect(await failure(puller(scene).pull(QUEUE, '*', 0, 1))).toMatchObject({
      code: 'NOT_STARTED',
    })
    const consumer = await started(scene)
    const tries = [
      [consumer.pull(QUEUE, '*', -1, 1), 'an offset is -1'],
      [consumer.pull(QUEUE, '*', 0, 0), 'a pull wants 0 messages: use 1 to 1024'],
      [consumer.pull(QUEUE, '*', 0, 2000), 'a pull wants 2000 messages'],
      [consumer.pull(QUEUE, '||', 0, 1), 'names no tag'],
    ] as const
    for (const [tried, sentence] of tries) {
      const error = await failure(tried)
      expect(error.message).toContain(sentence)
      expect(error.code).toBe('BAD_OPTION')
    }
    const error = await scene.run(failure(consumer.pull({ ...QUEUE, topic: 'none' }, '*', 0, 1)))
    expect(error).toMatchObject({ code: 'NO_ROUTE' })
    expect(scene.broker().pulls).toEqual([])
  })

  test('that the broker refuses, or that it cannot hear, fails with the reason', async () => {
    const scene = await sceneWith(1)
    const consumer = await started(scene)
    scene.broker().script.onPull = () => ({ code: responseCode.NO_PERMISSION, remark: 'no' })
    expect(await scene.run(failure(consumer.pull(QUEUE, '*', 0, 1)))).toMatchObject({
      code: 'BROKER_REFUSED',
      responseCode: responseCode.NO_PERMISSION,
    })
    scene.world.host('broker-a').kill()
    expect(await scene.run(failure(consumer.pull(QUEUE, '*', 0, 1)))).toMatchObject({
      code: 'BROKER_UNREACHABLE',
      retryable: true,
    })
  })

  test('gives messages from its offset on, those that are wanted, and where to go on', async () => {
    const scene = await sceneWith(10)
    const consumer = await started(scene)
    const { messages, ...where } = await scene.run(consumer.pull(QUEUE, 'odd', 2, 5))
    expect(messages.map(({ body }) => body.toString())).toEqual(['3', '5'])
    expect(where).toMatchObject({ kind: 'found', nextOffset: 7, minOffset: 0, maxOffset: 10 })
    expect(scene.broker().pulls[0]).toMatchObject({
      sysFlag: 4,
      maxMsgNums: 5,
      subscription: 'odd',
      subVersion: 0,
    })
  })

  test('behind the end gives nothing at once, or waits for something', async () => {
    const scene = await sceneWith(3)
    const consumer = await started(scene)
    const nothing = await scene.run(consumer.pull(QUEUE, '*', 3, 1))
    expect(nothing).toMatchObject({ kind: 'nothing new', nextOffset: 3, messages: [] })
    const waiting = consumer.pullBlockIfNotFound(QUEUE, '*', 3, 1)
    await scene.world.clock.advance(15_000)
    scene.broker().put(TOPIC, 0, 'late')
    expect((await scene.run(waiting)).messages[0]?.body.toString()).toBe('late')
    expect(scene.broker().pulls.at(-1)).toMatchObject({ sysFlag: 6, suspendTimeoutMillis: 20_000 })
    const inVain = await scene.run(consumer.pullBlockIfNotFound(QUEUE, '*', 4, 1))
    expect(inVain.kind).toBe('nothing new')
  })

  test('where the queue does not reach says where it does', async () => {
    const scene = await sceneWith(3)
    scene.broker().beginAt(TOPIC, 0, 100)
    const consumer = await started(scene)
    for (const [offset, nextOffset] of [
      [5, 100],
      [500, 103],
    ] as const) {
      const result = await scene.run(consumer.pull(QUEUE, '*', offset, 1))
      expect(result).toMatchObject({ kind: 'offset moved', nextOffset, minOffset: 100 })
    }
  })
})

describe('offsets', () => {
  test('that were said are told within 5 s, and at the end', async () => {
    const scene = await sceneWith(5)
    const consumer = await started(scene)
    const { offsets } = scene.broker()
    expect(await scene.run(consumer.fetchConsumeOffset(QUEUE))).toBeUndefined()
    expect(() => consumer.updateConsumeOffset(QUEUE, -1)).toThrow('an offset is -1')
    consumer.updateConsumeOffset(QUEUE, 3)
    expect(await scene.run(consumer.fetchConsumeOffset(QUEUE))).toBe(3)
    expect(offsets.size).toBe(0)
    await scene.world.clock.advance(5500)
    expect([...offsets]).toEqual([[`${GROUP} ${TOPIC} 0`, 3]])
    consumer.updateConsumeOffset(QUEUE, 4)
    await scene.run(consumer.close())
    expect([...offsets.values()]).toEqual([4])
    expect(scene.broker().heartbeats).toEqual([])
  })

  test('are those of the broker where nothing was said, and bounds and times are known', async () => {
    const scene = await sceneWith(5)
    scene.broker().beginAt(TOPIC, 0, 100)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 2)
    const consumer = await started(scene)
    expect(await scene.run(consumer.fetchConsumeOffset(QUEUE))).toBe(2)
    expect(await scene.run(consumer.minOffset(QUEUE))).toBe(100)
    expect(await scene.run(consumer.maxOffset(QUEUE))).toBe(105)
    expect(await scene.run(consumer.searchOffset(QUEUE, 7102))).toBe(102)
    expect(await scene.run(consumer.fetchMessageQueues(TOPIC))).toEqual([QUEUE])
  })
})

test('a message is sent back with its level and the reason', async () => {
  const scene = await sceneWith(1)
  scene.routes.set(retryTopicOf(GROUP), scene.routeOf(1))
  const consumer = await started(scene, { maxReconsumeTimes: 7 })
  const [message] = (await scene.run(consumer.pull(QUEUE, '*', 0, 1))).messages
  if (message === undefined) throw new Error('nothing came')
  await scene.run(consumer.sendMessageBack(message, 4, new Error('too heavy')))
  expect(scene.broker().sentBack).toMatchObject([
    {
      group: GROUP,
      offset: message.logOffset,
      delayLevel: 4,
      originTopic: TOPIC,
      maxReconsumeTimes: 7,
    },
  ])
  scene.world.host('broker-a').kill()
  expect(await scene.run(failure(consumer.sendMessageBack(message)))).toMatchObject({
    retryable: true,
  })
})

test('registered topics are what brokers hear of', async () => {
  const scene = await sceneWith(0)
  const consumer = await started(scene, { topics: { [TOPIC]: 'even' } })
  expect(scene.broker().heartbeats[0]).toMatchObject({
    clientID: consumer.clientId,
    consumerDataSet: [
      {
        groupName: GROUP,
        consumeType: 'CONSUME_ACTIVELY',
        subscriptionDataSet: [{ topic: TOPIC, subString: 'even' }],
      },
    ],
  })
  await scene.run(consumer.close())
  expect(scene.broker().left).toEqual([consumer.clientId])
})
