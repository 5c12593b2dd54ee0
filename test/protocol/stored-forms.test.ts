/**
 * Batches, properties, units of queues, ids and hashes, byte for byte. The golden bytes are those
 * of `store-format.md`, sections 5, 8, 13 and 14.
 */
import {
  decodeBatch,
  decodeProperties,
  encodeBatch,
  encodeProperties,
  findProperty,
  hostAddress,
  isLive,
  isPreBlank,
  javaHashCode,
  offsetIdPrefix,
  offsetMessageId,
  PRE_BLANK_UNIT,
  parseOffsetMessageId,
  propertyPair,
  readInt64,
  readUnit,
  tagsCodeOf,
  UNIT_BYTES,
  UniqueKeys,
  writeInt64,
  writeUnit,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

describe('a batch', () => {
  const golden =
    '0000001f000000000000000000000000000000024869000754414753014102' +
    '0000001800000000000000000000000000000002596f0000'
  const entries = [
    { flag: 0, body: Buffer.from('Hi'), properties: Buffer.from('TAGS\x01A\x02') },
    { flag: 0, body: Buffer.from('Yo'), properties: Buffer.alloc(0) },
  ]

  it('is written and read as Apache does', () => {
    expect(encodeBatch(entries).toString('hex')).toBe(golden)
    expect(decodeBatch(Buffer.from(golden, 'hex'))).toEqual(entries)
  })

  it('comes back whatever is in it', () => {
    const entry = fc.record({ flag: fc.integer(), body: bytes(60), properties: bytes(60) })
    const roundTrip = fc.property(fc.array(entry, { maxLength: 8 }), (batch) => {
      expect(decodeBatch(encodeBatch(batch))).toEqual(batch)
    })
    fc.assert(roundTrip, { seed: 1 })
  })

  it('whose lengths disagree is refused', () => {
    const batch = Buffer.from(golden, 'hex')
    for (let length = 1; length < batch.length; length++) {
      if (length !== 31) expect(() => decodeBatch(batch.subarray(0, length))).toThrow(RangeError)
    }
    batch.writeInt32BE(-1, 16)
    expect(() => decodeBatch(batch)).toThrow('message 0 of the batch')
  })
})

describe('properties', () => {
  it('are pairs, each ended', () => {
    expect(encodeProperties({ TAGS: 'A', KEYS: 'k1 k2' })).toBe('TAGS\x01A\x02KEYS\x01k1 k2\x02')
    expect(propertyPair('WAIT', 'true').toString()).toBe('WAIT\x01true\x02')
  })

  it('without a value are left out', () => {
    expect(encodeProperties({ A: undefined, B: '', C: 'c' })).toBe('C\x01c\x02')
  })

  it.each([
    ['an end that is missing', 'A\x011\x02B\x012', { A: '1', B: '2' }],
    ['broken pairs', '\x01x\x02A\x01\x02lonely\x02\x02C\x013\x02', { C: '3' }],
    ['a separator in a value', 'A\x011\x012\x02', { A: '1\x012' }],
    ['repeated names', 'A\x011\x02A\x012\x02', { A: '2' }],
    ['nothing', '', {}],
  ])('are read as Apache reads them: %s', (_, text, expected) => {
    expect(Object.fromEntries(decodeProperties(text))).toEqual(expected)
    expect(Object.fromEntries(decodeProperties(Buffer.from(text)))).toEqual(expected)
  })

  it('are found one by one as if all were decoded', () => {
    const name = fc.constantFrom('TAGS', 'XTAGS', 'TAG', 'KEYS')
    const text = fc.array(fc.tuple(name, fc.constantFrom('a', 'TAGS', 'ü')), { maxLength: 6 })
    const same = fc.property(text, name, (pairs, wanted) => {
      const encoded = Buffer.from(pairs.map(([key, value]) => `${key}\x01${value}\x02`).join(''))
      expect(findProperty(encoded, wanted)).toBe(decodeProperties(encoded).get(wanted))
    })
    fc.assert(same, { seed: 3, numRuns: 300 })
  })
})

describe('the code of a tag', () => {
  it.each([
    ['TagA', 2_598_919],
    ['order-created', -392_709_271],
    ['TopicTest#k1', 2_746_024],
    ['TopicTest#C0A8010A1F9018B4AAC2118D2F3C0000', -1_166_000_004],
    ['', 0],
  ])('is the hash that Java gives: %s', (text, hash) => {
    expect(javaHashCode(text)).toBe(hash)
  })

  it('is that of the whole TAGS property, 0 without one', () => {
    expect(tagsCodeOf(Buffer.from('KEYS\x01k\x02TAGS\x01TagA\x02'))).toBe(2_598_919)
    expect(tagsCodeOf(Buffer.from('KEYS\x01k\x02'))).toBe(0)
    expect(tagsCodeOf(Buffer.from('TAGS\x01ü\x02'))).toBe(252)
    const tags = fc.constantFrom(
      'TAGS\x01a\x02',
      'TAGS\x01bü\x02',
      'XTAGS\x01c\x02',
      'K\x01TAGS\x01d\x02',
    )
    const same = fc.property(fc.array(tags, { maxLength: 5 }), (pairs) => {
      const properties = Buffer.from(pairs.join(''))
      const tag = decodeProperties(properties).get('TAGS') ?? ''
      expect(tagsCodeOf(properties)).toBe(javaHashCode(tag))
    })
    fc.assert(same, { seed: 9, numRuns: 300 })
  })
})

describe('a unit of a queue', () => {
  it.each([
    [
      { logOffset: 4096, sizeBytes: 175, tagsCode: 2_598_919 },
      '0000000000001000000000af000000000027a807',
    ],
    [
      { logOffset: 0, sizeBytes: 1, tagsCode: -392_709_271 },
      '000000000000000000000001ffffffffe897bb69',
    ],
    [PRE_BLANK_UNIT, '00000000000000007fffffff0000000000000000'],
  ])('is written and read as Apache does', (unit, golden) => {
    const written = Buffer.alloc(UNIT_BYTES)
    writeUnit(written, 0, unit)
    expect(written.toString('hex')).toBe(golden)
    expect(readUnit(written, 0)).toEqual(unit)
  })

  it('is there when it has a size, and filling when it is the one that Apache fills with', () => {
    expect(isLive({ logOffset: 0, sizeBytes: 0, tagsCode: 0 })).toBe(false)
    expect(isLive(PRE_BLANK_UNIT)).toBe(true)
    expect(isPreBlank(PRE_BLANK_UNIT)).toBe(true)
    expect(isPreBlank({ logOffset: 0, sizeBytes: 100, tagsCode: 0 })).toBe(false)
  })
})

describe('a number of 64 bits', () => {
  it('comes back as it is, up to 2^53 in both directions', () => {
    const roundTrip = fc.property(fc.maxSafeInteger(), (value) => {
      const buffer = Buffer.alloc(8)
      writeInt64(buffer, value, 0)
      expect(buffer.readBigInt64BE(0)).toBe(BigInt(value))
      expect(readInt64(buffer, 0)).toBe(value)
    })
    fc.assert(roundTrip, { seed: 1, numRuns: 500 })
  })
})

describe('an offset id', () => {
  const host = hostAddress('192.168.1.1', 10_911)

  it('says where a message is', () => {
    const id = offsetMessageId(offsetIdPrefix(host), 4096)
    expect(id).toBe('C0A8010100002A9F0000000000001000')
    expect(parseOffsetMessageId(id)).toEqual({ host, logOffset: 4096 })
  })

  it('may be of an IPv6 host', () => {
    const v6 = hostAddress('2001:db8::1', 10_911)
    const id = offsetMessageId(offsetIdPrefix(v6), 2 ** 40)
    expect(id).toHaveLength(56)
    expect(parseOffsetMessageId(id)).toEqual({ host: v6, logOffset: 2 ** 40 })
  })

  it('is not any text', () => {
    for (const text of ['', 'C0A8', 'G'.repeat(32), '0'.repeat(33)]) {
      expect(parseOffsetMessageId(text)).toBeUndefined()
    }
  })
})

describe('a unique key', () => {
  const march = Date.UTC(2024, 2, 1)

  it('has IP, process, salt, time in the month and a counter', () => {
    let nowMs = march + 0x1234
    const keys = new UniqueKeys({ ip: '192.168.1.10', pid: 0x51f90, salt: 1, nowMs: () => nowMs })
    expect(keys.next()).toBe('C0A8010A1F9000000001000012340000')
    expect(keys.next()).toBe('C0A8010A1F9000000001000012340001')
    nowMs = march + 31 * 86_400_000
    expect(keys.next()).toBe('C0A8010A1F9000000001000000000002')
    nowMs -= 1
    expect(keys.next()).toBe('C0A8010A1F90000000019FA523FF0003')
  })

  it('begins its time anew at each month of the calendar', () => {
    for (let month = 0; month < 500; month++) {
      const startMs = Date.UTC(1999, month, 1)
      const keys = new UniqueKeys({ ip: '10.0.0.1', pid: 1, salt: 0, nowMs: () => startMs })
      expect(keys.next().slice(20, 28)).toBe('00000000')
    }
  })

  it('does not come twice within 65536', () => {
    const keys = new UniqueKeys({ ip: '10.0.0.1', pid: 1, salt: 0, nowMs: () => march })
    expect(new Set(Array.from({ length: 65_536 }, () => keys.next())).size).toBe(65_536)
  })
})
