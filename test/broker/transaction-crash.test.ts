/**
 * What a transaction committed is stored exactly once, and what it rolled back never, wherever the
 * broker is killed or its machine loses power.
 */
import { describe, expect, test } from 'vitest'
import {
  COMMIT,
  GIVEN_UP_TOPIC,
  HALF_TOPIC,
  type HalfKnown,
  OP_TOPIC,
  type Producer,
  ROLLBACK,
  TransactionScene,
} from './transaction-scene.ts'

async function afterKill(scene: TransactionScene): Promise<Producer> {
  await scene.killAndRestart()
  return scene.joined()
}

describe('a broker that is killed', () => {
  test('when a half message is stored asks for it, and commits it once', async () => {
    const scene = await TransactionScene.started()
    await (await scene.joined()).begin('body')
    const producer = await afterKill(scene)
    await scene.pass(7_000)
    const [asked] = producer.asked
    if (asked === undefined) throw new Error('nobody was asked')
    await producer.reply(asked, COMMIT)
    await producer.reply(asked, COMMIT)
    expect(await scene.bodies()).toEqual(['body'])
  })

  test('when a commit is stored, and nothing tells of it, commits it no second time', async () => {
    const scene = await TransactionScene.started()
    const before = await scene.joined()
    const half = await before.begin('body')
    await before.end(half, COMMIT)
    expect(await scene.messages(OP_TOPIC)).toEqual([])
    const producer = await afterKill(scene)
    await producer.end(half, COMMIT)
    await scene.pass(60_000)
    expect(producer.asked).toEqual([])
    expect(await scene.bodies()).toEqual(['body'])
    expect(await scene.bodies(OP_TOPIC)).toEqual(['0,'])
  })

  test('when it is told that a commit is done commits it no second time', async () => {
    const scene = await TransactionScene.started()
    const before = await scene.joined()
    const half = await before.begin('body')
    const open = await before.begin('open')
    await before.end(half, COMMIT)
    await scene.pass(4_000)
    expect(await scene.bodies(OP_TOPIC)).toEqual(['0,'])
    const producer = await afterKill(scene)
    await producer.end(half, COMMIT)
    await producer.end(open, COMMIT)
    await scene.pass(60_000)
    expect(await scene.bodies()).toEqual(['body', 'open'])
    expect(producer.asked).toEqual([])
  })

  test('between an answer to a question and what tells of it commits it no second time', async () => {
    const scene = await TransactionScene.started()
    const before = await scene.joined()
    const half = await before.begin('body')
    await scene.pass(37_000)
    const [first, second] = before.asked
    if (first === undefined || second === undefined) throw new Error('it was not asked')
    // It answers the older question, when a newer copy is in the queue.
    await before.reply(first, COMMIT)
    const producer = await afterKill(scene)
    await producer.end(half, COMMIT)
    await producer.reply(second, COMMIT)
    await scene.pass(60_000)
    expect(await scene.bodies()).toEqual(['body'])
    expect(producer.asked).toEqual([])
  })

  test('does not show what was rolled back, and asks again when it forgot', async () => {
    const scene = await TransactionScene.started()
    const before = await scene.joined()
    const told = await before.begin('told')
    await before.end(told, ROLLBACK)
    await scene.pass(4_000)
    const untold = await before.begin('untold')
    await before.end(untold, ROLLBACK)
    const producer = await afterKill(scene)
    await producer.end(told, COMMIT)
    await scene.pass(7_000)
    expect(producer.asked.map(({ record }) => record.body.toString())).toEqual(['untold'])
    const [asked] = producer.asked
    if (asked !== undefined) await producer.reply(asked, ROLLBACK)
    await scene.pass(60_000)
    expect(await scene.bodies()).toEqual([])
    expect(producer.asked).toHaveLength(1)
  })

  test('goes on to count how often it asked', async () => {
    const scene = await TransactionScene.started('transactionCheckMax=4\n')
    const before = await scene.joined()
    await before.begin('body')
    await scene.pass(37_000)
    expect(before.asked).toHaveLength(2)
    const producer = await afterKill(scene)
    await scene.passWith(100_000, producer)
    expect(producer.asked).toHaveLength(2)
    expect(await scene.bodies(GIVEN_UP_TOPIC)).toEqual(['body'])
  })

  test('gives nothing up twice', async () => {
    const scene = await TransactionScene.started('transactionCheckMax=1\n')
    await (await scene.joined()).begin('body')
    await scene.pass(36_500)
    expect(await scene.bodies(GIVEN_UP_TOPIC)).toEqual(['body'])
    const producer = await afterKill(scene)
    await scene.passWith(100_000, producer)
    expect(await scene.bodies(GIVEN_UP_TOPIC)).toEqual(['body'])
    expect(producer.asked).toEqual([])
  })
})

describe('how far half messages are done with', () => {
  test('is kept as Apache keeps it, for whoever goes on with the store', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    const halves: HalfKnown[] = []
    for (let i = 0; i < 5; i++) halves.push(await producer.begin(`m${i}`))
    for (const half of halves.slice(0, 3)) await producer.end(half, COMMIT)
    await scene.pass(5_900)
    await scene.stop()
    expect(scene.savedOffset(HALF_TOPIC)).toBe(3)
    expect(scene.savedOffset(OP_TOPIC)).toBe(1)
  })

  test('is told with the copies behind it that have newer ones: they are no transactions', async () => {
    const scene = await TransactionScene.started(
      'transactionTimeOut=1000\ntransactionCheckInterval=3000\n',
    )
    const before = await scene.joined()
    await before.begin('slow')
    await scene.pass(1_500)
    const half = await before.begin('fresh')
    await before.begin('done')
    await scene.pass(1_200)
    const last = before.asked.at(-1)
    if (last !== undefined) await before.reply(last, COMMIT)
    expect(await scene.bodies(HALF_TOPIC)).toEqual([
      'slow',
      'slow',
      'fresh',
      'done',
      'fresh',
      'done',
    ])
    await scene.stop()
    expect(scene.savedOffset(HALF_TOPIC)).toBe(1)
    await scene.start()
    expect(await scene.bodies(OP_TOPIC)).toEqual(['5,', '2,3,'])
    const producer = await scene.joined()
    await scene.passWith(4_000, producer)
    expect(new Set(producer.asked.map(({ record }) => record.body.toString()))).toEqual(
      new Set(['slow', 'fresh']),
    )
    await producer.end(half, COMMIT)
    expect((await scene.bodies()).toSorted()).toEqual(['done', 'fresh'])
  })

  test('passes what was asked for: its copies are behind', async () => {
    const scene = await TransactionScene.started()
    const producer = await scene.joined()
    for (let i = 0; i < 5; i++) await producer.begin(`m${i}`)
    await scene.pass(20_000)
    expect(scene.savedOffset(HALF_TOPIC)).toBe(5)
    expect(await scene.messages(HALF_TOPIC)).toHaveLength(10)
  })

  test('is not ahead of what is on the device', async () => {
    const settings = 'flushIntervalCommitLog=3000\nflushConsumerOffsetInterval=100\n'
    const scene = await TransactionScene.started(settings)
    const producer = await scene.joined()
    for (let i = 0; i < 5; i++) await producer.end(await producer.begin(`m${i}`), COMMIT)
    await scene.pass(2_000)
    expect(scene.savedOffset(HALF_TOPIC) ?? 0).toBe(0)
    await scene.pass(2_000)
    expect(scene.savedOffset(HALF_TOPIC)).toBe(5)
  })
})

type End = (scene: TransactionScene) => Promise<void>

const kill: End = (scene) => scene.killAndRestart()

const losePower: End = (scene) => scene.losePowerAndRestart()

const stop: End = (scene) => scene.stopAndStart()

/** Whether a transaction is committed, and when its producer says so, as its number has it. */
function isCommitted(i: number): boolean {
  return (i * 7 + 3) % 5 < 3
}

/** Begins and ends transactions for some seconds, and ends the broker at times that the seed says. */
async function live(settings: string, seed: number, end: End): Promise<void> {
  const scene = new TransactionScene(settings, seed)
  await scene.start()
  let producer = await scene.joined()
  const numbers = new Map<string, number>()
  const known: HalfKnown[] = []
  const answerAll = async (): Promise<void> => {
    for (const asked of producer.asked.splice(0)) {
      const i = numbers.get(asked.record.body.toString()) ?? -1
      await producer.reply(asked, isCommitted(i) ? COMMIT : ROLLBACK)
    }
  }
  for (let round = 0; round < 8; round++) {
    for (let j = 0; j < 10; j++) {
      const i = known.length
      numbers.set(`m${i}`, i)
      const half = await producer.begin(`m${i}`)
      known.push(half)
      if ((i + seed) % 3 !== 0) await producer.end(half, isCommitted(i) ? COMMIT : ROLLBACK)
      // Some are said twice, and late.
      const again = (i * 13 + seed) % known.length
      const old = known[again]
      if (old !== undefined && isCommitted(again)) await producer.end(old, COMMIT)
    }
    await scene.pass(((seed * 7_919 + round * 104_729) % 9_000) + round)
    if ((seed + round) % 3 === 0) await answerAll()
    if ((seed + round) % 2 === 0) {
      await end(scene)
      producer = await scene.joined()
    }
  }
  for (let i = 0; i < 4; i++) {
    await scene.passWith(31_000, producer)
    await answerAll()
  }
  const wanted = known.flatMap((_half, i) => (isCommitted(i) ? `m${i}` : []))
  expect((await scene.bodies()).toSorted()).toEqual(wanted.toSorted())
  await scene.passWith(31_000, producer)
  expect(producer.asked).toEqual([])
}

const seeds = Array.from({ length: 8 }, (_, i) => i + 1)

describe('every transaction ends as its producer says, and once,', () => {
  test.each(seeds)('by a broker that is killed at any time (seed %i)', async (seed) => {
    await live(`flushConsumerOffsetInterval=${seed * 431}\n`, seed, kill)
  })

  test.each(seeds)('by a machine that loses power at any time (seed %i)', async (seed) => {
    const settings = `flushDiskType=SYNC_FLUSH\nflushConsumerOffsetInterval=${seed * 431}\n`
    await live(settings, seed, losePower)
  })

  test('by a broker that is stopped and started', async () => {
    await live('', 3, stop)
  })

  test('by a broker whose records have checksums of all of them', async () => {
    await live('enabledAppendPropCRC=true\nforceVerifyPropCRC=true\n', 2, kill)
  })
})
