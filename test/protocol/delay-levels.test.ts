/** What the queue of a delayed message keeps. */
import { describe, expect, test } from 'vitest'
import { propertyPair, tagsCodeOf, unitTagsCodeOf } from '../../packages/protocol/src/index.ts'

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
