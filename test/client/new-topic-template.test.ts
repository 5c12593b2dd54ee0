/** A producer may say after which topic its new topics are made. */
import { expect, test } from 'vitest'
import { failure, Scene } from './scene.ts'

/** Topics of the sends that the broker got, each with the one that it was to be made after. */
async function listening(routes: Readonly<Record<string, number>>) {
  const scene = await Scene.open()
  for (const [topic, queues] of Object.entries(routes)) {
    scene.routes.set(topic, scene.routeOf(queues))
  }
  const sent: string[] = []
  scene.broker().script.onSend = ({ defaultTopic, topic }) => {
    sent.push(`${topic} after ${defaultTopic}`)
    return undefined
  }
  return { scene, sent }
}

test('a new topic is made after the topic that the options name, with its queues', async () => {
  const { scene, sent } = await listening({ model: 1, TBW102: 8 })
  const producer = await scene.startedProducer({ newTopicTemplate: 'model' })
  for (let i = 0; i < 3; i++) {
    const { queue } = await scene.run(producer.send({ topic: 'new', body: 'x' }))
    expect(queue.queueId).toBe(0)
  }
  expect(new Set(sent)).toEqual(new Set(['new after model']))
})

test('a new topic is made after TBW102 where nothing is said', async () => {
  const { scene, sent } = await listening({ TBW102: 8 })
  const producer = await scene.startedProducer()
  await scene.run(producer.send({ topic: 'new', body: 'x' }))
  expect(sent).toEqual(['new after TBW102'])
})

test('a template in a namespace is one of its topics', async () => {
  const { scene, sent } = await listening({ 'shop%model': 2 })
  const producer = await scene.startedProducer({ namespace: 'shop', newTopicTemplate: 'model' })
  await scene.run(producer.send({ topic: 'new', body: 'x' }))
  expect(sent).toEqual(['shop%new after shop%model'])
})

test('a template that cannot be a topic is refused, and one that is not there is no template', async () => {
  const { scene, sent } = await listening({ TBW102: 8 })
  expect(() => scene.producer({ newTopicTemplate: 'a b' })).toThrow('as newTopicTemplate')
  const producer = await scene.startedProducer({ newTopicTemplate: 'none' })
  const error = await scene.run(failure(producer.send({ topic: 'new', body: 'x' })))
  expect(error.code).toBe('NO_ROUTE')
  expect(sent).toEqual([])
})
