/** Properties text as Java reads and writes it, and changes that keep what people wrote. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatProperty,
  parseProperties,
  withProperties,
} from '../../packages/protocol/src/java-properties.ts'

describe('properties text', () => {
  it.each([
    ['a=1', 'a', '1'],
    ['a = 1', 'a', '1'],
    ['\t a\t:\t1', 'a', '1'],
    ['a 1', 'a', '1'],
    ['a', 'a', ''],
    ['a=', 'a', ''],
    ['a==1', 'a', '=1'],
    ['a=b=c', 'a', 'b=c'],
    ['a=1 ', 'a', '1 '],
    ['a\\ b=1', 'a b', '1'],
    ['a=\\u00e4\\t\\\\', 'a', 'ä\t\\'],
    ['a=one, \\\n   two', 'a', 'one, two'],
    ['a=one\\\\\nb=2', 'a', 'one\\'],
    ['a=1\\', 'a', '1'],
    ['a=1\r\nb=2', 'a', '1'],
    ['a=\\\n#1', 'a', '#1'],
  ])('%j has the key %j with the value %j', (text, key, value) => {
    expect(parseProperties(text)[0]).toMatchObject({ key, value })
  })

  it('without entries has none', () => {
    expect(parseProperties('')).toEqual([])
    expect(parseProperties('# a=1\n  ! b=2\\\n\n \t\n')).toEqual([])
  })

  it('counts natural lines', () => {
    const lines = parseProperties('#\na=1\\\n2\n\r\nb=2').map(({ line }) => line)
    expect(lines).toEqual([2, 5])
  })

  it('comes back from any key and value', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (key, value) => {
        expect(parseProperties(formatProperty(key, value))).toEqual([{ key, value, line: 1 }])
      }),
      { seed: 1 },
    )
  })
})

describe('changed properties text', () => {
  it('keeps comments, order and other keys', () => {
    const text = '# ours\na=1\n\nb=2\\\n  3\n# end\nc=4'
    expect(withProperties(text, { b: '9', d: '5' })).toBe('# ours\na=1\n\nb=9\n# end\nc=4\nd=5\n')
  })

  it('keeps one line of a key that was there twice', () => {
    expect(withProperties('a=1\nb=2\na=3\n', { a: '7' })).toBe('b=2\na=7\n')
  })

  it('says what was changed, whatever it said before', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), fc.string(), (text, value) => {
        const read = parseProperties(withProperties(text, { key: value }))
        expect(read.filter(({ key }) => key === 'key').map((entry) => entry.value)).toEqual([value])
      }),
      { seed: 1 },
    )
  })
})
