/** What operators learn of groups, producers and queues: the answers in Apache's own form. */
import {
  type Command,
  decodeConsumeQueue,
  decodeConsumeStats,
  type FieldTable,
  GET_ALL_CONSUMER_OFFSET,
  GET_ALL_PRODUCER_INFO,
  GET_BROKER_CONSUME_STATS,
  GET_CONSUME_STATS,
  type Header,
  QUERY_CONSUME_QUEUE,
  QUERY_CONSUME_TIME_SPAN,
  QUERY_SUBSCRIPTION_BY_CONSUMER,
  QUERY_TOPICS_BY_CONSUMER,
  responseCode,
  tagsCodeOf,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, recordsOf, subscription, type TestClient, timeoutMs } from './scene.ts'

const GROUP = 'consumers'

async function begin(): Promise<{ scene: BrokerScene; client: TestClient }> {
  const scene = await BrokerScene.started()
  const client = scene.client()
  const one = { defaultTopicQueueNums: 1 }
  for (const tag of ['A', 'B', 'C']) {
    await client.send('T', tag, one, `TAGS\x01${tag}\x02`)
    await scene.world.clock.advance(10)
  }
  await client.heartbeat(GROUP, [subscription('T', 'A || B', 7)])
  const commit = { consumerGroup: GROUP, topic: 'T', queueId: 0, commitOffset: 2 }
  await ask(scene, client, UPDATE_CONSUMER_OFFSET, commit)
  return { scene, client }
}

function ask<Q extends FieldTable, A extends FieldTable>(
  scene: BrokerScene,
  { remoting }: TestClient,
  command: Command<Q, A>,
  header: Header<Q>,
) {
  return scene.settle(remoting.call(scene.address, command, header, { timeoutMs }))
}

async function textOf<Q extends FieldTable>(
  scene: BrokerScene,
  client: TestClient,
  command: Command<Q>,
  header: Header<Q>,
): Promise<string> {
  return (await ask(scene, client, command, header)).body.toString()
}

test('the topics of a group are those it has offsets of', async () => {
  const { scene, client } = await begin()
  expect(await textOf(scene, client, QUERY_TOPICS_BY_CONSUMER, { group: GROUP })).toBe(
    `{"brokerAddr":"${scene.address}","topicList":["T"]}`,
  )
})

test('a subscription is told while somebody is connected, and left out afterwards', async () => {
  const { scene, client } = await begin()
  const header = { group: GROUP, topic: 'T' }
  const online = await textOf(scene, client, QUERY_SUBSCRIPTION_BY_CONSUMER, header)
  expect(JSON.parse(online)).toMatchObject({
    ...{ group: GROUP, topic: 'T' },
    subscriptionData: { subString: 'A || B', expressionType: 'TAG', subVersion: 7 },
  })
  client.remoting.close()
  await scene.world.clock.advance(50)
  const offline = await textOf(scene, scene.client(), QUERY_SUBSCRIPTION_BY_CONSUMER, header)
  expect(offline).toBe(`{"group":"${GROUP}","topic":"T"}`)
})

test('time spans say of when the messages are, where the group is, and how late it is', async () => {
  const { scene, client } = await begin()
  const times = recordsOf(await client.pull('T', 0)).map(({ storeTimestamp }) => storeTimestamp)
  const header = { topic: 'T', group: GROUP }
  const answer = await textOf(scene, client, QUERY_CONSUME_TIME_SPAN, header)
  const [span] = JSON.parse(answer).consumeTimeSpanSet
  expect(span).toMatchObject({
    messageQueue: { brokerName: 'broker-a', queueId: 0, topic: 'T' },
    ...{ minTimeStamp: times[0], maxTimeStamp: times[2], consumeTimeStamp: times[1] },
  })
  expect(span.delayTime).toBeGreaterThan(0)
  const unknown = { topic: 'nix', group: GROUP }
  const refused = await ask(scene, client, QUERY_CONSUME_TIME_SPAN, unknown)
  expect(refused.code).toBe(responseCode.TOPIC_NOT_EXIST)
})

test('producers are listed by their groups', async () => {
  const { scene, client } = await begin()
  const answer = JSON.parse(await textOf(scene, client, GET_ALL_PRODUCER_INFO, {}))
  expect(answer.data.producers).toMatchObject([
    {
      clientId: 'client-1',
      language: 'OTHER',
      remoteIP: expect.stringMatching(/^\/10\.0\.0\.2:\d+$/),
      version: 479,
    },
  ])
  expect(answer.data.producers[0].lastUpdateTimestamp).toBeGreaterThan(1_000_000_000_000)
})

test('the stats of all groups are summed up', async () => {
  const { scene, client } = await begin()
  const text = await textOf(scene, client, GET_BROKER_CONSUME_STATS, { isOrder: false })
  expect(text).toContain(`"brokerAddr":"${scene.address}"`)
  expect(text).toContain(
    `{"${GROUP}":[{"consumeTps":0.0,"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:` +
      '{"brokerOffset":3,"consumerOffset":2,"pullOffset":2,',
  )
  expect(text).toMatch(/"totalDiff":1,"totalInflightDiff":0\}$/)
  const ordered = await textOf(scene, client, GET_BROKER_CONSUME_STATS, { isOrder: true })
  expect(ordered).toContain('"totalDiff":0')
})

test('stats of a topic that the group no longer subscribes to are told only when it is listed', async () => {
  const { scene, client } = await begin()
  await client.heartbeat(GROUP, [subscription('U', '*', 8)])
  const rows = async (given: { topic?: string; topicList?: string }) => {
    const answer = await ask(scene, client, GET_CONSUME_STATS, { consumerGroup: GROUP, ...given })
    return decodeConsumeStats(answer.body).queues.length
  }
  expect(await rows({})).toBe(0)
  expect(await rows({ topic: 'T' })).toBe(0)
  expect(await rows({ topicList: 'T' })).toBe(1)
})

test('offsets of all groups come as the file has them', async () => {
  const { scene, client } = await begin()
  const text = await textOf(scene, client, GET_ALL_CONSUMER_OFFSET, {})
  expect(text).toContain(`"offsetTable":{"T@${GROUP}":{0:2}}`)
})

test('entries of a queue are shown, with the subscription of the group that asks', async () => {
  const { scene, client } = await begin()
  const header = { topic: 'T', queueId: 0, index: 1, count: 5, consumerGroup: GROUP }
  const answer = decodeConsumeQueue((await ask(scene, client, QUERY_CONSUME_QUEUE, header)).body)
  const records = recordsOf(await client.pull('T', 1))
  expect(answer).toMatchObject({
    ...{ minQueueIndex: 0, maxQueueIndex: 3 },
    queueData: records.map(({ logOffset, properties, sizeBytes }) => ({
      physicOffset: logOffset,
      physicSize: sizeBytes,
      tagsCode: tagsCodeOf(properties),
    })),
    subscriptionData: { subString: 'A || B' },
  })
  expect(answer.queueData).toHaveLength(2)
  const nobody = { ...header, consumerGroup: 'nobody' }
  const offline = await ask(scene, client, QUERY_CONSUME_QUEUE, nobody)
  expect(decodeConsumeQueue(offline.body).filterData).toBe('nobody@T is not online!')
  const refused = await ask(scene, client, QUERY_CONSUME_QUEUE, { ...header, topic: 'nix' })
  expect(refused.remark).toBe('0@nix is not exist!')
})
