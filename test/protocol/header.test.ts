/** Headers of every command, there and back in all three serializations. */
import {
  allCommands,
  type Field,
  type FieldTable,
  type FieldValue,
  type Frame,
  FrameDecoder,
  FrameEncoder,
  flag,
  type Header,
  HeaderError,
  PULL_MESSAGE,
  QUERY_CONSUMER_OFFSET,
  SEND_MESSAGE_V2,
  type Serialization,
  serialization,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const forms: [string, Serialization][] = [
  ['JSON', serialization.json],
  ['ROCKETMQ binary', serialization.binary],
  ['msgpack', serialization.msgpack],
]

function arbitraryOf(field: Field): fc.Arbitrary<FieldValue> {
  switch (field.kind) {
    case 'text':
    case 'name':
      return fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter(isWellFormed)
    case 'bytes':
      return fc
        .string({ unit: 'binary', minLength: 1, maxLength: 300 })
        .filter(isWellFormed)
        .map((text) => Buffer.from(text))
    case 'int32':
      return fc.integer()
    case 'int64':
      return fc.maxSafeInteger()
    case 'bool':
      return fc.boolean()
  }
}

function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text
}

function headerOf(table: FieldTable): fc.Arbitrary<Header<FieldTable>> {
  const fields = Object.entries(table).map(([name, field]) => [
    name,
    field.required ? arbitraryOf(field) : fc.option(arbitraryOf(field), { nil: undefined }),
  ])
  return fc.record(Object.fromEntries(fields)) as fc.Arbitrary<Header<FieldTable>>
}

function head(form: Serialization, code = 7) {
  return {
    code,
    opaque: 42,
    flag: flag.request,
    version: 479,
    language: 7,
    remark: undefined,
    serialization: form,
  }
}

function roundTrip(encoder: FrameEncoder): Frame[] {
  const frames: Frame[] = []
  new FrameDecoder().push(Buffer.concat(encoder.take()), (frame) => frames.push(frame))
  return frames
}

describe.each(forms)('a header in %s', (_name, form) => {
  it('comes back as it went, for every command and both directions', () => {
    for (const command of allCommands) {
      for (const side of ['request', 'answer'] as const) {
        const fields = command[side]
        const property = fc.property(headerOf(command.tables[side]), (header) => {
          const encoder = new FrameEncoder()
          encoder.add(head(form), fields, header)
          const [frame] = roundTrip(encoder)
          const decoded = frame && fields.decode(frame.head.ext, command.name)
          const given = Object.entries(header).filter(([, value]) => value !== undefined)
          expect(decoded).toEqual(Object.fromEntries(given))
        })
        fc.assert(property, { seed: 1, numRuns: 8 })
      }
    }
  })

  it('without a required field is refused by name', () => {
    const encoder = new FrameEncoder()
    encoder.add(head(form), undefined, undefined, { topic: 't' })
    const [frame] = roundTrip(encoder)
    expect(() => frame && PULL_MESSAGE.request.decode(frame.head.ext, 'PULL_MESSAGE')).toThrow(
      /PULL_MESSAGE lacks the field "consumerGroup"/,
    )
  })
})

describe('a header', () => {
  it.each(forms.slice(0, 2))('in %s keeps a number beyond 2^53 as "no bound"', (_name, form) => {
    const encoder = new FrameEncoder()
    const commitOffset = '9223372036854775807'
    const fields = { consumerGroup: 'g', topic: 't', queueId: '0', commitOffset }
    encoder.add(head(form), undefined, undefined, fields)
    const [frame] = roundTrip(encoder)
    const header = frame && UPDATE_CONSUMER_OFFSET.request.decode(frame.head.ext, 'x')
    expect(header?.commitOffset).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('with a number that is none is refused by name and value', () => {
    const ext = { form: 'map' as const, map: { consumerGroup: 'g', topic: 't', queueId: ' 1' } }
    expect(() => QUERY_CONSUMER_OFFSET.request.decode(ext, 'x')).toThrow(HeaderError)
    expect(() => QUERY_CONSUMER_OFFSET.request.decode(ext, 'x')).toThrow(/"queueId".*" 1"/)
  })

  it('with an int32 that does not fit is refused in the binary form as well', () => {
    const encoder = new FrameEncoder()
    encoder.add(head(serialization.binary), undefined, undefined, { b: 't', e: '2147483648' })
    const [frame] = roundTrip(encoder)
    expect(() => frame && SEND_MESSAGE_V2.request.decode(frame.head.ext, 'x')).toThrow(/32 bits/)
  })

  it('in JSON takes numbers and booleans where texts are usual', () => {
    const ext = { form: 'map' as const, map: { b: 't', e: 3, m: true } }
    expect(SEND_MESSAGE_V2.request.decode(ext, 'x')).toEqual({
      topic: 't',
      queueId: 3,
      batch: true,
    })
  })

  it('takes the last of two equal keys', () => {
    const encoder = new FrameEncoder()
    encoder.add(
      head(serialization.binary),
      SEND_MESSAGE_V2.request,
      { topic: 'first', queueId: 1 },
      { b: 'second' },
    )
    const [frame] = roundTrip(encoder)
    expect(frame && SEND_MESSAGE_V2.request.decode(frame.head.ext, 'x').topic).toBe('second')
  })
})
