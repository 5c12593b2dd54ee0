/** What becomes of a reply at a broker: pushed to the client that waits for it, stored, answered. */
import {
  decodeProperties,
  encodeHeartbeat,
  HEART_BEAT,
  type Header,
  PUSH_REPLY_MESSAGE_TO_CLIENT,
  SEND_REPLY_MESSAGE,
  SEND_REPLY_MESSAGE_V2,
  UNREGISTER_CLIENT,
} from '@rockhopper/protocol'
import { Refusal, Router } from '@rockhopper/remoting'
import { describe, expect, it } from 'vitest'
import { BrokerScene, bodiesOf, recordsOf, type TestClient, timeoutMs } from './scene.ts'

const TOPIC = 'DefaultCluster_REPLY_TOPIC'

type Pushed = Header<typeof PUSH_REPLY_MESSAGE_TO_CLIENT.tables.request> & { readonly body: string }

/** A client that waits for replies, and what it got. */
class Requester {
  readonly client: TestClient
  readonly pushed: Pushed[] = []
  answer: () => Promise<object> | object = () => ({})

  constructor(scene: BrokerScene) {
    const router = new Router(scene.world.host('logger').doors.logger)
    router.on(PUSH_REPLY_MESSAGE_TO_CLIENT, async (header, { body }) => {
      this.pushed.push({ ...header, body: body.toString() })
      return await this.answer()
    })
    this.client = scene.client(router)
  }

  async heartbeat(scene: BrokerScene, groups = ['askers']): Promise<void> {
    const body = encodeHeartbeat({
      clientID: this.client.clientId,
      producerDataSet: groups.map((groupName) => ({ groupName })),
      consumerDataSet: [],
      heartbeatFingerprint: 0,
      withoutSub: false,
    })
    const { remoting } = this.client
    const call = remoting.call(scene.address, HEART_BEAT, {}, { body: [body], timeoutMs })
    await scene.settle(call)
  }
}

function reply(
  scene: BrokerScene,
  client: TestClient,
  properties: string,
  topic = TOPIC,
  command: typeof SEND_REPLY_MESSAGE | typeof SEND_REPLY_MESSAGE_V2 = SEND_REPLY_MESSAGE_V2,
) {
  const header = {
    producerGroup: 'repliers',
    topic,
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 4,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: 7,
    flag: 3,
    properties: Buffer.from(properties),
  }
  const options = { body: [Buffer.from('pong')], timeoutMs }
  return scene.settle(client.remoting.call(scene.address, command, header, options))
}

function propertiesFor(requester: Requester): string {
  return `CORRELATION_ID\x01c-1\x02REPLY_TO_CLIENT\x01${requester.client.clientId}\x02MSG_TYPE\x01reply`
}

describe('a reply', () => {
  it('is pushed to the client that its request names, and stored', async () => {
    const scene = await BrokerScene.started()
    const requester = new Requester(scene)
    await requester.heartbeat(scene)
    const replier = scene.client()
    for (const command of [SEND_REPLY_MESSAGE, SEND_REPLY_MESSAGE_V2]) {
      const answer = await reply(scene, replier, propertiesFor(requester), TOPIC, command)
      expect(answer.code).toBe(0)
      expect(answer.header()).toMatchObject({ queueId: 0, regionId: 'DefaultRegion' })
    }
    const [pushed] = requester.pushed
    expect(requester.pushed.length).toBe(2)
    expect(pushed).toMatchObject({ topic: TOPIC, body: 'pong', bornTimestamp: 7, flag: 3 })
    expect(pushed).toMatchObject({ producerGroup: 'repliers', queueId: 0, unitMode: false })
    expect(pushed?.storeHost).toBe(scene.address)
    const properties = decodeProperties(pushed?.properties ?? '')
    expect(properties.get('CORRELATION_ID')).toBe('c-1')
    expect(properties.get('MSG_TYPE')).toBe('reply')
    expect(Number(properties.get('PUSH_REPLY_TIME'))).toBeGreaterThan(0)
    const stored = recordsOf(await replier.pull(TOPIC, 0))
    expect(stored.map(({ body }) => body.toString())).toEqual(['pong', 'pong'])
    expect(decodeProperties(stored[0]?.properties ?? '').get('CORRELATION_ID')).toBe('c-1')
  })

  it('to a client that is not connected is stored, and its sender hears why it did not arrive', async () => {
    const scene = await BrokerScene.started()
    const requester = new Requester(scene)
    await requester.heartbeat(scene, ['askers', 'others'])
    const replier = scene.client()
    const leave = async (producerGroup: string) => {
      const header = { clientID: requester.client.clientId, producerGroup }
      const { remoting } = requester.client
      await scene.settle(remoting.call(scene.address, UNREGISTER_CLIENT, header, { timeoutMs }))
    }
    await leave('askers')
    expect((await reply(scene, replier, propertiesFor(requester))).code).toBe(0)
    await leave('others')
    const answer = await reply(scene, replier, propertiesFor(requester))
    expect(answer.code).toBe(1)
    expect(answer.remark).toBe('push reply message fail, channel of <client-1> not found.')
    expect(answer.header()).toMatchObject({ queueOffset: 1 })
    expect(bodiesOf(await replier.pull(TOPIC, 0))).toEqual(['pong', 'pong'])
  })

  it('to a client whose connection broke is not pushed', async () => {
    const scene = await BrokerScene.started()
    const requester = new Requester(scene)
    await requester.heartbeat(scene)
    const replier = scene.client()
    requester.client.remoting.close()
    await scene.world.clock.advance(100)
    const answer = await reply(scene, replier, propertiesFor(requester))
    expect(answer.remark).toContain('channel of <client-1> not found')
  })

  it('that its client refuses, or does not answer for 10 s, tells its sender so', async () => {
    const scene = await BrokerScene.started()
    const requester = new Requester(scene)
    await requester.heartbeat(scene)
    const replier = scene.client()
    requester.answer = () => {
      throw new Refusal(1, 'too late')
    }
    const refused = await reply(scene, replier, propertiesFor(requester))
    expect(refused.code).toBe(1)
    expect(refused.remark).toContain('push reply message to client-1 fail. It answered code 1: too')
    requester.answer = () => new Promise(() => {})
    const silent = await reply(scene, replier, propertiesFor(requester))
    expect(silent.code).toBe(1)
    expect(silent.remark).toContain('push reply message to client-1 fail.')
  })

  it('that names no client, or goes to a topic of the system, is answered with the reason', async () => {
    const scene = await BrokerScene.started()
    const replier = scene.client()
    const nobody = await reply(scene, replier, 'CORRELATION_ID\x01c-1\x02')
    expect(nobody.code).toBe(1)
    expect(nobody.remark).toBe('reply message properties[REPLY_TO_CLIENT] is null')
    const system = await reply(scene, replier, '', 'SCHEDULE_TOPIC_XXXX')
    expect(system.code).toBe(16)
  })

  it('to a topic that is not there makes it, as Java clients with a namespace do, or is refused', async () => {
    const scene = await BrokerScene.started()
    const requester = new Requester(scene)
    await requester.heartbeat(scene)
    const topic = `shop%${TOPIC}`
    const answer = await reply(scene, scene.client(), propertiesFor(requester), topic)
    expect(answer.code).toBe(0)
    expect(bodiesOf(await scene.client().pull(topic, 0))).toEqual(['pong'])
    const strict = await BrokerScene.started('autoCreateTopicEnable=false\n')
    const refused = await reply(strict, strict.client(), '', topic)
    expect(refused.code).toBe(17)
    expect(refused.remark).toContain('does not exist: create it with mqadmin updateTopic')
  })

  it('is only pushed when storeReplyMessageEnable is false', async () => {
    const scene = await BrokerScene.started('storeReplyMessageEnable=false\n')
    const requester = new Requester(scene)
    await requester.heartbeat(scene)
    const replier = scene.client()
    const answer = await reply(scene, replier, propertiesFor(requester))
    expect(answer.code).toBe(0)
    expect(answer.header()).toMatchObject({ msgId: '0', queueId: 0, queueOffset: 0 })
    expect(requester.pushed.length).toBe(1)
    expect(bodiesOf(await replier.pull(TOPIC, 0))).toEqual([])
  })
})
