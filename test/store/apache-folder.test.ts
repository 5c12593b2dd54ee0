/** Folders that Apache's broker left: what is in them is taken over, and how. */
import {
  hostAddress,
  PRE_BLANK_UNIT,
  type RecordContent,
  recordBytes,
  writeRecord,
  writeUnit,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { numbered, QUEUE_SEGMENT_BYTES, ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const host = hostAddress('192.168.1.1', 10_911)
const START_MS = 1_700_000_000_000

/** Builds the files of a store by hand. */
class ApacheFolder {
  readonly scene = new StoreScene()
  readonly #segments = new Map<number, Buffer>()
  readonly #units = new Map<number, { logOffset: number; sizeBytes: number }>()
  #end: number

  constructor(logStart = 0) {
    this.#end = logStart
  }

  record(queueOffset: number, storeTimestamp = START_MS): void {
    const content: RecordContent = {
      topic: Buffer.from('TopicTest'),
      queueId: 0,
      flag: 0,
      sysFlag: 0,
      bornTimestamp: START_MS,
      bornHost: host,
      storeHost: host,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
      body: Buffer.from(`m${queueOffset}`.padEnd(900)),
      properties: [],
    }
    const sizeBytes = recordBytes(content)
    const rest = SEGMENT_BYTES - (this.#end % SEGMENT_BYTES)
    if (sizeBytes + 8 > rest) this.#blank(rest)
    const place = { queueOffset, logOffset: this.#end, storeTimestamp }
    writeRecord(this.#segment(), this.#end % SEGMENT_BYTES, sizeBytes, content, place)
    this.#units.set(queueOffset, { logOffset: this.#end, sizeBytes })
    this.#end += sizeBytes
  }

  /** Writes the log, and the queue with units up to an offset, filled up before its first. */
  write(unitsTo: number): void {
    this.scene.host.disk.makeDirectory(`${ROOT}/commitlog`)
    for (const [start, bytes] of this.#segments)
      this.scene.putBytes(segment('commitlog', start), bytes)
    const first = Math.min(...this.#units.keys())
    const perSegment = QUEUE_SEGMENT_BYTES / 20
    this.scene.host.disk.makeDirectory(`${ROOT}/consumequeue/TopicTest/0`)
    for (let start = first - (first % perSegment); start < unitsTo; start += perSegment) {
      const bytes = Buffer.alloc(QUEUE_SEGMENT_BYTES)
      for (let at = start; at < Math.min(unitsTo, start + perSegment); at++) {
        const unit = this.#units.get(at)
        writeUnit(bytes, (at - start) * 20, unit ? { ...unit, tagsCode: 0 } : PRE_BLANK_UNIT)
      }
      this.scene.putBytes(segment('consumequeue/TopicTest/0', start * 20), bytes)
    }
  }

  checkpoint(storeTimestamp: number): void {
    const page = Buffer.alloc(4096)
    page.writeBigInt64BE(BigInt(storeTimestamp), 0)
    page.writeBigInt64BE(BigInt(storeTimestamp), 8)
    this.scene.putBytes(`${ROOT}/checkpoint`, page)
  }

  #blank(restBytes: number): void {
    const at = this.#end % SEGMENT_BYTES
    this.#segment().writeInt32BE(restBytes, at)
    this.#segment().writeInt32BE(0xcbd43194 | 0, at + 4)
    this.#end += restBytes
  }

  #segment(): Buffer {
    const start = this.#end - (this.#end % SEGMENT_BYTES)
    const known = this.#segments.get(start) ?? Buffer.alloc(SEGMENT_BYTES)
    this.#segments.set(start, known)
    return known
  }
}

function segment(folder: string, start: number): string {
  return `${ROOT}/${folder}/${String(start).padStart(20, '0')}`
}

async function bodies(scene: StoreScene): Promise<string[]> {
  return (await scene.bodies()).map((body) => body.trim())
}

describe('a folder of Apache', () => {
  it('that was left in order is taken over and gone on with', async () => {
    const folder = new ApacheFolder()
    for (let i = 0; i < 60; i++) folder.record(i, START_MS + 1_000 * i)
    folder.write(60)
    folder.checkpoint(START_MS + 59_000)
    const { scene } = folder
    await scene.open()
    expect(await bodies(scene)).toEqual(numbered(0, 60))
    expect((await scene.put()).queueOffset).toBe(60)
    await scene.reopen()
    expect(await bodies(scene)).toEqual([...numbered(0, 60), 'Hello'])
  })

  it('that was left by a kill gets the units which its queues lack', async () => {
    const folder = new ApacheFolder()
    for (let i = 0; i < 60; i++) folder.record(i, START_MS + 1_000 * i)
    folder.write(55)
    folder.checkpoint(START_MS + 56_000)
    const { scene } = folder
    scene.putBytes(`${ROOT}/abort`, Buffer.from('123'))
    await scene.open()
    expect(await bodies(scene)).toEqual(numbered(0, 60))
  })

  it('without a checkpoint is looked through from its beginning', async () => {
    const folder = new ApacheFolder()
    for (let i = 0; i < 40; i++) folder.record(i)
    folder.write(10)
    await folder.scene.open()
    expect(await bodies(folder.scene)).toEqual(numbered(0, 40))
  })

  it('is scanned from a segment that is durable for certain', async () => {
    const folder = new ApacheFolder()
    for (let i = 0; i < 60; i++) folder.record(i, START_MS + 1_000 * i)
    folder.write(60)
    folder.checkpoint(START_MS + 59_000)
    const scanned = new Set<string>()
    folder.scene.host.disk.watch((operation, path) => {
      if (operation === 'read' && path.includes('commitlog')) scanned.add(path)
    })
    await folder.scene.open()
    expect([...scanned]).toEqual([segment('commitlog', 3 * SEGMENT_BYTES)])
  })

  it('whose old messages have been deleted begins where the log does', async () => {
    const folder = new ApacheFolder(2 * SEGMENT_BYTES)
    for (let i = 123; i < 160; i++) folder.record(i)
    folder.write(160)
    const { scene } = folder
    await scene.open()
    expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 123, maxOffset: 160 })
    expect(await bodies(scene)).toEqual(numbered(123, 160))
    expect(await scene.read({ offset: 7 })).toMatchObject({
      status: 'OFFSET_TOO_SMALL',
      nextOffset: 123,
    })
    await scene.reopen()
    expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 123, maxOffset: 160 })
    const [filling] = [scene.fileBytes(segment('consumequeue/TopicTest/0', 100 * 20))]
    expect(filling.subarray(22 * 20, 23 * 20).toString('hex')).toBe(
      `${'00'.repeat(8)}7fffffff${'00'.repeat(8)}`,
    )
  })

  it('does not forget our offsets when Apache has written its checkpoint since', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 30)
    await scene.close()
    const page = Buffer.alloc(16)
    page.writeBigInt64BE(1_800_000_000_000n, 0)
    page.writeBigInt64BE(1_800_000_000_000n, 8)
    scene.putBytes(`${ROOT}/checkpoint`, page)
    await scene.open()
    expect(await scene.bodies()).toEqual(numbered(0, 30))
  })
})
