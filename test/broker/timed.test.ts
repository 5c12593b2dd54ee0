/** Messages that have times of their own are delivered at them, once, and as they were sent. */
import {
  decodeKvTable,
  decodeProperties,
  GET_BROKER_RUNTIME_INFO,
  GET_TIMER_CHECK_POINT,
  GET_TIMER_METRICS,
  readInt64,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { timeoutMs } from './scene.ts'
import { TimedScene } from './timed-scene.ts'

const DAY_MS = 86_400_000

async function runtimeOf(scene: TimedScene): Promise<ReadonlyMap<string, string>> {
  const call = scene.producer.remoting.call(
    scene.address,
    GET_BROKER_RUNTIME_INFO,
    {},
    { timeoutMs },
  )
  return decodeKvTable((await scene.settle(call)).body)
}

describe('a message with a time of its own', () => {
  test.each([
    ['TIMER_DELAY_MS\x015000', 5_000],
    ['TIMER_DELAY_SEC\x017', 7_000],
    ['TIMER_DELAY_MS\x015001', 5_001],
    ['TIMER_DELAY_MS\x011', 1],
  ])('sent with %j is there then, and not before', async (wish, delayMs) => {
    const scene = await TimedScene.started()
    await scene.sendTimed('late', wish)
    await scene.pass(delayMs - 50)
    expect(await scene.bodies()).toEqual([])
    await scene.pass(1_200)
    const [waited] = await scene.waits()
    expect(waited).toBeGreaterThanOrEqual(delayMs)
    expect(waited).toBeLessThanOrEqual(delayMs + 1_050)
  })

  test('is at the most a slot late, whatever slot that is', async () => {
    const scene = await TimedScene.started('timerPrecisionMs=100\n')
    const delays = [150, 200, 1_234, 999, 3_333, 50]
    const sent = await scene.sendWave(0, delays)
    await scene.pass(4_000)
    const messages = await scene.messages()
    expect(messages).toHaveLength(sent.length)
    for (const record of messages) {
      const delayMs = delays[sent.indexOf(record.body.toString())] ?? 0
      const waitedMs = record.storeTimestamp - record.bornTimestamp
      expect(waitedMs).toBeGreaterThanOrEqual(delayMs)
      expect(waitedMs).toBeLessThanOrEqual(delayMs + 150)
    }
  })

  test('that names the time is there at it to the millisecond when a slot ends then', async () => {
    const scene = await TimedScene.started()
    const dueMs = Math.ceil(scene.nowMs / 1_000) * 1_000 + 3_000
    await scene.sendTimed('late', `TIMER_DELIVER_MS\x01${dueMs}`)
    await scene.pass(5_000)
    const [copy] = await scene.messages()
    expect(copy?.storeTimestamp).toBeGreaterThanOrEqual(dueMs)
    expect(copy?.storeTimestamp).toBeLessThanOrEqual(dueMs + 5)
  })

  test('of the past is there at once', async () => {
    const scene = await TimedScene.started()
    await scene.sendTimed('one', 'TIMER_DELIVER_MS\x011000')
    await scene.sendTimed('two', 'TIMER_DELAY_SEC\x010')
    expect(await scene.bodies()).toEqual(['one', 'two'])
  })

  test('is stored, and delivered, with what Apache has in its properties', async () => {
    const scene = await TimedScene.started()
    const dueMs = Math.floor(scene.nowMs / 1_000) * 1_000 + 4_500
    const properties = `TAGS\x01red\x02UNIQ_KEY\x01ID\x02TIMER_DELIVER_MS\x01${dueMs}\x02`
    const given = { queueId: 2, flag: 5, reconsumeTimes: 1, bornTimestamp: 1_234 }
    await scene.producer.send('T', 'body', given, properties)
    const [waiting] = await scene.messages('rmq_sys_wheel_timer')
    const common = {
      TAGS: 'red',
      UNIQ_KEY: 'ID',
      TIMER_DELIVER_MS: String(dueMs),
      TIMER_OUT_MS: String(dueMs - 500),
      REAL_TOPIC: 'T',
      REAL_QID: '2',
      MSG_REGION: 'DefaultRegion',
      TRACE_ON: 'true',
      CLUSTER: 'DefaultCluster',
    }
    expect(Object.fromEntries(decodeProperties(waiting?.properties ?? ''))).toEqual(common)
    await scene.pass(6_000)
    const [copy] = await scene.messages('T', 2)
    expect(copy).toMatchObject({ queueId: 2, flag: 5, reconsumeTimes: 1, bornTimestamp: 1_234 })
    expect(Object.fromEntries(decodeProperties(copy?.properties ?? ''))).toEqual({
      ...common,
      TIMER_ENQUEUE_MS: String(waiting?.storeTimestamp),
      TIMER_DEQUEUE_MS: String(copy?.storeTimestamp),
    })
    const red = await scene.client().pull('T', 0, { queueId: 2, tags: 'red' })
    expect(red.code).toBe(0)
  })

  test('wakes a consumer that waits', async () => {
    const scene = await TimedScene.started()
    await scene.producer.send('T', 'first')
    await scene.sendTimed('late', 'TIMER_DELAY_SEC\x012')
    const answer = await scene.client().pull('T', 1, { holdMs: 15_000 })
    expect(answer.body.toString()).toContain('late')
  })

  test.each([
    ['TIMER_DELAY_MS\x01soon', 13, /TIMER_DELAY_MS .* is no number/],
    ['TIMER_DELAY_SEC\x01259201', 13, /timerMaxDelaySec allows 259200000 ms/],
    ['TIMER_DELIVER_MS\x015\x02TIMER_DEL_UNIQKEY\x01T+ID', 13, /due before/],
  ])('sent with %j is refused with a sentence', async (wish, code, sentence) => {
    const scene = await TimedScene.started()
    const answer = await scene.producer.send('T', 'body', {}, `${wish}\x02`)
    expect(answer.code).toBe(code)
    expect(answer.remark).toMatch(sentence)
    expect(await scene.messages('rmq_sys_wheel_timer')).toEqual([])
  })

  test('is refused while timerWheelEnable is false', async () => {
    const scene = await TimedScene.started('timerWheelEnable=false\n')
    const answer = await scene.producer.send('T', 'body', {}, 'TIMER_DELAY_SEC\x013\x02')
    expect([answer.code, answer.remark]).toEqual([1, expect.stringMatching(/timerWheelEnable/)])
  })

  test('that was given back after it was delivered waits for its level, and not again', async () => {
    const scene = await TimedScene.started()
    await scene.sendTimed('late', 'TIMER_DELAY_SEC\x012')
    await scene.pass(3_500)
    const [copy] = await scene.messages()
    const properties = `${copy?.properties.toString()}RETRY_TOPIC\x01T\x02DELAY\x011\x02`
    const answer = await scene.producer.send('%RETRY%group', 'late', {}, properties)
    expect(answer.code).toBe(0)
    await scene.pass(1_200)
    expect(await scene.bodies('%RETRY%group')).toEqual(['late'])
  })
})

describe('messages that wait', () => {
  test('are delivered in the order of their times', async () => {
    const scene = await TimedScene.started()
    const sent = await scene.sendWave(0, [9_000, 3_000, 7_000, 5_000, 1_000])
    await scene.pass(11_000)
    const order = [4, 1, 3, 2, 0].map((i) => sent[i])
    expect(await scene.bodies()).toEqual(order)
  })

  test('of one slot are delivered in the order in which they were sent', async () => {
    const scene = await TimedScene.started()
    const dueMs = Math.ceil(scene.nowMs / 1_000) * 1_000 + 3_000
    const bodies = Array.from({ length: 600 }, (_, i) => `m${i}`)
    const sends = bodies.map((body) => {
      return scene.producer.sending('T', body, {}, `TIMER_DELIVER_MS\x01${dueMs}\x02`)
    })
    await scene.settle(Promise.all(sends))
    await scene.pass(4_500)
    expect(await scene.bodies()).toEqual(bodies)
  })

  test('for a year are stored again before they age, and delivered on the day', async () => {
    const scene = await TimedScene.started(
      'timerMaxDelaySec=40000000\ntimerRollWindowSlot=600000\nfileReservedTime=700\n',
    )
    const dueMs = scene.nowMs + 365 * DAY_MS
    await scene.sendTimed('late', `TIMER_DELIVER_MS\x01${dueMs}`)
    for (let day = 0; day < 364; day++) {
      scene.world.clock.jumpWall(DAY_MS)
      await scene.pass(1_100)
    }
    expect(await scene.bodies()).toEqual([])
    const waiting = await scene.messages('rmq_sys_wheel_timer')
    expect(waiting.length).toBeGreaterThan(30)
    const last = decodeProperties(waiting.at(-1)?.properties ?? '')
    expect(last.get('TIMER_ROLL_TIMES')).toBe(String(waiting.length - 1))
    scene.world.clock.jumpWall(DAY_MS)
    await scene.pass(1_100)
    const [copy, ...others] = await scene.messages()
    expect(others).toEqual([])
    expect(copy?.body.toString()).toBe('late')
    expect(copy?.storeTimestamp).toBeGreaterThanOrEqual(dueMs)
  })

  test('are counted for operators, by topic and in all', async () => {
    const scene = await TimedScene.started()
    await scene.sendWave(0, [2_000, 60_000, 60_000])
    await scene.pass(500)
    expect((await runtimeOf(scene)).get('timerCongestNum')).toBe('3')
    await scene.pass(4_000)
    const table = await runtimeOf(scene)
    expect(table.get('timerCongestNum')).toBe('2')
    expect([table.get('timerReadBehind'), table.get('timerOffsetBehind')]).toEqual(['0', '0'])
    const { remoting } = scene.producer
    const metrics = await scene.settle(
      remoting.call(scene.address, GET_TIMER_METRICS, {}, { timeoutMs }),
    )
    expect(JSON.parse(metrics.body.toString())).toMatchObject({ timingCount: { T: { count: 2 } } })
    const check = await scene.settle(
      remoting.call(scene.address, GET_TIMER_CHECK_POINT, {}, { timeoutMs }),
    )
    expect(check.body).toHaveLength(56)
    expect(readInt64(check.body, 16)).toBe(3)
  })
})

describe('a message that was called off', () => {
  test('before it was due is never delivered, and its neighbours are', async () => {
    const scene = await TimedScene.started()
    const dueMs = Math.ceil(scene.nowMs / 1_000) * 1_000 + 5_000
    await scene.sendTimed('one', `TIMER_DELIVER_MS\x01${dueMs}`)
    const handle = await scene.sendTimed(
      'two',
      `TIMER_DELIVER_MS\x01${dueMs}`,
      'UNIQ_KEY\x01ID\x02',
    )
    await scene.sendTimed('three', `TIMER_DELIVER_MS\x01${dueMs}`)
    const answer = await scene.recall(handle)
    expect([answer.code, answer.header().msgId]).toEqual([0, 'ID'])
    await scene.pass(7_000)
    expect(await scene.bodies()).toEqual(['one', 'three'])
    expect((await runtimeOf(scene)).get('timerCongestNum')).toBe('0')
  })

  test('stays so when the broker is killed in between', async () => {
    const scene = await TimedScene.started()
    const handle = await scene.sendTimed('late', 'TIMER_DELAY_SEC\x015')
    await scene.recall(handle)
    await scene.killAndRestart()
    await scene.pass(7_000)
    await scene.killAndRestart()
    await scene.pass(3_000)
    expect(await scene.bodies()).toEqual([])
  })

  test('and waits for longer than messages stay in the log, is not delivered either', async () => {
    const scene = await TimedScene.started('fileReservedTime=1\n')
    const handle = await scene.sendTimed('late', 'TIMER_DELAY_SEC\x0110000')
    await scene.pass(100_000)
    await scene.recall(handle)
    await scene.pass(10_200_000)
    expect(await scene.bodies()).toEqual([])
  })

  test('and was to be stored again when the broker was away until it was due, is not either', async () => {
    const scene = await TimedScene.started('timerRollWindowSlot=10\n')
    const handle = await scene.sendTimed('gone', 'TIMER_DELAY_MS\x0118000')
    await scene.pass(2_000)
    await scene.recall(handle)
    // By now the message was stored again, and what calls it off was not.
    await scene.pass(9_000)
    await scene.killAndRestart()
    await scene.pass(500)
    expect(await scene.messages('rmq_sys_wheel_timer')).toHaveLength(3)
    await scene.stop()
    await scene.pass(20_000)
    await scene.start()
    await scene.pass(5_000)
    expect(await scene.bodies()).toEqual([])
  })

  test('after it was due was delivered, and the caller is told', async () => {
    const scene = await TimedScene.started()
    const handle = await scene.sendTimed('late', 'TIMER_DELAY_SEC\x012')
    await scene.pass(4_000)
    const answer = await scene.recall(handle)
    expect([answer.code, answer.remark]).toEqual([604, expect.stringMatching(/timestamp invalid/)])
    expect(await scene.bodies()).toEqual(['late'])
  })

  test.each([
    ['of another topic', 'v1 U broker-a 9999999999999 ID', 604, /topic not match/],
    ['of another broker', 'v1 T broker-b 9999999999999 ID', 604, /broker service not available/],
    ['of no sense', 'v2 T', 604, /handle is invalid/],
    ['too far ahead', 'v1 T broker-a 9999999999999 ID', 604, /timestamp invalid/],
  ])('by a handle %s is not', async (_, text, code, sentence) => {
    const scene = await TimedScene.started()
    await scene.producer.send('T', 'first')
    const answer = await scene.recall(Buffer.from(text).toString('base64url'))
    expect([answer.code, answer.remark]).toEqual([code, expect.stringMatching(sentence)])
  })

  test('where there is no such topic, or it is forbidden, is not', async () => {
    const scene = await TimedScene.started()
    const handle = await scene.sendTimed('late', 'TIMER_DELAY_SEC\x015')
    expect((await scene.recall(handle, 'U')).code).toBe(17)
    const strict = await TimedScene.started('recallMessageEnable=false\n')
    expect((await strict.recall(handle)).code).toBe(16)
  })

  test('a message that waits for a level, or goes at once, has no handle', async () => {
    const scene = await TimedScene.started()
    expect(await scene.sendTimed('now', 'TIMER_DELAY_SEC\x010')).toBe('')
    expect(await scene.sendTimed('level', 'DELAY\x013')).toBe('')
  })
})
