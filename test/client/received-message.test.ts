/** Messages are taken out of what a broker sends, or it is said what is wrong with it. */
import { deflateSync } from 'node:zlib'
import { encodeProperties, hostAddress, recordBytes, writeRecord } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { decodeMessages } from '../../packages/client/src/pull/received-message.ts'

interface Given {
  readonly body?: Buffer
  readonly sysFlag?: number
  readonly topic?: string
  readonly ip?: string
  readonly properties?: Record<string, string>
}

function recordOf(given: Given = {}): Buffer {
  const host = hostAddress(given.ip ?? '10.0.0.7', 10_911)
  const content = {
    topic: Buffer.from(given.topic ?? 'orders'),
    queueId: 3,
    flag: 9,
    sysFlag: given.sysFlag ?? 0,
    bornTimestamp: 100,
    bornHost: host,
    storeHost: host,
    reconsumeTimes: 2,
    preparedTransactionOffset: 0,
    body: given.body ?? Buffer.from('hello'),
    properties: [Buffer.from(encodeProperties(given.properties ?? {}))],
  }
  const sizeBytes = recordBytes(content)
  const record = Buffer.alloc(sizeBytes)
  const place = { queueOffset: 5, logOffset: 4096, storeTimestamp: 200 }
  writeRecord(record, 0, sizeBytes, content, place)
  return record
}

const first = (given: Given) => decodeMessages(recordOf(given), 'broker-a')[0]

test('a message knows where it lies, when it was made and how often it failed', () => {
  expect(first({ properties: { KEYS: ' a  b ' } })).toMatchObject({
    topic: 'orders',
    queue: { topic: 'orders', brokerName: 'broker-a', queueId: 3 },
    queueOffset: 5,
    logOffset: 4096,
    flag: 9,
    bornAtMs: 100,
    storedAtMs: 200,
    reconsumeTimes: 2,
    keys: ['a', 'b'],
    tag: undefined,
    msgId: '0A00000700002A9F0000000000001000',
    offsetMsgId: '0A00000700002A9F0000000000001000',
    bornHost: '10.0.0.7:10911',
    storeHost: '10.0.0.7:10911',
  })
})

test('several messages follow each other, with IPv6 hosts as well', () => {
  const body = Buffer.concat([recordOf(), recordOf({ ip: 'fe80::1', topic: 'other' })])
  const messages = decodeMessages(body, 'broker-a')
  expect(messages.map(({ topic }) => topic)).toEqual(['orders', 'other'])
  expect(messages[1]?.storeHost).toBe('[fe80:0:0:0:0:0:0:1]:10911')
})

test.each([
  ['with its kind', 0x301],
  ['as 4.x clients say it', 0x1],
])('a zlib body is inflated: %s', (_name, sysFlag) => {
  const message = first({ body: deflateSync('plain'), sysFlag })
  expect(message?.body.toString()).toBe('plain')
  expect(message?.compression).toBe('none')
})

test.each<[string, number, Buffer]>([
  ['lz4', 0x101, Buffer.from('lz4 bytes')],
  ['zstd', 0x201, Buffer.from('zstd bytes')],
  ['zlib', 0x301, Buffer.from('no zlib at all')],
])('a body that cannot be read is handed over with its compression: %s', (name, sysFlag, body) => {
  expect(first({ body, sysFlag })).toMatchObject({ compression: name, body })
})

test('a body that would fill the memory stays compressed', () => {
  const bomb = deflateSync(Buffer.alloc(65 * 1024 * 1024))
  expect(first({ body: bomb, sysFlag: 0x301 })).toMatchObject({ compression: 'zlib' })
})

test('only a message of a retry topic goes by the topic it was sent to', () => {
  const properties = { RETRY_TOPIC: 'orders' }
  expect(first({ topic: '%RETRY%shop', properties })?.topic).toBe('orders')
  expect(first({ topic: 'other', properties })?.topic).toBe('other')
  expect(first({ topic: '%RETRY%shop' })?.topic).toBe('%RETRY%shop')
})

test('bytes that are not whole messages are refused, with the place', () => {
  const whole = recordOf()
  const cut = Buffer.concat([whole, whole.subarray(0, 50)])
  expect(() => decodeMessages(cut, 'broker-a')).toThrow(
    `the broker "broker-a" sent ${cut.length} bytes of messages, ` +
      `of which those from byte ${whole.length} on are not a message`,
  )
})
