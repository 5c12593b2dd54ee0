/** A broker on a simulated host, and a client that speaks the protocol by hand. */
import {
  type BrokerConfig,
  completeBrokerConfig,
  readBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import {
  type ConsumerData,
  encodeHeartbeat,
  HEART_BEAT,
  type Header,
  PULL_MESSAGE,
  pullFlag,
  readRecord,
  SEND_MESSAGE_V2,
  type StoredRecord,
  type SubscriptionData,
  tagSubscription,
} from '@rockhopper/protocol'
import { type Answer, RemotingClient, type Router } from '@rockhopper/remoting'
import { createWorld, type SimWorld } from '@rockhopper/sim'

const PORT = 10_911
export const timeoutMs = 40_000

export class BrokerScene {
  readonly world: SimWorld
  readonly address: string
  readonly #settings: string
  #broker: Awaited<ReturnType<typeof startBroker>> | undefined
  #clients = 0

  constructor(settings = '', seed = 3) {
    this.world = createWorld(seed)
    this.address = `${this.world.host('broker').ip}:${PORT}`
    this.#settings = settings
  }

  static async started(settings = ''): Promise<BrokerScene> {
    const scene = new BrokerScene(settings)
    await scene.start()
    return scene
  }

  get config(): BrokerConfig {
    const { doors, ip } = this.world.host('broker')
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nlistenPort=${PORT}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\n${this.#settings}`
    return completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
  }

  async start(): Promise<void> {
    const { doors } = this.world.host('broker')
    this.#broker = await this.settle(startBroker(doors, this.config))
  }

  async stop(): Promise<void> {
    if (this.#broker !== undefined) await this.settle(this.#broker.close())
  }

  /** Ends the broker's process at once and starts it again on what the disk has. */
  async killAndRestart(): Promise<void> {
    const host = this.world.host('broker')
    host.kill()
    host.restart()
    await this.start()
  }

  async losePowerAndRestart(): Promise<void> {
    const host = this.world.host('broker')
    host.crash()
    host.restart()
    await this.start()
  }

  async stopAndStart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  client(router?: Router): TestClient {
    this.#clients++
    const { doors } = this.world.host(`client-${this.#clients}`)
    const remoting = new RemotingClient(doors, router === undefined ? {} : { router })
    return new TestClient(this, remoting, `client-${this.#clients}`)
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }
}

type SendHeader = Header<typeof SEND_MESSAGE_V2.tables.request>
type PullHeader = Header<typeof PULL_MESSAGE.tables.request>
type PullAnswer = Answer<typeof PULL_MESSAGE.tables.answer>

export class TestClient {
  readonly remoting: RemotingClient
  readonly clientId: string
  readonly #scene: BrokerScene

  constructor(scene: BrokerScene, remoting: RemotingClient, clientId: string) {
    this.#scene = scene
    this.remoting = remoting
    this.clientId = clientId
  }

  sending(topic: string, body: string, given: Partial<SendHeader> = {}, properties = '') {
    const header: SendHeader = {
      producerGroup: 'producers',
      topic,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 0,
      sysFlag: 0,
      bornTimestamp: this.#scene.world.clock.nowMs(),
      flag: 0,
      properties: Buffer.from(properties),
      ...given,
    }
    return this.remoting.call(this.#scene.address, SEND_MESSAGE_V2, header, {
      body: [Buffer.from(body)],
      timeoutMs,
    })
  }

  send(topic: string, body: string, given: Partial<SendHeader> = {}, properties = '') {
    return this.#scene.settle(this.sending(topic, body, given, properties))
  }

  /** A pull with the subscription in the request; `holdMs` above 0 lets the broker hold it. */
  pulling(topic: string, queueOffset: number, given: PullOptions = {}): Promise<PullAnswer> {
    const { holdMs = 0, tags = '*', ...rest } = given
    const header: PullHeader = {
      consumerGroup: 'consumers',
      topic,
      queueId: 0,
      queueOffset,
      maxMsgNums: 32,
      sysFlag: pullFlag.subscription | (holdMs > 0 ? pullFlag.suspend : 0),
      suspendTimeoutMillis: holdMs,
      subscription: tags,
      ...rest,
    }
    return this.remoting.call(this.#scene.address, PULL_MESSAGE, header, { timeoutMs })
  }

  pull(topic: string, queueOffset: number, given: PullOptions = {}): Promise<PullAnswer> {
    return this.#scene.settle(this.pulling(topic, queueOffset, given))
  }

  heartbeat(
    group: string,
    subscriptions: readonly SubscriptionData[],
    given: Partial<ConsumerData> = {},
  ) {
    const body = encodeHeartbeat({
      clientID: this.clientId,
      producerDataSet: [{ groupName: 'producers' }],
      consumerDataSet: [
        {
          groupName: group,
          consumeType: 'CONSUME_PASSIVELY',
          messageModel: 'CLUSTERING',
          consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
          subscriptionDataSet: subscriptions,
          unitMode: false,
          ...given,
        },
      ],
      heartbeatFingerprint: 0,
      withoutSub: false,
    })
    return this.#scene.settle(
      this.remoting.call(this.#scene.address, HEART_BEAT, {}, { body: [body], timeoutMs }),
    )
  }
}

export interface PullOptions extends Partial<PullHeader> {
  readonly holdMs?: number
  readonly tags?: string
}

export function subscription(topic: string, tags = '*', version = 1): SubscriptionData {
  return tagSubscription(topic, tags, version)
}

/** The records of a pull's body. */
export function recordsOf({ body }: { readonly body: Buffer }): StoredRecord[] {
  const records: StoredRecord[] = []
  for (let at = 0; at < body.length; ) {
    const record = readRecord(body, at)
    if (record === undefined) throw new Error(`there is no record at byte ${at} of the answer`)
    records.push(record)
    at += record.sizeBytes
  }
  return records
}

export function bodiesOf(answer: { readonly body: Buffer }): string[] {
  return recordsOf(answer).map(({ body }) => body.toString())
}
