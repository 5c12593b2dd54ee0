/** How bodies are compressed: the frames that Java's client writes and reads, and broken ones. */
import { deflateSync } from 'node:zlib'
import { DefaultProducer, plainBody } from '@rockhopper/client'
import { compressedFlags } from '@rockhopper/protocol'
import { createWorld } from '@rockhopper/sim'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'

/** Written by Apache's Lz4Compressor, 5.3.3: the first 600 bytes of `textOf`. */
const FROM_JAVA = {
  lz4:
    'BCJNGGBwc68AAADxBWxpbmUgMCBvZiB0aGUgYm9keTsgFAAfMRQAAB80FAAAHzkUAAAvMTYVAAAvMjUVAAAfMyoAAR80' +
    'VAABHzZ9AAEfOKYAAS8xMNAAAh8yLAACHzRXAAEvMTaCAAEvMTmtAAEfMtgAAi8yNSwAAh84WAABLzMyhAABLzM2sAAB' +
    'HzTcAAIvNDQsAAIfOFgAAS81MoQAAS81N7AAAR823AACHzYsAAIVN1gAUCBib2R5AAAAAA==',
}

/** The same, of 100 bytes that cannot be made smaller. */
const NOISE =
  'TJMmu5gF+o+FiCwS6uckzvDGLhGEJ/WUiu+lxCjEPJOmmjI6c0Yy2uO0CqmEKFJaiyiCzh23BRGqIaIHzG9caWDYqM8T' +
  'VZ0iPMwG8qffZ92ejBknSKw/tnPdB+m215yTzQzI/w=='
const NOISE_FROM_JAVA =
  'BCJNGGBwc2QAAIBMkya7mAX6j4WILBLq5yTO8MYuEYQn9ZSK76XEKMQ8k6aaMjpzRjLa47QKqYQoUlqLKILOHbcFEaoh' +
  'ogfMb1xpYNiozxNVnSI8zAbyp99n3Z6MGSdIrD+2c90H6bbXnJPNDMj/AAAAAA=='

const NEEDED = { group: 'g', namesrvAddr: 'n:9876' }

function textOf(sizeBytes: number): string {
  let text = ''
  for (let i = 0; text.length < sizeBytes; i++) text += `line ${(i * i) % 977} of the body; `
  return text.slice(0, sizeBytes)
}

function read(codec: keyof typeof compressedFlags, body: Buffer) {
  return plainBody(body, compressedFlags[codec])
}

/** What a producer with that option sends. */
async function sent(body: Buffer, compressType: 'zlib' | 'lz4' | 'zstd') {
  const scene = await Scene.open()
  const producer = await scene.startedProducer({ compressType, compressFromBytes: 1 })
  await scene.run(producer.send({ topic: TOPIC, body }))
  const [stored] = scene.broker().stored
  if (stored === undefined) throw new Error('nothing was stored')
  return stored
}

describe('a body compressed with lz4', () => {
  it('is read as the Java client wrote it', () => {
    const text = read('lz4', Buffer.from(FROM_JAVA.lz4, 'base64'))
    expect(text).toMatchObject({ compression: 'none', bodyProblem: undefined })
    expect(text.body.toString()).toBe(textOf(600))
    const noise = read('lz4', Buffer.from(NOISE_FROM_JAVA, 'base64'))
    expect(noise.body.toString('base64')).toBe(NOISE)
  })

  it('is smaller on its way, and says how it is compressed', async () => {
    const body = Buffer.from(textOf(20_000))
    const stored = await sent(body, 'lz4')
    expect(stored.sysFlag).toBe(0x101)
    expect(stored.body.length).toBeLessThan(body.length / 4)
    expect(stored.body.subarray(0, 7).toString('hex')).toBe('04224d18607073')
    expect(plainBody(stored.body, stored.sysFlag).body.equals(body)).toBe(true)
  })

  it('comes out as it went in, whatever it is', async () => {
    const { compress } = await import('../../packages/client/src/compression/plain-body.ts')
    const stretches = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(400)), {
      maxLength: 60,
    })
    const repeated = stretches.map((list) =>
      Buffer.concat(list.flatMap(([bytes, times]) => Array<Uint8Array>(times).fill(bytes))),
    )
    const bodies = fc.oneof(repeated, fc.uint8Array({ maxLength: 5_000 }).map(Buffer.from))
    fc.assert(
      fc.property(bodies, (body) => {
        expect(read('lz4', compress('lz4', body, 5)).body.equals(body)).toBe(true)
      }),
      { seed: 1, numRuns: 200 },
    )
    const long = Buffer.from(textOf(9_000_000))
    expect(read('lz4', compress('lz4', long, 5)).body.equals(long)).toBe(true)
  })

  it('may come in several frames, with frames between that mean nothing', () => {
    const frame = Buffer.from(NOISE_FROM_JAVA, 'base64')
    const skipped = Buffer.from('5a2a4d1803000000aabbcc', 'hex')
    const { body } = read('lz4', Buffer.concat([frame, skipped, frame]))
    expect(body.toString('base64')).toBe(
      Buffer.concat([Buffer.from(NOISE, 'base64'), Buffer.from(NOISE, 'base64')]).toString(
        'base64',
      ),
    )
  })

  it('that is broken stays as it is, with a sentence', () => {
    const frame = Buffer.from(FROM_JAVA.lz4, 'base64')
    const told = (body: Buffer): string | undefined => {
      const seen = read('lz4', body)
      expect(seen).toMatchObject({ body, compression: 'lz4' })
      return seen.bodyProblem
    }
    expect(told(frame.subarray(0, 60))).toContain('the LZ4 frame ends too early')
    expect(told(Buffer.from('no frame at all'))).toContain('the body is no LZ4 frame')
    const wrongSum = Buffer.from(frame)
    wrongSum.writeUInt8(0x74, 6)
    expect(told(wrongSum)).toContain('a checksum of the LZ4 frame is wrong')
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(frame)
        changed.writeUInt8(value, at)
        expect(() => read('lz4', changed)).not.toThrow()
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it('that would fill the memory stays compressed', () => {
    const head = Buffer.from('04224d18607073', 'hex')
    // One literal, and a match of 4 MiB with it; then again and again.
    const match = Buffer.concat([Buffer.from('1f000100', 'hex'), Buffer.alloc(16_300, 255)])
    const block = Buffer.concat([match, Buffer.from('001061', 'hex')])
    const size = Buffer.alloc(4)
    size.writeUInt32LE(block.length)
    const blocks = Array.from({ length: 30 }, () => [size, block]).flat()
    const bomb = Buffer.concat([head, ...blocks, Buffer.alloc(4)])
    expect(read('lz4', bomb).compression).toBe('lz4')
    const smaller = Buffer.concat([head, ...blocks.slice(0, 4), Buffer.alloc(4)])
    expect(read('lz4', smaller).body.length).toBeGreaterThan(8_000_000)
  })
})

test('zlib is what is used where nothing is said, as hard as is said', async () => {
  const scene = await Scene.open()
  const body = textOf(5_000)
  const soft = await scene.startedProducer({ compressLevel: 1 })
  const hard = await scene.startedProducer({ compressLevel: 9 })
  for (const producer of [soft, hard]) await scene.run(producer.send({ topic: TOPIC, body }))
  const [first, second] = scene.broker().stored
  expect(first?.sysFlag).toBe(0x301)
  expect(first?.body.equals(deflateSync(body, { level: 1 }))).toBe(true)
  expect(second?.body.equals(deflateSync(body, { level: 9 }))).toBe(true)
})

test('what is no way of compressing is refused', async () => {
  const host = createWorld(1).host('p').doors
  const make = (options: object) => () => new DefaultProducer({ ...NEEDED, host, ...options })
  expect(make({ compressType: 'gzip' })).toThrow('compressType is "gzip": use "zlib", "lz4"')
  expect(make({ compressLevel: 10 })).toThrow('compressLevel is 10: use 1 to 9 with zlib')
  expect(make({ compressLevel: 0 })).toThrow('compressLevel is 0')
})
