/** A store that takes no messages of its own, but the bytes of another one's log. */
import { describe, expect, it } from 'vitest'
import { numbered, ROOT, SEGMENT_BYTES, StoreScene } from './scene.ts'

const COPY = { isCopy: true } as const

/** Everything the original has behind the copy's end, in pieces of so many bytes that are only lent. */
async function copyAll(from: StoreScene, to: StoreScene, pieceBytes = 700): Promise<void> {
  const end = from.store.marks.written.value
  for (let at = to.store.dropCopiedPart(); at < end; ) {
    const segmentEnd = at - (at % SEGMENT_BYTES) + SEGMENT_BYTES
    const upTo = Math.min(at + pieceBytes, segmentEnd, end)
    const bytes = Buffer.from(await from.settle(from.store.logBytes(at, upTo)))
    const outcome = to.store.appendCopy(at, bytes)
    bytes.fill(0xa5)
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    at += bytes.length
  }
  await to.settle(to.store.marks.dispatched.reached(end))
}

function expectSameLogs(one: StoreScene, other: StoreScene): void {
  const names = one.host.disk.list(`${ROOT}/commitlog`)
  expect(other.host.disk.list(`${ROOT}/commitlog`)).toEqual(names)
  for (const name of names) {
    const path = `${ROOT}/commitlog/${name}`
    expect(other.fileBytes(path).equals(one.fileBytes(path))).toBe(true)
  }
}

/** Messages of several sizes over some segments. */
async function fill(scene: StoreScene, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await scene.put({ queueId: i % 3, body: Buffer.alloc(1 + ((i * 977) % 6_000), `m${i}`) })
  }
}

describe('a copy of a log', () => {
  it.each([1, 97, 700, 4_096, SEGMENT_BYTES])(
    'is the same byte for byte when it comes in pieces of %i bytes',
    async (pieceBytes) => {
      const original = await StoreScene.opened()
      const copy = await StoreScene.opened(COPY)
      await fill(original, 0, 20)
      await copyAll(original, copy, pieceBytes)
      expectSameLogs(original, copy)
      for (let queueId = 0; queueId < 3; queueId++) {
        expect(await copy.bodies('TopicTest', queueId)).toEqual(
          await original.bodies('TopicTest', queueId),
        )
      }
    },
  )

  it('ends behind a whole record, also after it was killed between two pieces', async () => {
    const original = await StoreScene.opened()
    const copy = await StoreScene.opened(COPY)
    await original.putNumbered(0, 3)
    const { endOffset } = await original.put({ body: Buffer.alloc(2_000, 'x') })
    const bytes = await original.settle(original.store.logBytes(0, endOffset - 10))
    copy.store.appendCopy(0, bytes)
    expect(copy.store.dropCopiedPart()).toBeLessThan(endOffset - 2_000)
    await copy.settle(copy.store.marks.written.reached(copy.store.dropCopiedPart()))
    await copy.reopenAfterKill()
    expect(await copy.bodies()).toEqual(numbered(0, 3))
    await copyAll(original, copy)
    expectSameLogs(original, copy)
  })

  it('goes on after each kill and each loss of power', async () => {
    const original = await StoreScene.opened()
    const copy = await StoreScene.opened({ ...COPY, flushDisk: 'sync' })
    for (let i = 0; i < 30; i += 5) {
      await fill(original, i, i + 5)
      await copyAll(original, copy, 1_000)
      if (i % 2 === 0) await copy.reopenAfterKill()
      else await copy.reopenAfterPowerCut()
    }
    await copyAll(original, copy, 1_000)
    expectSameLogs(original, copy)
    await copy.reopen()
    expect(await copy.bodies('TopicTest', 1)).toEqual(await original.bodies('TopicTest', 1))
  })

  it('may begin with a later segment, and be opened again then', async () => {
    const original = await StoreScene.opened()
    await fill(original, 0, 30)
    const start = original.store.marks.written.value
    const from = start - (start % SEGMENT_BYTES) - SEGMENT_BYTES
    const copy = await StoreScene.opened(COPY)
    const bytes = await original.settle(original.store.logBytes(from, from + SEGMENT_BYTES))
    expect(copy.store.appendCopy(from, bytes)).toEqual({ kind: 'appended' })
    await copyAll(original, copy)
    const ofCopy = await copy.bodies('TopicTest', 2)
    expect(ofCopy.length).toBeGreaterThan(0)
    expect((await original.bodies('TopicTest', 2)).slice(-ofCopy.length)).toEqual(ofCopy)
    const bounds = copy.store.queueBounds('TopicTest', 2)
    expect(bounds.minOffset).toBeGreaterThan(0)
    for (const again of [() => copy.reopenAfterKill(), () => copy.reopen()]) {
      await again()
      expect(copy.store.queueBounds('TopicTest', 2)).toEqual(bounds)
      expect(await copy.bodies('TopicTest', 2)).toEqual(ofCopy)
      await fill(original, 30, 32)
      await copyAll(original, copy)
      Object.assign(bounds, copy.store.queueBounds('TopicTest', 2))
      ofCopy.splice(0, ofCopy.length, ...(await copy.bodies('TopicTest', 2)))
    }
    expect(copy.host.disk.list(`${ROOT}/commitlog`)[0]).toBe(String(from).padStart(20, '0'))
  })

  it('that lost its first records with the power begins anew, where the original does', async () => {
    const original = await StoreScene.opened()
    const copy = await StoreScene.opened(COPY)
    await fill(original, 0, 3)
    await copyAll(original, copy)
    await copy.reopenAfterPowerCut()
    expect(copy.store.isEmpty).toBe(true)
    await fill(original, 3, 20)
    const bytes = await original.settle(original.store.logBytes(SEGMENT_BYTES, 2 * SEGMENT_BYTES))
    expect(copy.store.appendCopy(SEGMENT_BYTES, bytes)).toEqual({ kind: 'appended' })
    await copyAll(original, copy)
    expect(copy.host.disk.list(`${ROOT}/commitlog`)[0]).toBe('00000000000000016384')
    await copy.reopen()
    const [ofCopy, ofOriginal] = [await copy.bodies(), await original.bodies()]
    expect(ofCopy.length).toBeGreaterThan(0)
    expect(ofOriginal.slice(-ofCopy.length).join() === ofCopy.join()).toBe(true)
  })

  it('takes no messages of its own', async () => {
    const copy = await StoreScene.opened(COPY)
    expect(() => copy.append()).toThrow('This broker is a slave')
  })
})

describe('bytes that are no copy are refused, and what came before is kept', () => {
  async function scenes() {
    const original = await StoreScene.opened()
    const copy = await StoreScene.opened(COPY)
    await original.putNumbered(0, 4)
    const end = original.store.marks.written.value
    const bytes = Buffer.from(await original.settle(original.store.logBytes(0, end)))
    return { original, copy, bytes, recordBytes: end / 4 }
  }

  it('when a body does not have its checksum', async () => {
    const { copy, bytes, recordBytes, original } = await scenes()
    const at = bytes.lastIndexOf('m2')
    bytes[at] = 0
    const outcome = copy.store.appendCopy(0, bytes)
    expect(outcome).toMatchObject({ kind: 'unsound' })
    expect(copy.store.dropCopiedPart()).toBe(2 * recordBytes)
    await copyAll(original, copy)
    expectSameLogs(original, copy)
  })

  it('when a record says that it is somewhere else', async () => {
    const { copy, bytes, recordBytes } = await scenes()
    copy.store.appendCopy(0, bytes.subarray(0, recordBytes))
    const outcome = copy.store.appendCopy(recordBytes, bytes.subarray(0, recordBytes))
    expect(outcome).toMatchObject({ kind: 'unsound' })
    expect('reason' in outcome && outcome.reason).toContain('says that it is at 0')
    expect(copy.store.dropCopiedPart()).toBe(recordBytes)
  })

  it('when a record is longer than its segment', async () => {
    const { copy, bytes } = await scenes()
    bytes.writeInt32BE(SEGMENT_BYTES + 1, 0)
    const outcome = copy.store.appendCopy(0, bytes)
    expect('reason' in outcome && outcome.reason).toContain('mappedFileSizeCommitLog')
    expect(copy.store.dropCopiedPart()).toBe(0)
  })

  it('when an empty log would begin within a segment', async () => {
    const { copy, bytes, recordBytes } = await scenes()
    const outcome = copy.store.appendCopy(recordBytes, bytes.subarray(recordBytes))
    expect('reason' in outcome && outcome.reason).toContain('must begin with a segment')
  })

  it('when messages of a queue are missing between', async () => {
    const { copy, bytes, recordBytes } = await scenes()
    bytes.writeBigInt64BE(9n, recordBytes + 20)
    const outcome = copy.store.appendCopy(0, bytes)
    expect('reason' in outcome && outcome.reason).toContain('which ends at 1 here')
    expect(copy.store.dropCopiedPart()).toBe(recordBytes)
  })
})
