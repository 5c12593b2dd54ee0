/** Old messages vanish, consumers go on at what is left, and a full volume is told in a sentence. */
import {
  CLEAN_EXPIRED_CONSUMEQUEUE,
  CLEAN_UNUSED_TOPIC,
  DELETE_EXPIRED_COMMITLOG,
  decodeKvTable,
  GET_BROKER_RUNTIME_INFO,
  GET_EARLIEST_MSG_STORETIME,
  GET_MIN_OFFSET,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, bodiesOf, type TestClient, timeoutMs } from './scene.ts'

const FOUR_DAYS_MS = 4 * 24 * 3_600_000
const options = { timeoutMs }
const queue = { topic: 'T', queueId: 0 }
const SETTINGS = 'mappedFileSizeCommitLog=1048576\ndeleteCommitLogFilesInterval=1\n'
/** So that nine of them fill a file of the log. */
const filling = 'x'.repeat(110 * 1024)

async function sendNumbered(client: TestClient, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await client.send('T', `${i} ${filling}`)
}

function numbersOf(answer: { readonly body: Buffer }): number[] {
  return bodiesOf(answer).map((body) => Number.parseInt(body, 10))
}

/** Days go by, and an operator has what has expired by then removed. */
async function expire(scene: BrokerScene): Promise<void> {
  scene.world.clock.jumpWall(FOUR_DAYS_MS)
  const { remoting } = scene.client()
  const asked = await scene.settle(
    remoting.call(scene.address, DELETE_EXPIRED_COMMITLOG, {}, options),
  )
  expect(asked.code).toBe(responseCode.SUCCESS)
  await scene.world.clock.advance(1_000)
}

test('a consumer whose next message has expired goes on at the first that is left', async () => {
  const scene = await BrokerScene.started(SETTINGS)
  const client = scene.client()
  await sendNumbered(client, 0, 25)
  expect(numbersOf(await client.pull('T', 3, { maxMsgNums: 1 }))).toEqual([3])
  await expire(scene)
  for (const restart of [false, true]) {
    if (restart) await scene.killAndRestart()
    const moved = await client.pull('T', 4)
    expect(moved.code).toBe(responseCode.PULL_OFFSET_MOVED)
    expect(moved.header()).toMatchObject({ nextBeginOffset: 18, minOffset: 18, maxOffset: 25 })
    const seen: number[] = []
    for (let next = 18; next < 25; ) {
      const answer = await client.pull('T', next)
      seen.push(...numbersOf(answer))
      next = answer.header().nextBeginOffset
    }
    expect(seen).toEqual([18, 19, 20, 21, 22, 23, 24])
  }
})

test('the new beginning is what every question about it is answered with', async () => {
  const scene = await BrokerScene.started(SETTINGS)
  const client = scene.client()
  await sendNumbered(client, 0, 15)
  await scene.world.clock.advance(5_000)
  const laterMs = scene.world.clock.nowMs()
  await sendNumbered(client, 15, 20)
  await expire(scene)
  const { remoting } = client
  const ask = <T>(answer: Promise<T>): Promise<T> => scene.settle(answer)
  const min = await ask(remoting.call(scene.address, GET_MIN_OFFSET, queue, options))
  expect(min.header()).toMatchObject({ offset: 18 })
  const early = { ...queue, timestamp: 1 }
  const byTime = await ask(remoting.call(scene.address, SEARCH_OFFSET_BY_TIMESTAMP, early, options))
  expect(byTime.header()).toMatchObject({ offset: 18 })
  const earliest = await ask(
    remoting.call(scene.address, GET_EARLIEST_MSG_STORETIME, queue, options),
  )
  expect(Number(earliest.header().timestamp)).toBeGreaterThanOrEqual(laterMs)
  const info = await ask(remoting.call(scene.address, GET_BROKER_RUNTIME_INFO, {}, options))
  const rows = decodeKvTable(info.body)
  expect(rows.get('commitLogMinOffset')).toBe(String(2 * 1024 * 1024))
  expect(Number(rows.get('earliestMessageTimeStamp'))).toBeGreaterThanOrEqual(laterMs)
})

test('a queue without any message left is forgotten on demand, and nothing new in it is missed', async () => {
  const scene = await BrokerScene.started(SETTINGS)
  const client = scene.client()
  for (let i = 0; i < 5; i++) await client.send('T', `old ${i}`, { queueId: 1 })
  await client.pull('T', 5, { queueId: 1, commitOffset: 5, sysFlag: 5 })
  await sendNumbered(client, 0, 12)
  await expire(scene)
  const call = client.remoting.call(scene.address, CLEAN_EXPIRED_CONSUMEQUEUE, {}, options)
  expect((await scene.settle(call)).code).toBe(responseCode.SUCCESS)
  const { disk } = scene.world.host('broker')
  expect(disk.list('/store/consumequeue/T')).toEqual(['0'])
  for (const restart of [false, true]) {
    if (restart) await scene.killAndRestart()
    // Who goes on where he was is told to begin anew.
    const moved = await client.pull('T', 5, { queueId: 1 })
    expect(moved).toMatchObject({ code: responseCode.PULL_OFFSET_MOVED })
    expect(moved.header().nextBeginOffset).toBe(0)
  }
  await client.send('T', 'new', { queueId: 1 })
  expect(bodiesOf(await client.pull('T', 0, { queueId: 1 }))).toEqual(['new'])
  expect((await client.pull('T', 9)).header()).toMatchObject({ minOffset: 9, maxOffset: 12 })
})

test('queues of a topic that nobody knows any more are forgotten on demand, others stay', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  for (const topic of ['T', 'SELF_TEST_TOPIC', 'Gone']) await client.send(topic, 'kept')
  await scene.stop()
  const { disk } = scene.world.host('broker')
  for (const name of ['topics.json', 'topics.json.bak']) disk.remove(`/store/config/${name}`)
  await scene.start()
  const next = scene.client()
  await next.send('T', 'again')
  const call = next.remoting.call(scene.address, CLEAN_UNUSED_TOPIC, {}, options)
  expect((await scene.settle(call)).code).toBe(responseCode.SUCCESS)
  expect(disk.list('/store/consumequeue')).not.toContain('Gone')
  expect(bodiesOf(await next.pull('T', 0))).toEqual(['kept'])
  expect(bodiesOf(await next.pull('T', 1))).toEqual(['again'])
})

test('a nearly full volume refuses messages with a sentence, serves, and takes them again', async () => {
  const scene = await BrokerScene.started(`${SETTINGS}cleanFileForciblyEnable=false\n`)
  const client = scene.client()
  await sendNumbered(client, 0, 12)
  await scene.world.clock.advance(30_000)
  const { disk } = scene.world.host('broker')
  const { freeBytes, totalBytes } = disk.volumeSpace('/store')
  disk.setCapacity(Math.ceil((totalBytes - freeBytes) / 0.95))
  await scene.world.clock.advance(60_000)
  const refused = await client.send('T', 'in vain')
  expect(refused.code).toBe(responseCode.SERVICE_NOT_AVAILABLE)
  expect(refused.remark).toMatch(
    /volume of "\/store\/commitlog" is 9\d % used, more than diskSpaceWarningLevelRatio=90/,
  )
  expect(numbersOf(await client.pull('T', 0))).toContain(0)
  disk.setCapacity(totalBytes)
  await scene.world.clock.advance(10_000)
  expect((await client.send('T', 'again')).code).toBe(responseCode.SUCCESS)
})
