/**
 * Delayed messages are delivered exactly once, whenever the broker is stopped, killed, or its machine
 * loses power, and whatever the wall clock does.
 */
import { describe, expect, test } from 'vitest'
import { DelayedScene, LATE_MS } from './delayed-scene.ts'

/** Numbers of messages, of which every third waits for level 2 and the others for level 1. */
async function sendWave(scene: DelayedScene, from: number, count: number): Promise<string[]> {
  const { producer } = scene
  const bodies = Array.from({ length: count }, (_, i) => `m${from + i}`)
  const sends = bodies.map((body, i) => {
    return producer.sending('T', body, {}, `DELAY\x01${i % 3 === 0 ? 2 : 1}\x02`)
  })
  const answers = await scene.settle(Promise.all(sends))
  expect(answers.map(({ code }) => code)).toEqual(bodies.map(() => 0))
  return bodies
}

type End = (scene: DelayedScene) => Promise<void>

const kill: End = (scene) => scene.killAndRestart()

const losePower: End = (scene) => scene.losePowerAndRestart()

const stop: End = (scene) => scene.stopAndStart()

/** Sends for some seconds and ends the broker now and then, at times that the seed says. */
async function live(settings: string, seed: number, end: End): Promise<void> {
  const scene = new DelayedScene(settings, seed)
  await scene.start()
  const sent: string[] = []
  for (let round = 0; round < 8; round++) {
    sent.push(...(await sendWave(scene, sent.length, 30)))
    await scene.pass(((seed * 7_919 + round * 104_729) % 1_700) + round)
    if ((seed + round) % 2 === 0) await end(scene)
  }
  await scene.pass(6_000)
  expect((await scene.bodies()).toSorted()).toEqual(sent.toSorted())
}

const seeds = Array.from({ length: 12 }, (_, i) => i + 1)

describe('every delayed message is delivered, and none twice,', () => {
  test.each(seeds)('by a broker that is killed at any time (seed %i)', async (seed) => {
    await live(`flushDelayOffsetInterval=${seed * 131}\n`, seed, kill)
  })

  test.each(seeds)('by a machine that loses power at any time (seed %i)', async (seed) => {
    await live(
      `flushDiskType=SYNC_FLUSH\nflushDelayOffsetInterval=${seed * 131}\n`,
      seed,
      losePower,
    )
  })

  test('by a broker that is stopped and started', async () => {
    await live('', 3, stop)
  })

  test('by a broker that is killed before it wrote the file for the first time', async () => {
    await live('flushDelayOffsetInterval=3600000\n', 4, kill)
  })

  test('by a broker whose queues are made anew from the log', async () => {
    const scene = await DelayedScene.started('messageDelayLevel=2s 7s\n')
    const sent = await sendWave(scene, 0, 30)
    await scene.pass(3_000)
    const host = scene.world.host('broker')
    host.kill()
    const { disk } = host.restart()
    disk.remove('/store/consumequeue')
    await scene.start()
    await scene.pass(1_000)
    sent.push(...(await sendWave(scene, 30, 30)))
    await scene.pass(8_000)
    expect((await scene.bodies()).toSorted()).toEqual(sent.toSorted())
    const delays = [2_000, 7_000]
    const waits = await scene.waits()
    for (const [i, { properties }] of (await scene.messages()).entries()) {
      const level = properties.toString().includes('DELAY\x011\x02') ? 1 : 2
      expect(waits[i]).toBeGreaterThanOrEqual(delays[level - 1] ?? 0)
      expect(waits[i]).toBeLessThanOrEqual((delays[level - 1] ?? 0) + LATE_MS)
    }
  })

  test('by a broker whose records have checksums of all of them', async () => {
    await live('enabledAppendPropCRC=true\nforceVerifyPropCRC=true\n', 2, kill)
  })

  test('and what was due while the broker was down is delivered when it is back', async () => {
    const scene = await DelayedScene.started()
    const sent = await sendWave(scene, 0, 30)
    await scene.stop()
    await scene.pass(60_000)
    await scene.start()
    await scene.pass(LATE_MS)
    expect((await scene.bodies()).toSorted()).toEqual(sent.toSorted())
  })
})

test('a delivery that a crash takes away is made again, though the file could have told of it', async () => {
  const scene = await DelayedScene.started(
    'flushIntervalCommitLog=3000\nflushDelayOffsetInterval=100\n',
  )
  await scene.sendDelayed('late', 2)
  await scene.pass(5_400)
  expect(await scene.bodies()).toEqual(['late'])
  const host = scene.world.host('broker')
  host.crash({ bytes: 'lost', names: 'lost' })
  host.restart()
  await scene.start()
  await scene.pass(1_000)
  expect(await scene.bodies()).toEqual(['late'])
})

describe('when the wall clock is set', () => {
  const hourMs = 3_600_000

  test('forwards, what is due by it is delivered within a second', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('late', 14)
    await scene.pass(10_000)
    scene.world.clock.jumpWall(hourMs)
    await scene.pass(1_100)
    expect(await scene.bodies()).toEqual(['late'])
  })

  test('back, nothing is delivered early, and nothing waits for the clock to come by again', async () => {
    const scene = await DelayedScene.started()
    await scene.sendDelayed('one', 3)
    await scene.pass(4_000)
    await scene.sendDelayed('two', 3)
    await scene.pass(1_000)
    scene.world.clock.jumpWall(-hourMs)
    await scene.sendDelayed('three', 3)
    await scene.pass(4_900)
    expect(await scene.bodies()).toEqual([])
    await scene.pass(200)
    expect(await scene.bodies()).toEqual(['one'])
    await scene.pass(3_700)
    expect(await scene.bodies()).toEqual(['one'])
    await scene.pass(400)
    expect(await scene.bodies()).toEqual(['one', 'two'])
    await scene.pass(600)
    expect(await scene.bodies()).toEqual(['one', 'two'])
    await scene.pass(500)
    expect(await scene.bodies()).toEqual(['one', 'two', 'three'])
  })

  test('back while the broker is down, everything waits its delay once more at the most', async () => {
    const scene = await DelayedScene.started()
    for (const body of ['one', 'two', 'three']) await scene.sendDelayed(body, 3)
    await scene.pass(2_000)
    await scene.stop()
    scene.world.clock.jumpWall(-hourMs)
    await scene.start()
    await scene.pass(7_900)
    expect(await scene.bodies()).toEqual([])
    await scene.pass(3_000)
    expect(await scene.bodies()).toEqual(['one', 'two', 'three'])
  })

  test('back a little, thousands are not held up by one another', async () => {
    const scene = await DelayedScene.started()
    for (let from = 0; from < 1_000; from += 100) await sendWave(scene, from, 100)
    scene.world.clock.jumpWall(-30_000)
    await scene.pass(5_500)
    expect(await scene.bodies()).toHaveLength(1_000)
  })

  test('back and forth, everything is delivered once', async () => {
    const scene = await DelayedScene.started()
    const sent: string[] = []
    for (const jumpMs of [-hourMs, 2 * hourMs, -3 * hourMs, 60_000, -500, 2 * hourMs]) {
      sent.push(...(await sendWave(scene, sent.length, 20)))
      await scene.pass(300)
      scene.world.clock.jumpWall(jumpMs)
      await scene.pass(700)
    }
    await scene.pass(12_000)
    expect((await scene.bodies()).toSorted()).toEqual(sent.toSorted())
  })
})
