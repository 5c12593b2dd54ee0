/** What a store removes when it is old or the volume is full, and what readers see of it. */
import { UNIT_BYTES } from '@rockhopper/protocol'
import type { SimHost } from '@rockhopper/sim'
import type { RetentionConfig, StoreConfig } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { KeyScene } from './key-scene.ts'
import {
  message,
  numbered,
  QUEUE_SEGMENT_BYTES,
  ROOT,
  recordsIn,
  SEGMENT_BYTES,
  StoreScene,
} from './scene.ts'

const HOUR_MS = 3_600_000
const LOG = `${ROOT}/commitlog`
const QUEUE = `${ROOT}/consumequeue/TopicTest/0`
const SUMS = `${ROOT}/logsums`
/** Behind the first run. */
const FIRST_RUN_MS = 61_000

const retention: RetentionConfig = {
  reservedMs: 72 * HOUR_MS,
  deleteHours: [4],
  cleanAbovePercent: 75,
  forceAbovePercent: 85,
  refuseAbovePercent: 90,
  mayForce: true,
  periodMs: 10_000,
  maxFilesPerRun: 10,
  logPauseMs: 100,
  queuePauseMs: 100,
}

/** Old records are read from files, and a run comes soon. */
async function openScene(
  rules: Partial<RetentionConfig> = {},
  config: Partial<StoreConfig> = {},
): Promise<StoreScene> {
  const own = { tailMemoryBytes: 8 * 1024, retention: { ...retention, ...rules } }
  return await StoreScene.opened({ ...own, ...config })
}

/** Fills so many segments of the log with numbered messages; returns how many there are then. */
async function fillSegments(scene: StoreScene, count: number, bodyBytes = 0): Promise<number> {
  const end = (scene.store.runtime().appendedOffset / SEGMENT_BYTES + count) * SEGMENT_BYTES
  let number = scene.store.queueBounds('TopicTest', 0).maxOffset
  while (scene.store.runtime().appendedOffset < end) {
    scene.append({ body: Buffer.from(`m${number}`.padEnd(bodyBytes)) })
    number += 1
  }
  await scene.world.clock.advance(1)
  return number
}

const logFiles = (scene: StoreScene): number[] => scene.host.disk.list(LOG).map(Number)
const queueFiles = (scene: StoreScene): number[] => scene.host.disk.list(QUEUE).map(Number)

function bounds(scene: StoreScene): { minOffset: number; maxOffset: number } {
  return scene.store.queueBounds('TopicTest', 0)
}

/** Moves the wall clock to an hour of a day that is so many days away. */
function goTo(scene: StoreScene, days: number, hour: number): void {
  const { clock } = scene.world
  const midnight = Math.floor(clock.nowMs() / (24 * HOUR_MS)) * 24 * HOUR_MS
  clock.jumpWall(midnight + (days * 24 + hour) * HOUR_MS - clock.nowMs())
}

/** Makes the volume so small that what is used now is that part of it. */
function setUsedPercent(scene: StoreScene, percent: number): void {
  const { freeBytes, totalBytes } = scene.host.disk.volumeSpace(ROOT)
  scene.host.disk.setCapacity(Math.floor((totalBytes - freeBytes) / (percent / 100)))
}

describe('a file of the log that has expired', () => {
  it('is removed in the hour for it, and with it all that came from it', async () => {
    const scene = await openScene()
    const count = await fillSegments(scene, 3)
    await scene.world.clock.advance(FIRST_RUN_MS)
    goTo(scene, 3, 4)
    await scene.world.clock.advance(20_000)
    expect(logFiles(scene)).toEqual([3 * SEGMENT_BYTES])
    expect(scene.host.disk.list(SUMS).map(Number)).toEqual([3 * SEGMENT_BYTES])
    const { maxOffset, minOffset } = bounds(scene)
    expect(maxOffset).toBe(count)
    expect(minOffset).toBeGreaterThan(count - 5)
    expect(minOffset).toBeLessThan(count)
    expect(await scene.bodies()).toEqual(numbered(minOffset, count))
    expect(queueFiles(scene)[0]).toBe(
      minOffset * UNIT_BYTES - ((minOffset * UNIT_BYTES) % QUEUE_SEGMENT_BYTES),
    )
  })

  it('is kept at other hours, unless an operator asks', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    goTo(scene, 9, 5)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(3)
    scene.store.removeExpired()
    await scene.world.clock.advance(1_000)
    expect(logFiles(scene)).toEqual([2 * SEGMENT_BYTES])
  })

  it('goes by local time', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    goTo(scene, 9, 2)
    scene.world.clock.setUtcOffset(2 * HOUR_MS)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(1)
  })

  it('is removed with others in moderation: so many in a run, and a pause between two', async () => {
    const scene = await openScene({ maxFilesPerRun: 2, logPauseMs: 3_000 })
    await fillSegments(scene, 5)
    goTo(scene, 9, 4)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(5)
    await scene.world.clock.advance(3_000)
    expect(logFiles(scene)).toHaveLength(4)
    await scene.world.clock.advance(9_000)
    expect(logFiles(scene)).toHaveLength(4)
    const [queueStart = 0] = queueFiles(scene)
    await scene.world.clock.advance(8_000)
    expect(logFiles(scene)).toHaveLength(2)
    await scene.world.clock.advance(3_000)
    expect(queueFiles(scene)[0]).toBeGreaterThan(queueStart)
    expect(await scene.bodies()).toHaveLength(bounds(scene).maxOffset - bounds(scene).minOffset)
  })

  it('is kept as the newest one, however old it is', async () => {
    const scene = await openScene()
    await scene.putNumbered(0, 10)
    goTo(scene, 99, 4)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toEqual([0])
    expect(await scene.bodies()).toEqual(numbered(0, 10))
  })

  it('is kept while a start would need it', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    goTo(scene, 9, 4)
    scene.host.disk.fail({
      ...{ operation: 'write', pathIncludes: 'consumequeue', code: 'ENOSPC' },
      times: Number.POSITIVE_INFINITY,
    })
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(3)
    scene.host.disk.clearFaults()
    await scene.world.clock.advance(10_000)
    expect(logFiles(scene)).toHaveLength(1)
  })

  it('is tried again when the disk refuses to remove it, and one line says so', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    goTo(scene, 9, 4)
    scene.host.disk.fail({
      ...{ operation: 'remove', pathIncludes: 'commitlog', code: 'EIO', times: 3 },
    })
    await scene.world.clock.advance(FIRST_RUN_MS + 20_000)
    expect(logFiles(scene)).toHaveLength(3)
    expect(await scene.bodies()).toHaveLength(bounds(scene).maxOffset)
    await scene.world.clock.advance(10_000)
    expect(logFiles(scene)).toHaveLength(1)
    const warnings = scene.world.lines.filter(({ level }) => level !== 'info')
    expect(warnings).toHaveLength(1)
    expect(await scene.bodies()).toEqual(numbered(bounds(scene).minOffset, bounds(scene).maxOffset))
  })

  it('stops the store when its removal cannot be made durable', async () => {
    const scene = await openScene()
    const count = await fillSegments(scene, 3)
    await scene.world.clock.advance(15_000)
    goTo(scene, 9, 4)
    scene.host.disk.fail({ operation: 'syncDirectory', pathIncludes: 'commitlog', code: 'EIO' })
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect((await scene.settle(scene.store.failed)).message).toContain('EIO')
    expect(logFiles(scene)).toHaveLength(3)
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(bounds(scene).minOffset, count))
  })

  it('is gone for queues, too, that nobody has asked for since the start', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    await scene.reopen()
    goTo(scene, 9, 4)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(queueFiles(scene)[0]).toBeGreaterThan(0)
    const { maxOffset, minOffset } = bounds(scene)
    expect(await scene.bodies()).toEqual(numbered(minOffset, maxOffset))
  })

  it('is durably gone before the next of its folder goes, however many ask at a time', async () => {
    const scene = await openScene({ logPauseMs: 0 }, { consumeQueueSegmentBytes: 20 * UNIT_BYTES })
    await fillSegments(scene, 3)
    await scene.world.clock.advance(15_000)
    goTo(scene, 9, 4)
    scene.host.disk.syncDelay = [5, 5]
    const removals = new Map<string, number[]>()
    scene.host.disk.watch((operation, path) => {
      const folder = path.slice(0, path.lastIndexOf('/'))
      if (operation !== 'remove' || ![LOG, QUEUE].includes(folder)) return
      const times = removals.get(folder) ?? []
      removals.set(folder, [...times, scene.world.clock.monotonicMs()])
    })
    scene.store.removeExpired()
    await scene.world.clock.advance(40)
    const asked = [1, 2, 3].map(() => scene.store.removeExpiredQueues(() => false))
    await scene.settle(Promise.all(asked))
    await scene.world.clock.advance(1_000)
    expect(removals.get(LOG)).toHaveLength(3)
    expect(removals.get(QUEUE)?.length).toBeGreaterThan(10)
    for (const times of removals.values()) {
      for (const [i, time] of times.slice(1).entries()) {
        expect(time - (times[i] ?? 0)).toBeGreaterThanOrEqual(5)
      }
    }
  })

  it('takes its files of the key index with it', async () => {
    const scene = await KeyScene.opened({ retention })
    for (let i = 0; i < 60; i++) await scene.putKeyed(`u${i}`, 'k', { body: Buffer.alloc(700) })
    await scene.world.clock.advance(15_000)
    const before = scene.indexFiles
    goTo(scene, 9, 4)
    await scene.world.clock.advance(FIRST_RUN_MS + 15_000)
    expect(scene.indexFiles.length).toBeLessThan(before.length)
    expect(scene.indexFiles).toEqual(before.slice(-scene.indexFiles.length))
    const found = await scene.found('k')
    expect(found).toHaveLength(bounds(scene).maxOffset - bounds(scene).minOffset)
  })

  it('leaves the numbers of a queue as they are, though all of its messages went', async () => {
    const scene = await openScene()
    await scene.putNumbered(0, 7, { queueId: 1 })
    await fillSegments(scene, 2)
    goTo(scene, 9, 4)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(scene.store.queueBounds('TopicTest', 1)).toEqual({ minOffset: 7, maxOffset: 7 })
    await scene.reopenAfterKill()
    expect(scene.store.queueBounds('TopicTest', 1)).toEqual({ minOffset: 7, maxOffset: 7 })
    expect((await scene.put({ queueId: 1 })).queueOffset).toBe(7)
    expect(await scene.bodies('TopicTest', 1)).toEqual(['Hello'])
  })
})

describe('a volume that fills up', () => {
  it('loses what has expired at any hour, until there is room', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    await scene.world.clock.advance(15_000)
    setUsedPercent(scene, 80)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(3)
    goTo(scene, 9, 12)
    await scene.world.clock.advance(10_000)
    expect(logFiles(scene)).toEqual([SEGMENT_BYTES, 2 * SEGMENT_BYTES])
  })

  it('loses what has not expired only until there is room', async () => {
    const scene = await openScene()
    await fillSegments(scene, 8)
    await scene.world.clock.advance(15_000)
    setUsedPercent(scene, 89)
    await scene.world.clock.advance(FIRST_RUN_MS)
    const left = logFiles(scene)
    expect(left.length).toBeGreaterThan(5)
    expect(left.length).toBeLessThan(9)
    expect(left.at(-1)).toBe(8 * SEGMENT_BYTES)
    expect(scene.store.append(message()).kind).toBe('appended')
  })

  it('refuses messages near its end, goes on serving, and takes them when there is room', async () => {
    const scene = await openScene({ mayForce: false })
    const count = await fillSegments(scene, 3)
    await scene.world.clock.advance(15_000)
    setUsedPercent(scene, 95)
    await scene.world.clock.advance(FIRST_RUN_MS)
    const refused = scene.store.append(message())
    expect(refused).toMatchObject({ kind: 'not-writable' })
    expect('reason' in refused && refused.reason).toMatch(
      /^The volume of "\/store\/commitlog" is 9\d % used, more than diskSpaceWarningLevelRatio=90 allows: \d+ bytes are free\. .* 85 % or less/,
    )
    expect(scene.store.appendBatch(message(), [message()])).toEqual(refused)
    expect(await scene.bodies()).toEqual(numbered(0, count))
    expect(logFiles(scene)).toHaveLength(4)
    setUsedPercent(scene, 88)
    await scene.world.clock.advance(20_000)
    expect(scene.store.append(message()).kind).toBe('not-writable')
    setUsedPercent(scene, 84)
    await scene.world.clock.advance(10_000)
    expect(scene.store.append(message()).kind).toBe('appended')
    const told = scene.world.lines.map(({ sentence }) => sentence)
    expect(
      told.filter((sentence) => /Messages are (refused|accepted)/.test(sentence)),
    ).toHaveLength(2)
  })

  it('makes room by itself and takes messages again', async () => {
    const scene = await openScene()
    const count = await fillSegments(scene, 10)
    await scene.world.clock.advance(15_000)
    setUsedPercent(scene, 96)
    await scene.world.clock.advance(FIRST_RUN_MS)
    await scene.put({ body: Buffer.from(`m${count}`) })
    expect(logFiles(scene).length).toBeLessThan(11)
    expect(await scene.bodies()).toEqual(numbered(bounds(scene).minOffset, count + 1))
  })

  it('is taken for roomy when it cannot say how large it is', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    scene.host.disk.setCapacity(0)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(3)
  })

  it('without rules for it is left to the operator', async () => {
    const scene = await StoreScene.opened()
    await fillSegments(scene, 20)
    await scene.settle(scene.store.checkpoint())
    setUsedPercent(scene, 92)
    goTo(scene, 999, 4)
    await scene.world.clock.advance(FIRST_RUN_MS)
    expect(logFiles(scene)).toHaveLength(21)
    scene.store.removeExpired()
    expect(scene.store.append(message()).kind).toBe('appended')
  })
})

describe('a consumer behind the removal', () => {
  it('is sent to the first message that is left', async () => {
    const scene = await openScene()
    await fillSegments(scene, 2)
    goTo(scene, 9, 4)
    await scene.world.clock.advance(FIRST_RUN_MS)
    const { minOffset } = bounds(scene)
    expect(await scene.read({ offset: 3 })).toMatchObject({
      ...{ status: 'OFFSET_TOO_SMALL', nextOffset: minOffset, minOffset },
    })
    expect(await scene.settle(scene.store.storeTimeOf('TopicTest', 0, 3))).toBe(-1)
    expect(await scene.settle(scene.store.messageAt(0))).toBeUndefined()
    expect(scene.store.runtime().minOffset).toBe(2 * SEGMENT_BYTES)
    const byTime = scene.store.offsetByTime('TopicTest', 0, 0, 'lower')
    expect(await scene.settle(byTime)).toBe(minOffset)
  })

  it('that is in the midst of a file when that vanishes is sent on, too', async () => {
    const scene = await openScene({ logPauseMs: 0, queuePauseMs: 0 })
    await fillSegments(scene, 3)
    await scene.reopen()
    await scene.world.clock.advance(15_000)
    goTo(scene, 9, 4)
    scene.host.disk.shortCallChance = 1
    scene.host.disk.readDelay = [20, 20]
    const asked = scene.read({ offset: 10 })
    scene.host.disk.readDelay = [0, 0]
    scene.store.removeExpired()
    const answer = await asked
    expect(answer.status).toBe('OFFSET_TOO_SMALL')
    expect(answer.nextOffset).toBe(bounds(scene).minOffset)
  })

  it('that reads meanwhile gets its messages or is sent on, at whatever moment it asks', async () => {
    const seen = new Set<string>()
    for (let waitMs = 0; waitMs < 6; waitMs += 0.15) {
      const scene = await openScene({ logPauseMs: 1, queuePauseMs: 0 })
      const count = await fillSegments(scene, 3)
      await scene.reopen()
      const { disk } = scene.host
      // So that every read takes several calls, and files vanish between them.
      disk.shortCallChance = 0.5
      disk.readDelay = [0, 0.4]
      goTo(scene, 9, 4)
      scene.store.removeExpired()
      await scene.world.clock.advance(waitMs)
      for (const status of await readEverywhere(scene)) seen.add(status)
      await scene.world.clock.advance(1_000)
      expect(await scene.bodies()).toEqual(numbered(bounds(scene).minOffset, count))
    }
    expect([...seen].sort()).toEqual(['FOUND', 'MESSAGE_WAS_REMOVING', 'OFFSET_TOO_SMALL'])
  })
})

/** Asks for all kinds of things at the same time; what is answered must be right. */
async function readEverywhere(scene: StoreScene): Promise<string[]> {
  const { store } = scene
  const reads = [0, 60, 130, 200].map(async (offset) => {
    const request = { topic: 'TopicTest', queueId: 0, maxMessages: 8, maxBytes: 1 << 20 }
    const outcome = await store.read({ ...request, offset })
    if (outcome.status === 'FOUND') {
      expect(bodiesIn(outcome.slices)).toEqual(numbered(offset, offset + 8))
    } else {
      expect(['OFFSET_TOO_SMALL', 'MESSAGE_WAS_REMOVING']).toContain(outcome.status)
      expect(outcome.nextOffset).toBeGreaterThan(offset)
    }
    return outcome.status
  })
  const times = [0, 60, 200].map(async (offset) => {
    const time = await store.storeTimeOf('TopicTest', 0, offset)
    expect(time === -1 || time > 0).toBe(true)
  })
  const records = [0, SEGMENT_BYTES].map(async (logOffset) => {
    const record = await store.messageAt(logOffset)
    expect(record === undefined || record.readInt32BE(0) === record.length).toBe(true)
  })
  const byTime = store.offsetByTime('TopicTest', 0, 1, 'lower')
  await scene.settle(Promise.all([...times, ...records, byTime]))
  return await scene.settle(Promise.all(reads))
}

function bodiesIn(slices: readonly Buffer[]): string[] {
  return recordsIn(slices).map(({ body }) => body.toString())
}

/** In a file of a queue, so that a file of the log has several of them. */
const FEW_UNITS = 4

type Death = (host: SimHost) => void
const deaths: [string, Death][] = [
  ['killed', (host) => host.kill()],
  [
    'without power and all that was not synced',
    (host) => host.crash({ bytes: 'lost', names: 'lost' }),
  ],
  ['without power and some of what was not synced', (host) => host.crash()],
]

describe('a removal that is cut short', () => {
  it.each(deaths)(
    'by a machine that is %s leaves a store that is whole',
    {
      timeout: 120_000,
    },
    async (_, die) => {
      for (let dieAt = 1; ; dieAt++) {
        const scene = await openScene(
          { logPauseMs: 1, queuePauseMs: 1 },
          { consumeQueueSegmentBytes: FEW_UNITS * UNIT_BYTES },
        )
        await scene.putNumbered(0, 5, { queueId: 1 })
        const count = await fillSegments(scene, 2, 1_500)
        await scene.reopen()
        goTo(scene, 9, 4)
        let calls = 0
        scene.host.disk.watch(() => {
          calls += 1
          if (calls === dieAt) die(scene.host)
        })
        await removeExpired(scene)
        if (calls < dieAt) {
          expect(calls).toBeGreaterThan(25)
          return
        }
        scene.host.restart()
        await scene.open()
        await expectWhole(scene, count)
        await removeExpired(scene)
        expect(logFiles(scene)).toEqual([2 * SEGMENT_BYTES])
        expect(scene.host.disk.list(SUMS).map(Number)).toEqual([2 * SEGMENT_BYTES])
        expect(queueFiles(scene)).toHaveLength(1)
        await expectWhole(scene, count)
        await scene.put({ body: Buffer.from(`m${count}`) })
        await expectWhole(scene, count + 1)
      }
    },
  )
})

async function removeExpired(scene: StoreScene): Promise<void> {
  scene.store.removeExpired()
  await scene.world.clock.advance(100)
  scene.host.disk.clearFaults()
}

/** Whether the files follow each other, and the queues give exactly what the log still has. */
async function expectWhole(scene: StoreScene, count: number): Promise<void> {
  const [first = 0] = logFiles(scene)
  expect(logFiles(scene)).toEqual(logFiles(scene).map((_, i) => first + i * SEGMENT_BYTES))
  const [firstUnits = 0] = queueFiles(scene)
  expect(queueFiles(scene)).toEqual(
    queueFiles(scene).map((_, i) => firstUnits + i * FEW_UNITS * UNIT_BYTES),
  )
  const { maxOffset, minOffset } = bounds(scene)
  expect(maxOffset).toBe(count)
  const records = await scene.readAll()
  expect(records.map(({ body }) => body.toString().trim())).toEqual(numbered(minOffset, count))
  expect(records.every(({ logOffset }) => logOffset >= first)).toBe(true)
  expect(records.every(({ queueOffset }, i) => queueOffset === minOffset + i)).toBe(true)
  // Nothing that the log still has is out of reach.
  expect(first === 0 ? minOffset : (records[0]?.logOffset ?? 0) - first).toBe(0)
  const other = scene.store.queueBounds('TopicTest', 1)
  expect(other).toEqual({ minOffset: first === 0 ? 0 : 5, maxOffset: 5 })
}
