/** Stores that Apache's broker had last, or may have next, and stores with very many who wait. */
import { hostAddress, readInt64, writeInt64 } from '@rockhopper/protocol'
import type { SimDisk } from '@rockhopper/sim'
import { openStore } from '@rockhopper/store'
import { describe, expect, test } from 'vitest'
import { storeConfigOf, timerRulesOf } from '../../packages/broker/src/parts-config.ts'
import { timedPlacementOf } from '../../packages/broker/src/rules/timed.ts'
import { TIMER_LOG_BYTES, TimedScene } from './timed-scene.ts'

const CHECK = '/store/config/timercheck'

function bytesOf(disk: SimDisk, path: string): Buffer {
  const file = disk.open(path, 'read')
  const bytes = Buffer.alloc(file.sizeBytes())
  file.readSync(bytes, 0)
  file.close()
  return bytes
}

/** Leaves numbers as Apache's broker does: all earlier slots are delivered, of what it has seen. */
function leaveAsApache(disk: SimDisk, readTimeMs: number, queueOffset: number): void {
  const bytes = Buffer.alloc(4_096)
  for (const [i, value] of [readTimeMs, 0, queueOffset, queueOffset].entries()) {
    writeInt64(bytes, value, 8 * i)
  }
  const file = disk.open(CHECK, 'create')
  file.writeSync([bytes], 0)
  file.close()
}

/** The units of Apache's timer log, up to its end. */
function unitsOf(disk: SimDisk) {
  const bytes = bytesOf(disk, `/store/timerlog/${'0'.repeat(20)}`)
  const units: { previous: number; magic: number; wakeMs: number; logOffset: number }[] = []
  for (let at = 0; bytes.readInt32BE(at) === 52; at += 52) {
    units.push({
      previous: readInt64(bytes, at + 4),
      magic: bytes.readInt32BE(at + 12),
      wakeMs: readInt64(bytes, at + 16) + bytes.readInt32BE(at + 24),
      logOffset: readInt64(bytes, at + 28),
    })
  }
  return units
}

describe('a store that Apache had', () => {
  test('goes on with the messages that were not delivered, and with no others', async () => {
    const scene = await TimedScene.started()
    const startMs = scene.nowMs
    const sent = await scene.sendWave(0, [1_000, 3_000, 60_000, 61_000])
    await scene.sendWave(4, [2_000])
    await scene.stop()
    // As if Apache had delivered what was due within 30 s, but not seen the last one.
    const { disk } = scene.world.host('broker')
    leaveAsApache(disk, startMs + 30_000, 4)
    await scene.start()
    await scene.pass(5_000)
    expect(await scene.bodies()).toEqual(['m4'])
    await scene.pass(65_000)
    expect(await scene.bodies()).toEqual(['m4', ...sent.slice(2)])
  })

  test('does not deliver again what Apache put behind the others', async () => {
    const scene = await TimedScene.started('timerRollWindowSlot=30\n')
    await scene.sendTimed('late', 'TIMER_DELAY_SEC\x0145', 'UNIQ_KEY\x01ID\x02')
    await scene.pass(31_500)
    expect(await scene.messages('rmq_sys_wheel_timer')).toHaveLength(2)
    await scene.stop()
    leaveAsApache(scene.world.host('broker').disk, scene.nowMs - 1_000, 2)
    await scene.start()
    await scene.pass(60_000)
    expect(await scene.bodies()).toEqual(['late'])
  })

  test('is read from the beginning where Apache has left no numbers', async () => {
    const scene = await TimedScene.started()
    const sent = await scene.sendWave(0, [5_000, 6_000])
    await scene.stop()
    const { disk } = scene.world.host('broker')
    for (const name of ['timercheck', 'timerPending']) disk.remove(`/store/config/${name}`)
    await scene.start()
    await scene.pass(9_000)
    expect(await scene.bodies()).toEqual(sent)
  })
})

describe('a store that Apache may get', () => {
  test('has what waits in the timer log, each slot linked backwards, and where to go on', async () => {
    const scene = await TimedScene.started()
    const dueMs = Math.ceil(scene.nowMs / 1_000) * 1_000 + 60_000
    await scene.sendWave(0, [1_000])
    for (const ms of [dueMs, dueMs + 1_000, dueMs]) {
      await scene.sendTimed('late', `TIMER_DELIVER_MS\x01${ms}`)
    }
    await scene.recall(await scene.sendTimed('not', `TIMER_DELIVER_MS\x01${dueMs}`))
    await scene.pass(3_000)
    await scene.stop()
    const { disk } = scene.world.host('broker')
    const check = bytesOf(disk, CHECK)
    expect(check).toHaveLength(4_096)
    const [readTimeMs, flushed, seen, master] = [0, 8, 16, 24].map((at) => readInt64(check, at))
    expect([flushed, seen, master]).toEqual([0, 6, 6])
    expect(disk.stat(`/store/timerlog/${'0'.repeat(20)}`)?.sizeBytes).toBe(TIMER_LOG_BYTES)
    const units = unitsOf(disk)
    const slotMs = dueMs - 1_000
    expect(units.map(({ previous, magic, wakeMs }) => [previous, magic, wakeMs])).toEqual([
      [-1, 1, slotMs],
      [-1, 1, dueMs],
      [0, 1, slotMs],
      [104, 1, slotMs],
      [156, 5, slotMs],
      [-1, 1, (readTimeMs ?? 0) - 1_000],
    ])
    // The last one is there so that Apache goes on behind it.
    expect(units.at(-1)?.logOffset).toBe(units.at(-2)?.logOffset)
    await scene.start()
    await scene.pass(500)
    expect(disk.stat('/store/timerlog')).toBeUndefined()
    await scene.pass(65_000)
    expect(await scene.bodies()).toEqual(['m0', 'late', 'late', 'late'])
  })

  test('has nothing of this kind when no message ever waited', async () => {
    const scene = await TimedScene.started()
    await scene.producer.send('T', 'now')
    await scene.stop()
    const { disk } = scene.world.host('broker')
    expect([disk.stat(CHECK), disk.stat('/store/timerlog')]).toEqual([undefined, undefined])
  })
})

test('a hundred thousand that wait are known after a kill, and come at their times', async () => {
  const scene = new TimedScene('timerPrecisionMs=100\nmappedFileSizeCommitLog=67108864\n')
  const { doors } = scene.world.host('broker')
  const store = await scene.settle(openStore(doors, storeConfigOf(scene.config)))
  const count = 100_000
  const bornTimestamp = scene.nowMs
  const delayOf = (i: number): number => 60_000 + ((i * 7_919) % 20_000)
  const rules = timerRulesOf(scene.config)
  const host = hostAddress('10.0.0.1', 1)
  for (let i = 0; i < count; i++) {
    const wish = new Map([['TIMER_DELIVER_MS', String(bornTimestamp + delayOf(i))]])
    const timed = timedPlacementOf('T', 1, wish, rules, bornTimestamp)
    if (timed.kind !== 'waits') throw new Error(timed.kind)
    store.append({
      ...{ ...timed.place, body: Buffer.from(`m${i}`), bornTimestamp, bornHost: host, flag: 0 },
      ...{ storeHost: host, sysFlag: 0, reconsumeTimes: 0, preparedTransactionOffset: 0 },
    })
    if (i % 10_000 === 0) await scene.pass(1)
  }
  await scene.pass(100)
  await scene.killAndRestart()
  await scene.producer.send('T', 'makes the topic')
  await scene.pass(70_000 - (scene.nowMs - bornTimestamp))
  await scene.killAndRestart()
  await scene.pass(82_000 - (scene.nowMs - bornTimestamp))
  const messages = await scene.messages('T', 1)
  expect(new Set(messages.map(({ body }) => body.toString())).size).toBe(count)
  expect(messages).toHaveLength(count)
  for (const { body, storeTimestamp } of messages) {
    const lateMs = storeTimestamp - bornTimestamp - delayOf(Number(body.toString().slice(1)))
    if (lateMs < 0 || lateMs > 1_500) throw new Error(`${body} is ${lateMs} ms late`)
  }
}, 120_000)
