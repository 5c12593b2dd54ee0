/** Reads with a filter that looks into the records. */
import { readRecord, type StoredRecord } from '@rockhopper/protocol'
import type { ReadOutcome, RecordFilter } from '@rockhopper/store'
import { describe, expect, test } from 'vitest'
import { recordsIn, StoreScene } from './scene.ts'

/** Wants records by a test, and counts what it looks at; spent after `limit` of them. */
class TestFilter implements RecordFilter {
  seen = 0
  readonly #limit: number
  readonly #wants: (record: StoredRecord) => boolean

  constructor(wants: (record: StoredRecord) => boolean, limit = Number.POSITIVE_INFINITY) {
    this.#wants = wants
    this.#limit = limit
  }

  get isSpent(): boolean {
    return this.seen >= this.#limit
  }

  matches(source: Buffer, at: number): boolean {
    this.seen++
    const record = readRecord(source, at)
    if (record === undefined) throw new Error(`there is no record at byte ${at}`)
    return this.#wants(record)
  }
}

const SMALL_TAIL = { tailMemoryBytes: 0 }
const even = ({ queueOffset }: StoredRecord): boolean => queueOffset % 2 === 0
const seventh = ({ queueOffset }: StoredRecord): boolean => queueOffset % 7 === 3

function bodiesIn({ slices }: ReadOutcome): string[] {
  return recordsIn(slices).map(({ body }) => body.toString())
}

/** Everything that is wanted, read in as many requests as it takes, and how many these were. */
async function readAll(
  scene: StoreScene,
  wants: (record: StoredRecord) => boolean,
  given: { maxMessages?: number; maxBytes?: number; tagHashes?: ReadonlySet<number> } = {},
) {
  const bodies: string[] = []
  let reads = 0
  for (let offset = 0; ; reads++) {
    const outcome = await scene.read({ offset, filter: new TestFilter(wants), ...given })
    if (outcome.status !== 'FOUND' && outcome.status !== 'NO_MATCHED_MESSAGE') {
      expect(outcome.status).toBe('OFFSET_OVERFLOW_ONE')
      return { bodies, reads }
    }
    const found = bodiesIn(outcome)
    expect(outcome.messageCount).toBe(found.length)
    expect(outcome.bytes).toBe(outcome.slices.reduce((sum, { length }) => sum + length, 0))
    expect(outcome.nextOffset).toBeGreaterThan(offset)
    bodies.push(...found)
    offset = outcome.nextOffset
  }
}

/** A queue of which the first messages are in files only, and the last in memory. */
async function withBoth(count: number): Promise<StoreScene> {
  const scene = await StoreScene.opened(SMALL_TAIL)
  for (let i = 0; i < count; i++) {
    if (i === count / 2) await scene.reopen()
    await scene.put({ body: Buffer.from(`m${i}`), tagsCode: i % 3 })
    if (i % 4 === 0) await scene.put({ topic: 'Other', body: Buffer.alloc(100) })
  }
  return scene
}

function wantedOf(count: number, wants: (offset: number) => boolean): string[] {
  return Array.from({ length: count }, (_, i) => i).flatMap((i) => (wants(i) ? `m${i}` : []))
}

describe('a read with a filter', () => {
  test('gives what the filter wants, from memory', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 10)
    const outcome = await scene.read({ offset: 1, filter: new TestFilter(even), maxMessages: 3 })
    expect(bodiesIn(outcome)).toEqual(['m2', 'm4', 'm6'])
    expect(outcome).toMatchObject({ status: 'FOUND', nextOffset: 7, messageCount: 3 })
  })

  test('gives the same from files', async () => {
    const scene = await StoreScene.opened(SMALL_TAIL)
    await scene.putNumbered(0, 10)
    await scene.reopen()
    const outcome = await scene.read({ offset: 1, filter: new TestFilter(even), maxMessages: 3 })
    expect(bodiesIn(outcome)).toEqual(['m2', 'm4', 'm6'])
    expect(outcome).toMatchObject({ status: 'FOUND', nextOffset: 7, messageCount: 3 })
  })

  test.each([
    ['in one go', {}],
    ['a message at a time', { maxMessages: 1 }],
    ['few bytes at a time', { maxBytes: 300 }],
    ['with a byte at the most', { maxBytes: 1 }],
  ])(
    'misses nothing and repeats nothing where files end and memory begins, %s',
    async (_, given) => {
      const scene = await withBoth(120)
      const all = await readAll(scene, seventh, given)
      expect(all.bodies).toEqual(wantedOf(120, (i) => i % 7 === 3))
      const tagged = await readAll(scene, even, { ...given, tagHashes: new Set([1]) })
      expect(tagged.bodies).toEqual(wantedOf(120, (i) => i % 2 === 0 && i % 3 === 1))
    },
  )

  test('looks at no record whose tag is not wanted', async () => {
    const scene = await withBoth(40)
    for (const offset of [0, 30]) {
      const filter = new TestFilter(() => false)
      await scene.read({ offset, filter, tagHashes: new Set([99]) })
      expect(filter.seen).toBe(0)
    }
  })

  test('that wants nothing says how far it looked, and no further than its limit', async () => {
    for (const restart of [false, true]) {
      const scene = await StoreScene.opened({ ...SMALL_TAIL, maxUnitsPerRead: 20 })
      await scene.putNumbered(0, 50)
      if (restart) await scene.reopen()
      const filter = new TestFilter(() => false)
      const outcome = await scene.read({ filter, maxMessages: 5 })
      expect(outcome).toMatchObject({ status: 'NO_MATCHED_MESSAGE', nextOffset: 20 })
      expect(filter.seen).toBe(20)
      expect((await readAll(scene, () => false, { maxMessages: 5 })).reads).toBe(3)
    }
  })

  test('ends where its filter is spent, but not before the first message', async () => {
    for (const restart of [false, true]) {
      const scene = await StoreScene.opened(SMALL_TAIL)
      await scene.putNumbered(0, 10)
      if (restart) await scene.reopen()
      const outcome = await scene.read({ filter: new TestFilter(even, 4) })
      expect(bodiesIn(outcome)).toEqual(['m0', 'm2'])
      expect(outcome.nextOffset).toBe(4)
      const least = await scene.read({ filter: new TestFilter(even, 0) })
      expect(least).toMatchObject({ nextOffset: 1, messageCount: 1 })
    }
  })

  test('takes no more than a mebibyte from files, whatever it finds there', async () => {
    const scene = await StoreScene.opened({
      ...SMALL_TAIL,
      commitLogSegmentBytes: 256 * 1024,
      consumeQueueSegmentBytes: 20_000,
    })
    for (let i = 0; i < 160; i++) await scene.put({ body: Buffer.alloc(8_000, `${i}`) })
    await scene.reopen()
    const filter = new TestFilter(() => false)
    const outcome = await scene.read({ filter })
    expect(filter.seen).toBe(Math.floor((1024 * 1024) / (8_000 + 100)))
    expect(outcome).toMatchObject({ status: 'NO_MATCHED_MESSAGE', nextOffset: filter.seen })
    expect((await readAll(scene, ({ queueOffset }) => queueOffset === 159)).bodies).toHaveLength(1)
  })
})
