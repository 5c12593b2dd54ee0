/** What masters and slaves say to each other, byte by byte, and what comes of bytes that nobody says. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeFrameHead,
  encodeLetter,
  encodeWord,
  type FollowerWord,
  FrameReader,
  HaWireError,
  type LeaderLetter,
  MAX_FRAME_BYTES,
  WordReader,
} from '../../packages/replication/src/ha-wire.ts'

const offsets = fc.maxSafeNat()

const words: fc.Arbitrary<FollowerWord> = fc.oneof(
  offsets.map((offset) => ({ kind: 'report' as const, offset })),
  fc.constant({ kind: 'greeting' as const }),
  fc.tuple(offsets, offsets).map(([from, to]) => ({ kind: 'question' as const, from, to })),
  offsets.map((offset) => ({ kind: 'begin' as const, offset })),
)

type Sent =
  | { readonly kind: 'frame'; readonly offset: number; readonly bytes: Buffer }
  | LeaderLetter

const frames = fc
  .tuple(fc.nat(2 ** 40), fc.uint8Array({ maxLength: 300 }))
  .map(([offset, bytes]) => ({ kind: 'frame' as const, offset, bytes: Buffer.from(bytes) }))

const letters: fc.Arbitrary<LeaderLetter> = fc.oneof(
  fc.tuple(offsets, offsets, fc.nat()).map(([minOffset, endOffset, segmentBytes]) => {
    return { kind: 'welcome' as const, minOffset, endOffset, segmentBytes }
  }),
  fc
    .tuple(offsets, offsets, fc.option(fc.nat(), { nil: undefined }))
    .map(([from, to, sum]) => ({ kind: 'sum' as const, from, to, sum })),
)

/** Pieces of these bytes, cut where the numbers say. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((each) => each % (bytes.length + 1)), bytes.length]
  at.sort((a, b) => a - b)
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

function encode(sent: Sent): Buffer {
  if (sent.kind !== 'frame') return encodeLetter(sent)
  return Buffer.concat([encodeFrameHead(sent.offset, sent.bytes.length), sent.bytes])
}

/** What a slave makes of such chunks. */
function read(chunks: readonly Buffer[]): Sent[] {
  const reader = new FrameReader()
  const seen: Sent[] = []
  for (const chunk of chunks) {
    reader.push(chunk, {
      begin: (offset) => seen.push({ kind: 'frame', offset, bytes: Buffer.alloc(0) }) > 0,
      bytes: (offset, bytes) => {
        const last = seen.at(-1)
        if (last?.kind !== 'frame') throw new Error('bytes come without a frame')
        expect(offset).toBe(last.offset + last.bytes.length)
        seen[seen.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, bytes]) }
        return true
      },
      letter: (letter) => seen.push(letter) > 0,
    })
  }
  return seen
}

describe('a slave', () => {
  it('reports its end in eight bytes, as Apache has it', () => {
    const report = encodeWord({ kind: 'report', offset: 4_271 })
    expect(report.toString('hex')).toBe('00000000000010af')
  })

  it('is understood however its words are cut', () => {
    fc.assert(
      fc.property(fc.array(words), fc.array(fc.nat(), { maxLength: 20 }), (said, cuts) => {
        const heard: FollowerWord[] = []
        const reader = new WordReader()
        const bytes = Buffer.concat(said.map(encodeWord))
        for (const chunk of cut(bytes, cuts)) reader.push(chunk, (word) => heard.push(word))
        expect(heard).toEqual(said)
      }),
      { seed: 1 },
    )
  })

  it('that says something else than offsets is found out, and nothing worse happens', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
        const reader = new WordReader()
        try {
          for (const chunk of chunks) {
            reader.push(Buffer.from(chunk), (word) => {
              if (word.kind === 'report') expect(word.offset).toBeGreaterThanOrEqual(0)
            })
          }
        } catch (error) {
          expect(error).toBeInstanceOf(HaWireError)
        }
      }),
      { seed: 1 },
    )
    const far = Buffer.from('7fffffffffffffff', 'hex')
    expect(() => new WordReader().push(far, () => {})).toThrow('which no log has')
  })
})

describe('a master', () => {
  it('sends twelve bytes before those of the log, as Apache has it', () => {
    expect(encodeFrameHead(4_096, 175).toString('hex')).toBe('0000000000001000000000af')
    expect(encodeFrameHead(4_271, 0).toString('hex')).toBe('00000000000010af00000000')
  })

  it('is understood however its frames and letters are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(frames, letters)),
        fc.array(fc.nat(), { maxLength: 20 }),
        (sent, cuts) => {
          expect(read(cut(Buffer.concat(sent.map(encode)), cuts))).toEqual(sent)
        },
      ),
      { seed: 1 },
    )
  })

  it.each([
    ['more bytes than a slave of Apache could take', encodeFrameHead(0, MAX_FRAME_BYTES + 1)],
    ['a negative number of bytes', encodeFrameHead(0, -1)],
    ['a negative offset', encodeFrameHead(-5, 0)],
    ['an offset that no log has', Buffer.from('7fffffffffffffff00000000', 'hex')],
    ['a letter of no kind', Buffer.concat([encodeFrameHead(-7, 24), Buffer.alloc(24)])],
  ])('that sends %s is found out', (_, bytes) => {
    expect(() => read([bytes])).toThrow(HaWireError)
  })

  it('that sends anything is found out at most', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
        try {
          read(chunks.map((chunk) => Buffer.from(chunk)))
        } catch (error) {
          expect(error).toBeInstanceOf(HaWireError)
        }
      }),
      { seed: 1 },
    )
  })

  it('is not listened to any more once a slave wants nothing more', () => {
    const heard: number[] = []
    const bytes = Buffer.concat([encodeFrameHead(1, 0), encodeFrameHead(2, 0)])
    new FrameReader().push(bytes, {
      begin: (offset) => heard.push(offset) > 1,
      bytes: () => true,
      letter: () => true,
    })
    expect(heard).toEqual([1])
  })
})
