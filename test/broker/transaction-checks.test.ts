/** Producers are asked about the transactions that they did not end, until somebody knows. */
import { describe, expect, test } from 'vitest'
import {
  COMMIT,
  GIVEN_UP_TOPIC,
  HALF_TOPIC,
  propertiesOf,
  ROLLBACK,
  TransactionScene,
  UNKNOWN,
} from './transaction-scene.ts'

describe('the producer of a transaction that does not end', () => {
  test('is asked after 6 s, and then every 30 s, until it knows', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const begunMs = scene.world.clock.nowMs()
    await producer.begin('body', 'TAGS\x01red\x02')
    await scene.pass(5_900)
    expect(producer.asked).toEqual([])
    await scene.pass(30_200)
    const waits = producer.asked.map(({ atMs }) => Math.round((atMs - begunMs) / 1_000))
    expect(waits).toEqual([6, 36])
    const [, asked] = producer.asked
    if (asked === undefined) return
    expect((await producer.reply(asked, COMMIT)).code).toBe(0)
    expect(await scene.bodies()).toEqual(['body'])
    await scene.pass(60_000)
    expect(producer.asked).toHaveLength(2)
  })

  test('is told all that it must know, as Apache tells it', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    await producer.client.send(
      'T',
      'body',
      { queueId: 3, flag: 7, sysFlag: 4 },
      'TRAN_MSG\x01true\x02PGROUP\x01producers\x02UNIQ_KEY\x01ID\x02',
    )
    await scene.pass(6_500)
    const [asked] = producer.asked
    const copies = await scene.messages(HALF_TOPIC)
    const copy = copies.at(-1)
    expect(asked?.header).toMatchObject({
      topic: HALF_TOPIC,
      tranStateTableOffset: copy?.queueOffset,
      commitLogOffset: copy?.logOffset,
      msgId: 'ID',
      transactionId: 'ID',
      brokerName: 'broker-a',
    })
    expect(asked?.record).toMatchObject({ topic: 'T', queueId: 3, flag: 7 })
    expect(asked?.record.body.toString()).toBe('body')
    expect(propertiesOf(asked?.record)).toMatchObject({
      PGROUP: 'producers',
      TRANSACTION_CHECK_TIMES: '1',
    })
    expect(propertiesOf(copy)).toEqual(propertiesOf(asked?.record))
  })

  test('may still end it by itself: what it commits is there once', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const half = await producer.begin('body')
    await scene.pass(40_000)
    const [first, second] = producer.asked
    if (first === undefined || second === undefined) throw new Error('it was not asked')
    await producer.end(half, COMMIT)
    await producer.reply(first, COMMIT)
    await producer.reply(second, COMMIT)
    expect(await scene.bodies()).toEqual(['body'])
    await scene.pass(60_000)
    expect(producer.asked).toHaveLength(2)
  })

  test('is not asked again when it rolls back', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    await producer.begin('body')
    await scene.pass(6_500)
    const [asked] = producer.asked
    if (asked !== undefined) await producer.reply(asked, ROLLBACK)
    await scene.pass(60_000)
    expect(producer.asked).toHaveLength(1)
    expect(await scene.bodies()).toEqual([])
  })

  test('is asked when and as often as the configuration says', async () => {
    const settings =
      'transactionTimeOut=1000\ntransactionCheckInterval=2000\ntransactionCheckMax=3\n'
    const scene = await TransactionScene.started(settings)
    const producer = await scene.joined()
    const begunMs = scene.world.clock.nowMs()
    await producer.begin('body')
    await scene.pass(20_000)
    const waits = producer.asked.map(({ atMs }) => Math.round((atMs - begunMs) / 1_000))
    expect(waits).toEqual([1, 3, 5])
  })

  test('is not asked before the time that it wanted is over', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const begunMs = scene.world.clock.nowMs()
    await producer.begin('body', 'CHECK_IMMUNITY_TIME_IN_SECONDS\x01600\x02')
    await scene.passWith(640_000, producer)
    expect(producer.asked).toHaveLength(2)
    const [asked] = producer.asked
    expect((asked?.atMs ?? 0) - begunMs).toBeGreaterThan(600_000)
    expect(propertiesOf(asked?.record)['TRANSACTION_CHECK_TIMES']).toBe('1')
  })
})

describe('who is asked', () => {
  test('is another of the group when the producer is gone', async () => {
    const scene = await TransactionScene.started()
    const first = await scene.joined()
    const second = await scene.joined()
    await first.begin('body')
    first.client.remoting.close()
    await scene.pass(6_500)
    const [asked] = second.asked
    if (asked === undefined) throw new Error('nobody was asked')
    await second.reply(asked, COMMIT)
    expect(await scene.bodies()).toEqual(['body'])
  })

  test('are all of the group by turns', async () => {
    const scene = await TransactionScene.started()
    const producers = [await scene.joined(), await scene.joined(), await scene.joined()]
    for (let i = 0; i < 30; i++) await producers[0]?.begin(`m${i}`)
    await scene.pass(6_500)
    expect(producers.map(({ asked }) => asked.length)).toEqual([10, 10, 10])
  })

  test('is nobody of another group', async () => {
    const scene = await TransactionScene.started()
    const other = scene.producer()
    await other.join('others')
    await scene.producer().begin('body')
    await scene.pass(100_000)
    expect(other.asked).toEqual([])
  })
})

describe('a transaction that nobody ends', () => {
  test('is given up after 15 questions, and kept for an operator to see', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    await producer.begin('body')
    await producer.begin('other')
    await scene.passWith(6_500 + 15 * 30_000, producer)
    expect(producer.asked).toHaveLength(30)
    const givenUp = await scene.messages(GIVEN_UP_TOPIC)
    expect(givenUp.map(({ body }) => body.toString())).toEqual(['body', 'other'])
    expect(propertiesOf(givenUp[0])).toMatchObject({ REAL_TOPIC: 'T', UNIQ_KEY: 'ID-body' })
    const warnings = scene.world.lines.filter(({ level }) => level === 'warn')
    const known = warnings.map(({ sentence, fields }) => [sentence, fields?.['uniqueKey']])
    expect(known).toEqual([
      [expect.stringMatching(/given up/), 'ID-body'],
      [expect.stringMatching(/given up/), 'ID-other'],
    ])
    await scene.pass(100_000)
    expect(producer.asked).toHaveLength(30)
    expect(await scene.bodies()).toEqual([])
  })

  test('is committed all the same, and once, when its producer says so later', async () => {
    const scene = await TransactionScene.started('transactionCheckMax=1\n')
    const producer = await scene.joined()
    const half = await producer.begin('body')
    await scene.pass(40_000)
    expect(await scene.bodies(GIVEN_UP_TOPIC)).toEqual(['body'])
    for (let i = 0; i < 2; i++) await producer.end(half, COMMIT)
    expect(await scene.bodies()).toEqual(['body'])
    await scene.pass(5_000)
    await scene.killAndRestart()
    await (await scene.joined()).end(half, COMMIT)
    expect(await scene.bodies()).toEqual(['body'])
  })

  test('is given up unasked when it is older than messages are kept', async () => {
    const scene = await TransactionScene.started('fileReservedTime=1\n')
    const producer = await scene.joined()
    const bornTimestamp = scene.world.clock.nowMs() - 2 * 3_600_000
    const text = 'TRAN_MSG\x01true\x02PGROUP\x01producers\x02'
    await producer.client.send('T', 'old', { bornTimestamp }, text)
    await scene.pass(7_000)
    expect(producer.asked).toEqual([])
    expect(await scene.bodies(GIVEN_UP_TOPIC)).toEqual(['old'])
  })

  test('is asked about as often when its producers answer that they do not know', async () => {
    const scene = await TransactionScene.started('transactionCheckMax=2\n')
    const producer = await scene.joined()
    await producer.begin('body')
    await scene.pass(6_500)
    const [asked] = producer.asked
    if (asked === undefined) throw new Error('nobody was asked')
    const header = { queueOffset: asked.header.tranStateTableOffset, logOffset: 0 }
    producer.ending(header, UNKNOWN).catch(() => undefined)
    await scene.pass(70_000)
    expect(producer.asked).toHaveLength(2)
    expect(await scene.bodies(GIVEN_UP_TOPIC)).toEqual(['body'])
  })
})
