/** Messages that are to be delivered later are, at their time, once, and as they were sent. */
import {
  DELETE_TOPIC_IN_BROKER,
  decodeKvTable,
  decodeProperties,
  GET_ALL_DELAY_OFFSET,
  GET_BROKER_RUNTIME_INFO,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { DelayedScene, LATE_MS } from './delayed-scene.ts'
import { timeoutMs } from './scene.ts'

function expectWait(waitMs: number | undefined, delayMs: number): void {
  expect(waitMs).toBeGreaterThanOrEqual(delayMs)
  expect(waitMs).toBeLessThanOrEqual(delayMs + LATE_MS)
}

function isWarning({ level }: { readonly level: string }): boolean {
  return level === 'warn'
}

describe('a delayed message', () => {
  test.each([
    [1, 1_000],
    [3, 10_000],
    [5, 60_000],
    [18, 7_200_000],
    [99, 7_200_000],
  ])('of level %i is there after %i ms, and not before', async (level, delayMs) => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('late', level)
    await scene.pass(delayMs - 500)
    expect(await scene.bodies()).toEqual([])
    await scene.pass(1_000)
    const [wait] = await scene.waits()
    expectWait(wait, delayMs)
  })

  test('waits as long as messageDelayLevel says', async () => {
    const scene = await DelayedScene.started('messageDelayLevel=3s 1m\n')
    await scene.sendDelayed('short', 1)
    await scene.sendDelayed('long', 7)
    await scene.pass(61_000)
    const [short, long] = await scene.waits()
    expectWait(short, 3_000)
    expectWait(long, 60_000)
  })

  test('is as it was sent, and says where and how long it waited, as Apache has it', async () => {
    const scene = await DelayedScene.started()
    const properties = 'TAGS\x01red\x02KEYS\x01k\x02UNIQ_KEY\x01ID\x02DELAY\x0190\x02'
    const given = { queueId: 2, flag: 5, reconsumeTimes: 1, bornTimestamp: 1_234 }
    const answer = await scene.producer.send('T', 'body', given, properties)
    expect(answer.header()).toMatchObject({ queueId: 2, queueOffset: 0, transactionId: 'ID' })
    await scene.pass(7_201_000)
    const [copy] = await scene.messages('T', 2)
    expect(copy).toMatchObject({ queueId: 2, flag: 5, reconsumeTimes: 1, bornTimestamp: 1_234 })
    const found = Object.fromEntries(decodeProperties(copy?.properties ?? ''))
    expect(found).toEqual({
      TAGS: 'red',
      KEYS: 'k',
      UNIQ_KEY: 'ID',
      DELAY: '18',
      REAL_TOPIC: 'T',
      REAL_QID: '2',
      MSG_REGION: 'DefaultRegion',
      TRACE_ON: 'true',
      CLUSTER: 'DefaultCluster',
    })
  })

  test('is found by its tag when it is delivered', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('red', 1, 'TAGS\x01red\x02')
    await scene.sendDelayed('blue', 1, 'TAGS\x01blue\x02')
    await scene.pass(1_500)
    const answer = await scene.client().pull('T', 0, { tags: 'blue' })
    expect(answer.body.toString()).toContain('blue')
    expect(answer.body.toString()).not.toContain('red')
  })

  test('of a level overrides the times that were asked for besides', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('late', 1, 'TIMER_DELAY_SEC\x0160\x02')
    await scene.pass(1_500)
    const [copy] = await scene.messages()
    expect(decodeProperties(copy?.properties ?? '').has('TIMER_DELAY_SEC')).toBe(false)
  })

  test('wakes a consumer that waits', async () => {
    const scene = await DelayedScene.started()
    await scene.producer.send('T', 'first')
    await scene.sendDelayed('late', 1)
    const answer = await scene.client().pull('T', 1, { holdMs: 15_000 })
    expect(answer.body.toString()).toContain('late')
    const [, wait] = await scene.waits()
    expectWait(wait, 1_000)
  })

  test('whose topic was deleted meanwhile is stored under its name all the same', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('of old', 1)
    const { remoting } = scene.client()
    const call = remoting.request(
      scene.address,
      DELETE_TOPIC_IN_BROKER,
      { topic: 'T' },
      { timeoutMs },
    )
    await scene.settle(call)
    await scene.pass(1_500)
    await scene.producer.send('T', 'new')
    expect(await scene.bodies()).toEqual(['of old', 'new'])
  })

  test.each([['DELAY\x01soon\x02', /DELAY .* is no number/]])(
    'that is sent with %j is refused with a sentence',
    async (properties, sentence) => {
      const scene = await DelayedScene.started()
      const answer = await scene.producer.send('T', 'body', {}, properties)
      expect(answer.code).toBe(13)
      expect(answer.remark).toMatch(sentence)
    },
  )
})

describe('the levels of delay', () => {
  test('do not wait for each other', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('third', 3)
    await scene.sendDelayed('second', 2)
    await scene.sendDelayed('first', 1)
    await scene.pass(11_000)
    expect(await scene.bodies()).toEqual(['first', 'second', 'third'])
  })

  test('deliver thousands that are due together in order, and none too late', async () => {
    const scene = await DelayedScene.started()
    const { producer } = scene
    const count = 3_000
    for (let from = 0; from < count; from += 100) {
      const wave = Array.from({ length: 100 }, (_, i) =>
        producer.sending('T', `m${from + i}`, {}, 'DELAY\x012\x02'),
      )
      await scene.settle(Promise.all(wave))
    }
    await scene.pass(6_000)
    expect(await scene.bodies()).toEqual(Array.from({ length: count }, (_, i) => `m${i}`))
    for (const wait of await scene.waits()) expectWait(wait, 5_000)
  })

  test('cost nothing while no message waits', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('late', 1)
    await scene.pass(2_000)
    const { pendingCount } = scene.world.clock
    await scene.pass(10)
    expect(scene.world.clock.pendingCount).toBeLessThanOrEqual(pendingCount)
    expect(await scene.bodies()).toEqual(['late'])
  })

  test('that are longer than messages are kept are warned of', async () => {
    const scene = await DelayedScene.started('messageDelayLevel=1s 3d\n')
    const warnings = scene.world.lines.filter(isWarning)
    expect(warnings.map(({ fields }) => fields?.['delayMs'])).toEqual([3 * 86_400_000])
    expect((await DelayedScene.started('')).world.lines.filter(isWarning)).toEqual([])
  })

  test('go on when there is room on the volume again, and lose nothing', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('one', 1)
    await scene.sendDelayed('two', 1)
    const { disk } = scene.world.host('broker')
    const times = Number.POSITIVE_INFINITY
    disk.fail({ operation: 'write', pathIncludes: '/store/config', code: 'ENOSPC', times })
    await scene.pass(15_000)
    disk.clearFaults()
    await scene.pass(15_000)
    expect(await scene.bodies()).toEqual(['one', 'two'])
    const complaints = scene.world.lines.filter(({ level }) => level === 'error')
    expect(complaints).toHaveLength(1)
  })
})

describe('how far the levels are', () => {
  async function offsetsOf(scene: DelayedScene): Promise<Record<string, unknown>> {
    const { remoting } = scene.client()
    const call = remoting.request(scene.address, GET_ALL_DELAY_OFFSET, {}, { timeoutMs })
    return JSON.parse((await scene.settle(call)).body.toString())
  }

  test('is told to slaves', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('one', 1)
    await scene.sendDelayed('two', 1)
    await scene.pass(1_500)
    expect(await offsetsOf(scene)).toMatchObject({ offsetTable: { 1: 2 } })
  })

  test('is told to who asks how the broker does', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('one', 1)
    await scene.pass(1_500)
    await scene.sendDelayed('two', 1)
    const { remoting } = scene.client()
    const call = remoting.request(scene.address, GET_BROKER_RUNTIME_INFO, {}, { timeoutMs })
    const table = decodeKvTable((await scene.settle(call)).body)
    expect(table.get('scheduleMessageOffset_1')).toBe('1,2')
  })

  test('is kept in a file as Apache has it, and read from one that Apache wrote', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('one', 1)
    await scene.pass(12_000)
    const { disk } = scene.world.host('broker').doors
    const path = '/store/config/delayOffset.json'
    const file = disk.open(path, 'read')
    const bytes = Buffer.alloc(disk.stat(path)?.sizeBytes ?? 0)
    file.readSync(bytes, 0)
    expect(JSON.parse(bytes.toString())).toMatchObject({ offsetTable: { 1: 1 }, dataVersion: {} })
    await scene.sendDelayed('two', 2)
    await scene.stop()
    disk.remove(path)
    const text = '{"dataVersion":{"counter":7},"offsetTable":{1:0,2:1}}'
    disk.open(path, 'create').writeSync([Buffer.from(text)], 0)
    await scene.start()
    await scene.pass(6_000)
    expect(await offsetsOf(scene)).toMatchObject({ dataVersion: { counter: 7 } })
    expect(await scene.bodies()).toEqual(['one', 'one'])
  })
})
