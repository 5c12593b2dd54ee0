/** A message of a transaction is seen when its producer commits it, once, and otherwise never. */
import { describe, expect, test } from 'vitest'
import {
  COMMIT,
  HALF_TOPIC,
  OP_TOPIC,
  propertiesOf,
  ROLLBACK,
  TransactionScene,
  UNKNOWN,
} from './transaction-scene.ts'

describe('a half message', () => {
  test('is not seen, and lies where Apache has it', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const answer = await producer.client.send(
      'T',
      'body',
      { queueId: 2, sysFlag: 5, flag: 7, bornTimestamp: 1_234 },
      'TRAN_MSG\x01true\x02PGROUP\x01producers\x02UNIQ_KEY\x01ID\x02TAGS\x01red\x02',
    )
    expect(answer.code).toBe(0)
    expect(answer.header()).toMatchObject({ queueId: 2, queueOffset: 0, transactionId: 'ID' })
    expect(await scene.messages('T', 2)).toEqual([])
    const [half] = await scene.messages(HALF_TOPIC)
    expect(half).toMatchObject({ queueId: 0, sysFlag: 1, flag: 7, bornTimestamp: 1_234 })
    expect(propertiesOf(half)).toEqual({
      TRAN_MSG: 'true',
      PGROUP: 'producers',
      UNIQ_KEY: 'ID',
      TAGS: 'red',
      MSG_REGION: 'DefaultRegion',
      TRACE_ON: 'true',
      CLUSTER: 'DefaultCluster',
      REAL_TOPIC: 'T',
      REAL_QID: '2',
      __transactionId__: 'ID',
    })
  })

  test.each([
    ['DELAY\x013\x02', /cannot be delayed/],
    ['TIMER_DELAY_SEC\x0110\x02', /cannot be delayed/],
  ])('with %j is refused with a sentence', async (properties, sentence) => {
    const scene = await TransactionScene.started()
    const text = `TRAN_MSG\x01true\x02${properties}`
    const answer = await scene.client().send('T', 'body', {}, text)
    expect(answer.code).toBe(13)
    expect(answer.remark).toMatch(sentence)
  })

  test('is refused by a broker that wants none', async () => {
    const scene = await TransactionScene.started('rejectTransactionMessage=true\n')
    const answer = await scene.client().send('T', 'body', {}, 'TRAN_MSG\x01true\x02')
    expect(answer.code).toBe(16)
    expect(answer.remark).toMatch(/transaction message is forbidden/)
  })

  test('is none when an old client gives back what was committed', async () => {
    const scene = await TransactionScene.started('messageDelayLevel=1s\n')
    const properties = 'TRAN_MSG\x01true\x02DELAY\x011\x02'
    await scene.client().send('T', 'again', { reconsumeTimes: 1 }, properties)
    await scene.pass(1_500)
    expect(await scene.bodies()).toEqual(['again'])
  })
})

describe('a transaction that is committed', () => {
  test('puts its message where it belongs, as it was sent, and as Apache marks it', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body', 'TAGS\x01red\x02')
    expect((await producer.end(half, COMMIT)).code).toBe(0)
    const [message] = await scene.messages()
    expect(message).toMatchObject({ topic: 'T', queueId: 0, queueOffset: 0, sysFlag: 8 })
    expect(message?.preparedTransactionOffset).toBe(half.logOffset)
    expect(propertiesOf(message)).toMatchObject({
      TRAN_MSG: 'true',
      PGROUP: 'producers',
      UNIQ_KEY: 'ID-body',
      REAL_TOPIC: 'T',
      REAL_QID: '0',
    })
    const answer = await scene.client().pull('T', 0, { tags: 'red' })
    expect(answer.body.toString()).toContain('body')
  })

  test('wakes a consumer that waits', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body')
    const held = scene.client().pulling('T', 0, { holdMs: 15_000 })
    await scene.pass(1_000)
    await producer.end(half, COMMIT)
    expect((await scene.settle(held)).body.toString()).toContain('body')
  })

  test('is over: a second commit, a rollback and a later one change nothing', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body')
    await scene.settle(Promise.all([1, 2, 3].map(() => producer.ending(half, COMMIT))))
    await producer.end(half, ROLLBACK)
    await scene.pass(60_000)
    const late = await producer.end(half, COMMIT)
    expect(late.remark).toMatch(/over before/)
    expect(await scene.bodies()).toEqual(['body'])
    expect(producer.asked).toEqual([])
  })

  test('is told of in a message with others, as Apache writes it', async () => {
    const scene = await TransactionScene.started('transactionOpBatchInterval=2000\n')
    const producer = await scene.joined()
    for (const body of ['a', 'b', 'c', 'd']) {
      const half = await producer.begin(body)
      if (body === 'b') continue
      await producer.end(half, body === 'c' ? ROLLBACK : COMMIT)
    }
    await scene.pass(1_500)
    expect(await scene.messages(OP_TOPIC)).toEqual([])
    await scene.pass(1_000)
    const [op, ...others] = await scene.messages(OP_TOPIC)
    expect(others).toEqual([])
    expect(op?.body.toString()).toBe('0,2,3,')
    expect(propertiesOf(op)['TAGS']).toBe('d')
  })

  test('is told of at once when the message is large enough', async () => {
    const scene = await TransactionScene.started('transactionOpMsgMaxSize=5\n')
    const producer = await scene.joined()
    for (const body of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) {
      await producer.end(await producer.begin(body), COMMIT)
    }
    const ops = await scene.messages(OP_TOPIC)
    expect(ops.map(({ body }) => body.toString())).toEqual(['0,1,2,', '3,4,5,'])
  })
})

describe('a transaction that is rolled back', () => {
  test('leaves nothing to be seen, and a commit comes too late', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body')
    expect((await producer.end(half, ROLLBACK)).code).toBe(0)
    await producer.end(half, COMMIT)
    await scene.pass(120_000)
    expect(await scene.bodies()).toEqual([])
    expect(producer.asked).toEqual([])
  })
})

describe('the end of a transaction is refused', () => {
  test.each([
    ['the group of another producer', { producerGroup: 'others' }, /producer group wrong/],
    ['another queue offset', { tranStateTableOffset: 7 }, /state table offset wrong/],
    ['no half message', { commitLogOffset: 123_456 }, /Find prepared transaction message failed/],
  ])('with %s', async (_what, given, sentence) => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body')
    const answer = await producer.end(half, COMMIT, given)
    expect(answer.code).toBe(1)
    expect(answer.remark).toMatch(sentence)
    expect(await scene.bodies()).toEqual([])
    expect((await producer.end(half, COMMIT)).code).toBe(0)
  })

  test('at the place of a message that is no half', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    await producer.client.send('T', 'plain', {}, 'PGROUP\x01producers\x02REAL_TOPIC\x01T\x02')
    const [plain] = await scene.messages()
    const place = { queueOffset: 0, logOffset: plain?.logOffset ?? -1 }
    expect((await producer.end(place, COMMIT)).code).toBe(1)
    expect(await scene.bodies()).toEqual(['plain'])
  })

  test('when it comes by itself after the time that its producer wanted for it', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body', 'CHECK_IMMUNITY_TIME_IN_SECONDS\x012\x02')
    await scene.pass(2_500)
    const answer = await producer.end(half, COMMIT)
    expect(answer.code).toBe(604)
    expect(await scene.bodies()).toEqual([])
    await producer.end(half, COMMIT, { fromTransactionCheck: true })
    expect(await scene.bodies()).toEqual(['body'])
  })

  test('not when its producer does not know yet: then there is no answer', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body')
    const ending = producer.ending(half, UNKNOWN)
    await expect(scene.settle(ending)).rejects.toThrow(/END_TRANSACTION/)
    expect(await scene.bodies()).toEqual([])
  })
})
