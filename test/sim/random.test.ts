/** Chance from a seed: repeatable, even, and apart between forks. */
import { SimRandom } from '@rockhopper/sim'
import { expect, test } from 'vitest'

function draws(random: SimRandom, count: number, limit: number): number[] {
  return Array.from({ length: count }, () => random.below(limit))
}

test('a seed gives the same numbers on every machine', () => {
  expect(draws(new SimRandom(42), 5, 1000)).toEqual(draws(new SimRandom(42), 5, 1000))
  expect(draws(new SimRandom(42), 6, 1000)).toEqual([33, 755, 964, 503, 267, 159])
})

test('close seeds, and seeds that differ only beyond 32 bits, give unrelated numbers', () => {
  const all = [1, 2, 3, 1 + 2 ** 32, 1 + 2 ** 33].map((seed) => {
    return draws(new SimRandom(seed), 8, 2 ** 31).join()
  })
  expect(new Set(all).size).toBe(all.length)
})

test('numbers are even and within their limit', () => {
  const random = new SimRandom(5)
  const counts = new Array<number>(10).fill(0)
  for (const draw of draws(random, 100_000, 10)) counts[draw] = (counts[draw] ?? 0) + 1
  expect(Math.min(...counts)).toBeGreaterThan(9500)
  expect(Math.max(...counts)).toBeLessThan(10_500)
  for (const draw of draws(random, 1000, 2 ** 31)) expect(draw).toBeLessThan(2 ** 31)
})

test('a chance of 0 never comes, of 1 always, of a third a third of the time', () => {
  const random = new SimRandom(6)
  const count = (probability: number): number =>
    Array.from({ length: 30_000 }, () => random.chance(probability)).filter(Boolean).length
  expect(count(0)).toBe(0)
  expect(count(1)).toBe(30_000)
  expect(Math.abs(count(1 / 3) - 10_000)).toBeLessThan(400)
})

test('a fork goes its own way', () => {
  const parent = new SimRandom(7)
  const fork = parent.fork()
  expect(draws(fork, 5, 1000)).not.toEqual(draws(parent, 5, 1000))
  expect(parent.bytes(8)).toHaveLength(8)
  const between = parent.between(2, 3)
  expect(between >= 2 && between < 3).toBe(true)
})
