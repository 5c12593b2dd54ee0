/** What operators ask of a consumer through its broker, and the answers on their way back. */
import {
  CONSUME_MESSAGE_DIRECTLY,
  decodeConsumerStatus,
  encodeClientOffsets,
  GET_CONSUMER_RUNNING_INFO,
  GET_CONSUMER_STATUS_FROM_CLIENT,
  INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
  readRecord,
  responseCode,
} from '@rockhopper/protocol'
import { Router } from '@rockhopper/remoting'
import { expect, test } from 'vitest'
import { BrokerScene, subscription, type TestClient, timeoutMs } from './scene.ts'

const GROUP = 'consumers'
const STRANGE = '{"mqTable":{{"queueId":0}:{"droped":false}},"big":9223372036854775807}'

interface Consumer {
  readonly scene: BrokerScene
  readonly client: TestClient
  readonly router: Router
}

async function consumer(): Promise<Consumer> {
  const scene = await BrokerScene.started()
  const router = new Router(scene.world.host('broker').doors.logger)
  const client = scene.client(router)
  await client.send('T', 'm0', {}, 'UNIQ_KEY\x01C0A80001000000000000000000000001\x02')
  await client.heartbeat(GROUP, [subscription('T')])
  return { scene, client, router }
}

function askInfo({ scene }: Consumer, clientId = 'client-1') {
  const header = { consumerGroup: GROUP, clientId, jstackEnable: true }
  const call = scene.client().remoting.call(scene.address, GET_CONSUMER_RUNNING_INFO, header, {
    timeoutMs,
    extra: { nsd: 'false' },
  })
  return scene.settle(call)
}

function consumeDirectly({ scene }: Consumer, msgId: string, topic?: string) {
  const header = { consumerGroup: GROUP, clientId: 'client-1', msgId, topic }
  const options = { timeoutMs }
  return scene.settle(
    scene.client().remoting.call(scene.address, CONSUME_MESSAGE_DIRECTLY, header, options),
  )
}

test('the running information comes back byte by byte, with the code and the remark', async () => {
  const all = await consumer()
  all.router.on(GET_CONSUMER_RUNNING_INFO, ({ clientId, jstackEnable }) => ({
    code: responseCode.SYSTEM_BUSY,
    remark: `${clientId} ${jstackEnable}`,
    body: [Buffer.from(STRANGE)],
  }))
  const answer = await askInfo(all)
  expect(answer).toMatchObject({ code: responseCode.SYSTEM_BUSY, remark: 'client-1 true' })
  expect(answer.body.toString()).toBe(STRANGE)
})

test('a client that is not there, or does not answer within ten seconds, is named', async () => {
  const all = await consumer()
  const gone = await askInfo(all, 'nobody')
  expect(gone.code).toBe(responseCode.SYSTEM_ERROR)
  expect(gone.remark).toBe('The Consumer <consumers> <nobody> not online')
  all.router.on(GET_CONSUMER_RUNNING_INFO, () => undefined)
  const beganMs = all.scene.world.clock.nowMs()
  const silent = await askInfo(all)
  expect(silent.code).toBe(responseCode.CONSUME_MSG_TIMEOUT)
  expect(silent.remark).toMatch(/^consumer <consumers> <client-1> Timeout: /)
  expect(all.scene.world.clock.nowMs() - beganMs).toBeGreaterThanOrEqual(10_000)
})

test('a message is consumed directly, found by its offset id or by its unique key', async () => {
  const all = await consumer()
  const consumed: unknown[] = []
  all.router.on(CONSUME_MESSAGE_DIRECTLY, (header, { body }) => {
    const { brokerName, groupSysFlag, topicSysFlag } = header
    const text = readRecord(body, 0)?.body.toString()
    consumed.push({ brokerName, groupSysFlag, topicSysFlag, text })
    return { body: [Buffer.from('{"consumeResult":"CR_SUCCESS"}')] }
  })
  const sent = await all.client.send('T', 'm1')
  const byOffset = await consumeDirectly(all, sent.header().msgId, 'T')
  expect(byOffset.body.toString()).toBe('{"consumeResult":"CR_SUCCESS"}')
  await consumeDirectly(all, 'C0A80001000000000000000000000001', 'T')
  expect(consumed).toEqual([
    { brokerName: 'broker-a', groupSysFlag: 0, topicSysFlag: 0, text: 'm1' },
    { brokerName: 'broker-a', groupSysFlag: 0, topicSysFlag: 0, text: 'm0' },
  ])
})

test('a message that is not there is not given to anybody', async () => {
  const all = await consumer()
  let asked = 0
  all.router.on(CONSUME_MESSAGE_DIRECTLY, () => {
    asked++
    return {}
  })
  for (const id of ['', 'x', 'F'.repeat(32), `0A00000100002A9F${'0'.repeat(13)}123`]) {
    const answer = await consumeDirectly(all, id, 'T')
    expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
    expect(answer.remark).toContain('there is no message with the id')
  }
  expect(asked).toBe(0)
})

test('the offsets that clients have come by their ids; who does not answer is left out', async () => {
  const all = await consumer()
  const queue = { brokerName: 'broker-a', queueId: 0, topic: 'T' }
  all.router.on(GET_CONSUMER_STATUS_FROM_CLIENT, () => ({
    body: [encodeClientOffsets([[queue, 7]])],
  }))
  const other = all.scene.client(new Router(all.scene.world.host('broker').doors.logger))
  await other.heartbeat(GROUP, [subscription('T')])
  const status = async (given: { group?: string; clientAddr?: string } = {}) => {
    const header = { topic: 'T', group: GROUP, ...given }
    const call = all.scene
      .client()
      .remoting.call(all.scene.address, INVOKE_BROKER_TO_GET_CONSUMER_STATUS, header, { timeoutMs })
    return all.scene.settle(call)
  }
  const expected = new Map([['client-1', [[queue, 7]]]])
  expect(decodeConsumerStatus((await status()).body)).toEqual(expected)
  expect(decodeConsumerStatus((await status({ clientAddr: 'client-2' })).body)).toEqual(new Map())
  const offline = await status({ group: 'nobody' })
  expect(offline.code).toBe(responseCode.SYSTEM_ERROR)
  expect(offline.remark).toBe('No Any Consumer online in the consumer group: [nobody]')
})
