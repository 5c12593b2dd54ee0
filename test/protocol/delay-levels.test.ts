/** What the queue of a delayed message keeps. */
import { describe, expect, test } from 'vitest'
import {
  delayLevelsOf,
  delayOf,
  fitsUnit,
  propertyPair,
  tagsCodeOf,
  unitTagsCodeOf,
} from '../../packages/protocol/src/index.ts'

const delayTopic = 'SCHEDULE_TOPIC_XXXX'
const tag = propertyPair('TAGS', 'TagA')
const storeTimestamp = 1_700_000_000_000

function tagsCode(topic: string, level?: string): number {
  const delay = level === undefined ? [] : [propertyPair('DELAY', level)]
  return unitTagsCodeOf({ topic, properties: Buffer.concat([tag, ...delay]), storeTimestamp })
}

describe('the queue of delayed messages', () => {
  test('keeps the time at which each is due', () => {
    expect(tagsCode(delayTopic, '1')).toBe(storeTimestamp + 1_000)
    expect(tagsCode(delayTopic, '16')).toBe(storeTimestamp + 1_800_000)
    expect(tagsCode(delayTopic, '18')).toBe(storeTimestamp + 7_200_000)
  })

  test('takes a level beyond the last for the last', () => {
    expect(tagsCode(delayTopic, '99')).toBe(storeTimestamp + 7_200_000)
  })

  test('keeps the hash of the tag where there is no level', () => {
    for (const level of [undefined, '0', '-1', 'x']) {
      expect(tagsCode(delayTopic, level)).toBe(tagsCodeOf(tag))
    }
  })
})

test('other queues keep the hash of the tag, whatever the level', () => {
  expect(tagsCode('orders', '3')).toBe(tagsCodeOf(tag))
})

describe('levels of a setting', () => {
  test('are durations in seconds, minutes, hours and days', () => {
    expect(delayLevelsOf(' 2s 3m  1h 1d ')).toEqual([2_000, 180_000, 3_600_000, 86_400_000])
  })

  test('are refused as a whole when one is none', () => {
    for (const text of ['', '1s 5', '1w', '-1s', '1.5s', '1s,5s', '999999999d']) {
      expect(delayLevelsOf(text), text).toBeUndefined()
    }
  })

  test('say how long a message waits; one above the last waits as long as the last', () => {
    expect([1, 2, 3].map((level) => delayOf(level, [7_000, 9_000]))).toEqual([7_000, 9_000, 9_000])
    const properties = propertyPair('DELAY', '3')
    const record = { topic: delayTopic, properties, storeTimestamp }
    expect(unitTagsCodeOf(record, [7_000, 9_000])).toBe(storeTimestamp + 9_000)
  })

  test('may be any for who checks a unit without knowing them', () => {
    const properties = Buffer.concat([tag, propertyPair('DELAY', '3')])
    const record = { topic: delayTopic, properties, storeTimestamp }
    expect(fitsUnit(storeTimestamp + 77_000, record)).toBe(true)
    expect(fitsUnit(storeTimestamp + 77_001, record)).toBe(false)
    expect(fitsUnit(storeTimestamp - 1_000, record)).toBe(false)
    expect(fitsUnit(storeTimestamp + 77_000, { ...record, topic: 'orders' })).toBe(false)
    expect(fitsUnit(tagsCodeOf(tag), { ...record, topic: 'orders' })).toBe(true)
  })
})
