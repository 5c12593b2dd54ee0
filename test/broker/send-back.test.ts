/** What a group cannot consume is tried again, later each time, and in the end is a dead letter. */
import {
  CONSUMER_SEND_MSG_BACK,
  deadLetterTopicOf,
  decodeProperties,
  encodeQueueLockRequest,
  type Header,
  LOCK_BATCH_MQ,
  responseCode,
  retryTopicOf,
  type StoredRecord,
  subscriptionGroupOf,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { maxRetriesOf, retryLevelOf } from '../../packages/broker/src/rules/retry.ts'
import { DelayedScene, LATE_MS } from './delayed-scene.ts'
import { timeoutMs } from './scene.ts'

const GROUP = 'billing'
const retries = retryTopicOf(GROUP)
const deadLetters = deadLetterTopicOf(GROUP)

type BackHeader = Header<typeof CONSUMER_SEND_MSG_BACK.tables.request>

class BackScene extends DelayedScene {
  static override async started(settings = ''): Promise<BackScene> {
    const scene = new BackScene(settings)
    await scene.start()
    return scene
  }

  /** A message of an application, as its consumer sees it. */
  async message(properties = ''): Promise<StoredRecord> {
    await this.producer.send('orders', 'body', { flag: 9 }, properties)
    const last = (await this.messages('orders')).at(-1)
    if (last === undefined) throw new Error('there is no message')
    return last
  }

  giveBack({ logOffset: offset }: { logOffset: number }, given: Partial<BackHeader> = {}) {
    const header: BackHeader = { offset, group: GROUP, delayLevel: 0, ...given }
    const { remoting } = this.producer
    return this.settle(remoting.call(this.address, CONSUMER_SEND_MSG_BACK, header, { timeoutMs }))
  }

  async setGroup(settings: Record<string, unknown>): Promise<void> {
    const body = [Buffer.from(JSON.stringify({ groupName: GROUP, ...settings }))]
    const { remoting } = this.producer
    const command = UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
    await this.settle(remoting.request(this.address, command, {}, { body, timeoutMs }))
  }

  async last(topic: string): Promise<StoredRecord | undefined> {
    return (await this.messages(topic)).at(-1)
  }
}

function propertiesOf(record: StoredRecord | undefined): Record<string, string> {
  return Object.fromEntries(decodeProperties(record?.properties ?? ''))
}

describe('a message that is given back', () => {
  test('is in the retry topic of its group after 10 seconds, and says where it is from', async () => {
    const scene = await BackScene.started()
    const message = await scene.message('TAGS\x01red\x02KEYS\x01k\x02UNIQ_KEY\x01ID\x02')
    expect((await scene.giveBack(message)).code).toBe(responseCode.SUCCESS)
    await scene.pass(9_900)
    expect(await scene.messages(retries)).toEqual([])
    await scene.pass(100 + LATE_MS)
    const copy = await scene.last(retries)
    const { bornTimestamp, flag, sysFlag } = message
    expect(copy).toMatchObject({ reconsumeTimes: 1, bornTimestamp, flag, sysFlag, queueId: 0 })
    expect(copy?.body.toString()).toBe('body')
    expect(propertiesOf(copy)).toMatchObject({
      TAGS: 'red',
      KEYS: 'k',
      UNIQ_KEY: 'ID',
      WAIT: 'false',
      DELAY: '3',
      RETRY_TOPIC: 'orders',
      ORIGIN_MESSAGE_ID: expect.stringMatching(/^[0-9A-F]{32}$/),
    })
  })

  test('again and again waits longer each time, and after 16 retries is a dead letter', async () => {
    const scene = await BackScene.started()
    let message: StoredRecord | undefined = await scene.message()
    const minutes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 60, 120]
    const delays = [10_000, 30_000, ...minutes.map((count) => count * 60_000)]
    for (const [i, delayMs] of delays.entries()) {
      const givenMs = scene.world.clock.nowMs()
      expect((await scene.giveBack(message)).code).toBe(responseCode.SUCCESS)
      await scene.pass(delayMs + LATE_MS)
      const copies: StoredRecord[] = await scene.messages(retries)
      expect(copies).toHaveLength(i + 1)
      message = copies.at(-1) ?? message
      expect(message.reconsumeTimes).toBe(i + 1)
      expect(message.storeTimestamp - givenMs).toBeGreaterThanOrEqual(delayMs)
    }
    expect(await scene.messages(deadLetters)).toEqual([])
    await scene.giveBack(message)
    const [dead] = await scene.messages(deadLetters)
    expect(dead?.reconsumeTimes).toBe(17)
    const { ORIGIN_MESSAGE_ID: id } = propertiesOf(message)
    expect(propertiesOf(dead)).toMatchObject({
      DELAY: '0',
      RETRY_TOPIC: 'orders',
      ORIGIN_MESSAGE_ID: id,
      DLQ_ORIGIN_TOPIC: 'orders',
      DLQ_ORIGIN_MESSAGE_ID: id,
    })
    await scene.pass(60_000)
    expect(await scene.messages(retries)).toHaveLength(16)
  })

  test('with a level waits as long as that says, and below 0 is a dead letter at once', async () => {
    const scene = await BackScene.started()
    const message = await scene.message()
    await scene.giveBack(message, { delayLevel: 1 })
    await scene.pass(1_000 + LATE_MS)
    expect(await scene.messages(retries)).toHaveLength(1)
    await scene.giveBack(message, { delayLevel: -1 })
    expect(await scene.messages(deadLetters)).toHaveLength(1)
  })

  test('is a dead letter after as many retries as its group, or the client, wants', async () => {
    const scene = await BackScene.started()
    await scene.setGroup({ retryMaxTimes: 1 })
    await scene.giveBack(await scene.message(), { delayLevel: 1 })
    await scene.pass(1_500)
    const copy = await scene.last(retries)
    await scene.giveBack(copy ?? { logOffset: -1 }, { maxReconsumeTimes: 2 })
    expect(await scene.messages(deadLetters)).toEqual([])
    await scene.giveBack(copy ?? { logOffset: -1 })
    expect(await scene.messages(deadLetters)).toHaveLength(1)
  })

  test('carries why it failed, as far as there is room', async () => {
    const scene = await BackScene.started()
    const message = await scene.message()
    await scene.giveBack(message, { delayLevel: -1, consumeError: 'Error: no\x02 account' })
    expect(propertiesOf(await scene.last(deadLetters))['CONSUME_ERROR']).toBe('Error: no  account')
    const large = await scene.message(`large\x01${'x'.repeat(31_500)}\x02`)
    await scene.giveBack(large, { delayLevel: -1, consumeError: 'e'.repeat(500) })
    expect(propertiesOf(await scene.last(deadLetters))).not.toHaveProperty('CONSUME_ERROR')
    expect(await scene.messages(deadLetters)).toHaveLength(2)
  })

  test('is not lost when the broker is killed right after its answer', async () => {
    const scene = await BackScene.started()
    await scene.giveBack(await scene.message(), { delayLevel: 2 })
    await scene.killAndRestart()
    await scene.pass(5_500)
    expect(await scene.messages(retries)).toHaveLength(1)
  })

  test('to a group without retry queues is forgotten', async () => {
    const scene = await BackScene.started()
    await scene.setGroup({ retryQueueNums: 0 })
    expect((await scene.giveBack(await scene.message())).code).toBe(responseCode.SUCCESS)
    await scene.pass(11_000)
    expect(await scene.messages(retries)).toEqual([])
  })

  test('is in one of as many queues as the group wants', async () => {
    const scene = await BackScene.started()
    await scene.setGroup({ retryQueueNums: 3 })
    const message = await scene.message()
    for (let i = 0; i < 30; i++) await scene.giveBack(message, { delayLevel: 1 })
    await scene.pass(2_000)
    for (const queueId of [0, 1, 2]) {
      expect((await scene.messages(retries, queueId)).length).toBeGreaterThan(0)
    }
  })

  test('is in a queue that its group reads, though that wants more queues by now', async () => {
    const scene = await BackScene.started()
    const message = await scene.message()
    await scene.giveBack(message, { delayLevel: 1 })
    await scene.setGroup({ retryQueueNums: 8 })
    for (let i = 0; i < 9; i++) await scene.giveBack(message, { delayLevel: 1 })
    await scene.pass(2_000)
    expect(await scene.messages(retries)).toHaveLength(10)
  })

  test('that nobody can find is refused', async () => {
    const scene = await BackScene.started()
    const answer = await scene.giveBack({ logOffset: 12_345 })
    expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
    expect(answer.remark).toMatch(/look message by offset failed, 12345/)
  })

  test('by a group that there is not is refused', async () => {
    const scene = await BackScene.started('autoCreateSubscriptionGroup=false\n')
    const answer = await scene.giveBack({ logOffset: 0 })
    expect(answer.code).toBe(responseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  })

  test('to a broker that may not be written is refused', async () => {
    const scene = await BackScene.started('brokerPermission=4\n')
    const answer = await scene.giveBack(await scene.message())
    expect(answer.code).toBe(responseCode.NO_PERMISSION)
  })
})

describe('a message that a consumer sends to the retry topic of its group', () => {
  const delayed = 'RETRY_TOPIC\x01orders\x02ORIGIN_MESSAGE_ID\x01ID\x02DELAY\x011\x02'

  test('is delayed and tried again', async () => {
    const scene = await BackScene.started()
    const given = { reconsumeTimes: 16, maxReconsumeTimes: 16 }
    await scene.producer.send(retries, 'body', given, delayed)
    expect(await scene.messages(retries)).toEqual([])
    await scene.pass(1_500)
    expect(await scene.last(retries)).toMatchObject({ reconsumeTimes: 16 })
  })

  test('more often than it is to be tried is a dead letter at once', async () => {
    const scene = await BackScene.started()
    const given = { reconsumeTimes: 17, maxReconsumeTimes: 16 }
    await scene.producer.send(retries, 'body', given, delayed)
    const dead = await scene.last(deadLetters)
    expect(propertiesOf(dead)).toMatchObject({
      DELAY: '-1',
      DLQ_ORIGIN_TOPIC: 'orders',
      DLQ_ORIGIN_MESSAGE_ID: 'ID',
    })
    await scene.pass(2_000)
    expect(await scene.messages(retries)).toEqual([])
  })

  test('by a group that has queues for itself is a dead letter: it has tried on its own', async () => {
    const scene = await BackScene.started()
    const queues = [{ topic: 'orders', brokerName: 'broker-a', queueId: 0 }]
    const lock = { clientId: 'c', consumerGroup: GROUP, queues, onlyThisBroker: false }
    const body = [encodeQueueLockRequest(lock)]
    const { remoting } = scene.producer
    await scene.settle(remoting.request(scene.address, LOCK_BATCH_MQ, {}, { body, timeoutMs }))
    await scene.producer.send(retries, 'body', { reconsumeTimes: 1 }, delayed)
    expect(await scene.messages(deadLetters)).toHaveLength(1)
    await scene.pass(61_000)
    await scene.producer.send(retries, 'body', { reconsumeTimes: 1 }, delayed)
    expect(await scene.messages(deadLetters)).toHaveLength(1)
  })

  test('that was half of a transaction once is no half any more', async () => {
    const scene = await BackScene.started()
    const answer = await scene.producer.send(retries, 'body', {}, `TRAN_MSG\x01true\x02${delayed}`)
    expect(answer.code).toBe(responseCode.SUCCESS)
  })

  test('is refused when there is no such group', async () => {
    const scene = await BackScene.started('autoCreateSubscriptionGroup=false\n')
    const answer = await scene.producer.send(retries, 'body', {}, delayed)
    expect(answer.code).toBe(responseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  })
})

describe('the rules of retries', () => {
  const delays = [1_000, 5_000, 10_000, 30_000, 60_000]

  function group(settings: Record<string, unknown>) {
    return subscriptionGroupOf({ groupName: GROUP, ...settings })
  }

  test('let a client say how often it tries since version 3.4.9', () => {
    expect(maxRetriesOf(group({ retryMaxTimes: 4 }), 121, 7)).toBe(7)
    expect(maxRetriesOf(group({ retryMaxTimes: 4 }), 120, 7)).toBe(4)
    expect(maxRetriesOf(group({ retryMaxTimes: 4 }), 121, undefined)).toBe(4)
  })

  test('begin with level 3 where the group has no durations of its own', () => {
    expect([0, 1, 2].map((times) => retryLevelOf(group({}), times, delays))).toEqual([3, 4, 5])
  })

  test('take the level that is not shorter than what the policy of the group says', () => {
    const customized = { next: [1, 1, 7_000, 30_000, 45_000] }
    const policy = { type: 'CUSTOMIZED', customizedRetryPolicy: customized }
    const levels = [0, 1, 2, 9].map((times) =>
      retryLevelOf(group({ groupRetryPolicy: policy }), times, delays),
    )
    expect(levels).toEqual([3, 4, 5, 5])
    const exponential = { initial: 2_000, max: 40_000, multiplier: 3 }
    const growing = { type: 'EXPONENTIAL', exponentialRetryPolicy: exponential }
    const grown = [0, 1, 2, 3, 99].map((times) =>
      retryLevelOf(group({ groupRetryPolicy: growing }), times, delays),
    )
    expect(grown).toEqual([2, 3, 4, 5, 5])
  })
})
