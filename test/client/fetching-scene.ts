/**
 * What tests of consumers that fetch messages have in common.
 */
import type { LitePullConsumer, LitePullOptions, ReceivedMessage } from '@rockhopper/client'
import { GROUP, Scene, TOPIC } from './scene.ts'

/** The first queue of the topic. */
export const QUEUE = { topic: TOPIC, brokerName: 'broker-a', queueId: 0 }

export const textsOf = (messages: readonly ReceivedMessage[]): string[] =>
  messages.map(({ body }) => body.toString())

/** Texts of numbers in a row. */
export const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `${from + i}`)

/** A scene with numbered messages, put on the queues of the topic in turn. */
export async function sceneWith(count: number, queues = 1): Promise<Scene> {
  const scene = await Scene.open({ queues })
  for (const text of numbers(count)) scene.broker().put(TOPIC, Number(text) % queues, text)
  return scene
}

/** A consumer of the topic that has started. */
export async function started(
  scene: Scene,
  options: Partial<LitePullOptions> = {},
  hostName = 'puller',
): Promise<LitePullConsumer> {
  const consumer = scene.litePuller(options, hostName).subscribe(TOPIC)
  await scene.run(consumer.start())
  return consumer
}

/** What the broker knows of the group. */
export const committed = (scene: Scene, queueId = 0): number | undefined =>
  scene.broker().offsets.get(`${GROUP} ${TOPIC} ${queueId}`)

/** Polls until there are that many messages. */
export async function poll(
  scene: Scene,
  consumer: LitePullConsumer,
  count: number,
): Promise<string[]> {
  const got: string[] = []
  while (got.length < count) got.push(...textsOf(await scene.run(consumer.poll())))
  return got
}
