/** Records, byte for byte. The golden bytes are those of `store-format.md`, sections 3.1 and 6. */
import {
  BLANK_RECORD_BYTES,
  hostAddress,
  ipText,
  type RecordContent,
  type RecordPlace,
  readRecord,
  recordBytes,
  STORE_TIMESTAMP_WITHIN_BYTES,
  scanRecord,
  storeTimestampOf,
  writeBlankRecord,
  writeRecord,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const PROPERTIES =
  'KEYS\x01k1\x02UNIQ_KEY\x01C0A8010A1F9018B4AAC2118D2F3C0000\x02WAIT\x01true\x02TAGS\x01TagA\x02'

const GOLDEN = `
  00 00 00 af da a3 20 a7 77 d1 89 82 00 00 00 03
  00 00 00 00 00 00 00 00 00 00 00 05 00 00 00 00
  00 00 10 00 00 00 00 00 00 00 01 8b cf e5 68 00
  c0 a8 01 0a 00 00 d4 31 00 00 01 8b cf e5 68 05
  c0 a8 01 01 00 00 2a 9f 00 00 00 00 00 00 00 00
  00 00 00 00 00 00 00 05 48 65 6c 6c 6f 09 54 6f
  70 69 63 54 65 73 74 00 46 4b 45 59 53 01 6b 31
  02 55 4e 49 51 5f 4b 45 59 01 43 30 41 38 30 31
  30 41 31 46 39 30 31 38 42 34 41 41 43 32 31 31
  38 44 32 46 33 43 30 30 30 30 02 57 41 49 54 01
  74 72 75 65 02 54 41 47 53 01 54 61 67 41 02`.replaceAll(/\s/g, '')

const content: RecordContent = {
  topic: Buffer.from('TopicTest'),
  queueId: 3,
  flag: 0,
  sysFlag: 0,
  bornTimestamp: 1_700_000_000_000,
  bornHost: hostAddress('192.168.1.10', 54_321),
  storeHost: hostAddress('192.168.1.1', 10_911),
  reconsumeTimes: 0,
  preparedTransactionOffset: 0,
  body: Buffer.from('Hello'),
  properties: [Buffer.from(PROPERTIES.slice(0, 8)), Buffer.from(PROPERTIES.slice(8))],
}
const place: RecordPlace = { queueOffset: 5, logOffset: 4096, storeTimestamp: 1_700_000_000_005 }

function encode(of: RecordContent, at: RecordPlace): Buffer {
  const bytes = Buffer.alloc(recordBytes(of))
  writeRecord(bytes, 0, bytes.length, of, at)
  return bytes
}

const host = fc
  .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535))
  .map(([ip, port]) => hostAddress(ip, port))
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const int53 = fc.maxSafeNat()
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const contents: fc.Arbitrary<RecordContent> = fc.record({
  topic: fc.integer({ min: 1, max: 255 }).map((length) => Buffer.alloc(length, 't')),
  queueId: fc.nat(),
  flag: int32,
  sysFlag: int32.map((flags) => flags & ~0x30),
  bornTimestamp: int53,
  bornHost: host,
  storeHost: host,
  reconsumeTimes: int32,
  preparedTransactionOffset: int53,
  body: bytes(300),
  properties: fc.array(bytes(50), { maxLength: 4 }),
})
const places = fc.record({ queueOffset: int53, logOffset: int53, storeTimestamp: int53 })

describe('a record', () => {
  it('is written byte for byte as Apache writes it', () => {
    expect(encode(content, place).toString('hex')).toBe(GOLDEN)
  })

  it('is read as it was written', () => {
    expect(readRecord(Buffer.from(GOLDEN, 'hex'), 0)).toMatchObject({
      sizeBytes: 175,
      bodyCrc: 0x77d18982,
      queueId: 3,
      queueOffset: 5,
      logOffset: 4096,
      storeTimestamp: 1_700_000_000_005,
      bornHost: hostAddress('192.168.1.10', 54_321),
      topic: 'TopicTest',
      body: Buffer.from('Hello'),
      properties: Buffer.from(PROPERTIES),
    })
  })

  it('has a CRC of 0 when it has no body', () => {
    expect(encode({ ...content, body: Buffer.alloc(0) }, place).readInt32BE(8)).toBe(0)
  })

  it('is of the second version when its topic has more than 127 bytes', () => {
    const magicOf = (length: number): string =>
      encode({ ...content, topic: Buffer.alloc(length, 't') }, place).toString('hex', 4, 8)
    expect(magicOf(127)).toBe('daa320a7')
    expect(magicOf(128)).toBe('daa320ab')
  })

  it('comes back whatever is in it, at any place of a larger buffer', () => {
    const roundTrip = fc.property(contents, places, fc.nat(50), (of, at, offset) => {
      const sizeBytes = recordBytes(of)
      const buffer = Buffer.alloc(offset + sizeBytes + 10, 0xee)
      writeRecord(buffer, offset, sizeBytes, of, at)
      const scanned = scanRecord(buffer, offset, true)
      if (scanned.kind !== 'record') throw new Error(scanned.kind)
      const { properties, topic, sysFlag, ...rest } = of
      expect(scanned.record).toMatchObject({ ...rest, ...at, sizeBytes, topic: topic.toString() })
      expect(scanned.record.properties).toEqual(Buffer.concat(properties))
      expect(scanned.record.sysFlag & ~0x30).toBe(sysFlag)
      expect(buffer.subarray(offset + sizeBytes)).toEqual(Buffer.alloc(10, 0xee))
      const head = buffer.subarray(offset, offset + STORE_TIMESTAMP_WITHIN_BYTES)
      expect(storeTimestampOf(head)).toBe(at.storeTimestamp)
    })
    fc.assert(roundTrip, { seed: 1, numRuns: 200 })
  })
})

describe('a scan', () => {
  const golden = Buffer.from(GOLDEN, 'hex')

  it('finds a record cut off wherever the bytes end', () => {
    for (let length = 0; length < golden.length; length++) {
      expect(scanRecord(golden.subarray(0, length), 0, true).kind).toBe('cut-off')
    }
  })

  it('takes no changed byte of head lengths or body for sound', () => {
    for (const at of [4, 5, 6, 7, 8, 9, 10, 11, 84, 85, 86, 87, 88, 92, 93, 103, 104]) {
      const changed = Buffer.from(golden)
      changed[at] = (changed[at] ?? 0) ^ 0x41
      expect(scanRecord(changed, 0, true).kind).toBe('invalid')
    }
  })

  it('checks the body only when asked to', () => {
    const changed = Buffer.from(golden)
    changed[90] = 0
    expect(scanRecord(changed, 0, false).kind).toBe('record')
  })

  it('finds nothing in zeros', () => {
    expect(scanRecord(Buffer.alloc(200), 0, true).kind).toBe('invalid')
  })

  it('never throws, whatever the bytes are', () => {
    const hostile = fc.property(
      fc.uint8Array({ minLength: 175, maxLength: 400 }),
      fc.constantFrom(0xa7, 0xab),
      fc.nat(400),
      (noise, magic, size) => {
        const buffer = Buffer.from(noise)
        Buffer.from([0, 0, size >> 8, size & 255, 0xda, 0xa3, 0x20, magic]).copy(buffer)
        scanRecord(buffer, 0, true)
      },
    )
    fc.assert(hostile, { seed: 2, numRuns: 500 })
  })

  it('sees the end of a segment', () => {
    const blank = Buffer.alloc(BLANK_RECORD_BYTES)
    writeBlankRecord(blank, 0, 100)
    expect(blank.toString('hex')).toBe('00000064cbd43194')
    expect(scanRecord(blank, 0, true).kind).toBe('blank')
  })
})

describe('an address of a host', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['2001:db8::8:800:200c:417a', '2001:db8:0:0:8:800:200c:417a'],
    ['broker.example', '0.0.0.0'],
    ['1.2.3.999', '0.0.0.0'],
  ])('%s is read as %s', (text, expected) => {
    expect(ipText(hostAddress(text, 1).ip)).toBe(expected)
  })
})
