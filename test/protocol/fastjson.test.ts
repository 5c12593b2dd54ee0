/** The JSON that Java peers write, quirk by quirk: `remoting.md`, section 9. */
import { parseFastjson } from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('fastjson', () => {
  it.each([
    [
      'numbers as keys',
      '{"brokerAddrs":{0:"a:1",1:"b:2"}}',
      { brokerAddrs: { 0: 'a:1', 1: 'b:2' } },
    ],
    ['negative numbers as keys', '{-1:2}', { '-1': 2 }],
    [
      'objects as keys',
      '{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5}}',
      { offsetTable: { '{"brokerName":"b","queueId":0,"topic":"T"}': 5 } },
    ],
    ['references', '{1:{"$ref":"$.a"}}', { 1: { $ref: '$.a' } }],
    ['references as keys', '{{"$ref":"@"}:1}', { '{"$ref":"@"}': 1 }],
    ['nested maps and lists', '{"a":{0:[{1:[2,3]}]}}', { a: { 0: [{ 1: [2, 3] }] } }],
    ['blanks between all of it', '\t{ 0 : [ 1 , 2 ] ,\n 1 : { } }\r\n', { 0: [1, 2], 1: {} }],
    ['texts with escapes', '{0:"a\\u00e9\\"\\\\\\n"}', { 0: 'aé"\\\n' }],
    ['single quotes', "{'a':'it\\'s \"x\"',0:1}", { a: 'it\'s "x"', 0: 1 }],
    ['names without quotes', '{a:true,b:null,c:false}', { a: true, b: null, c: false }],
    ['fractions and exponents', '{0:-1.5e3}', { 0: -1500 }],
    ['standard JSON', '{"a":[1,"2",null]}', { a: [1, '2', null] }],
  ])('is read with %s', (_, text, expected) => {
    expect(parseFastjson(text)).toEqual(expected)
  })

  it('has numbers up to 2^63, of which the largest are clamped', () => {
    for (const text of ['{0:9223372036854775807}', '{"0":9223372036854775807}']) {
      expect(parseFastjson(text)).toEqual({ 0: Number.MAX_SAFE_INTEGER })
    }
    expect(parseFastjson('[1e300,0.1234567890123456]')).toEqual([1e300, 0.1234567890123456])
  })

  it.each(['{', '{0:', '{0:1', '[1', '{0 1}', '"a', '{0:1}x', '', '{0:"a\\'])(
    'is not %s',
    (text) => {
      expect(() => parseFastjson(text)).toThrow(SyntaxError)
    },
  )

  it('cannot be nested so deep that the reader dies', () => {
    expect(() => parseFastjson(`{0:${'['.repeat(100_000)}`)).toThrow('deeper than 64')
  })

  it('cannot reach the prototype of objects', () => {
    const value = parseFastjson('{0:1,"__proto__":{"polluted":true}}')
    expect(Object.keys(value as object)).toContain('__proto__')
    expect('polluted' in {}).toBe(false)
  })

  it('reads whatever standard JSON is, with keys unquoted as well', () => {
    const json = fc
      .jsonValue({ maxDepth: 5 })
      .filter((value) => !/\d{16}/.test(JSON.stringify(value)))
    const same = fc.property(json, (value) => {
      const text = JSON.stringify(value)
      expect(parseFastjson(`{0:${text}}`)).toEqual({ 0: JSON.parse(text) })
    })
    fc.assert(same, { seed: 5, numRuns: 300 })
  })

  it('ends for any text, with a value or a SyntaxError', () => {
    const char = fc.constantFrom(...'{}[],:"\\\'01ae-. ')
    const any = fc.property(fc.string({ unit: char, maxLength: 40 }), (text) => {
      try {
        parseFastjson(text)
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError)
      }
    })
    fc.assert(any, { seed: 6, numRuns: 2_000 })
  })
})
