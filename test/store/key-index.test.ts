/** Messages found by their keys: what is found, in which order, and with which limits. */
import { propertyPair, sysFlag } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import {
  ALL_TIME,
  INDEX_DIRECTORY,
  KeyScene,
  keyed,
  SMALL_FILE_BYTES,
  smallIndex,
} from './key-scene.ts'
import { message, recordsIn, SEGMENT_BYTES } from './scene.ts'

describe('a message', () => {
  it('is found by its unique id and by each of its keys as soon as it is acknowledged', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('id-1', 'order-1 customer-7')
    await scene.putKeyed('id-2', 'order-2 customer-7')
    expect(await scene.found('id-1')).toEqual(['id-1'])
    expect(await scene.found('order-2')).toEqual(['id-2'])
    expect(await scene.found('customer-7')).toEqual(['id-1', 'id-2'])
    expect(await scene.found('customer-8')).toEqual([])
  })

  it('is not found under another topic', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('id-1', 'order-1', { topic: 'Other' })
    expect(await scene.found('order-1')).toEqual([])
    expect(await scene.found('order-1', {}, 'Other')).toEqual(['id-1'])
  })

  it('is found once, though it has a key twice', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('same', 'same same')
    expect(await scene.found('same')).toEqual(['same'])
  })

  it('is not found by a key that only has the hash of its own', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('Aa')
    expect(await scene.found('BB')).toEqual([])
  })

  it('is found in a batch like any other', async () => {
    const scene = await KeyScene.opened()
    const outcome = scene.store.appendBatch(message(), [keyed('id-1', 'k'), keyed('id-2', 'k')])
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    await scene.settled(outcome)
    expect(await scene.found('k')).toEqual(['id-1', 'id-2'])
  })

  it('is not found when it was rolled back', async () => {
    const scene = await KeyScene.opened()
    await scene.putKeyed('id-1', '', { sysFlag: sysFlag.transactionRollback })
    await scene.putKeyed('id-2', '', { sysFlag: sysFlag.transactionCommit })
    expect(await scene.found('id-1')).toEqual([])
    expect(await scene.found('id-2')).toEqual(['id-2'])
  })

  it('is not found before it is confirmed', async () => {
    const scene = await KeyScene.opened({ flushDisk: 'sync' })
    scene.host.disk.syncDelay = [2_000, 2_000]
    const appended = scene.append(keyed('id-1'))
    const early = scene.store.queryByKey('TopicTest', 'id-1', ALL_TIME)
    await scene.world.clock.advance(1_500)
    expect((await early).records).toEqual([])
    await scene.settle(scene.store.marks.flushed.reached(appended.endOffset))
    await scene.world.clock.advance(20_000)
    expect(await scene.found('id-1')).toEqual(['id-1'])
  })

  it('is found whatever its size, and in whichever segment of the log', async () => {
    const scene = await KeyScene.opened()
    for (let i = 0; i < 12; i++) {
      const body = Buffer.from(`${i}`.padEnd(7_000, '.'))
      await scene.put({ body, properties: [propertyPair('KEYS', `all n${i}`)] })
    }
    expect(scene.store.runtime().writtenOffset).toBeGreaterThan(3 * SEGMENT_BYTES)
    expect(await scene.found('all')).toHaveLength(12)
    expect((await scene.found('n11'))[0]).toMatch(/^11\./)
  })
})

describe('a query', () => {
  it('finds the newest messages first and gives them oldest first', async () => {
    const scene = await KeyScene.opened()
    for (let i = 0; i < 60; i++) await scene.putKeyed(`id-${i}`, 'all')
    expect(await scene.found('all', { maxMessages: 3 })).toEqual(['id-57', 'id-58', 'id-59'])
    expect(scene.indexFiles.length).toBeGreaterThan(3)
    expect(await scene.found('all', { maxMessages: 60 })).toHaveLength(60)
  })

  it('gives no more than is configured', async () => {
    const scene = await KeyScene.opened({ keyIndex: { ...smallIndex, maxMessages: 5 } })
    for (let i = 0; i < 10; i++) await scene.putKeyed(`id-${i}`, 'all')
    expect(await scene.found('all', { maxMessages: 100 })).toHaveLength(5)
    expect(await scene.found('all', { maxMessages: 0 })).toEqual([])
    expect(await scene.found('all', { maxMessages: -1 })).toEqual([])
  })

  it('keeps to the times it was given, to the millisecond', async () => {
    const scene = await KeyScene.opened()
    const times: number[] = []
    for (let i = 0; i < 50; i++) {
      times.push((await scene.putKeyed(`id-${i}`, 'all')).storeTimestamp)
      await scene.world.clock.advance(377)
    }
    const [from = 0, to = 0] = [times[11], times[33]]
    const between = await scene.found('all', { beginTimestamp: from, endTimestamp: to })
    expect(between).toEqual(Array.from({ length: 23 }, (_, i) => `id-${i + 11}`))
    const inner = await scene.found('all', { beginTimestamp: from + 1, endTimestamp: to - 1 })
    expect(inner).toHaveLength(21)
  })

  it('says which message with a key is the last that the index knows', async () => {
    const scene = await KeyScene.opened()
    const none = await scene.settle(scene.store.queryByKey('TopicTest', 'k', ALL_TIME))
    expect(none).toEqual({ records: [], indexLastUpdateTimestamp: 0, indexLastUpdateOffset: 0 })
    const { logOffset, storeTimestamp } = await scene.putKeyed('id-1')
    await scene.put()
    const answer = await scene.settle(scene.store.queryByKey('TopicTest', 'id-1', ALL_TIME))
    expect(answer.indexLastUpdateOffset).toBe(logOffset)
    expect(answer.indexLastUpdateTimestamp).toBe(storeTimestamp)
    expect(recordsIn(answer.records)).toHaveLength(1)
  })
})

describe('the files of the index', () => {
  it('are not there while no message has a key', async () => {
    const scene = await KeyScene.opened()
    await scene.putNumbered(0, 100)
    await scene.reopen()
    expect(scene.indexFiles).toEqual([])
  })

  it('have the size and the names of Apache, in the order of their making', async () => {
    const scene = await KeyScene.opened()
    for (let i = 0; i < 100; i++) await scene.putKeyed(`id-${i}`)
    expect(await scene.found('id-99')).toEqual(['id-99'])
    const names = scene.indexFiles
    expect(names).toHaveLength(5)
    // The world begins at midnight of 2024-01-01 in UTC.
    for (const name of names) expect(name).toMatch(/^20240101\d{9}$/)
    for (const name of names) {
      expect(scene.host.disk.stat(`${INDEX_DIRECTORY}/${name}`)?.sizeBytes).toBe(SMALL_FILE_BYTES)
    }
    expect(await scene.found('id-0')).toEqual(['id-0'])
  })
})
