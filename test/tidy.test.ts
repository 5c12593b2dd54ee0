/** The walls of the house, held against the sources as they are on the disk. */
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { adviceOn } from './tidy/advice.ts'
import { houseAt } from './tidy/house.ts'
import { laws } from './tidy/laws.ts'

const house = houseAt(fileURLToPath(new URL('..', import.meta.url)))

describe('the house', () => {
  it.each(laws)('keeps the law: $fact', ({ check }) => {
    expect(check(house)).toEqual([])
  })

  it('is advised about its sizes', () => {
    for (const sentence of adviceOn(house)) process.stdout.write(`advice: ${sentence}\n`)
  })
})
