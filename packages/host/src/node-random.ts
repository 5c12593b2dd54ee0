/**
 * Real chance, from the operating system. Owns a small stock of random bytes, since each call into
 * the system costs as much as a thousand bytes from it.
 */
import { randomBytes, randomFillSync } from 'node:crypto'
import type { Random } from './random.ts'

const STOCK_BYTES = 6 * 1024
/** 48 bits for a number: against 2^31 values, no value is noticeably more likely than another. */
const DRAW_BYTES = 6

export class NodeRandom implements Random {
  readonly #stock = Buffer.alloc(STOCK_BYTES)
  #used = STOCK_BYTES

  below(limit: number): number {
    if (this.#used === STOCK_BYTES) {
      randomFillSync(this.#stock)
      this.#used = 0
    }
    const draw = this.#stock.readUIntBE(this.#used, DRAW_BYTES)
    this.#used += DRAW_BYTES
    return Math.floor((draw / 2 ** 48) * limit)
  }

  bytes(count: number): Buffer {
    return randomBytes(count)
  }
}
