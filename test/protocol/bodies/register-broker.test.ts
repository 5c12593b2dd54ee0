/** What brokers of all versions tell a name server, compressed or not, and what is refused. */
import { deflateSync } from 'node:zlib'
import {
  decodeRegisterBroker,
  encodeRegisterBroker,
  NO_DATA_VERSION,
  registrationCrc32,
  topicConfig,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const V4_9 = 407
const V5_3 = 479

/** As a 5.3 broker with a static topic sends it; source: `namesrv.md` section 3.2. */
const FROM_5_3 =
  '{"filterServerList":[],"topicConfigSerializeWrapper":{' +
  '"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1700000000000},' +
  '"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},' +
  '"topicConfigTable":{"TopicA":{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,' +
  '"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"TopicA","topicSysFlag":0,' +
  '"writeQueueNums":8}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{"ST":{' +
  '"bname":"broker-a","currIdMap":{0:0,1:1},"dirty":false,"epoch":1,"scope":"__global__",' +
  '"topic":"ST","totalQueues":8}}}}'

const dataVersion = { counter: 3, stateVersion: 0, timestamp: 1_700_000_000_000 }

const topicA = topicConfig('TopicA', {
  attributes: { 'message.type': 'FIFO' },
  readQueueNums: 4,
  writeQueueNums: 8,
})

function part(text: string): Buffer {
  return Buffer.concat([int32(Buffer.byteLength(text)), Buffer.from(text)])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function compressed(topics: string[], mappings: string[] = []): Buffer {
  const parts = [
    part(JSON.stringify(dataVersion)),
    int32(topics.length),
    ...topics.map(part),
    part('["1.2.3.4:5"]'),
    int32(mappings.length),
    ...mappings.map(part),
  ]
  return deflateSync(Buffer.concat(parts), { level: 9 })
}

describe('a registration', () => {
  it('of a 5.3 broker is read with its topics and static topics', () => {
    const body = decodeRegisterBroker(Buffer.from(FROM_5_3), V5_3)
    expect(body.dataVersion).toEqual(dataVersion)
    expect(body.filterServers).toEqual([])
    expect([...body.topics.values()]).toEqual([topicA])
    expect(body.queueMappings.get('ST')?.currIdMap).toEqual(
      new Map([
        [0, 0],
        [1, 1],
      ]),
    )
  })

  it('of a 4.9 broker may lack attributes, state version and static topics', () => {
    const text =
      '{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,' +
      '"timestamp":1700000000000},"topicConfigTable":{"T":{"topicName":"T","order":true}}}}'
    const body = decodeRegisterBroker(Buffer.from(text), V4_9)
    expect(body.dataVersion).toEqual(dataVersion)
    expect(body.topics.get('T')).toEqual(topicConfig('T', { order: true }))
    expect(body.topics.get('T')).toMatchObject({ readQueueNums: 16, writeQueueNums: 16, perm: 6 })
  })

  it('of a broker before 3.0.11 is the bare table', () => {
    const text =
      '{"dataVersion":{"counter":3,"timestamp":1700000000000},"topicConfigTable":{"T":{}}}'
    expect([...decodeRegisterBroker(Buffer.from(text), 36).topics.keys()]).toEqual(['T'])
    expect([...decodeRegisterBroker(Buffer.from(text), 37).topics.keys()]).toEqual([])
  })

  it('without a body has no topics and no version', () => {
    expect(decodeRegisterBroker(Buffer.alloc(0), V5_3)).toEqual({
      dataVersion: NO_DATA_VERSION,
      filterServers: undefined,
      queueMappings: new Map(),
      topics: new Map(),
    })
  })

  it('of ours comes back as it went', () => {
    const topics = new Map([['TopicA', topicA]])
    const body = decodeRegisterBroker(encodeRegisterBroker({ dataVersion, topics }), V5_3)
    expect(body).toEqual({ dataVersion, filterServers: [], queueMappings: new Map(), topics })
  })

  it('compressed by a 4.9 broker ends with its filter servers', () => {
    const body = decodeRegisterBroker(compressed(['T 4 8 6 MULTI_TAG']), V4_9)
    expect(body.filterServers).toEqual(['1.2.3.4:5'])
    expect(body.dataVersion).toEqual(dataVersion)
    expect([...body.topics.values()]).toEqual([
      topicConfig('T', { readQueueNums: 4, writeQueueNums: 8, topicFilterType: 'MULTI_TAG' }),
    ])
  })

  it('compressed by a 5.x broker carries attributes and static topics', () => {
    const topics = ['T 4 8 6 SINGLE_TAG {"a":"b"}', 'U 1 1 4 SINGLE_TAG {"a": "b"}']
    const mapping = '{"bname":"broker-a","currIdMap":{0:0},"topic":"ST","totalQueues":8}'
    const body = decodeRegisterBroker(compressed(topics, [mapping]), V5_3)
    expect(body.topics.get('T')?.attributes).toEqual({ a: 'b' })
    expect(body.topics.get('U')).toMatchObject({ attributes: {}, perm: 4 })
    expect([...body.queueMappings.keys()]).toEqual(['ST'])
  })

  it('that grows out of all proportion is refused', () => {
    const bomb = deflateSync(Buffer.alloc(40 * 1024 * 1024))
    expect(() => decodeRegisterBroker(bomb, V5_3)).toThrow(SyntaxError)
  })

  it('of hostile bytes is refused as unreadable and nothing else', () => {
    const hostile = fc.oneof(
      fc.uint8Array(),
      fc.uint8Array().map((bytes) => deflateSync(bytes)),
      fc.nat(400).map((end) => compressed(['T 4 8 6 SINGLE_TAG']).subarray(0, end)),
      fc.string().map((text) => Buffer.from(FROM_5_3.replace('"counter"', text))),
      fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    )
    fc.assert(
      fc.property(hostile, fc.nat(500), (bytes, version) => {
        try {
          decodeRegisterBroker(Buffer.from(bytes), version)
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
        }
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it('has a checksum without its top bit', () => {
    expect(registrationCrc32(Buffer.from('123456789'))).toBe(0xcbf43926 & 0x7fffffff)
  })
})
