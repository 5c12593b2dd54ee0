/** The offset that may be committed is that of the first message that is not done. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Window, type WindowEntry } from '../../packages/client/src/pull/window.ts'

const LIMITS = { maxMessages: 1000, maxBytes: 1_000_000, maxSpan: 2000 }

interface Item {
  readonly queueOffset: number
  readonly sizeBytes: number
}

const item = (queueOffset: number, sizeBytes = 1): Item => ({ queueOffset, sizeBytes })
const same = (message: Item): Item => message

function windowOf(start: number, limits = LIMITS): Window<Item> {
  return new Window<Item>(start, limits)
}

test('an empty window commits where it begins', () => {
  const window = windowOf(7)
  expect([window.nextOffset, window.commitOffset, window.count]).toEqual([7, 7, 0])
})

test('messages that were filtered out are committed with those around them', () => {
  const window = windowOf(0)
  const [three] = window.add([item(3)], 10, same)
  expect([window.nextOffset, window.commitOffset]).toEqual([10, 3])
  if (three !== undefined) window.finish(three)
  expect(window.commitOffset).toBe(10)
  window.add([], 25, same)
  expect([window.nextOffset, window.commitOffset]).toEqual([25, 25])
})

test('messages that came before are left out', () => {
  const window = windowOf(5)
  expect(window.add([item(4), item(5), item(5), item(6)], 7, same)).toHaveLength(2)
  window.add([item(5)], 6, same)
  expect([window.count, window.nextOffset]).toEqual([2, 7])
})

test('whatever the order in which messages are done, nothing undone is committed', () => {
  const script = fc.array(
    fc.oneof(
      fc.record({ pull: fc.integer({ min: 0, max: 5 }), gap: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ finish: fc.nat(30) }),
    ),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(script, (steps) => {
      const window = windowOf(0)
      const undone = new Map<number, WindowEntry<Item>>()
      let committed = 0
      for (const step of steps) {
        if ('pull' in step) {
          const from = window.nextOffset + step.gap
          const messages = Array.from({ length: step.pull }, (_, i) => item(from + i, 10))
          const next = from + step.pull
          for (const entry of window.add(messages, next, same)) {
            undone.set(entry.queueOffset, entry)
          }
        } else {
          const entry = [...undone.values()][step.finish % Math.max(1, undone.size)]
          if (entry === undefined) continue
          undone.delete(entry.queueOffset)
          window.finish(entry)
        }
        const first = Math.min(window.nextOffset, ...undone.keys())
        expect(window.commitOffset).toBe(first)
        expect(window.commitOffset).toBeGreaterThanOrEqual(committed)
        committed = window.commitOffset
        expect([window.count, window.sizeBytes]).toEqual([undone.size, undone.size * 10])
      }
    }),
    { seed: 1 },
  )
})

test('a message that is done twice counts once', () => {
  const window = windowOf(0)
  const [entry] = window.add([item(0), item(1)], 2, same)
  if (entry === undefined) throw new Error('no entry')
  window.finish(entry)
  window.finish(entry)
  expect(window.count).toBe(1)
})

test('a long run of messages keeps no more than what is undone', () => {
  const window = windowOf(0)
  for (let i = 0; i < 10_000; i++) {
    const [entry] = window.add([item(i)], i + 1, same)
    if (entry !== undefined) window.finish(entry)
  }
  expect([window.commitOffset, window.count, window.sizeBytes]).toEqual([10_000, 0, 0])
})

describe('a window is full', () => {
  test.each<[string, Partial<typeof LIMITS>, Item[]]>([
    ['by its count', { maxMessages: 2 }, [item(0), item(1)]],
    ['by its bytes', { maxBytes: 10 }, [item(0, 4), item(1, 6)]],
    ['by its span', { maxSpan: 5 }, [item(0), item(6)]],
  ])('%s, and its puller waits until it is not', async (_by, limits, messages) => {
    const window = windowOf(0, { ...LIMITS, ...limits })
    const [first] = window.add(messages, 0, same)
    expect(window.isFull).toBe(true)
    let pulled = false
    const waiting = window.room().then(() => {
      pulled = true
    })
    await Promise.resolve()
    expect(pulled).toBe(false)
    if (first !== undefined) window.finish(first)
    await waiting
    expect(window.isFull).toBe(false)
  })

  test('and a puller that is to stop is woken all the same', async () => {
    const window = windowOf(0, { ...LIMITS, maxMessages: 1 })
    window.add([item(0)], 1, same)
    const waiting = window.room()
    window.wake()
    await waiting
    expect(window.isFull).toBe(true)
  })
})
