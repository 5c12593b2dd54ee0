/** Frames: golden bytes, streams cut anywhere, and what a decoder refuses. */
import {
  extMap,
  type Frame,
  FrameDecoder,
  FrameEncoder,
  FrameError,
  flag,
  GET_ROUTEINFO_BY_TOPIC,
  type Serialization,
  serialization,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const golden = {
  /** `remoting.md` section 13: written by Apache's RemotingCommand. */
  json:
    '0000007f0000007b' +
    Buffer.from(
      '{"code":105,"extFields":{"topic":"T"},"flag":0,"language":"JAVA","opaque":7,' +
        '"serializeTypeCurrentRPC":"JSON","version":479}',
    ).toString('hex'),
  binary: '000000270100002300690001df00000007000000000000000268690000000c0005746f7069630000000154',
}

function decode(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  new FrameDecoder().push(bytes, (frame) => frames.push(frame))
  return frames
}

function encode(form: Serialization, opaque: number, remark?: string, body: Buffer[] = []): Buffer {
  const encoder = new FrameEncoder()
  const head = { code: 105, opaque, flag: flag.request, version: 479, language: 0, remark }
  encoder.add(
    { ...head, serialization: form },
    GET_ROUTEINFO_BY_TOPIC.request,
    { topic: 'T' },
    {},
    body,
  )
  return Buffer.concat(encoder.take())
}

describe('a frame', () => {
  it('in JSON has the bytes that Apache writes', () => {
    expect(encode(serialization.json, 7).toString('hex')).toBe(golden.json)
    const [frame] = decode(Buffer.from(golden.json, 'hex'))
    expect(frame?.head).toMatchObject({ code: 105, opaque: 7, version: 479, language: 0, flag: 0 })
    expect(frame && extMap(frame.head.ext)).toEqual({ topic: 'T' })
  })

  it('in ROCKETMQ binary has the bytes that Apache writes', () => {
    expect(encode(serialization.binary, 7, 'hi').toString('hex')).toBe(golden.binary)
    const [frame] = decode(Buffer.from(golden.binary, 'hex'))
    expect(frame?.head).toMatchObject({ code: 105, opaque: 7, version: 479, remark: 'hi' })
    expect(frame && extMap(frame.head.ext)).toEqual({ topic: 'T' })
  })

  it('arrives whole however the stream is cut', () => {
    const bodies = [Buffer.alloc(0), Buffer.from('small'), Buffer.alloc(5_000, 7)]
    const stream = Buffer.concat(
      [serialization.json, serialization.binary, serialization.msgpack].flatMap((form) =>
        bodies.map((body, i) => encode(form, i, 'r', [body])),
      ),
    )
    const whole = decode(stream)
    expect(whole).toHaveLength(9)
    const cuts = fc.array(fc.nat(stream.length), { maxLength: 40 })
    const property = fc.property(cuts, (positions) => {
      const frames: Frame[] = []
      const decoder = new FrameDecoder()
      const edges = [0, ...positions.sort((a, b) => a - b), stream.length]
      for (let i = 1; i < edges.length; i++) {
        decoder.push(stream.subarray(edges[i - 1], edges[i]), (frame) => frames.push(frame))
      }
      expect(frames.map(({ body }) => body)).toEqual(whole.map(({ body }) => body))
      expect(frames.map(({ head }) => head.opaque)).toEqual(whole.map(({ head }) => head.opaque))
    })
    fc.assert(property, { seed: 1, numRuns: 60 })
  })

  it('of many small ones shares chunks, and a large body is not copied', () => {
    const encoder = new FrameEncoder()
    const large = Buffer.alloc(100_000, 1)
    const head = { code: 1, opaque: 1, flag: 1, version: 1, language: 7, remark: undefined }
    for (let i = 0; i < 10; i++) encoder.add({ ...head, serialization: serialization.binary })
    encoder.add({ ...head, serialization: serialization.binary }, undefined, undefined, undefined, [
      large,
    ])
    const chunks = encoder.take()
    expect(chunks).toHaveLength(2)
    expect(chunks[1]).toBe(large)
    expect(encoder.pendingBytes).toBe(0)
  })
})

describe('a decoder refuses', () => {
  const cases: [string, string, RegExp][] = [
    ['a negative length', 'ffffffff', /announces -1 bytes/],
    ['a length below four', '00000003', /announces 3 bytes/],
    ['a length over 16 MiB', '01000000', /announces 16777216 bytes/],
    ['a header longer than its frame', '0000000400000005', /header of 5 bytes leaves its frame/],
    ['a JSON header of 5 MiB', '0050000800500000', /over the limit of 1048576/],
    ['an unknown serialization', '0000000409000000', /serialization 9 is unknown/],
    ['a JSON head that is no JSON', '0000000700000003616263', /not JSON/],
    ['a JSON head that is a list', '00000006000000025b5d', /not an object/],
    ['a binary head that is too short', '0000000501000001ff', /at least 21 bytes/],
    ['a msgpack head that is no array', '000000054d00000101', /not an array/],
    [
      'a binary remark that leaves the head',
      `0000001901000015${'00'.repeat(13)}7fffffff00000000`,
      /remark of 2147483647/,
    ],
    [
      'binary ext fields that leave the head',
      `0000001901000015${'00'.repeat(17)}00000001`,
      /ext fields of 1 bytes/,
    ],
  ]
  it.each(cases)('%s', (_name, hex, reason) => {
    expect(() => decode(Buffer.from(hex, 'hex'))).toThrow(FrameError)
    expect(() => decode(Buffer.from(hex, 'hex'))).toThrow(reason)
  })

  it('anything random without another error than FrameError', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        for (const { head } of decode(Buffer.from(bytes))) extMap(head.ext)
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError)
      }
    })
    fc.assert(property, { seed: 1, numRuns: 2_000 })
  })

  it('to encode a frame over 16 MiB, and stays usable', () => {
    const encoder = new FrameEncoder()
    const head = { code: 1, opaque: 1, flag: 0, version: 1, language: 7, remark: undefined }
    const body = [Buffer.alloc(16 * 1024 * 1024)]
    for (const form of [serialization.json, serialization.binary, serialization.msgpack]) {
      const add = () =>
        encoder.add({ ...head, serialization: form }, undefined, undefined, {}, body)
      expect(add).toThrow(FrameError)
    }
    encoder.add({ ...head, serialization: serialization.binary })
    expect(decode(Buffer.concat(encoder.take()))).toHaveLength(1)
  })
})
