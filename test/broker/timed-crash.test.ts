/**
 * Messages that have times of their own are delivered exactly once, whenever the broker is stopped,
 * killed, or its machine loses power, and whatever the wall clock does.
 */
import { describe, expect, test } from 'vitest'
import { TimedScene } from './timed-scene.ts'

type End = (scene: TimedScene) => Promise<void>

const kill: End = (scene) => scene.killAndRestart()

const losePower: End = (scene) => scene.losePowerAndRestart()

const stop: End = (scene) => scene.stopAndStart()

/** Delays of 1 ms to 5 s. */
function delaysOf(seed: number, round: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => 1 + ((seed * 7_919 + round * 613 + i * 997) % 5_000),
  )
}

/** Sends for some seconds and ends the broker now and then, at times that the seed says. */
async function live(settings: string, seed: number, end: End): Promise<void> {
  const scene = new TimedScene(`timerPrecisionMs=100\n${settings}`, seed)
  await scene.start()
  const delays = new Map<string, number>()
  for (let round = 0; round < 8; round++) {
    const wave = delaysOf(seed, round, 30)
    const sent = await scene.sendWave(delays.size, wave)
    for (const [i, body] of sent.entries()) delays.set(body, wave[i] ?? 0)
    await scene.pass(((seed * 7_919 + round * 104_729) % 1_700) + round)
    if ((seed + round) % 2 === 0) await end(scene)
  }
  await scene.pass(7_000)
  const messages = await scene.messages()
  expect(messages.map(({ body }) => body.toString()).toSorted()).toEqual(
    [...delays.keys()].toSorted(),
  )
  for (const { body, bornTimestamp, storeTimestamp } of messages) {
    const delayMs = delays.get(body.toString()) ?? 0
    expect(storeTimestamp - bornTimestamp).toBeGreaterThanOrEqual(delayMs)
  }
}

const seeds = Array.from({ length: 12 }, (_, i) => i + 1)

describe('every message that waits is delivered, none early and none twice,', () => {
  test.each(seeds)('by a broker that is killed at any time (seed %i)', async (seed) => {
    await live(`flushDelayOffsetInterval=${seed * 131}\n`, seed, kill)
  })

  test.each(seeds)('by a machine that loses power at any time (seed %i)', async (seed) => {
    const settings = `flushDiskType=SYNC_FLUSH\nflushDelayOffsetInterval=${seed * 131}\n`
    await live(settings, seed, losePower)
  })

  test('by a broker that is stopped and started', async () => {
    await live('', 3, stop)
  })

  test('by a broker that is killed before it wrote the file for the first time', async () => {
    await live('flushDelayOffsetInterval=3600000\n', 4, kill)
  })

  test('by a broker whose file of what waits is damaged or gone', async () => {
    for (const damage of ['damaged', 'gone']) {
      await live('flushDelayOffsetInterval=100\n', 6, async (scene) => {
        const host = scene.world.host('broker')
        host.kill()
        const { disk } = host.restart()
        const path = '/store/config/timerPending'
        if (damage === 'gone') disk.remove(path)
        else if (disk.stat(path) !== undefined) {
          const file = disk.open(path, 'update')
          file.writeSync([Buffer.of(1, 2, 3)], 60)
          file.close()
        }
        await scene.start()
      })
    }
  })

  test('by a broker whose queues are made anew from the log', async () => {
    await live('', 5, async (scene) => {
      const host = scene.world.host('broker')
      host.kill()
      host.restart().disk.remove('/store/consumequeue')
      await scene.start()
    })
  })

  test('by a broker whose records have checksums of all of them', async () => {
    await live('enabledAppendPropCRC=true\nforceVerifyPropCRC=true\n', 2, kill)
  })

  test('by a broker that stores them again now and then as they wait', async () => {
    await live('timerRollWindowSlot=10\nflushDelayOffsetInterval=700\n', 7, kill)
  })
})

test('what was due while the broker was down is delivered when it is back', async () => {
  const scene = await TimedScene.started()
  const sent = await scene.sendWave(0, [1_000, 2_000, 30_000, 90_000])
  await scene.stop()
  await scene.pass(60_000)
  await scene.start()
  await scene.pass(500)
  expect((await scene.bodies()).toSorted()).toEqual(sent.slice(0, 3))
  await scene.pass(40_000)
  expect((await scene.bodies()).toSorted()).toEqual(sent)
})

test('a delivery that a crash takes away is made again, though the file could have told of it', async () => {
  const scene = await TimedScene.started(
    'flushIntervalCommitLog=3000\nflushDelayOffsetInterval=100\n',
  )
  await scene.sendTimed('late', 'TIMER_DELAY_MS\x015000')
  await scene.pass(6_100)
  expect(await scene.bodies()).toEqual(['late'])
  const host = scene.world.host('broker')
  host.crash({ bytes: 'lost', names: 'lost' })
  host.restart()
  await scene.start()
  await scene.pass(1_500)
  expect(await scene.bodies()).toEqual(['late'])
})

describe('when the wall clock is set', () => {
  const hourMs = 3_600_000

  test('forwards, what is due by it is delivered within a second', async () => {
    const scene = await TimedScene.started()
    await scene.sendTimed('late', 'TIMER_DELAY_SEC\x013600')
    await scene.pass(10_000)
    scene.world.clock.jumpWall(hourMs)
    await scene.pass(2_100)
    expect(await scene.bodies()).toEqual(['late'])
  })

  test('back, nothing is delivered before its time by it', async () => {
    const scene = await TimedScene.started()
    await scene.sendTimed('late', 'TIMER_DELAY_SEC\x0110')
    scene.world.clock.jumpWall(-60_000)
    await scene.pass(65_000)
    expect(await scene.bodies()).toEqual([])
    await scene.pass(8_000)
    expect(await scene.bodies()).toEqual(['late'])
  })

  test('back and forth, everything is delivered once', async () => {
    const scene = await TimedScene.started()
    const sent: string[] = []
    for (const jumpMs of [-hourMs, 2 * hourMs, -3 * hourMs, 60_000, -500, 2 * hourMs]) {
      sent.push(...(await scene.sendWave(sent.length, delaysOf(1, sent.length, 20))))
      await scene.pass(300)
      scene.world.clock.jumpWall(jumpMs)
      await scene.pass(700)
    }
    await kill(scene)
    await scene.pass(4 * hourMs)
    expect((await scene.bodies()).toSorted()).toEqual(sent.toSorted())
  })
})

test('over days of kills and of a clock that jumps, all come, none early and none twice', async () => {
  const minuteMs = 60_000
  const scene = new TimedScene('fileReservedTime=4\nflushDelayOffsetInterval=60000\n', 11)
  await scene.start()
  const dueMs = new Map<string, number>()
  for (let round = 0; round < 16; round++) {
    const delays = delaysOf(11, round, 20).map((delay) => delay * 10_000)
    const nowMs = scene.nowMs
    const sent = await scene.sendWave(dueMs.size, delays)
    for (const [i, body] of sent.entries()) dueMs.set(body, nowMs + (delays[i] ?? 0))
    await scene.pass(70 * minuteMs)
    scene.world.clock.jumpWall(((round % 3) - 1) * 9 * minuteMs)
    if (round % 2 === 0) await (round % 4 === 0 ? kill : stop)(scene)
    await scene.pass(30 * minuteMs)
  }
  await scene.pass(15 * 60 * minuteMs)
  const messages = await scene.messages()
  expect(messages.map(({ body }) => body.toString()).toSorted()).toEqual(
    [...dueMs.keys()].toSorted(),
  )
  for (const { body, storeTimestamp } of messages) {
    expect(storeTimestamp).toBeGreaterThanOrEqual(dueMs.get(body.toString()) ?? 0)
  }
}, 60_000)
