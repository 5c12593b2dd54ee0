/** Bodies compressed with ZSTD are read everywhere, and written where Node.js can. */
import { DefaultProducer, plainBody } from '@rockhopper/client'
import { compressedFlags } from '@rockhopper/protocol'
import { createWorld } from '@rockhopper/sim'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canWriteZstd } from '../../packages/client/src/compression/zstd.ts'
import { decompressFrames } from '../../packages/client/src/compression/zstd-frames.ts'
import { Scene, TOPIC } from './scene.ts'

/** Written by Apache's ZstdCompressor, 5.3.3: the first 600 bytes of `textOf`. */
const FROM_JAVA = Buffer.from(
  'KLUv/QBYFAQAIoUQFbClOQcXFhO0aPqhaEXITpK2VJ4xiwXK0zQQFbJopfzl7Ixt14mNoDmzI962UWV89MnZC10FFChP' +
    '00BUyI6mQUAQGwCARvAxQDdAN0A3oNvXfAIkAyQDJPjph1vzMZA0QDdAt6efmJoPgwSDBIMEgwSDBONMECQMJALyumsy' +
    'AQEAAA==',
  'base64',
)

const MAX_BYTES = 1024 * 1024
const RAW = 0
const RUN = 1

function textOf(sizeBytes: number): string {
  let text = ''
  for (let i = 0; text.length < sizeBytes; i++) text += `line ${(i * i) % 977} of the body; `
  return text.slice(0, sizeBytes)
}

/** A frame of these blocks, with a window of `2 ** windowLog` bytes. */
function frame(windowLog: number, ...blocks: readonly Buffer[]): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3])
  return Buffer.concat([head, ...blocks])
}

/** The length is that of what is read from it. */
function block(kind: number, length: number, content: string, isLast = true): Buffer {
  const head = Buffer.alloc(3)
  head.writeUIntLE((length << 3) | (kind << 1) | (isLast ? 1 : 0), 0, 3)
  return Buffer.concat([head, Buffer.from(content)])
}

/** As a frame that says how long its content is, in one, two, four or eight bytes. */
function sized(text: string, sizeBytes: 1 | 2 | 4 | 8, checksum = ''): Buffer {
  const descriptor = 0x20 | (Math.log2(sizeBytes) << 6) | (checksum === '' ? 0 : 4)
  const size = Buffer.alloc(sizeBytes)
  size.writeUIntLE(text.length - (sizeBytes === 2 ? 256 : 0), 0, Math.min(sizeBytes, 4))
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor])
  return Buffer.concat([head, size, block(RAW, text.length, text), Buffer.from(checksum)])
}

function read(bytes: Buffer, maxBytes = MAX_BYTES): string {
  return decompressFrames(bytes, maxBytes).toString()
}

describe('a body compressed with zstd', () => {
  it('is read as the Java client wrote it, by Node.js or without it', () => {
    expect(plainBody(FROM_JAVA, compressedFlags.zstd)).toMatchObject({ compression: 'none' })
    expect(plainBody(FROM_JAVA, compressedFlags.zstd).body.toString()).toBe(textOf(600))
    expect(read(FROM_JAVA)).toBe(textOf(600))
  })

  it('is written where Node.js can, and else refused with the way out', async () => {
    const scene = await Scene.open()
    const options = { compressType: 'zstd', compressFromBytes: 1 } as const
    if (!canWriteZstd) {
      const host = createWorld(1).host('p').doors
      const make = () =>
        new DefaultProducer({ group: 'g', namesrvAddr: 'n:9876', host, ...options })
      expect(make).toThrow('which this Node.js does not write: run on Node.js 22.15')
      return
    }
    const producer = await scene.startedProducer(options)
    const body = Buffer.from(textOf(20_000))
    await scene.run(producer.send({ topic: TOPIC, body }))
    const [stored] = scene.broker().stored
    if (stored === undefined) throw new Error('nothing was stored')
    expect(stored.sysFlag).toBe(0x201)
    expect(stored.body.length).toBeLessThan(body.length / 4)
    expect(plainBody(stored.body, stored.sysFlag).body.equals(body)).toBe(true)
    expect(decompressFrames(stored.body, MAX_BYTES).equals(body)).toBe(true)
  })

  it('may be several frames, and others between them', () => {
    const skipped = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    const first = frame(10, block(RAW, 2, 'ab', false), block(RUN, 3, 'c'))
    expect(read(Buffer.concat([skipped, first, skipped, frame(11, block(RAW, 1, 'd'))]))).toBe(
      'abcccd',
    )
  })

  it.each([1, 2, 4, 8] as const)('may say how long it is, in %i bytes', (sizeBytes) => {
    const text = textOf(sizeBytes === 1 ? 200 : 300)
    expect(read(sized(text, sizeBytes))).toBe(text)
    expect(read(sized(text, sizeBytes, 'CRC!'))).toBe(text)
  })

  it('does not fill the memory, by its length or by what it asks for', () => {
    const runs = Array.from({ length: 10 }, () => block(RUN, 100_000, 'x', false))
    const long = frame(17, ...runs, block(RUN, 100_000, 'x'))
    expect(read(long, 1_100_000)).toHaveLength(1_100_000)
    expect(() => read(long, 1_099_999)).toThrow('it is longer than 1099999 bytes')
    expect(() => read(frame(28, block(RAW, 1, 'a')))).toThrow('it needs 268435456 bytes at a time')
    const many = Array.from({ length: 3 }, () => frame(26, block(RAW, 1, 'a')))
    expect(() => read(Buffer.concat(many))).toThrow('of 134217728')
  })

  it('is left as it is when it is cut short or broken, with the reason', () => {
    for (let length = 1; length < FROM_JAVA.length; length++) {
      expect(() => read(FROM_JAVA.subarray(0, length))).toThrow('it is cut short')
    }
    expect(() => read(Buffer.from('no frame'))).toThrow('it does not begin as ZSTD does')
    const { body, bodyProblem, compression } = plainBody(
      FROM_JAVA.subarray(0, 40),
      compressedFlags.zstd,
    )
    expect({ compression, length: body.length }).toEqual({ compression: 'zstd', length: 40 })
    expect(bodyProblem).toContain('the body is compressed with zstd and cannot be read: ')
  })

  it('never does anything but be read or refused, whatever is changed in it', () => {
    const change = fc.tuple(fc.nat(FROM_JAVA.length - 1), fc.nat(255))
    fc.assert(
      fc.property(change, ([at, value]) => {
        const changed = Buffer.from(FROM_JAVA)
        changed.writeUInt8(value, at)
        try {
          expect(decompressFrames(changed, MAX_BYTES).length).toBeLessThanOrEqual(MAX_BYTES)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
      { seed: 1, numRuns: 500 },
    )
  })
})
