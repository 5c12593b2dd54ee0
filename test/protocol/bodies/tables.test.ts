/** Data versions, topics, lists and tables of texts as bytes, and the way back. */
import {
  decodeDataVersion,
  decodeKvTable,
  decodeTopicConfig,
  decodeTopicConfigs,
  decodeTopicList,
  encodeDataVersion,
  encodeKvTable,
  encodeTopicConfig,
  encodeTopicConfigs,
  encodeTopicList,
  NO_DATA_VERSION,
  nextDataVersion,
  sameDataVersion,
  topicConfig,
  topicConfigsJson,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'

describe('a data version', () => {
  it('comes back as it went, and is none without a body', () => {
    const version = { counter: 3, stateVersion: 1, timestamp: 1_700_000_000_000 }
    const text = '{"counter":3,"stateVersion":1,"timestamp":1700000000000}'
    expect(encodeDataVersion(version).toString()).toBe(text)
    expect(decodeDataVersion(Buffer.from(text))).toEqual(version)
    expect(decodeDataVersion(Buffer.alloc(0))).toEqual(NO_DATA_VERSION)
  })

  it('of a 4.9 broker has the state version 0', () => {
    const version = decodeDataVersion(Buffer.from('{"counter":"3","timestamp":5}'))
    expect(version).toEqual({ counter: 3, stateVersion: 0, timestamp: 5 })
  })

  it.each(['counter', 'stateVersion', 'timestamp'] as const)('differs by its %s', (part) => {
    const version = { counter: 1, stateVersion: 1, timestamp: 1 }
    expect(sameDataVersion(version, { ...version })).toBe(true)
    expect(sameDataVersion(version, { ...version, [part]: 2 })).toBe(false)
  })

  it('grows with each change', () => {
    const next = nextDataVersion({ counter: 1, stateVersion: 7, timestamp: 1 }, 9)
    expect(next).toEqual({ counter: 2, stateVersion: 7, timestamp: 9 })
  })
})

describe('a topic', () => {
  it('is written with the keys of 5.x in the order of the alphabet', () => {
    const config = topicConfig('TopicA', { readQueueNums: 4, writeQueueNums: 4 })
    expect(encodeTopicConfig(config).toString()).toBe(
      '{"attributes":{},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG",' +
        '"topicName":"TopicA","topicSysFlag":0,"writeQueueNums":4}',
    )
    expect(decodeTopicConfig(encodeTopicConfig(config))).toEqual(config)
  })

  it.each([
    ['"MULTI_TAG"', 'MULTI_TAG'],
    ['"multi_tag"', 'MULTI_TAG'],
    ['1', 'MULTI_TAG'],
    ['0', 'SINGLE_TAG'],
    ['"OTHER"', 'SINGLE_TAG'],
    ['null', 'SINGLE_TAG'],
  ])('with the filter type %s is read as %s', (text, type) => {
    const config = decodeTopicConfig(Buffer.from(`{"topicFilterType":${text}}`))
    expect(config.topicFilterType).toBe(type)
  })
})

describe('a table of topics', () => {
  const configs = {
    dataVersion: { counter: 1, stateVersion: 0, timestamp: 2 },
    topics: new Map([
      ['b', topicConfig('b')],
      ['a', topicConfig('a')],
    ]),
  }

  it('comes back as it went, from a body and from a file', () => {
    expect(decodeTopicConfigs(encodeTopicConfigs(configs))).toEqual(configs)
    const file = Buffer.from(JSON.stringify(topicConfigsJson(configs)))
    expect(decodeTopicConfigs(file)).toEqual(configs)
  })

  it('gives a topic without a name the name it is listed under', () => {
    const body = Buffer.from('{"topicConfigTable":{"a":{"perm":4}}}')
    expect(decodeTopicConfigs(body).topics.get('a')).toMatchObject({ topicName: 'a', perm: 4 })
  })

  it('lists a topic under its own name when it has one', () => {
    const body = Buffer.from('{"topicConfigTable":{"a":{"topicName":"b"}}}')
    expect([...decodeTopicConfigs(body).topics.keys()]).toEqual(['b'])
  })
})

describe('a list of topics', () => {
  it('has a broker only when there is one', () => {
    expect(encodeTopicList({ topicList: ['a'] }).toString()).toBe('{"topicList":["a"]}')
    const list = { brokerAddr: '1.2.3.4:5', topicList: [] }
    expect(decodeTopicList(encodeTopicList(list))).toEqual(list)
    expect(decodeTopicList(encodeTopicList({ topicList: ['a'] }))).toEqual({ topicList: ['a'] })
  })
})

describe('a table of texts', () => {
  it('comes back as it went, whatever its keys are', () => {
    const table = new Map([
      ['__proto__', 'a'],
      ['2', 'b'],
      ['1', 'c "quoted"'],
    ])
    expect(new Map(decodeKvTable(encodeKvTable(table)))).toEqual(table)
    expect(decodeKvTable(Buffer.alloc(0)).size).toBe(0)
  })

  it('is what Apache writes', () => {
    expect(encodeKvTable(new Map([['k', 'v']])).toString()).toBe('{"table":{"k":"v"}}')
  })
})
