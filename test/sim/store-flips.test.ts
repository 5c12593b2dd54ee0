/**
 * Single bits of a stopped store are flipped: what it delivers afterwards is what was stored, and
 * damage of the log is told, with file and offset. Many more: `npm run sim -- --flips 10000`.
 */
import { FLIP_ENDINGS, FLIPPED, type Flipped, flipBits } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

const FLIPS = 40
const SEED = 1
/** There is no such file, or what is lost is shown by the command alone. */
const UNTESTED: Readonly<Record<string, readonly Flipped[]>> = {
  close: ['abort', 'index'],
  trim: ['abort', 'index'],
}

describe.each(FLIP_ENDINGS)('after a %s', (ending) => {
  const kinds = FLIPPED.filter((kind) => UNTESTED[ending]?.includes(kind) !== true)
  test.each<Flipped>(kinds)(
    'flips in %s deliver nothing wrong and lose nothing unsaid',
    async (kind) => {
      const { findings } = await flipBits(SEED, FLIPS, ending, kind)
      expect(findings).toEqual([])
    },
  )

  test('every flip in a record is told of', async () => {
    const { harmless, told } = await flipBits(SEED, FLIPS, ending, 'commitlog')
    expect(told).toBeGreaterThan(FLIPS * 0.9)
    expect(told + harmless).toBe(FLIPS)
  })
})
