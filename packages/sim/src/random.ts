/**
 * Chance from a seed: the sfc32 generator (Chris Doty-Humphrey, PractRand), 128 bits of state.
 * Owns that state; the same seed gives the same numbers on every machine.
 */
import type { Random } from '@rockhopper/host'

/** Rounds after seeding, so that close seeds give unrelated numbers. */
const WARM_UP_ROUNDS = 16

export class SimRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** `seed` is a whole number; its low 53 bits count. */
  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) this.#next()
  }

  below(limit: number): number {
    return Math.floor((this.#next() / 2 ** 32) * limit)
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count)
    for (let i = 0; i < count; i += 1) bytes[i] = this.#next() & 0xff
    return bytes
  }

  /** A number from `low` up to, not including, `high`; fractional. */
  between(low: number, high: number): number {
    return low + (this.#next() / 2 ** 32) * (high - low)
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability
  }

  /** A generator of its own, so that two parts do not disturb each other's numbers. */
  fork(): SimRandom {
    return new SimRandom(this.#next() * 2 ** 21 + (this.#next() >>> 11))
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }
}
