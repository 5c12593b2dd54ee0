/** The bytes of a key index file, and the keys that a record is found by. */
import {
  hostAddress,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  indexEntryAt,
  indexFileBytes,
  indexSeconds,
  indexSlotAt,
  MessageKeys,
  messageKeyHash,
  type RecordContent,
  RecordCursor,
  readIndexEntry,
  readIndexHeader,
  recordBytes,
  recordHasKey,
  scanView,
  sysFlag,
  writeIndexEntry,
  writeIndexHeader,
  writeRecord,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const APACHE_SHAPE = { slotCount: 5_000_000, entryLimit: 20_000_000 }
const UNIQUE = 'C0A8010A1F9018B4AAC2118D2F3C0000'

/** Hash of a string as Java computes it, by the definition: the sum of code units times powers. */
function javaHash(text: string): number {
  let hash = 0n
  for (let i = 0; i < text.length; i++) hash = hash * 31n + BigInt(text.charCodeAt(i))
  return Number(BigInt.asIntN(32, hash))
}

function record(
  properties: string | Buffer,
  { topic = 'TopicTest', flags = 0 }: { topic?: string; flags?: number } = {},
): Buffer {
  const host = hostAddress('192.168.1.1', 10_911)
  const content: RecordContent = {
    topic: Buffer.from(topic),
    queueId: 3,
    flag: 0,
    sysFlag: flags,
    bornTimestamp: 1,
    bornHost: host,
    storeHost: host,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from('UNIQ_KEY\x01of the body\x02'),
    properties: [Buffer.from(properties)],
  }
  const bytes = Buffer.alloc(recordBytes(content))
  const place = { queueOffset: 5, logOffset: 4096, storeTimestamp: 1_700_000_000_005 }
  writeRecord(bytes, 0, bytes.length, content, place)
  return bytes
}

function keysOf(bytes: Buffer): number[] {
  const scanned = scanView(bytes, 0, true)
  if (scanned.kind !== 'record') throw new Error(scanned.kind)
  const keys = new MessageKeys()
  keys.read(bytes, scanned.record)
  return [...keys.hashes.subarray(0, keys.count)]
}

function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text
}

describe('a file of the key index', () => {
  it('has the size and the places of Apache', () => {
    expect(indexFileBytes(APACHE_SHAPE)).toBe(420_000_040)
    const hash = messageKeyHash('TopicTest', 'k1')
    expect(hash).toBe(2_746_024)
    expect(indexSlotAt(APACHE_SHAPE, hash)).toBe(10_984_136)
    expect(indexEntryAt(APACHE_SHAPE, 1)).toBe(20_000_060)
    const unique = messageKeyHash('TopicTest', UNIQUE)
    expect(unique).toBe(1_166_000_004)
    expect(indexSlotAt(APACHE_SHAPE, unique)).toBe(40 + 1_000_004 * 4)
  })

  it('has the entry of the reference, byte for byte', () => {
    const bytes = Buffer.alloc(INDEX_ENTRY_BYTES)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    writeIndexEntry(view, 0, 2_746_024, 0x1000, 0, 0)
    expect(bytes.toString('hex')).toBe('0029e6a800000000000010000000000000000000')
    expect(readIndexEntry(bytes, 0)).toEqual({
      hash: 2_746_024,
      logOffset: 0x1000,
      seconds: 0,
      previous: 0,
    })
  })

  it('has a header of six numbers', () => {
    const header = {
      beginTimestamp: 1_700_000_000_005,
      endTimestamp: 1_700_000_000_006,
      beginOffset: 0x1000,
      endOffset: 0x2_0000_0001,
      usedSlots: 2,
      nextEntry: 3,
    }
    const bytes = Buffer.alloc(INDEX_HEADER_BYTES)
    writeIndexHeader(bytes, 0, header)
    expect(bytes.toString('hex')).toBe(
      '0000018bcfe568050000018bcfe56806000000000000100000000002000000010000000200000003',
    )
    expect(readIndexHeader(bytes, 0)).toEqual(header)
  })

  it('takes a next entry of 0, as a file that was never used has it, for the first', () => {
    expect(readIndexHeader(Buffer.alloc(INDEX_HEADER_BYTES), 0).nextEntry).toBe(1)
  })

  it('keeps whole seconds from its beginning, and none for what is older', () => {
    expect(indexSeconds(5_999, 3_000)).toBe(2)
    expect(indexSeconds(2_000, 3_000)).toBe(0)
    expect(indexSeconds(5_000, 0)).toBe(0)
    expect(indexSeconds(3_000 + 2 ** 31 * 1_000, 3_000)).toBe(2 ** 31 - 1)
  })
})

describe('a cursor', () => {
  it('stands on a record exactly where a scan finds one', () => {
    const whole = record('UNIQ_KEY\x01u\x02', { flags: sysFlag.bornHostV6, topic: 'x'.repeat(140) })
    const plain = record('UNIQ_KEY\x01u\x02KEYS\x01k\x02')
    const cursor = new RecordCursor()
    const facts = fc.property(
      fc.constantFrom(whole, plain),
      fc.nat(3),
      fc.array(fc.tuple(fc.nat(399), fc.nat(255)), { maxLength: 2 }),
      fc.nat(8),
      (source, before, changes, missing) => {
        const bytes = Buffer.concat([Buffer.alloc(before), source])
        for (const [at, byte] of changes) bytes[before + (at % source.length)] = byte
        const cut = bytes.subarray(0, bytes.length - (missing > 4 ? 0 : missing))
        const scanned = scanView(cut, before, false)
        cursor.open(cut)
        expect(cursor.moveTo(before)).toBe(scanned.kind === 'record')
        if (scanned.kind !== 'record') return
        const { end, logOffset, propertiesAt, sizeBytes, storeTimestamp, topicAt } = scanned.record
        const found = { end, logOffset, propertiesAt, sizeBytes, storeTimestamp, topicAt }
        expect(cursor).toMatchObject({ ...found, sysFlag: scanned.record.sysFlag })
      },
    )
    fc.assert(facts, { seed: 9, numRuns: 3_000 })
  })
})

describe('the keys of a record', () => {
  it('are its unique id and then each word of KEYS', () => {
    const properties = `KEYS\x01k1  k2 \x02UNIQ_KEY\x01${UNIQUE}\x02WAIT\x01true\x02`
    expect(keysOf(record(properties))).toEqual([
      1_166_000_004,
      2_746_024,
      messageKeyHash('TopicTest', 'k2'),
    ])
  })

  it('are none without those properties, whatever stands in the body or in other values', () => {
    expect(keysOf(record('WAIT\x01true\x02XUNIQ_KEY\x01a\x02note\x01UNIQ_KEY\x01b\x02'))).toEqual(
      [],
    )
  })

  it('are those of the later property when one is there twice, unless that is empty', () => {
    const hashes = [messageKeyHash('TopicTest', 'u2'), messageKeyHash('TopicTest', 'b')]
    const twice = 'UNIQ_KEY\x01u1\x02KEYS\x01a\x02KEYS\x01b\x02UNIQ_KEY\x01u2\x02'
    expect(keysOf(record(twice))).toEqual(hashes)
    expect(keysOf(record(`${twice}KEYS\x01\x02UNIQ_KEY\x01\x02`))).toEqual(hashes)
  })

  it('end with the properties when the last pair is not ended', () => {
    expect(keysOf(record('UNIQ_KEY\x01u'))).toEqual([messageKeyHash('TopicTest', 'u')])
    expect(keysOf(record('KEYS\x01a b'))).toEqual([
      messageKeyHash('TopicTest', 'a'),
      messageKeyHash('TopicTest', 'b'),
    ])
  })

  it('are none for a message that was rolled back', () => {
    const rolledBack = { flags: sysFlag.transactionRollback }
    expect(keysOf(record('UNIQ_KEY\x01u\x02', rolledBack))).toEqual([])
    const committed = { flags: sysFlag.transactionCommit }
    expect(keysOf(record('UNIQ_KEY\x01u\x02', committed))).toHaveLength(1)
  })

  it('hash as Java hashes them, whatever characters they have', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => {
      const separators = ['\x01', '\x02', ' ']
      return !separators.some((each) => text.includes(each)) && isWellFormed(text)
    })
    const facts = fc.property(word, word, fc.array(word, { maxLength: 40 }), (topic, id, words) => {
      fc.pre(Buffer.byteLength(topic) <= 127)
      const properties = `UNIQ_KEY\x01${id}\x02KEYS\x01${words.join(' ')}\x02`
      const expected = [id, ...words].map((key) => {
        const hash = Math.abs(javaHash(`${topic}#${key}`))
        return hash === 2 ** 31 ? 0 : hash
      })
      expect(keysOf(record(properties, { topic }))).toEqual(expected)
    })
    fc.assert(facts, { seed: 5 })
  })

  it('are told from others that have the same hash', () => {
    // "Aa" and "BB" are the classic pair.
    const bytes = record('UNIQ_KEY\x01Aa\x02KEYS\x01k1 k2\x02')
    expect(messageKeyHash('TopicTest', 'Aa')).toBe(messageKeyHash('TopicTest', 'BB'))
    expect(recordHasKey(bytes, 'TopicTest', 'Aa')).toBe(true)
    expect(recordHasKey(bytes, 'TopicTest', 'k2')).toBe(true)
    expect(recordHasKey(bytes, 'TopicTest', 'BB')).toBe(false)
    expect(recordHasKey(bytes, 'TopicTest', 'k1 k2')).toBe(false)
    expect(recordHasKey(bytes, 'Other', 'Aa')).toBe(false)
  })
})
