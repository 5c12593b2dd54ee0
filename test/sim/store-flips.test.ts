/**
 * Single bits of a stopped store are flipped: what it delivers afterwards is what was stored, and
 * damage of the log is told, with file and offset. Many more: `npm run sim -- --flips 10000`.
 */
import { FLIP_ENDINGS, FLIPPED, type Flipped, flipBits } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

const FLIPS = 25
const SEED = 1

describe.each(FLIP_ENDINGS)('after a %s', (ending) => {
  // Only a killed process leaves its marker.
  const kinds = FLIPPED.filter((kind) => kind !== 'abort' || ending === 'kill')
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
