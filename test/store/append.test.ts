/** What becomes of a message on its way in: its bytes, its offsets, and why it may be refused. */
import { hostAddress } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { message, numbered, ROOT, recordsIn, SEGMENT_BYTES, StoreScene } from './scene.ts'

const LOG = `${ROOT}/commitlog/00000000000000000000`

describe('an appended message', () => {
  it('stands in the log and in its queue as Apache writes it', async () => {
    // `store-format.md` 3.1 and 8.1, but for offsets and store time.
    const scene = await StoreScene.opened()
    const properties =
      'KEYS\x01k1\x02UNIQ_KEY\x01C0A8010A1F9018B4AAC2118D2F3C0000\x02' +
      'WAIT\x01true\x02TAGS\x01TagA\x02'
    await scene.put({ queueId: 3, properties: [Buffer.from(properties)], tagsCode: 2_598_919 })
    await scene.close()
    const record = scene.fileBytes(LOG).subarray(0, 175)
    expect(record.subarray(0, 56).toString('hex')).toBe(
      '000000afdaa320a777d1898200000003000000000000000000000000' +
        '000000000000000000000000' +
        '0000018bcfe56800c0a8010a0000d431',
    )
    expect(record.subarray(64).toString('hex')).toBe(
      'c0a8010100002a9f00000000000000000000000000000005' +
        `48656c6c6f09546f70696354657374${'0046'}${Buffer.from(properties).toString('hex')}`,
    )
    const queue = scene.fileBytes(`${ROOT}/consumequeue/TopicTest/3/00000000000000000000`)
    expect(queue.subarray(0, 40).toString('hex')).toBe(
      `0000000000000000000000af000000000027a807${'00'.repeat(20)}`,
    )
  })

  it('gets the next offset of its queue, whatever goes to other queues', async () => {
    const scene = await StoreScene.opened()
    const offsets = [0, 1, 0, 2, 1, 0].map((queueId) => scene.append({ queueId }).queueOffset)
    expect(offsets).toEqual([0, 0, 1, 0, 1, 2])
    expect(scene.append({ topic: 'Other' }).queueOffset).toBe(0)
  })

  it('lies where its offsets say', async () => {
    const scene = await StoreScene.opened()
    const first = await scene.put({ body: Buffer.alloc(100) })
    const second = await scene.put()
    expect(second.logOffset).toBe(first.endOffset)
    const record = await scene.settle(scene.store.messageAt(second.logOffset))
    expect(recordsIn(record === undefined ? [] : [record])[0]).toMatchObject({
      logOffset: second.logOffset,
      queueOffset: 1,
      storeTimestamp: second.storeTimestamp,
    })
  })

  it('goes to the next segment when it does not fit, behind a blank record', async () => {
    const scene = await StoreScene.opened()
    const last = await scene.put({ body: Buffer.alloc(8_000) })
    const next = await scene.put({ body: Buffer.alloc(8_190) })
    expect(next.logOffset).toBe(SEGMENT_BYTES)
    const blank = scene.fileBytes(LOG).subarray(last.endOffset, last.endOffset + 16)
    const restBytes = (SEGMENT_BYTES - last.endOffset).toString(16).padStart(8, '0')
    expect(blank.toString('hex')).toBe(`${restBytes}cbd43194${'00'.repeat(8)}`)
    expect(scene.fileBytes(LOG)).toHaveLength(SEGMENT_BYTES)
    expect(await scene.readAll()).toHaveLength(2)
  })

  it('always leaves room for a blank record, and uses all the room but that', async () => {
    const scene = await StoreScene.opened()
    const fixed = 91 + 'TopicTest'.length
    const rest = SEGMENT_BYTES - 8 - (fixed + 8_000)
    await scene.put({ body: Buffer.alloc(8_000) })
    const last = await scene.put({ body: Buffer.alloc(rest - fixed) })
    expect(last.endOffset).toBe(SEGMENT_BYTES - 8)
    await scene.reopenAfterKill()
    expect((await scene.put()).logOffset).toBe(SEGMENT_BYTES)
    await scene.reopenAfterKill()
    expect(await scene.readAll()).toHaveLength(3)
  })

  it('may come from and be stored by IPv6 hosts', async () => {
    const scene = await StoreScene.opened()
    const host = hostAddress('2001:db8::1', 10_911)
    await scene.put({ bornHost: host, storeHost: host })
    const [record] = await scene.readAll()
    expect(record).toMatchObject({ sysFlag: 0x30, bornHost: host, storeHost: host })
    expect(await scene.store.storeTimeOf('TopicTest', 0, 0)).toBe(record?.storeTimestamp)
  })

  it('has a topic of more than 127 bytes in a record of the second version', async () => {
    const scene = await StoreScene.opened()
    const topic = `%RETRY%${'g'.repeat(200)}`
    await scene.put({ topic })
    await scene.reopenAfterKill()
    expect((await scene.readAll(topic))[0]?.topic).toBe(topic)
  })

  it('without a place in a queue (a half message of old) is only in the log', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 2)
    const half = await scene.put({ sysFlag: 4 })
    expect(half.queueOffset).toBe(0)
    await scene.putNumbered(2, 3)
    await scene.reopenAfterKill()
    expect(await scene.bodies()).toEqual(numbered(0, 3))
    const record = await scene.settle(scene.store.messageAt(half.logOffset))
    expect(record?.readInt32BE(36)).toBe(4)
  })

  it('is not in memory twice: readers get slices of what was encoded', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 10)
    const { slices } = await scene.read()
    expect(slices).toHaveLength(1)
    expect((await scene.read()).slices[0]?.buffer).toBe(slices[0]?.buffer)
  })
})

describe('a message is refused', () => {
  it.each([
    ['its body is too large', { body: Buffer.alloc(8 * 1024 + 1) }, 'maxMessageSize allows 8192'],
    ['its topic is too long', { topic: 't'.repeat(256) }, '1 to 255 bytes'],
    ['its topic leads out of the store', { topic: '../../etc' }, 'without "/"'],
    ['its queue cannot be', { queueId: -1 }, 'there is no queue -1'],
  ])('when %s', async (_, options, reason) => {
    const scene = await StoreScene.opened()
    const outcome = scene.store.append(message(options))
    expect(outcome.kind).toBe('message-illegal')
    expect(outcome.kind !== 'appended' && outcome.reason).toContain(reason)
    expect(scene.store.runtime().appendedOffset).toBe(0)
  })

  it('when its properties are too long for a record', async () => {
    const scene = await StoreScene.opened({ commitLogSegmentBytes: 1 << 20 })
    const properties = [Buffer.alloc(30_000, 'x'), Buffer.alloc(2_768, 'x')]
    const outcome = scene.store.append(message({ properties }))
    expect(outcome.kind).toBe('properties-too-long')
    await scene.put({ properties: [Buffer.alloc(32_767, 'x')] })
  })

  it('when it is larger than a segment', async () => {
    const scene = await StoreScene.opened({ maxMessageBytes: 1 << 20 })
    expect(scene.store.append(message({ body: Buffer.alloc(SEGMENT_BYTES) }))).toMatchObject({
      kind: 'message-illegal',
    })
  })

  it('when the store is closing', async () => {
    const scene = await StoreScene.opened()
    const closing = scene.store.close()
    expect(scene.store.append(message()).kind).toBe('not-writable')
    await scene.settle(closing)
  })

  it('without taking an offset of its queue', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    scene.store.append(message({ body: Buffer.alloc(9_000) }))
    expect((await scene.put()).queueOffset).toBe(1)
  })
})

describe('a batch', () => {
  const entry = (text: string) => message({ body: Buffer.from(text), tagsCode: text.length })

  it('is stored as messages one behind the other', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    const outcome = scene.store.appendBatch(message(), [entry('a'), entry('bb'), entry('ccc')])
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    expect(await scene.settled(outcome)).toBe('ok')
    expect(outcome.queueOffset).toBe(1)
    const records = (await scene.readAll()).slice(1)
    expect(records.map(({ body }) => body.toString())).toEqual(['a', 'bb', 'ccc'])
    expect(records.map(({ logOffset }) => logOffset)).toEqual(outcome.logOffsets)
    const tagged = await scene.read({ tagHashes: new Set([2]) })
    expect(recordsIn(tagged.slices).map(({ body }) => body.toString())).toEqual(['bb'])
  })

  it('goes to the next segment as a whole', async () => {
    const scene = await StoreScene.opened()
    await scene.put({ body: Buffer.alloc(7_000) })
    const entries = [message({ body: Buffer.alloc(6_000) }), message({ body: Buffer.alloc(6_000) })]
    const outcome = scene.store.appendBatch(message(), entries)
    expect(outcome).toMatchObject({ logOffsets: [SEGMENT_BYTES, SEGMENT_BYTES + 6_100] })
  })

  it('is stored as a whole or not at all', async () => {
    const scene = await StoreScene.opened()
    const entries = [entry('a'), message({ body: Buffer.alloc(9_000) })]
    expect(scene.store.appendBatch(message(), entries).kind).toBe('message-illegal')
    expect(scene.store.appendBatch(message(), []).kind).toBe('message-illegal')
    expect(scene.store.runtime().appendedOffset).toBe(0)
  })
})

describe('all messages of one turn', () => {
  it('leave in one write', async () => {
    const scene = await StoreScene.opened()
    await scene.put()
    let writes = 0
    scene.host.disk.watch((operation, path) => {
      if (operation === 'write' && path.includes('commitlog')) writes += 1
    })
    for (let i = 0; i < 100; i++) scene.append()
    await scene.world.clock.advance(0)
    expect(writes).toBe(1)
    expect(scene.store.marks.dispatched.value).toBe(scene.store.runtime().appendedOffset)
  })
})

describe('the memory of the newest messages', () => {
  const large = { body: Buffer.alloc(600_000, 1) }

  function slicesOf(slices: readonly Buffer[]): string[] {
    return slices.map((slice) => slice.subarray(100, 110).toString('hex'))
  }

  it('is not written over while a reader may hold it', async () => {
    const scene = await StoreScene.opened({
      commitLogSegmentBytes: 64 * 1024 * 1024,
      maxMessageBytes: 1024 * 1024,
      tailMemoryBytes: 0,
    })
    await scene.put(large)
    const { slices } = await scene.read()
    const before = slicesOf(slices)
    for (let i = 2; i < 10; i++) await scene.put({ body: Buffer.alloc(600_000, i) })
    expect(slicesOf(slices)).toEqual(before)
    expect(await scene.readAll()).toHaveLength(9)
  })

  it('is used again when nobody read from it, and the log has what was written', async () => {
    const scene = await StoreScene.opened({
      commitLogSegmentBytes: 64 * 1024 * 1024,
      maxMessageBytes: 1024 * 1024,
      tailMemoryBytes: 0,
    })
    for (let i = 0; i < 10; i++) await scene.put({ body: Buffer.alloc(600_000, i) })
    const records = await scene.readAll()
    expect(records.map(({ body }) => body[599_999])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
