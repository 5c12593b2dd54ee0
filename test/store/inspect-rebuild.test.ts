/** A new store out of a damaged one: what is sound is kept where it was, what is lost is told. */
import { decodeProperties, type StoredRecord } from '@rockhopper/protocol'
import { SimRandom } from '@rockhopper/sim'
import { openStore } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'
import { findingLine } from '../../packages/store/src/inspect/findings.ts'
import { type RebuildReport, rebuildStore } from '../../packages/store/src/inspect/rebuild.ts'
import { configOf, findStore } from '../../packages/store/src/inspect/store-folder.ts'
import { verifyStore } from '../../packages/store/src/inspect/verify.ts'
import { InspectScene } from './inspect-scene.ts'
import { ROOT, recordsIn, SEGMENT_BYTES } from './scene.ts'

const NEW = '/new'
const TOPIC = 'TopicTest'
const LOG = logFile(0)

function logFile(start: number): string {
  return `${ROOT}/commitlog/${String(start).padStart(20, '0')}`
}

/** A store of several segments that was closed, and what is in its queues. */
async function closed(count = 150): Promise<{ inspected: InspectScene; before: StoredRecord[] }> {
  const inspected = await InspectScene.opened()
  await inspected.fill(count)
  const before = [
    ...(await inspected.scene.readAll(TOPIC, 0)),
    ...(await inspected.scene.readAll(TOPIC, 1)),
  ]
  await inspected.scene.close()
  return {
    inspected,
    before: before.map((record) => ({ ...record, body: Buffer.from(record.body) })),
  }
}

async function rebuild({ folder, host, scene }: InspectScene, into = NEW): Promise<RebuildReport> {
  const target = scene.host.doors
  return scene.settle(rebuildStore({ source: host, folder, target, into }))
}

/** What the new store has, after everything of it was found to be sound. */
async function rebuilt({ host, scene }: InspectScene): Promise<Map<string, StoredRecord>> {
  const folder = findStore(host.disk, NEW)
  const findings: string[] = []
  const finding = (each: Parameters<typeof findingLine>[0]): void =>
    void findings.push(findingLine(each))
  verifyStore(host, folder, { finding, progress: () => {} })
  expect(findings).toEqual([])
  const store = await scene.settle(
    openStore(scene.host.doors, { ...scene.config, ...configOf(folder) }),
  )
  const records = new Map<string, StoredRecord>()
  for (const queueId of [0, 1]) {
    const { maxOffset, minOffset } = store.queueBounds(TOPIC, queueId)
    for (let offset = minOffset; offset < maxOffset; ) {
      const asked = { topic: TOPIC, queueId, offset, maxMessages: 32, maxBytes: 1 << 20 }
      const outcome = await scene.settle(store.read(asked))
      for (const record of recordsIn(outcome.slices)) {
        records.set(`${queueId}/${record.queueOffset}`, {
          ...record,
          body: Buffer.from(record.body),
        })
      }
      offset = outcome.nextOffset
    }
    expect(records.has(`${queueId}/${maxOffset - 1}`)).toBe(maxOffset > 0)
  }
  await scene.settle(store.close())
  return records
}

function isStandIn(record: StoredRecord | undefined): boolean {
  if (record === undefined) return false
  return decodeProperties(record.properties).get('LOST_ON_DISK') === 'true'
}

/** Each message is what it was, or a stand-in; returns how many are stand-ins. */
function compare(
  before: readonly StoredRecord[],
  after: ReadonlyMap<string, StoredRecord>,
): number {
  let standIns = 0
  for (const old of before) {
    const now = after.get(`${old.queueId}/${old.queueOffset}`)
    if (isStandIn(now)) standIns += 1
    else {
      expect(now?.body.toString()).toBe(old.body.toString())
      expect(now?.logOffset).toBe(old.logOffset)
    }
  }
  expect(after.size).toBe(before.length)
  return standIns
}

function overwrite({ scene }: InspectScene, from: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) {
    const at = from + done
    const start = at - (at % SEGMENT_BYTES)
    const part = bytes.subarray(done, Math.min(bytes.length, done + start + SEGMENT_BYTES - at))
    scene.putBytes(logFile(start), part, at - start)
    done += part.length
  }
}

function withoutSums({ scene }: InspectScene): void {
  scene.host.disk.remove(`${ROOT}/logsums`)
}

describe('the rebuilding of a store', () => {
  it('keeps every message of a sound store at its offset, and leaves the store as it is', async () => {
    const { before, inspected } = await closed()
    const image = inspected.image()
    const report = await rebuild(inspected)
    expect(inspected.image()).toEqual(image)
    expect(report).toMatchObject({ records: 150, replaced: [], withoutStandIn: [], doubtful: [] })
    expect(compare(before, await rebuilt(inspected))).toBe(0)
  })

  it('puts an empty message in the place of one whose body is damaged, and reports it', async () => {
    const { before, inspected } = await closed()
    const broken = before[100]
    const { logOffset = 0, queueId, queueOffset } = broken ?? {}
    overwrite(inspected, logOffset + 90, Buffer.from('XX'))
    const report = await rebuild(inspected)
    expect(report.replaced).toMatchObject([
      { fromOffset: logOffset, lost: [{ topic: TOPIC, queueId, queueOffset }] },
    ])
    const after = await rebuilt(inspected)
    expect(compare(before, after)).toBe(1)
    const standIn = after.get(`${queueId}/${queueOffset}`)
    expect(standIn?.body.length).toBe(0)
    const saved = inspected.scene.fileBytes(`${NEW}/rebuild-report.json`)
    expect(JSON.parse(saved.toString())).toEqual(JSON.parse(JSON.stringify(report)))
  })

  it.each([
    { name: 'at the beginning of the log', from: 0, sizeBytes: 500 },
    { name: 'over many messages', from: 3_000, sizeBytes: 5_000 },
    { name: 'over the end of a segment', from: SEGMENT_BYTES - 700, sizeBytes: 1_400 },
    { name: 'over a whole segment', from: SEGMENT_BYTES, sizeBytes: SEGMENT_BYTES },
    { name: 'over more than a segment', from: SEGMENT_BYTES - 300, sizeBytes: SEGMENT_BYTES + 600 },
  ])('goes over damage $name', async ({ from, sizeBytes }) => {
    const { before, inspected } = await closed(400)
    overwrite(inspected, from, Buffer.alloc(sizeBytes, 0xee))
    const hit = before.filter(
      ({ logOffset, sizeBytes: size }) => logOffset + size > from && logOffset < from + sizeBytes,
    )
    const report = await rebuild(inspected)
    expect(report.withoutStandIn).toEqual([])
    const standIns = compare(before, await rebuilt(inspected))
    // Of the first one only the properties may be hurt: that is told, and it is kept.
    expect([hit.length - 1, hit.length]).toContain(standIns)
  })

  it('goes over a segment whose file is gone', async () => {
    const { before, inspected } = await closed(400)
    inspected.scene.host.disk.remove(logFile(SEGMENT_BYTES))
    const hit = before.filter(({ logOffset }) => Math.floor(logOffset / SEGMENT_BYTES) === 1)
    expect((await rebuild(inspected)).replaced).toMatchObject([{ problem: 'the file is missing' }])
    expect(compare(before, await rebuilt(inspected))).toBe(hit.length)
  })

  it('knows messages that were lost at the end of the log by their queues', async () => {
    const { before, inspected } = await closed(20)
    const last = Math.max(...before.map(({ logOffset }) => logOffset))
    overwrite(inspected, last, Buffer.alloc(40, 0xee))
    const report = await rebuild(inspected)
    expect(report.replaced).toMatchObject([{ fromOffset: last, lost: [{ queueOffset: 9 }] }])
    expect(compare(before, await rebuilt(inspected))).toBe(1)
  })

  it('cuts what a killed store had not finished, and keeps all before it', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(30)
    const { appendedOffset } = inspected.scene.store.runtime()
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    inspected.scene.putBytes(LOG, Buffer.from([0, 0, 1, 0, 9, 9, 9, 9]), appendedOffset)
    const report = await rebuild(inspected)
    expect(report).toMatchObject({ records: 30, endOffset: appendedOffset, replaced: [] })
    expect((await rebuilt(inspected)).size).toBe(30)
  })

  it.each([
    { name: 'queue offset', at: 27 },
    { name: 'queue', at: 15 },
    { name: 'topic', at: 88 + 'body of k100'.length + 1 + 3 },
  ])('finds a record with a changed $name by its unit, even without sums', async ({ at }) => {
    const { before, inspected } = await closed()
    withoutSums(inspected)
    const broken = before.find(({ body }) => body.toString() === 'body of k100')
    const { logOffset = 0, queueId, queueOffset } = broken ?? {}
    inspected.flip(LOG, logOffset + at)
    const report = await rebuild(inspected)
    expect(report.replaced).toMatchObject([{ lost: [{ topic: TOPIC, queueId, queueOffset }] }])
    expect(compare(before, await rebuilt(inspected))).toBe(1)
  })

  it('keeps messages of a page with a wrong sum if their units prove them, and says so', async () => {
    const { before, inspected } = await closed(20)
    overwrite(inspected, 42, Buffer.from('XX'))
    const report = await rebuild(inspected)
    expect(report.replaced).toEqual([])
    expect(report.doubtful).toContainEqual({ topic: TOPIC, queueId: 0, queueOffset: 0 })
    expect(compare(before, await rebuilt(inspected))).toBe(0)
  })

  it('turns single bits back in pages with a sum, whatever they stand for', async () => {
    const { inspected } = await closed(100)
    const sound = inspected.scene.fileBytes(LOG)
    for (const at of [27, 5_000, 9_999]) inspected.flip(LOG, at)
    const report = await rebuild(inspected)
    expect(report).toMatchObject({ replaced: [], doubtful: [] })
    expect(report.mended).toEqual([27, 5_000, 9_999].map((logOffset) => ({ logOffset, bit: 0 })))
    const mended = inspected.scene.fileBytes(`${NEW}/commitlog/${'0'.repeat(20)}`)
    expect(mended.equals(sound)).toBe(true)
  })

  it('turns no bit back where more than one has changed in a page', async () => {
    const { before, inspected } = await closed(100)
    for (const at of [3, 90]) inspected.flip(LOG, at)
    expect(await rebuild(inspected)).toMatchObject({ mended: [], replaced: [{ fromOffset: 0 }] })
    expect(compare(before, await rebuilt(inspected))).toBe(1)
  })

  it('never gives a wrong message, whatever is written over the log', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new SimRandom(seed)
      const { before, inspected } = await closed(140)
      if (seed % 2 === 0) withoutSums(inspected)
      if (seed % 3 === 0) inspected.scene.host.disk.remove(`${ROOT}/consumequeue`)
      const end = Math.max(...before.map(({ logOffset, sizeBytes }) => logOffset + sizeBytes))
      const hurts = Array.from({ length: 1 + (seed % 3) }, () => {
        const sizeBytes = 1 + random.below(900)
        return { from: random.below(end - sizeBytes - 200), sizeBytes }
      })
      for (const { from, sizeBytes } of hurts) {
        overwrite(
          inspected,
          from,
          Buffer.from(Array.from({ length: sizeBytes }, () => random.below(256))),
        )
      }
      await rebuild(inspected)
      const after = await rebuilt(inspected)
      for (const old of before) {
        const now = after.get(`${old.queueId}/${old.queueOffset}`)
        const isHit = hurts.some(
          ({ from, sizeBytes }) =>
            old.logOffset + old.sizeBytes > from && old.logOffset < from + sizeBytes,
        )
        if (!isHit || !(now === undefined || now.body.length === 0)) {
          expect(now?.body.toString(), `seed ${seed}`).toBe(old.body.toString())
        }
      }
    }
  })

  it('takes the metadata over, and names what it did not take', async () => {
    const { inspected } = await closed(4)
    const { scene } = inspected
    scene.host.disk.makeDirectory(`${ROOT}/config`)
    scene.putBytes(`${ROOT}/config/topics.json`, Buffer.from('{"topicConfigTable":{}}'))
    scene.putBytes(`${ROOT}/timerwheel`, Buffer.from('…'))
    expect((await rebuild(inspected)).leftBehind).toEqual(['timerwheel'])
    expect(scene.fileBytes(`${NEW}/config/topics.json`).toString()).toBe('{"topicConfigTable":{}}')
  })

  it('writes nothing where something is, or into the store itself', async () => {
    const { inspected } = await closed(4)
    const { disk } = inspected.scene.host
    const image = inspected.image()
    await expect(rebuild(inspected, `${ROOT}/new`)).rejects.toThrow('is in the store itself')
    await expect(rebuild(inspected, ROOT)).rejects.toThrow('is in the store itself')
    disk.makeDirectory('/taken/by')
    await expect(rebuild(inspected, '/taken')).rejects.toThrow('is not an empty folder')
    expect(inspected.image()).toEqual(image)
    expect(disk.list('/taken')).toEqual(['by'])
  })

  it('asks for room before it writes anything', async () => {
    const inspected = new InspectScene((await closed(200)).inspected.scene)
    const { host, scene } = inspected
    const volumeSpace = () => ({ totalBytes: 1e9, freeBytes: 20_000 })
    const full = new Proxy(scene.host.doors.disk, {
      get(disk, name) {
        if (name === 'volumeSpace') return volumeSpace
        const door: unknown = Reflect.get(disk, name)
        return typeof door === 'function' ? door.bind(disk) : door
      },
    })
    const order = {
      source: host,
      folder: inspected.folder,
      target: { ...scene.host.doors, disk: full },
      into: NEW,
    }
    await expect(scene.settle(rebuildStore(order))).rejects.toThrow('has 19.5 KiB free')
    expect(scene.host.disk.stat(NEW)).toBeUndefined()
  })
})
