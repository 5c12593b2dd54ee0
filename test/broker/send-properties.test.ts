/** What a broker finds in the properties of a message, and what it keeps of them. */
import { javaHashCode } from '@rockhopper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { walkSendProperties } from '../../packages/broker/src/rules/send-properties.ts'

function walk(text: string) {
  const found = walkSendProperties(Buffer.from(text))
  const { delayLevel, isTransactional, tagsCode, timed, uniqueKey, waitStored } = found
  const kept = Buffer.concat(found.kept).toString()
  return { delayLevel, isTransactional, kept, tagsCode, timed, uniqueKey, waitStored }
}

const nothing = {
  ...{ tagsCode: 0, uniqueKey: undefined, waitStored: true },
  ...{ delayLevel: 0, timed: undefined, isTransactional: false },
}

test('no properties are no properties', () => {
  expect(walk('')).toMatchObject({ ...nothing, kept: '' })
})

test('tag, unique key and the wish not to wait are found among others', () => {
  const text = 'KEYS\x01k1 k2\x02UNIQ_KEY\x01C0A8\x02WAIT\x01false\x02TAGS\x01TagA\x02a\x01b\x02'
  expect(walk(text)).toMatchObject({
    tagsCode: 2_598_919,
    uniqueKey: 'C0A8',
    waitStored: false,
    kept: text,
  })
})

test('a last pair without its end is ended, for 4.9.2 to 4.9.8 clients leave it out', () => {
  expect(walk('WAIT\x01true\x02TAGS\x01A')).toMatchObject({
    tagsCode: 65,
    waitStored: true,
    kept: 'WAIT\x01true\x02TAGS\x01A\x02',
  })
})

test('the receipt of a pop, which only a broker may set, is taken out wherever it stands', () => {
  expect(walk('POP_CK\x011 2 3\x02').kept).toBe('')
  expect(walk('a\x011\x02POP_CK\x011 2 3\x02b\x012\x02').kept).toBe('a\x011\x02b\x012\x02')
  expect(walk('a\x011\x02POP_CK\x011 2 3').kept).toBe('a\x011\x02')
})

test.each([
  ['DELAY\x013\x02', { ...nothing, delayLevel: 3 }],
  ['DELAY\x01-1\x02', { ...nothing, delayLevel: -1 }],
  ['DELAY\x01soon\x02', { ...nothing, delayLevel: Number.NaN }],
  ['TRAN_MSG\x01true\x02', { ...nothing, isTransactional: true }],
  ['TIMER_DELAY_MS\x0110\x02', { ...nothing, timed: 'TIMER_DELAY_MS' }],
  ['DELAY\x010\x02TRAN_MSG\x01false\x02TIMER_DELAY_SEC\x010\x02', nothing],
])('%j asks for a kind of delivery', (text, found) => {
  expect(walk(text)).toMatchObject(found)
})

test('properties between others, as a batch has them, are read alone', () => {
  const around = 'TAGS\x01B\x02DELAY\x019\x02'
  const between = Buffer.from(
    `${around}TAGS\x01A\x02POP_CK\x011\x02a\x01${'b'.repeat(100)}${around}`,
  )
  const found = walkSendProperties(between, around.length, between.length - around.length)
  expect(found).toMatchObject({ tagsCode: 65, delayLevel: 0 })
  const kept = `TAGS\x01A\x02a\x01${'b'.repeat(100)}\x02`
  expect(Buffer.concat(found.kept).toString()).toBe(kept)
})

test('a name that only begins like a known one is none', () => {
  expect(walk('TAGSX\x01A\x02UNIQ\x01B\x02DELAYED\x011\x02')).toMatchObject(nothing)
})

test('whatever stands in the properties, they are kept, and the tag is hashed as Java does', () => {
  const text = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .filter((part) => !part.includes('\x01') && !part.includes('\x02'))
  const property = fc.property(fc.array(fc.tuple(text, text)), text, (pairs, tag) => {
    const others = pairs.filter(([name]) => !/^(TAGS|POP_CK)$/.test(name))
    const encoded = [...others, ['TAGS', tag]].map(([n, v]) => `${n}\x01${v}\x02`).join('')
    const bytes = Buffer.from(encoded)
    const { kept, tagsCode } = walkSendProperties(bytes)
    expect(Buffer.concat(kept)).toEqual(bytes)
    expect(tagsCode).toBe(javaHashCode(Buffer.from(tag).toString()))
  })
  fc.assert(property, { seed: 1 })
})
