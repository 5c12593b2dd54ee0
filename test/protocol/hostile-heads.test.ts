/** Heads whose values are not what they should be, in the forms that can hold anything. */
import {
  allCommands,
  extMap,
  extraField,
  type Frame,
  FrameDecoder,
  FrameError,
  HeaderError,
  parseFastjson,
  serialization,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { Packr } from 'msgpackr/pack'
import { describe, expect, it } from 'vitest'

/** Objects that throw when they are made a text or a number. */
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    { toString: 1, valueOf: 1 },
    { toString: null },
    [{ toString: 1 }],
    { toJSON: 1 },
    null,
    -1,
    1e300,
    '',
  ),
)
const number = fc.oneof(fc.constant(0), hostile)
const wireNames = allCommands.flatMap(({ request }) =>
  request.fields.map(({ wireName }) => wireName),
)
const extFields = fc.dictionary(fc.constantFrom(...wireNames, 'acceptSerialization'), hostile)
const jsonHead = fc.record({
  ...{ code: number, opaque: number, flag: number, version: number },
  ...{ language: hostile, remark: hostile, extFields: fc.oneof(extFields, hostile) },
})
const msgpackHead = fc.tuple(
  ...([number, number, number, number, number] as const),
  ...([hostile, fc.oneof(fc.array(hostile), hostile), fc.oneof(extFields, hostile)] as const),
)

/** Decodes everything a server decodes of a request, whatever command it is taken for. */
function readAll(frame: Frame): void {
  for (const text of Object.values(extMap(frame.head.ext))) expect(text).toBeTypeOf('string')
  extraField(frame.head.ext, 'acceptSerialization')
  for (const { name, request } of allCommands) {
    try {
      request.decode(frame.head.ext, name)
    } catch (error) {
      expect(error).toBeInstanceOf(HeaderError)
    }
  }
}

function decode(form: number, head: Buffer): void {
  const lengths = Buffer.alloc(8)
  lengths.writeInt32BE(4 + head.length, 0)
  lengths.writeInt32BE((form << 24) | head.length, 4)
  const frames: Frame[] = []
  try {
    new FrameDecoder().push(Buffer.concat([lengths, head]), (frame) => frames.push(frame))
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError)
  }
  for (const frame of frames) readAll(frame)
}

describe('a head with values of any kind is read, or refused as a broken frame or header', () => {
  it('in JSON', () => {
    const property = fc.property(jsonHead, (head) =>
      decode(serialization.json, Buffer.from(JSON.stringify(head))),
    )
    fc.assert(property, { seed: 1, numRuns: 300 })
  })

  it('in msgpack', () => {
    const packr = new Packr({ useRecords: false })
    const property = fc.property(msgpackHead, (head) =>
      decode(serialization.msgpack, packr.pack(head)),
    )
    fc.assert(property, { seed: 1, numRuns: 300 })
  })
})

describe('a long text of brackets is refused before anything is built of it', () => {
  const deep = `{"code":34,"extFields":${'['.repeat(300_000)}${']'.repeat(300_000)}}`

  it('as a head', () => {
    const bytes = Buffer.from(deep)
    const lengths = Buffer.alloc(8)
    lengths.writeInt32BE(4 + bytes.length, 0)
    lengths.writeInt32BE(bytes.length, 4)
    const decoder = new FrameDecoder()
    expect(() => decoder.push(Buffer.concat([lengths, bytes]), () => {})).toThrow(/deeper than 64/)
  })

  it('as a body', () => {
    expect(() => parseFastjson(deep)).toThrow(/deeper than 64/)
    expect(() => parseFastjson(`{'a':${deep}}`)).toThrow(/deeper than 64/)
  })

  it('but not when they stand in a string', () => {
    const text = JSON.stringify({ text: `\\"'${'['.repeat(100_000)}`, list: [[[1]]] })
    expect(parseFastjson(text)).toEqual(JSON.parse(text))
  })
})
